package sip

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"
)

// target is one address a call may be placed at.
type target struct {
	host string         // as configured: of the Request-URI
	addr netip.AddrPort // of the socket
	user string         // of a redirection; empty = the number called
}

// Bounds of what one call may try.
const (
	maxTargets   = 16
	maxRedirects = 5
	maxContacts  = 8
)

// targets are the addresses of a trunk in the order they are tried: its names
// by priority and weight (RFC 3263 4.2), those that failed a moment ago last.
func (ua *UA) targets(ctx context.Context, t Trunk) []target {
	var list []target
	for _, name := range append([]string{t.Target}, t.Fallbacks...) {
		if name == "" {
			continue
		}
		for _, a := range ua.locate(ctx, name, t.Transport) {
			if len(list) < maxTargets && ua.sameFamily(a.Addr()) && !slices.ContainsFunc(list, func(o target) bool { return o.addr == a }) {
				list = append(list, target{host: name, addr: a})
			}
		}
	}
	now := time.Now()
	slices.SortStableFunc(list, func(a, b target) int {
		return ua.resting.order(a.addr, now) - ua.resting.order(b.addr, now)
	})
	return list
}

// locate resolves host[:port]. A name without a port is looked up as a service
// of the transport first (RFC 3263 4.2); the transport is configured, so there
// is nothing to ask NAPTR for (4.1).
func (ua *UA) locate(ctx context.Context, hostPort, transport string) []netip.AddrPort {
	host, port, err := splitHostPort(hostPort)
	if err != nil {
		return nil
	}
	if _, err := netip.ParseAddr(host); err != nil && host == hostPort {
		if found := ua.service(ctx, host, transport); len(found) > 0 {
			return found
		}
	}
	var list []netip.AddrPort
	for _, a := range ua.lookup(ctx, host) {
		list = append(list, netip.AddrPortFrom(a, port))
	}
	return list
}

func (ua *UA) service(ctx context.Context, host, transport string) []netip.AddrPort {
	proto := "udp"
	if transport == "tcp" {
		proto = "tcp"
	}
	within, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	_, records, err := ua.resolver.LookupSRV(within, "sip", proto, host)
	if err != nil {
		return nil // no such service: its addresses are asked for
	}
	var list []netip.AddrPort
	for _, r := range records[:min(len(records), maxTargets)] {
		for _, a := range ua.lookup(ctx, strings.TrimSuffix(r.Target, ".")) {
			list = append(list, netip.AddrPortFrom(a, r.Port))
		}
	}
	return list
}

// sameFamily tells whether our socket can send to an address.
func (ua *UA) sameFamily(a netip.Addr) bool {
	local := addrPortOf(ua.cfg.UDP.LocalAddr()).Addr()
	return local.IsUnspecified() || local.Is4() == a.Is4()
}

// redirectError is a 3xx with where it points to.
type redirectError struct {
	StatusError
	contacts []sip.Uri
}

func (e *redirectError) Unwrap() error { return &e.StatusError }

// contactsOf reads the Contacts of a 3xx (RFC 3261 8.1.3.4).
func contactsOf(res *sip.Response) []sip.Uri {
	var list []sip.Uri
	for _, h := range res.GetHeaders("contact") {
		var u sip.Uri
		if c, ok := h.(*sip.ContactHeader); ok {
			u = c.Address
		} else if _, err := sip.ParseAddressValue(h.Value(), &u, nil); err != nil {
			continue
		}
		if len(list) < maxContacts && u.Host != "" && !u.Wildcard && !u.IsEncrypted() {
			list = append(list, u)
		}
	}
	return list
}

// redirected gives the targets of a 3xx. It is followed only to addresses of
// the trunk: a call that costs money goes where the operator said.
func (ua *UA) redirected(ctx context.Context, t Trunk, e *redirectError) []target {
	known := ua.targets(ctx, t)
	var list []target
	for _, u := range e.contacts {
		port := uint16(u.Port)
		if port == 0 {
			port = 5060
		}
		for _, a := range ua.lookup(ctx, strings.Trim(u.Host, "[]")) {
			listed := contains(t.Allowed, a) || slices.ContainsFunc(known, func(k target) bool { return k.addr.Addr() == a })
			if listed && ua.sameFamily(a) && len(list) < maxContacts {
				list = append(list, target{host: t.Target, addr: netip.AddrPortFrom(a, port), user: userOf([]byte(u.String()))})
			}
		}
	}
	return list
}

// rest remembers that a target failed, so that the next calls try others first.
func (ua *UA) rest(t target, err error) {
	wait := 30 * time.Second
	var answered *StatusError
	if errors.As(err, &answered) {
		if answered.Status != sip.StatusServiceUnavailable || answered.retryAfter == 0 {
			return
		}
		wait = answered.retryAfter
	}
	ua.resting.add(t.addr, time.Now().Add(wait))
}

// resting are targets that failed a moment ago, in bounded memory.
type resting struct {
	mu    sync.Mutex
	until map[netip.AddrPort]time.Time
}

const (
	maxResting  = 256
	longestRest = 5 * time.Minute
)

func (r *resting) add(a netip.AddrPort, until time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.until == nil || len(r.until) >= maxResting {
		r.until = map[netip.AddrPort]time.Time{}
	}
	r.until[a] = until
}

// order is 1 for a target that rests, else 0.
func (r *resting) order(a netip.AddrPort, now time.Time) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if until, ok := r.until[a]; ok {
		if now.Before(until) {
			return 1
		}
		delete(r.until, a)
	}
	return 0
}

// retryAfter reads a response's Retry-After, seconds with an optional comment;
// 0 = none.
func retryAfter(res *sip.Response) time.Duration {
	h := res.GetHeader("retry-after")
	if h == nil {
		return 0
	}
	v := h.Value()
	if i := strings.IndexAny(v, " ;("); i >= 0 {
		v = v[:i]
	}
	seconds, err := strconv.ParseUint(v, 10, 32)
	if err != nil {
		return 0
	}
	return min(time.Duration(seconds)*time.Second, longestRest)
}
