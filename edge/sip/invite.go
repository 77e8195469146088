package sip

import (
	"net/netip"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"
)

// Incoming is a call nobody has decided about yet.
type Incoming struct {
	Trunk Trunk
	// Caller and Called are +E.164 where the numbers say their country, else as
	// sent; Caller is empty when withheld.
	Caller, CallerName, Called string
	SIPCallID                  string
	Source                     netip.AddrPort
	At                         time.Time

	inv *invite
}

// Ring sends 180.
func (in *Incoming) Ring() { in.inv.ring() }

// Refuse answers with a final status. reasonKey is what OnRefused hears; empty
// = nothing to report. Refusing what is decided does nothing.
func (in *Incoming) Refuse(status int, reasonKey string) {
	if in.inv.refuse(status) == nil && reasonKey != "" {
		in.ua().refused(in.refusal(reasonKey, status))
	}
}

// Prepare makes the leg: codec agreed, media port open, tags chosen. Nothing is
// sent, so that the snapshot can be committed before Answer. When it fails the
// call is refused already: 400 or 488 for the description, 500 without a port.
func (in *Incoming) Prepare(ev Events) (*Leg, error) {
	l, err := in.ua().prepare(in, ev)
	if err != nil {
		status, reason := verdict(err)
		in.Refuse(status, reason)
		return nil, err
	}
	return l, nil
}

func (in *Incoming) ua() *UA { return in.inv.ua }

func (in *Incoming) refusal(reason string, status int) Refusal {
	return Refusal{
		At: time.Now(), Source: in.Source, Caller: in.Caller, Called: in.Called,
		Reason: reason, Status: status, TrunkID: in.Trunk.ID, Tenant: in.inv.tenant,
	}
}

// invite is the server side of an INVITE that opens a dialog. Exactly one
// final response is sent, whoever comes first: the handler, CANCEL, or time.
type invite struct {
	ua      *UA
	req     *sip.Request
	tx      *sip.ServerTx
	key     inviteKey
	branch  string
	tag     string // ours, the same in every response (RFC 3261 8.2.6.2)
	trunkID string
	tenant  int64 // whose share it is counted in

	mu        sync.Mutex
	final     int
	leg       *Leg
	undecided *time.Timer
	reliable  *reliable // the provisional response that waits for its PRACK
}

// inviteKey tells INVITEs apart: equal keys on two branches are one call that
// came twice (RFC 3261 8.2.2.2).
type inviteKey struct {
	callID, fromTag string
	seq             uint32
}

func inviteKeyOf(m *raw) inviteKey {
	return inviteKey{string(m.callID), string(param(m.from, "tag")), m.seq}
}

// respond sends res and, when it is final, closes the invite.
func (v *invite) respond(res *sip.Response) error {
	v.mu.Lock()
	switch {
	case v.final == 487:
		v.mu.Unlock()
		return ErrCancelled
	case v.final != 0:
		v.mu.Unlock()
		return ErrDecided
	}
	final := res.StatusCode >= 200
	if final {
		v.final = res.StatusCode
		v.stopTimers()
	}
	v.mu.Unlock()
	if final {
		v.ua.inviteDone(v, res.StatusCode < 300)
	}
	v.ua.metrics.response("INVITE", res.StatusCode)
	return v.tx.Respond(res)
}

func (v *invite) stopTimers() {
	if v.undecided != nil {
		v.undecided.Stop()
	}
	if v.reliable != nil {
		v.reliable.timer.Stop()
	}
}

func (v *invite) refuse(status int) error {
	res := v.ua.response(v.req, status, v.tag, nil)
	if status == 503 {
		res.AppendHeader(sip.NewHeader("Retry-After", "5"))
	}
	return v.respond(res)
}

func (v *invite) ring() {
	res := v.ua.response(v.req, sip.StatusRinging, v.tag, nil)
	res.AppendHeader(v.ua.contact(v.req.Transport()))
	if requires(v.req, "100rel") {
		v.ringReliably(res)
		return
	}
	_ = v.respond(res) // decided already, or lost like any provisional response
}

// cancel is CANCEL: 487, unless a final response went out first.
func (v *invite) cancel(why Reason) {
	if v.refuse(sip.StatusRequestTerminated) != nil {
		return
	}
	v.mu.Lock()
	l := v.leg
	v.mu.Unlock()
	if l != nil {
		l.cancelled(why)
	}
}

// abandon closes the invite without a response.
func (v *invite) abandon() {
	v.mu.Lock()
	done := v.final != 0
	v.final = 487
	v.stopTimers()
	v.mu.Unlock()
	if !done {
		v.ua.inviteDone(v, false)
		v.tx.Terminate()
	}
}

// attach makes the leg the one CANCEL ends.
func (v *invite) attach(l *Leg) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.final == 487:
		return ErrCancelled
	case v.final != 0 || v.leg != nil:
		return ErrDecided
	}
	v.leg = l
	return nil
}

// expire ends an INVITE nobody decided about.
func (v *invite) expire() {
	v.mu.Lock()
	l := v.leg
	v.mu.Unlock()
	if v.refuse(sip.StatusTemporarilyUnavailable) != nil {
		return
	}
	v.ua.log.Warn("sip call was never decided", "sip_call_id", v.key.callID, "trunk", v.trunkID)
	if l != nil {
		l.cancelled(Reason{})
	}
}
