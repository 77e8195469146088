package sip

import "github.com/emiago/sipgo/sip"

// serve handles a request within the dialog (RFC 3261 12.2.2).
func (l *Leg) serve(req *sip.Request, tx *sip.ServerTx) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state == ended {
		l.respond(req, tx, l.refusal(req, sip.StatusCallTransactionDoesNotExists))
		return
	}
	seq := req.CSeq().SeqNo
	if !l.d.RemoteNone && seq <= l.d.RemoteSeq {
		// Out of order; equal came twice by different ways.
		l.respond(req, tx, l.refusal(req, sip.StatusInternalServerError))
		return
	}
	if l.state != early || l.out == nil { // of our calls each fork counts for itself
		l.d.RemoteSeq, l.d.RemoteNone = seq, false
	}
	if req.Transport() == l.d.Transport {
		l.d.Source = req.Source()
	}
	switch req.Method {
	case sip.BYE:
		l.hungUp(req, tx)
	case sip.INVITE:
		l.reinvite(req, tx)
	case sip.UPDATE:
		l.update(req, tx)
	case sip.INFO:
		l.info(req, tx)
	default: // OPTIONS: the guard lets nothing else through
		res := l.refusal(req, sip.StatusOK)
		res.AppendHeader(sip.NewHeader("Allow", allowed))
		res.AppendHeader(sip.NewHeader("Accept", "application/sdp"))
		res.AppendHeader(sip.NewHeader("Supported", extensions))
		l.respond(req, tx, res)
	}
}

// refusal is a response without a body, of any status.
func (l *Leg) refusal(req *sip.Request, status int) *sip.Response {
	return l.ua.response(req, status, l.d.LocalTag, nil)
}

func (l *Leg) respond(req *sip.Request, tx *sip.ServerTx, res *sip.Response) {
	l.ua.metrics.response(string(req.Method), res.StatusCode)
	if err := tx.Respond(res); err != nil {
		l.ua.log.Debug("sip response not sent", "sip_call_id", l.d.CallID, "status", res.StatusCode, "error", err)
	}
}

func (l *Leg) hungUp(req *sip.Request, tx *sip.ServerTx) {
	if l.state == early && l.inv == nil {
		// The called side refuses with a final response (RFC 3261 15).
		l.respond(req, tx, l.refusal(req, sip.StatusCallTransactionDoesNotExists))
		return
	}
	l.respond(req, tx, l.refusal(req, sip.StatusOK))
	why := reasonOf(headerValue(req, "reason"))
	if l.state == early {
		// BYE before the answer ends the call like CANCEL does.
		_ = l.inv.refuse(sip.StatusRequestTerminated)
		l.finish(told(l.ev.Cancelled, why))
		return
	}
	l.finish(told(l.ev.Bye, why))
}

// reinvite is a changed session, a refreshed target, or both (RFC 3261 14.2).
func (l *Leg) reinvite(req *sip.Request, tx *sip.ServerTx) {
	switch {
	case l.state == early:
		res := l.refusal(req, sip.StatusInternalServerError)
		res.AppendHeader(sip.NewHeader("Retry-After", "2"))
		l.respond(req, tx, res)
		return
	case l.pending || l.await != nil && l.await.late:
		l.respond(req, tx, l.refusal(req, sip.StatusRequestPending))
		return
	case l.state == closing:
		l.respond(req, tx, l.refusal(req, sip.StatusCallTransactionDoesNotExists))
		return
	}
	if l.tooShort(req, tx) {
		return
	}
	s, offered, ok := l.consider(req, tx)
	if !ok {
		return
	}
	if l.state == accepted {
		// The ACK was lost or is late; a new request shows that the answer came.
		l.state = confirmed
		l.emit(l.ev.Acked)
	}
	changed := l.d.refreshTarget(req)
	changed = l.setSession(s) || changed
	res := l.answer(req, !offered)
	l.sessionTimer(req, res)
	if changed {
		l.dialogChanged()
	}
	l.awaitAck(tx, res, !offered)
	l.respond(req, tx, res)
}

// consider reads the request's offer, if there is one. When it can not be
// taken the request is refused and the session stays as it was.
func (l *Leg) consider(req *sip.Request, tx *sip.ServerTx) (s session, offered, ok bool) {
	s = l.d.Session
	d, err := descriptionOf(req)
	if err == nil && d != nil {
		err = s.accept(d, l.port.LocalAddr().Addr().Is4())
	}
	if err != nil {
		status, _ := verdict(err)
		l.respond(req, tx, l.refusal(req, status))
		return s, false, false
	}
	return s, d != nil, true
}

// update is RFC 3311: like a re-INVITE without an ACK.
func (l *Leg) update(req *sip.Request, tx *sip.ServerTx) {
	offers := len(req.Body()) > 0
	unsettled := l.state == early && (l.out == nil || l.out.settled == "")
	if offers && (l.pending || unsettled || l.await != nil && l.await.late) {
		l.respond(req, tx, l.refusal(req, sip.StatusRequestPending))
		return
	}
	if l.tooShort(req, tx) {
		return
	}
	s, offered, ok := l.consider(req, tx)
	if !ok {
		return
	}
	changed := l.d.refreshTarget(req)
	res := l.refusal(req, sip.StatusOK)
	if offered {
		changed = l.setSession(s) || changed
		res = l.answer(req, false)
	} else {
		res.AppendHeader(l.ua.contact(req.Transport()))
	}
	l.sessionTimer(req, res)
	if changed {
		l.dialogChanged()
	}
	l.respond(req, tx, res)
}
