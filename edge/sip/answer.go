package sip

import (
	"time"

	"github.com/emiago/sipgo/sip"
)

// awaiting is a 2xx to an INVITE that is repeated until its ACK (RFC 3261
// 13.3.1.4); sipgo's transaction only passes it on.
type awaiting struct {
	seq      uint32
	tx       *sip.ServerTx
	res      *sip.Response
	late     bool // the ACK brings the answer to our offer
	interval time.Duration
	waited   time.Duration
	timer    *time.Timer
}

// answer builds the 200 with our description: an offer when the INVITE had
// none. The version of the description grows when it changed (RFC 3264 8).
func (l *Leg) answer(req *sip.Request, offer bool) *sip.Response {
	res := l.ua.response(req, sip.StatusOK, l.d.LocalTag, l.describe(offer))
	res.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
	res.AppendHeader(l.ua.contact(req.Transport()))
	res.AppendHeader(sip.NewHeader("Allow", allowed))
	res.AppendHeader(sip.NewHeader("Supported", extensions))
	return res
}

func (l *Leg) describe(offer bool) []byte {
	s := &l.d.Session
	text := string(s.describe(l.port.LocalAddr(), offer))
	if l.lastSDP != "" && text != l.lastSDP {
		s.Version++
		text = string(s.describe(l.port.LocalAddr(), offer))
	}
	l.lastSDP = text
	return []byte(text)
}

func (l *Leg) awaitAck(tx *sip.ServerTx, res *sip.Response, late bool) {
	if l.await != nil {
		l.await.timer.Stop() // a newer INVITE proves that the old answer arrived
	}
	a := &awaiting{seq: res.CSeq().SeqNo, tx: tx, res: res, late: late, interval: l.ua.time.t1}
	a.timer = time.AfterFunc(a.interval, func() { l.repeat(a) })
	l.await = a
}

// repeat sends the 2xx once more, or gives up after 64*T1: then the call is
// ended with BYE (RFC 3261 13.3.1.4).
func (l *Leg) repeat(a *awaiting) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.await != a {
		return
	}
	a.waited += a.interval
	if a.waited >= 64*l.ua.time.t1 {
		l.bye("no ACK")
		l.fail(ErrNoAck)
		return
	}
	if err := a.tx.Respond(a.res); err == nil {
		l.ua.metrics.response("INVITE", a.res.StatusCode)
	}
	a.interval = min(2*a.interval, l.ua.time.t2)
	a.timer.Reset(a.interval)
}

// acked ends the repetition of a 2xx; false = the ACK is not for one.
func (l *Leg) acked(seq uint32, body []byte, contentType string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state == early {
		return false
	}
	a := l.await
	if a == nil || a.seq != seq {
		return true // once more
	}
	a.timer.Stop()
	l.await = nil
	if l.state == closing {
		l.bye(l.quitting)
		l.finish(nil)
		return true
	}
	first := l.state == accepted
	l.state = confirmed
	if a.late {
		if err := l.lateAnswer(body, contentType); err != nil {
			l.bye("no usable answer")
			l.fail(err)
			return true
		}
	}
	if first {
		l.emit(l.ev.Acked)
	}
	return true
}

// lateAnswer takes the description of an ACK, the answer to our offer.
func (l *Leg) lateAnswer(body []byte, contentType string) error {
	d, err := readDescription(body, contentType)
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
	if l.setSession(s) {
		l.dialogChanged()
	}
	return nil
}

// setSession makes what was agreed effective; true = something changed. The
// snapshot is the caller's to report, once our own description is made.
func (l *Leg) setSession(s session) bool {
	old := l.d.Session
	l.d.Session = s
	if a := s.remote(); a.IsValid() {
		l.port.SetRemote(a)
	}
	if old.format() == s.format() && old.Direction == s.Direction && old.Remote == s.Remote {
		return false
	}
	l.mediaChanged()
	return true
}
