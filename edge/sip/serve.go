package sip

import (
	"bytes"
	"fmt"
	"mime"
	"mime/multipart"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

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
	l.d.RemoteSeq, l.d.RemoteNone = seq, false
	if req.Transport() == l.d.Transport {
		l.d.Source = req.Source()
	}
	switch req.Method {
	case sip.BYE:
		l.respond(req, tx, l.refusal(req, sip.StatusOK))
		l.hungUp()
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
		res.AppendHeader(sip.NewHeader("Supported", "timer"))
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

func (l *Leg) hungUp() {
	if l.state == early && l.inv != nil {
		// BYE before the answer ends the call like CANCEL does.
		_ = l.inv.refuse(sip.StatusRequestTerminated)
		l.finish(l.ev.Cancelled)
		return
	}
	l.finish(l.ev.Bye)
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
	if offers && (l.pending || l.state == early || l.await != nil && l.await.late) {
		l.respond(req, tx, l.refusal(req, sip.StatusRequestPending))
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

// info takes DTMF as application/dtmf-relay ("Signal=5") or application/dtmf.
func (l *Leg) info(req *sip.Request, tx *sip.ServerTx) {
	status := sip.StatusOK
	switch kind := contentType(req); {
	case len(req.Body()) == 0:
	case kind == "application/dtmf-relay" || kind == "application/dtmf":
		if digit, ok := dtmf(req.Body(), kind); !ok {
			status = sip.StatusBadRequest
		} else if l.ev.Digit != nil && l.state != early {
			l.emit(func() { l.ev.Digit(digit) })
		}
	default:
		status = sip.StatusUnsupportedMediaType
	}
	res := l.refusal(req, status)
	if status == sip.StatusUnsupportedMediaType {
		res.AppendHeader(sip.NewHeader("Accept", "application/dtmf-relay, application/dtmf"))
	}
	l.respond(req, tx, res)
}

func dtmf(body []byte, kind string) (byte, bool) {
	signal := strings.TrimSpace(string(body))
	if kind == "application/dtmf-relay" {
		signal = ""
		for line := range strings.Lines(string(body)) {
			if name, value, ok := strings.Cut(line, "="); ok && strings.EqualFold(strings.TrimSpace(name), "signal") {
				signal = strings.TrimSpace(value)
				break
			}
		}
	}
	switch signal {
	case "10":
		signal = "*"
	case "11":
		signal = "#"
	}
	if len(signal) != 1 {
		return 0, false
	}
	d := strings.ToUpper(signal)[0]
	return d, strings.IndexByte("0123456789*#ABCD", d) >= 0
}

// sessionTimer agrees to be refreshed by the peer (RFC 4028 9). We refresh
// nothing: a peer that asks us to gets no timer.
func (l *Leg) sessionTimer(req *sip.Request, res *sip.Response) {
	if l.expiry != nil {
		l.expiry.Stop()
	}
	l.d.Expires = 0
	value := headerValue(req, "session-expires", "x")
	interval, params, _ := strings.Cut(value, ";")
	seconds, err := strconv.ParseUint(strings.TrimSpace(interval), 10, 31)
	refresher := strings.ToLower(strings.ReplaceAll(params, " ", ""))
	if err != nil || seconds < minSession || !supports(req, "timer") || strings.Contains(refresher, "refresher=uas") {
		return
	}
	l.d.Expires = uint32(seconds)
	res.AppendHeader(sip.NewHeader("Session-Expires", strconv.Itoa(int(l.d.Expires))+";refresher=uac"))
	res.AppendHeader(sip.NewHeader("Require", "timer"))
	l.watchExpiry()
}

// minSession is the shortest interval RFC 4028 allows, in seconds.
const minSession = 90

// watchExpiry ends a call whose peer does not refresh it.
func (l *Leg) watchExpiry() {
	if l.d.Expires == 0 {
		return
	}
	l.expiry = time.AfterFunc(time.Duration(l.d.Expires)*time.Second, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.state == confirmed {
			l.bye("session expired")
			l.fail(ErrExpired)
		}
	})
}

func supports(req *sip.Request, tag string) bool {
	for _, name := range [...]string{"supported", "k", "require"} {
		for _, h := range req.GetHeaders(name) {
			for t := range strings.SplitSeq(h.Value(), ",") {
				if strings.EqualFold(strings.TrimSpace(t), tag) {
					return true
				}
			}
		}
	}
	return false
}

func headerValue(req *sip.Request, names ...string) string {
	for _, n := range names {
		if h := req.GetHeader(n); h != nil {
			return h.Value()
		}
	}
	return ""
}

type bodied interface {
	Body() []byte
	ContentType() *sip.ContentTypeHeader
}

func contentType(m bodied) string {
	if h := m.ContentType(); h != nil {
		return strings.ToLower(string(mediaType([]byte(h.Value()))))
	}
	return ""
}

// descriptionOf reads a message's SDP; nil without an error = there is none.
func descriptionOf(m bodied) (*description, error) {
	kind := ""
	if h := m.ContentType(); h != nil {
		kind = h.Value()
	}
	return readDescription(m.Body(), kind)
}

// readDescription finds the SDP in a body, also as a part of multipart/mixed.
func readDescription(body []byte, contentType string) (*description, error) {
	if len(body) == 0 {
		return nil, nil
	}
	if isMultipart([]byte(contentType)) {
		part, ok := sdpPart(body, contentType)
		if !ok {
			return nil, fmt.Errorf("%w: no part of it is SDP", ErrBadSDP)
		}
		body = part
	}
	return parseSDP(body)
}

func sdpPart(body []byte, contentType string) ([]byte, bool) {
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil || params["boundary"] == "" {
		return nil, false
	}
	r := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	for range 8 {
		p, err := r.NextRawPart()
		if err != nil {
			return nil, false
		}
		if !isSDP([]byte(p.Header.Get("Content-Type"))) {
			continue
		}
		var b bytes.Buffer
		if _, err := b.ReadFrom(p); err != nil {
			return nil, false
		}
		return b.Bytes(), true
	}
	return nil, false
}
