package sip

import (
	"context"
	"errors"
	"time"

	"github.com/emiago/sipgo/sip"
)

// Outgoing is a call to place.
type Outgoing struct {
	// Trunks are tried in this order, of each its targets: the next one when a
	// target does not answer, is not reachable, answers 5xx, refuses us (401,
	// 403, 407), or redirects to where the trunk does not go.
	Trunks []Trunk
	// Tenant is who calls: on a trunk that is shared, the call is one of its share.
	Tenant int64
	// From and To are +E.164, or a user part the trunk understands.
	From, To string
	FromName string
	// Anonymous asks the carrier to tell the called side neither number nor
	// name (RFC 3323); the carrier itself is told (RFC 3325).
	Anonymous bool
	// DivertedFrom is the number that was called at first, when the call goes
	// on to To (RFC 5806); empty = not diverted.
	DivertedFrom string
	// RingFor bounds the time until the answer; 0 = three minutes.
	RingFor time.Duration
}

// usualRing is how long a call of ours may ring.
const usualRing = 3 * time.Minute

// Call makes the leg of a call to place. Its media port is open and its ID and
// SIPCallID are set, but nothing is sent before Invite, so that the call can be
// committed first:
//
//	leg, err := ua.Call(sip.Outgoing{Trunks: trunks, From: own, To: number}, events)
//	stream := media.NewStream(leg.Port(), leg.Format(), ...)
//	leg.Invite()      // returns at once
//	                  // events: Ringing, MediaChanged, EarlyMedia, then Answered or Failed
//	leg.Hangup("...") // CANCEL before the answer, BYE after it; no event follows
//
// After Answered the leg is like one that was answered here: Snapshot may be
// taken, and Restore continues it elsewhere. A leg that still rings has nothing
// to restore: the other node places the call again.
func (ua *UA) Call(out Outgoing, ev Events) (*Leg, error) {
	if ua.draining.Load() {
		return nil, ErrStopped
	}
	if len(out.Trunks) == 0 {
		return nil, ErrNoTarget
	}
	port, err := ua.openPort()
	if err != nil {
		return nil, err
	}
	d := &dialog{
		CallID: newTag() + "@" + ua.host, LocalTag: newTag(), LocalSeq: firstSeq(),
		Caller: true, RemoteNone: true, Session: defaultSession(sessionID()),
	}
	l := ua.newLeg(Trunk{}, d, port, ev)
	l.out = &placing{Outgoing: out}
	if err := ua.add(l); err != nil {
		l.end()
		return nil, errors.Join(err, port.Close())
	}
	return l, nil
}

// Dial is Call and Invite for those who have nothing to do until the answer. It
// returns when the call is answered; ending ctx before cancels it.
func (ua *UA) Dial(ctx context.Context, out Outgoing, ev Events) (*Leg, error) {
	result := make(chan error, 1)
	answered, failed := ev.Answered, ev.Failed
	up := false // events come one after another
	ev.Answered = func() {
		up = true
		result <- nil
		if answered != nil {
			answered()
		}
	}
	ev.Failed = func(err error) {
		if !up {
			result <- err
		} else if failed != nil {
			failed(err)
		}
	}
	l, err := ua.Call(out, ev)
	if err != nil {
		return nil, err
	}
	l.Invite()
	select {
	case err = <-result:
	case <-l.over.Done():
		// By its last event, or by Stop, after which none comes.
		select {
		case err = <-result:
		case <-ua.ctx.Done():
			err = ErrStopped
		}
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		l.Hangup("given up")
		return nil, err
	}
	return l, nil
}

// Invite places the call of a leg made by Call. Asking again does nothing.
func (l *Leg) Invite() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state == early && l.out != nil && !l.out.begun {
		l.out.begun = true
		l.ua.running.Go(l.place)
	}
}

// placing is a call of ours until it is answered; guarded by the leg's lock.
type placing struct {
	Outgoing
	begun   bool
	counted bool // as a call of the leg's trunk
	rings   bool // told by an event
	heard   bool // EarlyMedia was told
	// settled is the tag of whose reliable provisional response brought the answer
	// to our offer, which their 2xx then only repeats (RFC 3262 5); "" = nobody's.
	settled string
	now     *attempt // the INVITE on its way
}

// place tries trunks and targets until one takes the call.
func (l *Leg) place() {
	limit := l.out.RingFor
	if limit <= 0 {
		limit = usualRing
	}
	ctx, cancel := context.WithTimeout(l.over, limit)
	defer cancel()
	err := l.tryTrunks(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = ErrNoAnswer
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil && l.state == early {
		l.fail(err)
	}
}

func (l *Leg) tryTrunks(ctx context.Context) error {
	last := error(ErrNoTarget)
	for i, t := range l.out.Trunks {
		if err := l.ua.countOn(l, t); err != nil {
			last = err
			continue
		}
		moreTrunks := i+1 < len(l.out.Trunks)
		err := l.tryTargets(ctx, t, moreTrunks)
		if err == nil || ctx.Err() != nil || !elsewhere(err) {
			return err
		}
		l.ua.log.Info("sip call goes on by the next trunk", "sip_call_id", l.d.CallID, "trunk", t.ID, "error", err)
		last = err
	}
	return last
}

func (l *Leg) tryTargets(ctx context.Context, t Trunk, moreTrunks bool) error {
	list := l.ua.targets(ctx, t)
	if len(list) == 0 {
		return &unreachableError{t.Target}
	}
	var last error
	for redirects := 0; len(list) > 0; {
		to := list[0]
		list = list[1:]
		more := moreTrunks || len(list) > 0
		err := l.attempt(ctx, t, to, more)
		var moved *redirectError
		switch {
		case err == nil || ctx.Err() != nil:
			return err
		case errors.As(err, &moved) && redirects < maxRedirects:
			redirects++
			list = append(l.ua.redirected(ctx, t, moved), list...)
		case !elsewhere(err):
			return err
		default:
			l.ua.rest(to, err)
		}
		last = err
	}
	return last
}

// elsewhere tells whether another target or trunk may still take the call: the
// failure was this one's, not the called side's word.
func elsewhere(err error) bool {
	var answered *StatusError
	if !errors.As(err, &answered) {
		return errors.Is(err, ErrTransport) || errors.Is(err, errSilent)
	}
	switch s := answered.Status; s {
	case sip.StatusUnauthorized, sip.StatusForbidden, sip.StatusProxyAuthRequired, sip.StatusRequestTimeout:
		return true
	default:
		return s >= 300 && s < 400 || s >= 500 && s < 600
	}
}
