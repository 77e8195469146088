package sip

import (
	"context"
	"errors"
	"slices"

	"github.com/emiago/sipgo/sip"
)

// Dial places a call and returns when it is answered and acknowledged. Ending
// ctx before cancels it. The error is a StatusError when the called side
// refused. ev.Ringing may be reported before Dial returns.
func (ua *UA) Dial(ctx context.Context, out Outgoing, ev Events) (*Leg, error) {
	if ua.draining.Load() {
		return nil, ErrStopped
	}
	port, err := ua.openPort()
	if err != nil {
		return nil, err
	}
	d := ua.calling(out)
	l := ua.newLeg(out.Trunk, d, port, ev)
	if err := l.place(ctx, out); err != nil {
		l.mu.Lock()
		l.finish(nil)
		l.mu.Unlock()
		return nil, err
	}
	return l, nil
}

// calling makes the dialog of the calling side, as far as it is known before
// the answer.
func (ua *UA) calling(out Outgoing) *dialog {
	tag := newTag()
	from := sip.FromHeader{DisplayName: quotable(out.FromName), Address: sip.Uri{Scheme: "sip", User: out.From, Host: ua.host}}
	from.Params.Add("tag", tag)
	host, port, _ := splitHostPort(out.Trunk.Target)
	to := sip.Uri{Scheme: "sip", User: out.To, Host: host}
	toHeader := sip.ToHeader{Address: to}
	to.Port = int(port)
	d := &dialog{
		CallID: newTag() + "@" + ua.host, LocalTag: tag, Local: from.Value(), Remote: toHeader.Value(),
		LocalSeq: firstSeq(), RemoteNone: true, Target: to.String(), Source: out.Trunk.Target,
		Transport: udp, TrunkID: out.Trunk.ID, Caller: true, Session: defaultSession(sessionID()),
	}
	if out.Trunk.Transport == "tcp" {
		d.Transport = tcp
	}
	return d
}

func (l *Leg) place(ctx context.Context, out Outgoing) error {
	seq := l.d.nextSeq()
	req, err := l.d.request(sip.INVITE, seq)
	if err != nil {
		return err
	}
	req.AppendHeader(l.ua.contact(l.d.Transport))
	req.AppendHeader(sip.NewHeader("Allow", allowed))
	req.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
	req.SetBody(l.describe(true))
	// The configured target is trusted as it is, listed or not.
	addr, err := l.ua.target(ctx, out.Trunk.Target)
	if err != nil {
		return err
	}
	h := hop{transport: l.d.Transport, fallback: addr.String(), trunk: Trunk{}, uri: sip.Uri{Host: ""}}
	if err := l.ua.prepareRequest(ctx, req, h); err != nil {
		return err
	}
	provisional := false
	onProvisional := func(res *sip.Response) {
		provisional = true
		if res.StatusCode == sip.StatusRinging {
			l.emit(l.ev.Ringing)
		}
	}
	res, tx, err := l.ua.invoke(ctx, req, onProvisional)
	switch {
	case err != nil:
		if tx != nil {
			l.ua.giveUpCalling(tx, req, l.d.copy(), h, seq, provisional)
		}
		return err
	case !res.IsSuccess():
		return statusError(res)
	}
	l.mu.Lock()
	l.d.established(res)
	l.d.Source = addr.String()
	l.state = confirmed
	l.mu.Unlock()
	if err := l.ua.add(l); err != nil {
		return errors.Join(err, l.ua.endForeign(ctx, l.d, tx, h, seq))
	}
	if err := l.offerAccepted(ctx, res, tx, h, seq); err != nil {
		l.mu.Lock()
		l.bye("no usable answer")
		l.mu.Unlock()
		return err
	}
	return nil
}

// endForeign ends a call the other side has answered but we can not keep.
func (ua *UA) endForeign(ctx context.Context, d *dialog, tx *sip.ClientTx, h hop, seq uint32) error {
	if err := ua.acknowledge(ctx, d, h, tx, seq); err != nil {
		return err
	}
	bye, err := d.request(sip.BYE, d.nextSeq())
	if err == nil {
		ua.sendAlone(bye, h)
	}
	return err
}

// giveUpCalling sends CANCEL, but not before a provisional response came
// (RFC 3261 9.1), and ends a call that was answered all the same.
func (ua *UA) giveUpCalling(tx *sip.ClientTx, invite *sip.Request, d *dialog, h hop, seq uint32, provisional bool) {
	ua.running.Go(func() {
		ctx, cancel := context.WithTimeout(ua.ctx, 64*ua.time.t1)
		defer cancel()
		if !provisional {
			first, seen := context.WithCancel(ctx)
			res, err := ua.final(first, tx, func(*sip.Response) { seen() })
			seen()
			if res != nil {
				if res.IsSuccess() {
					d.established(res)
					_ = ua.endForeign(ctx, d, tx, h, seq)
				}
				return
			}
			if ctx.Err() != nil || !errors.Is(err, context.Canceled) {
				tx.Terminate()
				return
			}
		}
		if c, err := ua.begin(ctx, cancelOf(invite)); err == nil {
			_, _ = ua.final(ctx, c, nil)
		}
		ua.outlive(tx, d, h, seq)
	})
}

// cancelOf builds the CANCEL of an INVITE: same Via, Call-ID, From, To and
// CSeq number (RFC 3261 9.1).
func cancelOf(invite *sip.Request) *sip.Request {
	c := sip.NewRequest(sip.CANCEL, invite.Recipient)
	c.AppendHeader(invite.Via().Clone())
	for _, name := range [...]string{"route", "from", "to", "call-id"} {
		sip.CopyHeaders(name, invite, c)
	}
	c.AppendHeader(&sip.CSeqHeader{SeqNo: invite.CSeq().SeqNo, MethodName: sip.CANCEL})
	hops := sip.MaxForwardsHeader(70)
	c.AppendHeader(&hops)
	c.SetBody(nil)
	c.SetTransport(invite.Transport())
	c.SetDestination(invite.Destination())
	c.Laddr = invite.Laddr
	return c
}

// established completes a calling dialog with a 2xx (RFC 3261 12.1.2).
func (d *dialog) established(res *sip.Response) {
	d.RemoteTag = tagOf(res.To().Params)
	d.Remote = res.To().Value()
	d.refreshTarget(res)
	d.Routes = nil
	for _, h := range res.GetHeaders("record-route") {
		d.Routes = append(d.Routes, h.Value())
	}
	slices.Reverse(d.Routes)
}

func (d *dialog) copy() *dialog {
	c := *d
	c.Routes = slices.Clone(d.Routes)
	c.Session.Lines = slices.Clone(d.Session.Lines)
	return &c
}
