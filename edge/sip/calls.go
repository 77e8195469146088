package sip

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/emiago/sipgo/sip"
)

// incoming admits an INVITE that opens a dialog and hands it to the handler.
func (ua *UA) incoming(req *sip.Request, tx *sip.ServerTx) {
	src, _ := netip.ParseAddrPort(req.Source())
	in := &Incoming{
		SIPCallID: req.CallID().Value(), At: time.Now(),
		Source: netip.AddrPortFrom(src.Addr().Unmap(), src.Port()),
		Called: number(userOf([]byte(req.Recipient.String()))),
	}
	if in.Called == "" {
		in.Called = number(userOf([]byte(req.To().Address.String())))
	}
	in.Caller, in.CallerName = callerOf(req)
	trunk, ok := ua.trunkFor(in.Source.Addr(), in.Called)
	if !ok { // taken off the list since the guard looked
		ua.turnDown(req, tx, sip.StatusForbidden)
		return
	}
	if res := ua.tooShort(req, ""); res != nil {
		ua.send(req, tx, res)
		return
	}
	in.Trunk = trunk
	who := ua.tenantOf(trunk, in.Called)
	v := &invite{
		ua: ua, req: req, tx: tx, tag: newTag(), trunkID: trunk.ID, tenant: who.ID,
		key:    inviteKey{in.SIPCallID, tagOf(req.From().Params), req.CSeq().SeqNo},
		branch: req.Via().Params.GetOr("branch", ""),
	}
	in.inv = v
	if status, reason := ua.admit(v, trunk, who); status != 0 {
		res := ua.response(req, status, v.tag, nil)
		if status == sip.StatusServiceUnavailable {
			res.AppendHeader(sip.NewHeader("Retry-After", "5"))
		}
		ua.send(req, tx, res)
		if reason != ReasonMerged {
			ua.refused(in.refusal(reason, status))
		}
		return
	}
	_ = v.respond(ua.response(req, sip.StatusTrying, "", nil)) // sipgo repeats it on each repetition
	ua.handler.Incoming(in)
}

// admit counts the INVITE in, or says how to refuse it.
func (ua *UA) admit(v *invite, trunk Trunk, who Tenant) (status int, reason string) {
	ua.mu.Lock()
	defer ua.mu.Unlock()
	switch {
	case ua.closed:
		return sip.StatusServiceUnavailable, ReasonDraining
	case ua.invites[v.key] != nil:
		return sip.StatusLoopDetected, ReasonMerged
	}
	now := time.Now()
	if reason = ua.crowded(who, now); reason == "" {
		reason = ua.trunkFull(trunk, who.ID)
	}
	if reason != "" {
		return sip.StatusServiceUnavailable, reason
	}
	ua.invites[v.key] = v
	ua.count(v.trunkID, v.tenant)
	ua.inFlight.add(v.tenant)
	ua.paces.take(who, now)
	ua.metrics.inFlight.Set(float64(ua.inFlight.total))
	v.undecided = time.AfterFunc(ua.time.decide, v.expire)
	return 0, ""
}

// crowded is why the tenant may not have one more INVITE in flight, "" when it may.
func (ua *UA) crowded(who Tenant, now time.Time) (reason string) {
	switch bound := ua.cfg.MaxInvitesInFlight; {
	case ua.inFlight.full(bound):
		return ReasonOverload
	case !ua.inFlight.fair(bound, who.ID), ua.paces.over(who, now):
		return ReasonLimit
	}
	return ""
}

// trunkFull is why the tenant may not have one more call of the trunk. A
// tenant's own trunk is all its own.
func (ua *UA) trunkFull(t Trunk, tenant int64) (reason string) {
	switch s := ua.calls[t.ID]; {
	case t.MaxCalls == 0 || s == nil:
	case s.full(t.MaxCalls):
		return ReasonTrunkFull
	case t.Tenant == 0 && !s.fair(t.MaxCalls, tenant):
		return ReasonLimit
	}
	return ""
}

// inviteDone: a final response was chosen. What was accepted stays until its
// leg ends, so that a second copy is still known as one.
func (ua *UA) inviteDone(v *invite, accepted bool) {
	ua.mu.Lock()
	defer ua.mu.Unlock()
	ua.inFlight.drop(v.tenant)
	ua.metrics.inFlight.Set(float64(ua.inFlight.total))
	if !accepted {
		ua.release(v)
	}
}

func (ua *UA) release(v *invite) {
	if ua.invites[v.key] == v {
		delete(ua.invites, v.key)
		ua.uncount(v.trunkID, v.tenant)
	}
}

func (ua *UA) count(trunkID string, tenant int64) {
	if ua.calls[trunkID] == nil {
		ua.calls[trunkID] = &shares{}
	}
	ua.calls[trunkID].add(tenant)
}

func (ua *UA) uncount(trunkID string, tenant int64) {
	s := ua.calls[trunkID]
	if s.drop(tenant); s.total == 0 {
		delete(ua.calls, trunkID)
	}
}

func (ua *UA) invite(k inviteKey) *invite {
	ua.mu.Lock()
	defer ua.mu.Unlock()
	return ua.invites[k]
}

// cancel answers a CANCEL: 200 when its INVITE is known, whatever becomes of
// it, else 481 (RFC 3261 9.2).
func (ua *UA) cancel(m *raw) (status int, text, tag string) {
	v := ua.invite(inviteKeyOf(m))
	if v == nil || v.branch != string(param(m.via, "branch")) {
		return sip.StatusCallTransactionDoesNotExists, reasonPhrase(sip.StatusCallTransactionDoesNotExists), ""
	}
	v.cancel(reasonOf(string(m.reason)))
	return sip.StatusOK, reasonPhrase(sip.StatusOK), v.tag
}

// prepare is Incoming.Prepare without the refusal.
func (ua *UA) prepare(in *Incoming, ev Events) (*Leg, error) {
	v := in.inv
	offer, err := descriptionOf(v.req)
	if err != nil {
		return nil, err
	}
	port, err := ua.openPort()
	if err != nil {
		return nil, err
	}
	d := answering(v.req, v.tag)
	d.TrunkID = in.Trunk.ID
	d.Session = defaultSession(sessionID())
	if offer != nil {
		err = d.Session.accept(offer, port.LocalAddr().Addr().Is4())
	}
	l := ua.newLeg(in.Trunk, d, port, ev)
	l.inv = v
	if err == nil {
		err = ua.attach(v, l)
	}
	if err != nil {
		l.end()
		_ = port.Close()
		return nil, err
	}
	return l, nil
}

// attach binds leg and invite; a CANCEL that comes meanwhile waits, and ends
// the leg then.
func (ua *UA) attach(v *invite, l *Leg) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := v.attach(l); err != nil {
		return err
	}
	if err := ua.add(l); err != nil {
		v.abandon()
		return err
	}
	if a := l.d.Session.remote(); a.IsValid() {
		l.port.SetRemote(a)
	}
	return nil
}

// verdict is the status and reason an error of negotiation is refused with.
func verdict(err error) (status int, reason string) {
	switch {
	case errors.Is(err, ErrBadSDP):
		return sip.StatusBadRequest, ReasonBadRequest
	case errors.Is(err, ErrNoCodec):
		return sip.StatusNotAcceptableHere, ReasonNoCodec
	case errors.Is(err, ErrNoPort):
		return sip.StatusInternalServerError, ReasonNoMediaPort
	}
	return sip.StatusInternalServerError, ""
}

func (ua *UA) add(l *Leg) error {
	ua.mu.Lock()
	defer ua.mu.Unlock()
	if ua.closed {
		return ErrStopped
	}
	k := l.d.key()
	if ua.legs[k] != nil {
		return fmt.Errorf("sip: dialog %s is here already", printable(k.callID, 80))
	}
	ua.legs[k] = l
	if l.inv == nil && l.out == nil {
		ua.count(l.trunk.ID, l.trunk.Tenant)
	}
	ua.metrics.legs.Set(float64(len(ua.legs)))
	return nil
}

// countOn makes a leg that is to be placed one of a trunk's calls.
func (ua *UA) countOn(l *Leg, t Trunk) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state != early {
		return ErrEnded
	}
	ua.mu.Lock()
	defer ua.mu.Unlock()
	if l.out.counted {
		ua.uncount(l.trunk.ID, l.out.Tenant)
		l.out.counted = false
	}
	if ua.trunkFull(t, l.out.Tenant) != "" {
		return ErrTrunkFull
	}
	ua.count(t.ID, l.out.Tenant)
	l.trunk, l.out.counted = t, true
	return nil
}

// establish makes the dialog of a leg we placed complete; it is found by the
// tag of who answered from then on.
func (ua *UA) establish(l *Leg, res *sip.Response) error {
	ua.mu.Lock()
	defer ua.mu.Unlock()
	before := l.d.key()
	l.d.established(res)
	k := l.d.key()
	if ua.legs[before] != l || ua.legs[k] != nil {
		return ErrStopped
	}
	delete(ua.legs, before)
	ua.legs[k] = l
	return nil
}

func (ua *UA) forget(l *Leg) {
	ua.mu.Lock()
	defer ua.mu.Unlock()
	k := l.d.key()
	if ua.legs[k] == l {
		delete(ua.legs, k)
		switch {
		case l.inv != nil:
		case l.out == nil:
			ua.uncount(l.trunk.ID, l.trunk.Tenant)
		case l.out.counted:
			ua.uncount(l.trunk.ID, l.out.Tenant)
		}
	}
	if l.inv != nil {
		ua.release(l.inv)
	}
	ua.metrics.legs.Set(float64(len(ua.legs)))
}

// leg finds the leg of a dialog; one we place has no tag of the peer yet.
func (ua *UA) leg(k dialogKey) *Leg {
	ua.mu.Lock()
	defer ua.mu.Unlock()
	if l := ua.legs[k]; l != nil {
		return l
	}
	return ua.legs[dialogKey{callID: k.callID, localTag: k.localTag}]
}

// keyOf is the dialog a request of the peer belongs to.
func keyOf(req *sip.Request) dialogKey {
	return dialogKey{req.CallID().Value(), tagOf(req.To().Params), tagOf(req.From().Params)}
}

func (ua *UA) matching(a netip.Addr) []Trunk {
	var m []Trunk
	for _, t := range ua.cfg.Trunks() {
		if contains(t.Allowed, a) {
			m = append(m, t)
		}
	}
	return m
}

// trunkFor is the trunk a call from the address came by; false when none allows it.
func (ua *UA) trunkFor(src netip.Addr, called string) (Trunk, bool) {
	m := ua.matching(src)
	if len(m) == 0 {
		return Trunk{}, false
	}
	return ua.cfg.Choose(m, called), true
}

// tenantOf is whose share a call is counted in: the trunk's owner's or, on a
// trunk that is shared, that of the number called.
func (ua *UA) tenantOf(t Trunk, called string) Tenant {
	who := Tenant{ID: t.Tenant}
	if ua.cfg.Tenant != nil {
		who = ua.cfg.Tenant(called)
	}
	if t.Tenant != 0 && t.Tenant != who.ID {
		return Tenant{ID: t.Tenant} // a call to a stranger's number costs its trunk's owner
	}
	return who
}

func newTag() string { return sip.GenerateTagN(20) }

// firstSeq leaves room below 2^31 for a long call with many takeovers.
func firstSeq() uint32 { return 1 + rand.Uint32N(1<<16) }

func sessionID() uint64 { return uint64(rand.Uint32()) + 1 }

func reasonPhrase(status int) string {
	if text, ok := phrases[status]; ok {
		return text
	}
	return "Response"
}

var phrases = map[int]string{
	100: "Trying", 180: "Ringing", 200: "OK", 400: "Bad Request", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
	406: "Not Acceptable", 408: "Request Timeout", 410: "Gone", 415: "Unsupported Media Type", 420: "Bad Extension", 422: "Session Interval Too Small",
	480: "Temporarily Unavailable", 481: "Call/Transaction Does Not Exist", 482: "Loop Detected", 483: "Too Many Hops",
	484: "Address Incomplete", 486: "Busy Here", 487: "Request Terminated", 488: "Not Acceptable Here", 491: "Request Pending",
	500: "Server Internal Error", 501: "Not Implemented", 503: "Service Unavailable", 603: "Decline",
}
