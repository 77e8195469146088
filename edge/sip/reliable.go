package sip

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// Reliable provisional responses (RFC 3262): a 180 that the caller confirms
// with PRACK, and the PRACKs for those of the calls we place.

// reliable is a provisional response that is repeated until its PRACK.
type reliable struct {
	rseq     uint32
	res      *sip.Response
	interval time.Duration
	waited   time.Duration
	timer    *time.Timer
}

// ringReliably sends a 180 that the caller must confirm. A caller that made no
// offer would have to get ours with it; the 200 follows soon enough.
func (v *invite) ringReliably(res *sip.Response) {
	if len(v.req.Body()) == 0 {
		return
	}
	r := &reliable{rseq: 1 + rand.Uint32N(1<<16), res: res, interval: v.ua.time.t1}
	res.AppendHeader(sip.NewHeader("Require", "100rel"))
	res.AppendHeader(sip.NewHeader("RSeq", strconv.FormatUint(uint64(r.rseq), 10)))
	v.mu.Lock()
	if v.final != 0 || v.reliable != nil {
		v.mu.Unlock()
		return
	}
	v.reliable = r
	r.timer = time.AfterFunc(r.interval, func() { v.repeat(r) })
	v.mu.Unlock()
	_ = v.respond(res) // decided meanwhile, or repeated
}

// repeat sends the response once more; a caller that never confirms is refused
// (RFC 3262 3).
func (v *invite) repeat(r *reliable) {
	v.mu.Lock()
	r.waited += r.interval
	r.interval *= 2
	over, patient := v.final != 0, r.waited < 64*v.ua.time.t1
	if !over && patient {
		r.timer.Reset(r.interval)
	}
	l := v.leg
	v.mu.Unlock()
	switch {
	case over:
	case patient:
		_ = v.respond(r.res)
	case v.refuse(sip.StatusGatewayTimeout) == nil && l != nil:
		l.cancelled(Reason{})
	}
}

// prack takes the confirmation of a reliable response.
func (ua *UA) prack(req *sip.Request, tx *sip.ServerTx) {
	rseq, seq, method, err := readRAck(headerValue(req, "rack"))
	if err != nil {
		ua.turnDown(req, tx, sip.StatusBadRequest)
		return
	}
	v := ua.invite(inviteKey{req.CallID().Value(), tagOf(req.From().Params), seq})
	if v == nil {
		ua.stray(req, tx) // perhaps of a call that another node has now
		return
	}
	if method != "INVITE" || !v.confirmed(rseq) {
		ua.turnDown(req, tx, sip.StatusCallTransactionDoesNotExists)
		return
	}
	status := sip.StatusOK
	if len(req.Body()) > 0 {
		status = sip.StatusNotAcceptableHere // the INVITE's offer is not answered yet
	}
	ua.send(req, tx, ua.response(req, status, v.tag, nil))
}

// confirmed ends the repetition; false = nothing of that number waits.
func (v *invite) confirmed(rseq uint32) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.reliable == nil || v.reliable.rseq != rseq {
		return false
	}
	v.reliable.timer.Stop()
	return true
}

// readRAck reads "RSeq CSeq method".
func readRAck(v string) (rseq, seq uint32, method string, err error) {
	f := strings.Fields(v)
	if len(f) != 3 {
		return 0, 0, "", fmt.Errorf("sip: RAck %q", printable(v, 80))
	}
	a, errA := strconv.ParseUint(f[0], 10, 32)
	b, errB := strconv.ParseUint(f[1], 10, 31)
	return uint32(a), uint32(b), f[2], errors.Join(errA, errB)
}

// maxEarly bounds the early dialogs of one call of ours.
const maxEarly = 8

// acknowledge sends the PRACK of a reliable provisional response. False = it is
// a repetition, or out of order, and not to be looked at (RFC 3262 4).
func (a *attempt) acknowledge(res *sip.Response) bool {
	n, err := strconv.ParseUint(headerValue(res, "rseq"), 10, 32)
	tag := tagOf(res.To().Params)
	if err != nil || n == 0 || tag == "" {
		return false
	}
	last, known := a.received[tag]
	if known && uint32(n) != last+1 || !known && len(a.received) >= maxEarly {
		return false
	}
	if a.received == nil {
		a.received = map[string]uint32{}
	}
	a.received[tag] = uint32(n)
	d := a.l.d.copy()
	d.established(res)
	rack := fmt.Sprintf("%d %d INVITE", n, a.seq)
	a.l.ua.running.Go(func() { a.prack(d, rack) })
	return true
}

// prack sends the PRACK; its own transaction repeats it.
func (a *attempt) prack(d *dialog, rack string) {
	l := a.l
	ctx, cancel := context.WithTimeout(l.over, 64*l.ua.time.t1)
	defer cancel()
	h := a.h
	h.uri, h.err = d.nextHop()
	_, tx, err := l.ua.ask(ctx, h, func() (*sip.Request, error) {
		l.mu.Lock()
		seq := l.d.nextSeq()
		l.mu.Unlock()
		req, err := d.request(sip.PRACK, seq)
		if err == nil {
			req.AppendHeader(sip.NewHeader("RAck", rack))
		}
		return req, err
	})
	if err != nil {
		l.ua.log.Debug("sip PRACK without answer", "sip_call_id", d.CallID, "error", err)
		if tx != nil {
			tx.Terminate()
		}
	}
}
