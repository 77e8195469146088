package sip

import (
	"context"
	"errors"

	"github.com/emiago/sipgo/sip"
)

// endForeign ends a call the other side has answered but we can not keep.
func (ua *UA) endForeign(ctx context.Context, d *dialog, tx *sip.ClientTx, h hop, seq uint32) error {
	if err := ua.acknowledge(ctx, d, h, tx, seq); err != nil {
		return err
	}
	d.LocalSeq = max(d.LocalSeq, seq)
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

// outlive sees a transaction through that nobody waits for any more: a 2xx
// must be acknowledged, and the call it made ended (RFC 3261 13.2.2.4).
func (ua *UA) outlive(tx *sip.ClientTx, d *dialog, h hop, seq uint32) {
	ua.running.Go(func() {
		ctx, cancel := context.WithTimeout(ua.ctx, 64*ua.time.t1)
		defer cancel()
		res, err := ua.final(ctx, tx, nil)
		if err != nil {
			tx.Terminate()
			return
		}
		if !res.IsSuccess() {
			return
		}
		if d.RemoteTag == "" {
			d.established(res)
		}
		_ = ua.endForeign(ctx, d, tx, h, seq)
	})
}
