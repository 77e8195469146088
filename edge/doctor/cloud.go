package doctor

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"

	"trunkline/edge/enroll"
	"trunkline/internal/fault"
	"trunkline/internal/join"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
	"trunkline/proto/gen/trunkline/edge/v1/edgev1connect"
)

func dns(ctx context.Context, p *patient) []Finding {
	if p.cloud == nil {
		return []Finding{failed(fmt.Sprintf("The cloud's address: %v.", p.cloudErr), "Give --cloud https://... as the administration is opened with.")}
	}
	host := p.cloud.Hostname()
	if _, err := netip.ParseAddr(host); err == nil {
		return []Finding{ok("The cloud is given by its address %s.", host)}
	}
	start := time.Now()
	addrs, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return []Finding{failed(fmt.Sprintf("%s can not be resolved: %v.", host, err), "Check the spelling of --cloud and the name servers in /etc/resolv.conf (UDP and TCP port 53).")}
	}
	if took := time.Since(start); took > time.Second {
		return []Finding{warning(fmt.Sprintf("%s is %s, but DNS took %s.", host, list(addrs), took.Round(time.Millisecond)), "A name server in /etc/resolv.conf does not answer: remove it.")}
	}
	return []Finding{ok("%s is %s.", host, list(addrs))}
}

func cloud(_ context.Context, p *patient) []Finding {
	found, err := p.discover()
	if err != nil {
		f := enroll.CloudFailure(p.cloud, err)
		return []Finding{failed(f.Message, f.Advice)}
	}
	return []Finding{ok("%s answers in %s, version %s; its node port is %s.", p.cloud, found.RoundTrip.Round(time.Millisecond), found.Version, found.NodeAddr)}
}

func clock(_ context.Context, p *patient) []Finding {
	found, err := p.discover()
	if err != nil {
		return []Finding{skipped("The clock is compared with the cloud's, which does not answer.")}
	}
	off := found.Offset
	fix := "Turn on time synchronisation: timedatectl set-ntp true, or chrony."
	switch text := fmt.Sprintf("This clock is %d ms from the cloud's.", off.Milliseconds()); {
	case off.Abs()-found.RoundTrip/2 > enroll.MaxClockOff:
		return []Finding{failed(text+" A node more than 2 s off can not lead its site.", fix)}
	case off.Abs()-found.RoundTrip/2 > enroll.MaxClockOff/4:
		return []Finding{warning(text, fix)}
	default:
		return []Finding{ok("%s", text)}
	}
}

// nodePort proves the whole way to the cloud: TCP, the cloud's certificate by the
// pinned CA, and that the cloud takes this node's.
func nodePort(ctx context.Context, p *patient) []Finding {
	found, derr := p.discover()
	if p.enrolment == nil {
		return foreignNodePort(ctx, found, derr)
	}
	addr := p.enrolment.Node().CloudNode
	var out []Finding
	if derr == nil && found.NodeAddr != addr {
		out = append(out, warning(fmt.Sprintf("The cloud's node port is %s now; the node knows %s.", found.NodeAddr, addr), "Nothing, if the node runs: it finds the new one. Else start it."))
		addr = found.NodeAddr
	}
	transport := &http.Transport{
		TLSClientConfig: p.enrolment.CloudTLS(), ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, addr)
		},
	}
	defer transport.CloseIdleConnections()
	client := edgev1connect.NewFleetServiceClient(&http.Client{Transport: transport}, "https://"+join.ServerName)
	start := time.Now()
	// A question without content: what matters is who is let in to ask it.
	_, err := client.TurnCredentials(ctx, &edgev1.TurnCredentialsRequest{})
	switch e := fault.Of(err); {
	case err == nil, e.Kind == fault.Invalid, e.Kind == fault.NotFound, e.Kind == fault.Forbidden:
		out = append(out, ok("The cloud's node port %s takes this node, in %s.", addr, time.Since(start).Round(time.Millisecond)))
	case e.Kind == fault.Unauthenticated:
		out = append(out, failed("The cloud does not take this node's certificate any more.", "The node was removed or has joined again elsewhere: create a token on the site's page and join with --force."))
	default:
		f := enroll.NodePortFailure(addr, err)
		out = append(out, failed(f.Message, f.Advice))
	}
	return out
}

// foreignNodePort is for a machine that has not joined: only whether the way is open.
func foreignNodePort(ctx context.Context, found enroll.Discovered, err error) []Finding {
	if err != nil {
		return []Finding{skipped("Where the cloud's node port is can not be asked.")}
	}
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", found.NodeAddr)
	if err != nil {
		f := enroll.NodePortFailure(found.NodeAddr, err)
		return []Finding{failed(f.Message, f.Advice)}
	}
	_ = c.Close()
	return []Finding{ok("The cloud's node port %s is open for this machine.", found.NodeAddr)}
}

func certificate(_ context.Context, p *patient) []Finding {
	if p.enrolment == nil {
		return []Finding{skipped("There is no certificate before the join.")}
	}
	leaf := p.enrolment.Certificate().Leaf
	now, until := time.Now(), leaf.NotAfter.Format(time.DateTime+" MST")
	switch {
	case now.After(leaf.NotAfter):
		return []Finding{failed("The certificate ran out on "+until+"; other nodes and the cloud refuse it.", "Create a token on the site's page and join with --force; the node keeps its data.")}
	case now.Before(leaf.NotBefore):
		return []Finding{failed("The certificate is not valid yet: it begins on "+leaf.NotBefore.Format(time.DateTime+" MST")+".", "This machine's clock is behind; turn on time synchronisation.")}
	case now.After(p.enrolment.RenewAt().Add(24 * time.Hour)):
		return []Finding{warning("The certificate should have been renewed; it runs out on "+until+".", "The node renews it by itself while it runs and reaches the cloud: see the other checks.")}
	default:
		return []Finding{ok("The certificate is valid until %s and is renewed by itself.", until)}
	}
}

// token looks at a join token without spending it. It leaves a line in the
// site's join log.
func token(ctx context.Context, p *patient) []Finding {
	if p.Token == "" {
		return []Finding{skipped("No token was given (--token).")}
	}
	t, err := join.Parse(p.Token)
	if err != nil {
		return []Finding{failed("This is no join token.", "Copy it whole from the site's page; it begins with tlj1_.")}
	}
	if p.enrolment != nil && sha256.Sum256(p.enrolment.CA().Raw) != t.CA {
		return []Finding{failed("The token is of another cloud than the one this node belongs to.", "Check which cloud the token was copied from.")}
	}
	found, err := p.discover()
	if err != nil {
		return []Finding{skipped("The token is well-formed; the cloud, which knows more, does not answer.")}
	}
	f := enroll.CheckToken(ctx, t, found)
	if f != nil {
		return []Finding{failed(f.Message, f.Advice)}
	}
	return []Finding{ok("The cloud knows the token. Whether it has been used shows on the site's page.")}
}

func peers(ctx context.Context, p *patient) []Finding {
	if p.enrolment == nil {
		return []Finding{skipped("The other nodes are known after the join.")}
	}
	self := p.enrolment.Node().Name
	var nodes []*edgev1.SiteNode
	for _, n := range p.site.GetNodes() {
		if n.Name != self {
			nodes = append(nodes, n)
		}
	}
	if len(nodes) == 0 {
		return []Finding{ok("This is the site's only node; one of three may fail, one of one may not.")}
	}
	return inParallel(nodes, func(n *edgev1.SiteNode) Finding { return peer(ctx, p, n) })
}

func peer(ctx context.Context, p *patient, n *edgev1.SiteNode) Finding {
	start := time.Now()
	d := tls.Dialer{Config: p.enrolment.ClientTLS(n.Name)}
	c, err := d.DialContext(ctx, "tcp", n.NodeAddr)
	if err == nil {
		_ = c.Close()
		return ok("Node %s answers at %s in %s.", n.Name, n.NodeAddr, time.Since(start).Round(time.Millisecond))
	}
	if errors.Is(err, enroll.ErrPeer) {
		return failed(fmt.Sprintf("What answers at %s is not node %s: %v.", n.NodeAddr, n.Name, err), "Two nodes were given the same address: correct --node-addr or --advertise-ip of one and join it again.")
	}
	return failed(fmt.Sprintf("Node %s does not answer at %s: %v.", n.Name, n.NodeAddr, err),
		fmt.Sprintf("If that node runs, let TCP through to %s in the firewalls between the nodes.", n.NodeAddr))
}
