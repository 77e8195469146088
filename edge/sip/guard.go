package sip

import (
	"bytes"
	"hash/maphash"
	"net/netip"
	"sync"
	"time"
)

// guard reads each message before sipgo does and lets through what is worth a
// transaction. What it refuses it answers from the message itself and forgets:
// strangers, malformed and unsupported requests, calls above the bound,
// OPTIONS and CANCEL (which sipgo would answer with a tag of its own).
type guard struct {
	ua   *UA
	seed maphash.Seed

	strangers limiter
}

// send writes an answer to where it belongs; to is used by datagrams only.
type send func(answer []byte, to netip.AddrPort)

// admit returns the message to pass on, or nil. reply is called before it
// returns, if at all.
func (g *guard) admit(data []byte, src netip.AddrPort, reply send) []byte {
	if g.ua.ctx.Err() != nil {
		return nil
	}
	if len(data) < 16 || !tokenStart(data[0]) {
		g.ua.metrics.dropped.WithLabelValues("not_sip").Inc()
		return nil
	}
	if !g.ua.listed(src.Addr()) {
		g.stranger(data, src, reply)
		return nil
	}
	m, f := scan(data)
	if f != nil {
		g.flawed(data, &m, f, src, reply)
		return nil
	}
	if m.request {
		if answered := g.answer(data, &m, src, reply); answered {
			return nil
		}
	}
	if m.spaced {
		return unfold(data[:m.head+m.body], m.head)
	}
	return data[:m.head+m.body]
}

// answer deals with the requests that need no transaction.
func (g *guard) answer(data []byte, m *raw, src netip.AddrPort, reply send) bool {
	method := string(m.method)
	g.ua.metrics.request(method)
	switch {
	case method == "ACK":
		return g.ua.acked(m, data[m.head:m.head+m.body]) || string(param(m.to, "tag")) == g.tagFor(m, "") // of an answer below
	case method == "CANCEL":
		status, text, tag := g.ua.cancel(m)
		g.reply(data, m, src, reply, answerOf{status: status, text: text, tag: tag})
		return true
	case method == "OPTIONS" && m.initial():
		a := answerOf{status: 200, text: "OK", extra: capabilities}
		if g.ua.draining.Load() {
			a = unavailable
		}
		g.reply(data, m, src, reply, a)
		return true
	case method == "INVITE" && m.initial():
		return g.overloaded(data, m, src, reply)
	}
	return false
}

const capabilities = "Allow: " + allowed + "\r\nAccept: application/sdp\r\nSupported: " + extensions + "\r\n"

var unavailable = answerOf{status: 503, text: "Service Unavailable", extra: "Retry-After: 5\r\n"}

// overloaded refuses calls on the cheap path, before anything is kept of them.
func (g *guard) overloaded(data []byte, m *raw, src netip.AddrPort, reply send) bool {
	called := m.called()
	trunk, _ := g.ua.trunkFor(src.Addr(), called)
	who := g.ua.tenantOf(trunk, called)
	reason := g.ua.noRoom(inviteKeyOf(m), who)
	if reason == "" {
		return false
	}
	g.reply(data, m, src, reply, unavailable)
	r := refusalOf(m, src, reason, unavailable.status)
	r.TrunkID, r.Tenant = trunk.ID, who.ID
	g.ua.refused(r)
	return true
}

// noRoom is why a call is refused now. One that is in flight already is not:
// its repetition must find its transaction, and is counted once.
func (ua *UA) noRoom(k inviteKey, who Tenant) (reason string) {
	ua.mu.Lock()
	defer ua.mu.Unlock()
	switch {
	case ua.invites[k] != nil:
		return ""
	case ua.draining.Load():
		return ReasonDraining
	}
	return ua.crowded(who, time.Now())
}

func (g *guard) flawed(data []byte, m *raw, f *flaw, src netip.AddrPort, reply send) {
	method := string(m.method)
	if m.request {
		g.ua.metrics.request(method)
	}
	if f.status == 0 || method == "ACK" || !m.complete && m.via == nil {
		g.ua.metrics.dropped.WithLabelValues("malformed").Inc()
		return
	}
	g.ua.log.Debug("sip request refused", "source", src, "method", method, "status", f.status, "reason", f.text)
	g.reply(data, m, src, reply, answerOf{status: f.status, text: f.text, extra: f.extra})
	if method == "INVITE" && m.initial() {
		reason := ReasonBadRequest
		if f.status == 483 {
			reason = ReasonTooManyHops
		}
		g.ua.refused(refusalOf(m, src, reason, f.status))
	}
}

// stranger handles a source that is on no trunk's list: nothing is kept, and
// only few are told or reported.
func (g *guard) stranger(data []byte, src netip.AddrPort, reply send) {
	g.ua.metrics.dropped.WithLabelValues("unlisted").Inc()
	if !bytes.HasPrefix(data, []byte("INVITE ")) || !g.strangers.allow(src.Addr(), time.Now()) {
		return
	}
	m, f := scan(data)
	if f != nil || !m.request {
		return
	}
	r := refusalOf(&m, src, ReasonNotListed, 403)
	if scanner(m.userAgent) {
		r.Status = 0
	} else {
		reply(g.build(data, &m, src, answerOf{status: 403, text: "Forbidden"}), src)
		g.ua.metrics.response("INVITE", 403)
	}
	g.ua.refused(r)
}

// scanner knows tools that only look for a server that answers.
func scanner(userAgent []byte) bool {
	ua := bytes.ToLower(userAgent)
	for _, s := range [...]string{
		"friendly-scanner", "friendly-request", "sipvicious", "sipcli", "sipsak", "sip-scan", "sipscan",
		"siparmyknife", "sivus", "smap", "sundayaddr", "pplsip", "iwar", "gulp", "vaxsip", "vaxip",
	} {
		if bytes.Contains(ua, []byte(s)) {
			return true
		}
	}
	return false
}

func refusalOf(m *raw, src netip.AddrPort, reason string, status int) Refusal {
	caller, _, _, _ := cutAddress(m.from)
	return Refusal{
		At: time.Now(), Source: src, Reason: reason, Status: status,
		Caller: number(userOf(caller)), Called: number(userOf(m.uri)),
	}
}

// limiter bounds what strangers cause, in fixed memory: few times a minute for
// each source (by hash, so some share a slot), few times a second for all.
type limiter struct {
	mu    sync.Mutex
	slots [1024]slot
	all   perSecondLimit
}

type slot struct {
	minute int64
	spent  uint8
}

const (
	perSource = 3  // a minute
	perSecond = 20 // all sources
)

var limiterSeed = maphash.MakeSeed()

func (l *limiter) allow(src netip.Addr, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := &l.slots[maphash.Comparable(limiterSeed, src)%uint64(len(l.slots))]
	if minute := now.Unix() / 60; s.minute != minute {
		*s = slot{minute: minute}
	}
	if s.spent >= perSource || !l.all.allow(now, perSecond) {
		return false
	}
	s.spent++
	return true
}

// perSecondLimit counts within the second.
type perSecondLimit struct {
	mu     sync.Mutex
	second int64
	spent  int
}

func (l *perSecondLimit) allow(now time.Time, limit int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.second != now.Unix() {
		l.second, l.spent = now.Unix(), 0
	}
	if l.spent >= limit {
		return false
	}
	l.spent++
	return true
}
