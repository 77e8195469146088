package sip

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/emiago/sipgo/sip"
)

// Restore continues a dialog of another node here: same Call-ID, tags, routes
// and transport, a new Contact and a new media port, CSeq and SDP version moved
// on (RFC 3261 14.1, RFC 3264 8). It sends a re-INVITE and returns once the
// peer has accepted it and the ACK is out: audio may flow. Events are reported
// from then on.
//
// An error means that the peer is not there any more (StatusError 481, 408),
// hung up meanwhile (ErrEnded), refused, or did not answer before ctx ended;
// where the peer may still believe in the call it is sent a BYE.
func (ua *UA) Restore(ctx context.Context, snapshot []byte, ev Events) (*Leg, error) {
	l, err := ua.restore(ctx, snapshot, ev)
	outcome := "restored"
	if err != nil {
		outcome = "failed"
	}
	ua.metrics.takeovers.WithLabelValues(outcome).Inc()
	return l, err
}

func (ua *UA) restore(ctx context.Context, snapshot []byte, ev Events) (*Leg, error) {
	d, err := decodeDialog(snapshot)
	if err != nil {
		return nil, err
	}
	port, err := ua.openPort()
	if err != nil {
		return nil, err
	}
	d.LocalSeq += seqJump
	d.Session.Version += versionJump
	l := ua.newLeg(ua.trunkByID(d.TrunkID), d, port, Events{})
	l.state, l.pending = confirmed, true
	if a := d.Session.remote(); a.IsValid() {
		port.SetRemote(a)
	}
	if err := ua.add(l); err != nil {
		_ = port.Close()
		return nil, err
	}
	if err := l.offerAgain(ctx); err != nil {
		l.giveUp(err)
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state == ended {
		return nil, ErrEnded
	}
	l.pending, l.ev = false, ev
	return l, nil
}

// Attempts at one re-INVITE, and the longest pause a peer may ask for.
const (
	offerAttempts = 5
	longestPause  = 5 * time.Second
)

func (l *Leg) offerAgain(ctx context.Context) error {
	var last error
	for range offerAttempts {
		res, err := l.offerOnce(ctx)
		if err != nil {
			return err
		}
		if res.IsSuccess() {
			return nil
		}
		last = statusError(res)
		if l.longer(res) {
			continue
		}
		pause, again := l.pauseAfter(res)
		if !again {
			return last
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-l.over.Done():
			timer.Stop()
			return ErrEnded
		case <-ctx.Done():
			timer.Stop()
			return errors.Join(last, ctx.Err())
		}
	}
	return last
}

// pauseAfter tells whether a refused re-INVITE is worth repeating, and when:
// after a collision (491) at the random time RFC 3261 14.1 sets, after a
// passing failure when the peer says so.
func (l *Leg) pauseAfter(res *sip.Response) (time.Duration, bool) {
	switch res.StatusCode {
	case sip.StatusRequestPending:
		// The owner of the Call-ID waits longer, in units of 10 ms.
		wait := time.Duration(rand.IntN(200)) * 10 * time.Millisecond
		if l.d.Caller {
			wait = 2100*time.Millisecond + time.Duration(rand.IntN(190))*10*time.Millisecond
		}
		return time.Duration(float64(wait) * l.ua.time.pause), true
	case sip.StatusInternalServerError, sip.StatusServiceUnavailable, sip.StatusGatewayTimeout:
		h := res.GetHeader("retry-after")
		if h == nil {
			return 0, false
		}
		seconds, err := strconv.Atoi(h.Value())
		wait := time.Duration(seconds) * time.Second
		return time.Duration(float64(wait) * l.ua.time.pause), err == nil && wait <= longestPause
	}
	return 0, false
}

// offerOnce sends one re-INVITE and, when it is accepted, the ACK.
func (l *Leg) offerOnce(ctx context.Context) (*sip.Response, error) {
	l.mu.Lock()
	h := l.hop()
	l.mu.Unlock()
	invited, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(l.over, stop)()
	var seq uint32
	res, tx, err := l.ua.ask(invited, h, func() (req *sip.Request, err error) {
		req, seq, err = l.offer()
		return req, err
	})
	if err != nil {
		if tx != nil {
			l.ua.outlive(tx, l.copyDialog(), h, seq)
		}
		if l.over.Err() != nil {
			return nil, ErrEnded
		}
		return nil, err
	}
	if !res.IsSuccess() {
		return res, nil
	}
	return res, l.offerAccepted(ctx, res, tx, seq)
}

// offer builds a re-INVITE.
func (l *Leg) offer() (*sip.Request, uint32, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state == ended {
		return nil, 0, ErrEnded
	}
	seq := l.d.nextSeq()
	req, err := l.d.request(sip.INVITE, seq)
	if err != nil {
		return nil, 0, err
	}
	req.AppendHeader(l.ua.contact(l.d.Transport))
	req.AppendHeader(sip.NewHeader("Allow", allowed))
	l.askTimer(req)
	req.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
	req.SetBody(l.describe(true))
	return req, seq, nil
}

func (l *Leg) offerAccepted(ctx context.Context, res *sip.Response, tx *sip.ClientTx, seq uint32) error {
	l.mu.Lock()
	l.d.refreshTarget(res)
	l.timerAgreed(res)
	var err error
	if !l.answeredEarly(res) {
		err = l.offerAnswered(res)
	}
	ackTo := l.d.copy()
	next := l.hop()
	l.mu.Unlock()
	if ackErr := l.ua.acknowledge(ctx, ackTo, next, tx, seq); ackErr != nil {
		return errors.Join(err, ackErr)
	}
	return err
}

// answeredEarly: a reliable provisional response of who sends this 2xx brought
// the answer. It is so of the first 2xx only.
func (l *Leg) answeredEarly(res *sip.Response) bool {
	if l.out == nil || l.out.settled == "" {
		return false
	}
	who := l.out.settled
	l.out.settled = ""
	return who == tagOf(res.To().Params)
}

// offerAnswered takes the description that answers our offer.
func (l *Leg) offerAnswered(m bodied) error {
	d, err := descriptionOf(m)
	if err != nil {
		return err
	}
	if d == nil {
		return ErrBadSDP
	}
	s := l.d.Session
	if err := s.answered(d, l.port.LocalAddr().Addr().Is4()); err != nil {
		return err
	}
	l.setSession(s)
	return nil
}

func (l *Leg) copyDialog() *dialog {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.d.copy()
}

// giveUp ends a leg that was not restored. A peer that said that the call is
// gone is not told so again.
func (l *Leg) giveUp(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var answered *StatusError
	gone := errors.As(err, &answered) &&
		(answered.Status == sip.StatusCallTransactionDoesNotExists || answered.Status == sip.StatusRequestTimeout)
	if l.state == confirmed && !gone {
		l.bye("takeover failed")
	}
	l.finish(nil)
}
