package sip

import (
	"context"
	"errors"
	"time"

	"github.com/emiago/sipgo/sip"
)

// errSilent: the target gave no response at all while others wait to be tried.
var errSilent = errors.New("sip: no response")

// silence is how long a target may say nothing while there is another, in T1:
// the time of four transmissions over UDP.
const silence = 8

// attempt is one INVITE of a call we place.
type attempt struct {
	l           *Leg
	h           hop
	req         *sip.Request
	seq         uint32
	tx          *sip.ClientTx
	provisional bool // had a response, so it can be cancelled; under the leg's lock
	// received is the RSeq of the last reliable provisional response, by the tag
	// of who sent it (RFC 3262 4).
	received map[string]uint32
}

// attempt sends the INVITE to one target, again with credentials when it is
// challenged, and waits for the final response.
func (l *Leg) attempt(ctx context.Context, t Trunk, to target, more bool) error {
	auth := authorizer{username: t.Username, password: t.Password}
	stretched := false
	for {
		a, err := l.attemptAt(t, to, &auth)
		if err != nil {
			return err
		}
		res, err := a.send(ctx, more)
		switch {
		case err != nil:
			return err
		case res.IsSuccess():
			return a.answered(res)
		case auth.learn(res):
			continue
		case !stretched && l.longer(res):
			stretched = true
			continue
		case res.StatusCode/100 == 3:
			return &redirectError{StatusError: *statusError(res), contacts: contactsOf(res)}
		}
		return statusError(res)
	}
}

// attemptAt builds the INVITE for a target; the dialog is that of the call by
// this trunk from then on.
func (l *Leg) attemptAt(t Trunk, to target, auth *authorizer) (*attempt, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state != early {
		return nil, ErrEnded
	}
	l.d.direct(l.ua, l.out.Outgoing, t, to)
	a := &attempt{l: l, seq: l.d.nextSeq(), h: hop{transport: l.d.Transport, fallback: to.addr.String(), trunk: t}}
	req, err := l.d.request(sip.INVITE, a.seq)
	if err != nil {
		return nil, err
	}
	req.AppendHeader(l.ua.contact(l.d.Transport))
	identify(req, l.ua, l.out.Outgoing, t)
	req.AppendHeader(sip.NewHeader("Allow", allowed))
	l.askTimer(req)
	req.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
	req.SetBody(l.describe(true))
	if err := auth.authorize(req); err != nil {
		return nil, err
	}
	a.req, l.out.now, l.out.settled = req, a, ""
	return a, nil
}

// send waits for the final response; an INVITE nobody waits for any more is
// cancelled.
func (a *attempt) send(ctx context.Context, more bool) (*sip.Response, error) {
	ua := a.l.ua
	if err := ua.prepareRequest(ctx, a.req, a.h); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	patience := time.AfterFunc(silence*ua.time.t1, func() {
		if more {
			stop(errSilent)
		}
	})
	defer patience.Stop()
	tx, err := ua.begin(ctx, a.req)
	if err != nil {
		return nil, err
	}
	a.tx = tx
	res, err := ua.final(ctx, tx, func(res *sip.Response) {
		patience.Stop()
		a.progress(res)
	})
	if err == nil || ctx.Err() == nil {
		return res, err
	}
	a.l.mu.Lock()
	d, provisional := a.l.d.copy(), a.provisional
	a.l.mu.Unlock()
	ua.giveUpCalling(tx, a.req, d, a.h, a.seq, provisional)
	return nil, context.Cause(ctx)
}

// progress takes a provisional response.
func (a *attempt) progress(res *sip.Response) {
	l := a.l
	l.mu.Lock()
	defer l.mu.Unlock()
	a.provisional = true
	if l.state != early || l.out.now != a || res.StatusCode == sip.StatusTrying {
		return
	}
	if res.StatusCode == sip.StatusRinging && !l.out.rings {
		l.out.rings = true
		l.emit(l.ev.Ringing)
	}
	reliable := requires(res, "100rel")
	if reliable && !a.acknowledge(res) {
		return
	}
	if d, err := descriptionOf(res); err == nil && d != nil && l.out.settled == "" {
		if l.hear(d) && reliable {
			l.out.settled = tagOf(res.To().Params)
		}
	}
}

// hear takes the description of a provisional response: what the called side
// sends before it answers is for the caller's ear (RFC 3960). False = it can not
// be taken, and the final response decides.
func (l *Leg) hear(d *description) bool {
	s := l.d.Session
	if s.answered(d, l.port.LocalAddr().Addr().Is4()) != nil {
		return false
	}
	l.setSession(s)
	if !l.out.heard {
		l.out.heard = true
		l.emit(l.ev.EarlyMedia)
	}
	return true
}

// answered takes the 2xx: the dialog is that of whoever answered.
func (a *attempt) answered(res *sip.Response) error {
	l, ua := a.l, a.l.ua
	l.mu.Lock()
	if l.state != early {
		d := l.d.copy()
		l.mu.Unlock()
		d.established(res)
		return errors.Join(ErrEnded, ua.endForeign(ua.ctx, d, a.tx, a.h, a.seq))
	}
	l.state = confirmed
	err := ua.establish(l, res)
	l.mu.Unlock()
	if err != nil {
		return errors.Join(err, ua.endForeign(ua.ctx, l.copyDialog(), a.tx, a.h, a.seq), l.failed(err))
	}
	if err := l.offerAccepted(ua.ctx, res, a.tx, a.seq); err != nil {
		l.mu.Lock()
		l.bye("no usable answer")
		l.fail(err)
		l.mu.Unlock()
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state == confirmed {
		l.dialogChanged()
		l.emit(l.ev.Answered)
	}
	return nil
}

// failed is fail for those without the lock.
func (l *Leg) failed(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fail(err)
	return nil
}
