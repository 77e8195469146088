package enroll

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Ports a node chooses by itself lie below the range the system takes source
// ports from (32768 on Linux), so that they are still free at the next start.
const (
	firstPort = 20000
	lastPort  = 32767
)

// choose replaces each port 0 by a free one. All are held until the last is
// found, so no two are the same. A given port that is taken is an error.
func (a Addrs) choose() (Addrs, error) {
	if _, err := netip.ParseAddr(a.MediaIP); err != nil {
		return a, fmt.Errorf("--media-ip %q is not an IP address", a.MediaIP)
	}
	if _, _, err := PortRange(a.MediaPorts); err != nil {
		return a, err
	}
	var held []io.Closer
	defer func() {
		for _, c := range held {
			_ = c.Close()
		}
	}()
	for _, p := range []struct {
		flag     string
		addr     *string
		tcp, udp bool
	}{
		{"--web-addr", &a.Web, true, false},
		{"--node-addr", &a.Node, true, false},
		{"--sip-addr", &a.SIP, true, true},
		{"--webrtc-addr", &a.WebRTC, false, true},
		{"--metrics-addr", &a.Metrics, true, false},
	} {
		got, closers, err := hold(*p.addr, p.tcp, p.udp)
		if err != nil {
			return a, fmt.Errorf("%s %s: %w", p.flag, *p.addr, err)
		}
		*p.addr, held = got, append(held, closers...)
	}
	return a, nil
}

func hold(addr string, tcp, udp bool) (string, []io.Closer, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", nil, errors.New("it is not host:port")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", nil, errors.New("the port is not a number from 0 to 65535")
	} else if n != 0 {
		closers, err := Bind(addr, tcp, udp)
		return addr, closers, err
	}
	for range 200 {
		try := net.JoinHostPort(host, strconv.Itoa(firstPort+rand.IntN(lastPort-firstPort+1)))
		var closers []io.Closer
		if closers, err = Bind(try, tcp, udp); err == nil {
			return try, closers, nil
		}
	}
	return "", nil, fmt.Errorf("no free port from %d to %d: %w", firstPort, lastPort, err)
}

// Bind takes an address for TCP, UDP or both, until the closers are closed.
func Bind(addr string, tcp, udp bool) ([]io.Closer, error) {
	var held []io.Closer
	if tcp {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return nil, err
		}
		held = append(held, l)
	}
	if udp {
		c, err := net.ListenPacket("udp", addr)
		if err != nil {
			for _, h := range held {
				_ = h.Close()
			}
			return nil, err
		}
		held = append(held, c)
	}
	return held, nil
}

// PortRange reads "first-last" (inclusive, at least two ports); "0" and "" give
// 0, 0: the system chooses.
func PortRange(s string) (first, last int, err error) {
	if s == "" || s == "0" {
		return 0, 0, nil
	}
	from, to, ok := strings.Cut(s, "-")
	if ok {
		a, err1 := strconv.ParseUint(from, 10, 16)
		b, err2 := strconv.ParseUint(to, 10, 16)
		if err1 == nil && err2 == nil && a > 0 && a < b {
			return int(a), int(b), nil
		}
	}
	return 0, 0, fmt.Errorf("media ports %q: write 0, or first-last such as 20000-29999", s)
}

// publicHost is what others reach an address by: the advertised IP, the address
// itself, or for "all addresses" the one packets to the cloud leave from.
func publicHost(listen, advertised, cloudHost string) string {
	if advertised != "" {
		return advertised
	}
	host, _, _ := net.SplitHostPort(listen)
	if ip, err := netip.ParseAddr(host); host != "" && (err != nil || !ip.IsUnspecified()) {
		return host
	}
	// No packet is sent: connecting a UDP socket only looks up the route.
	if c, err := net.Dial("udp", net.JoinHostPort(cloudHost, "9")); err == nil {
		defer c.Close()
		if a, ok := c.LocalAddr().(*net.UDPAddr); ok {
			return a.IP.String()
		}
	}
	return "127.0.0.1"
}

func withPort(host, addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return net.JoinHostPort(host, port)
}
