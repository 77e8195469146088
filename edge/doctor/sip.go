package doctor

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"time"

	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

const (
	// sipTime is how long a SIP peer has for its answer; RFC 3261 section
	// 17.1.2.2 sends again after 0.5 s, then 1 s later.
	sipTime = 3500 * time.Millisecond
	maxUDP  = 65535
)

var errNotSIP = errors.New("what answers does not speak SIP")

// options sends OPTIONS (RFC 3261 section 11) and gives the status line.
func options(ctx context.Context, transport, target string) (status string, err error) {
	ctx, cancel := context.WithTimeout(ctx, sipTime)
	defer cancel()
	c, err := (&net.Dialer{}).DialContext(ctx, transport, target)
	if err != nil {
		return "", err
	}
	defer c.Close()
	end, _ := ctx.Deadline()
	_ = c.SetDeadline(end)
	msg := optionsMessage(transport, target, c.LocalAddr().String())
	if transport == "tcp" {
		if _, err := c.Write(msg); err != nil {
			return "", err
		}
		line, err := bufio.NewReader(io.LimitReader(c, maxUDP)).ReadString('\n')
		if err != nil {
			return "", err
		}
		return statusLine(line)
	}
	return exchange(c, msg, end)
}

// exchange sends a datagram, and again, until something comes back.
func exchange(c net.Conn, msg []byte, end time.Time) (string, error) {
	buf := make([]byte, maxUDP)
	for _, wait := range []time.Duration{500 * time.Millisecond, time.Second, sipTime} {
		if _, err := c.Write(msg); err != nil {
			return "", err
		}
		at := time.Now().Add(wait)
		if at.After(end) {
			at = end
		}
		_ = c.SetReadDeadline(at)
		n, err := c.Read(buf)
		if err == nil {
			line, _, _ := bytes.Cut(buf[:n], []byte("\n"))
			return statusLine(string(line))
		}
		if ne, ok := errors.AsType[net.Error](err); !ok || !ne.Timeout() {
			return "", err // the port is closed: ICMP says so
		}
	}
	return "", context.DeadlineExceeded
}

func optionsMessage(transport, target, local string) []byte {
	id := strings.ToLower(rand.Text())
	return fmt.Appendf(nil, "OPTIONS sip:%[1]s SIP/2.0\r\n"+
		"Via: SIP/2.0/%[2]s %[3]s;rport;branch=z9hG4bK%[4]s\r\n"+
		"Max-Forwards: 70\r\n"+
		"From: <sip:doctor@%[3]s>;tag=%[5]s\r\n"+
		"To: <sip:%[1]s>\r\n"+
		"Call-ID: %[4]s@doctor\r\n"+
		"CSeq: 1 OPTIONS\r\n"+
		"Contact: <sip:doctor@%[3]s;transport=%[6]s>\r\n"+
		"Accept: application/sdp\r\n"+
		"Content-Length: 0\r\n\r\n",
		target, strings.ToUpper(transport), local, id, id[:8], transport)
}

func statusLine(line string) (string, error) {
	status, ok := strings.CutPrefix(strings.TrimSpace(line), "SIP/2.0 ")
	if !ok {
		return "", errNotSIP
	}
	return status, nil
}

// ownSIP asks this node's SIP port, by UDP and TCP.
func ownSIP(ctx context.Context, p *patient) []Finding {
	if !p.running {
		return []Finding{skipped("The node does not run.")}
	}
	addr := p.enrolment.Node().Listen.SIP
	return inParallel([]string{"udp", "tcp"}, func(transport string) Finding {
		name := strings.ToUpper(transport)
		before := p.unlisted(ctx)
		status, err := options(ctx, transport, addr)
		switch {
		case err == nil:
			return ok("SIP over %s at %s answers %s.", name, addr, status)
		case !p.lists(addr) && (transport == "tcp" && !isRefused(err) || p.unlisted(ctx) > before):
			// The node hears but does not answer strangers, and this machine is one.
			return ok("SIP over %s at %s is served; this machine is on no trunk's list, so it gets no answer.", name, addr)
		default:
			return failed(fmt.Sprintf("SIP over %s at %s does not answer: %v.", name, addr, err), "A firewall on this machine stands before the port, or the node is overloaded: see its log.")
		}
	})
}

// lists says whether a packet from this machine to addr comes from an address of
// a trunk: to its own addresses a machine sends from the same.
func (p *patient) lists(addr string) bool {
	ip, err := netip.ParseAddr(hostOf(addr))
	if err != nil {
		return false
	}
	if ip.IsUnspecified() {
		ip = netip.MustParseAddr("127.0.0.1")
	}
	for _, t := range p.site.GetTrunks() {
		for _, a := range t.Allowed {
			if prefix, err := netip.ParsePrefix(a); err == nil && prefix.Contains(ip) {
				return true
			}
			if one, err := netip.ParseAddr(a); err == nil && one == ip {
				return true
			}
		}
	}
	return false
}

// unlisted counts the packets the node has dropped because their source is on no
// trunk's list, -1 when it does not say.
func (p *patient) unlisted(ctx context.Context) float64 {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.enrolment.Node().Listen.Metrics+"/metrics", nil)
	if err != nil {
		return -1
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		return -1
	}
	defer res.Body.Close()
	for s := bufio.NewScanner(io.LimitReader(res.Body, 16<<20)); s.Scan(); {
		var n float64
		if line := s.Text(); strings.HasPrefix(line, "trunkline_sip_") && strings.Contains(line, `"unlisted"`) {
			if _, err := fmt.Sscan(line[strings.LastIndexByte(line, ' ')+1:], &n); err == nil {
				return n
			}
		}
	}
	return -1
}

func trunks(ctx context.Context, p *patient) []Finding {
	if p.enrolment == nil {
		return []Finding{skipped("The trunks are known after the join.")}
	}
	var with []*edgev1.Trunk
	for _, t := range p.site.GetTrunks() {
		if t.Target != "" {
			with = append(with, t)
		}
	}
	if len(p.site.GetTrunks()) == 0 {
		return []Finding{warning("The site has no trunk, so no call can reach it.", "Add one on the site's page, then run the doctor again.")}
	}
	if len(with) == 0 {
		return []Finding{skipped("No trunk has a target to ask.")}
	}
	return inParallel(with, func(t *edgev1.Trunk) Finding { return trunk(ctx, t) })
}

func trunk(ctx context.Context, t *edgev1.Trunk) Finding {
	transport := strings.ToLower(t.Transport)
	if transport != "tcp" {
		transport = "udp"
	}
	target := t.Target
	if _, _, err := net.SplitHostPort(target); err != nil {
		target = net.JoinHostPort(target, "5060")
	}
	start := time.Now()
	status, err := options(ctx, transport, target)
	name := fmt.Sprintf("Trunk %s (%s, %s)", t.Name, target, strings.ToUpper(transport))
	switch {
	case err == nil:
		// Any answer will do: many carriers refuse OPTIONS by a status of their own.
		return ok("%s answers %s in %s.", name, status, time.Since(start).Round(time.Millisecond))
	case isRefused(err):
		return failed(name+" is closed.", "Check the trunk's target and port on the site's page; the carrier's SIP server does not listen there.")
	default:
		return failed(fmt.Sprintf("%s does not answer: %v.", name, err),
			"Let SIP out to it in the firewall, and ask the carrier to allow this site's addresses.")
	}
}

func isRefused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }
