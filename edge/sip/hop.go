package sip

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// hop is where a request goes.
type hop struct {
	transport string // udp or tcp
	uri       sip.Uri
	fallback  string // host:port seen or configured
	open      string // of TCP: the connection the peer opened, best if it still is
	trunk     Trunk
	err       error
}

// hop of the dialog's next request: the first route, else the remote target.
func (l *Leg) hop() hop {
	h := hop{transport: l.d.Transport, fallback: l.d.Source, trunk: l.trunk}
	h.uri, h.err = l.d.nextHop()
	if h.transport == tcp {
		h.open = l.d.Source
		if l.trunk.Target != "" && !l.d.Caller {
			// A connection's source port is the peer's own choice; nobody listens there.
			h.fallback = l.trunk.Target
		}
	}
	return h
}

// lookupTimeout bounds a name lookup.
const lookupTimeout = 3 * time.Second

// resolve gives the address to send to. Only listed addresses are sent to: a
// Contact may name an address inside the peer's network, or anybody's. Then,
// and when a name does not resolve, the request goes where the peer was seen.
func (ua *UA) resolve(ctx context.Context, h hop) (netip.AddrPort, error) {
	if h.err != nil {
		return netip.AddrPort{}, h.err
	}
	port := uint16(h.uri.Port)
	if port == 0 {
		port = 5060
	}
	for _, a := range ua.lookup(ctx, strings.Trim(h.uri.Host, "[]")) {
		if contains(h.trunk.Allowed, a) {
			return netip.AddrPortFrom(a, port), nil
		}
	}
	if a, err := netip.ParseAddrPort(h.fallback); err == nil {
		return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()), nil
	}
	return ua.target(ctx, h.fallback, strings.ToLower(h.transport))
}

// target resolves a configured host[:port].
func (ua *UA) target(ctx context.Context, hostPort, transport string) (netip.AddrPort, error) {
	addrs := ua.locate(ctx, hostPort, transport)
	if len(addrs) == 0 {
		return netip.AddrPort{}, &unreachableError{hostPort}
	}
	return addrs[0], nil
}

type unreachableError struct{ host string }

func (e *unreachableError) Error() string {
	return "sip: no address for " + printable(e.host, 80)
}

func (e *unreachableError) Unwrap() error { return ErrTransport }

// lookup returns the addresses of a name, IPv4 first; none when there are none.
func (ua *UA) lookup(ctx context.Context, host string) []netip.Addr {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a.Unmap()}
	}
	if host == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	found, err := ua.resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		ua.log.Debug("sip name not resolved", "host", host, "error", err)
		return nil
	}
	var v4, v6 []netip.Addr
	for _, a := range found {
		if a = a.Unmap(); a.Is4() {
			v4 = append(v4, a)
		} else {
			v6 = append(v6, a)
		}
	}
	return append(v4, v6...)
}

func contains(list []netip.Prefix, a netip.Addr) bool {
	for _, p := range list {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
