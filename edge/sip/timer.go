package sip

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// Session timers (RFC 4028): one side refreshes the session in time, so that
// both learn when the other is gone. The wish for one is ours, too; who
// refreshes is what the peer wants, or else the one who can.

// Intervals in seconds: what we ask for, and the shortest allowed.
const (
	usualSession = 1800
	minSession   = 90
)

// readInterval reads a Session-Expires; refresher is "uac", "uas" or "".
func readInterval(v string) (seconds uint32, refresher string, ok bool) {
	interval, params, _ := strings.Cut(v, ";")
	n, err := strconv.ParseUint(strings.TrimSpace(interval), 10, 31)
	if err != nil {
		return 0, "", false
	}
	for p := range strings.SplitSeq(strings.ToLower(params), ";") {
		name, value, _ := strings.Cut(p, "=")
		if strings.TrimSpace(name) == "refresher" {
			refresher = strings.TrimSpace(value)
		}
	}
	return uint32(n), refresher, true
}

// tooShort is the refusal of a request whose interval is below the minimum; nil
// = it is not.
func (ua *UA) tooShort(req *sip.Request, tag string) *sip.Response {
	seconds, _, ok := readInterval(headerValue(req, "session-expires", "x"))
	if !ok || seconds >= minSession {
		return nil
	}
	res := ua.response(req, statusIntervalTooSmall, tag, nil)
	res.AppendHeader(sip.NewHeader("Min-SE", strconv.Itoa(minSession)))
	return res
}

const statusIntervalTooSmall = 422

func (l *Leg) tooShort(req *sip.Request, tx *sip.ServerTx) bool {
	res := l.ua.tooShort(req, l.d.LocalTag)
	if res != nil {
		l.respond(req, tx, res)
	}
	return res != nil
}

// sessionTimer answers the timer of a request of the peer, in its 2xx.
func (l *Leg) sessionTimer(req *sip.Request, res *sip.Response) {
	seconds, refresher, ok := readInterval(headerValue(req, "session-expires", "x"))
	able := supports(req, "timer")
	if !ok {
		seconds, refresher = max(usualSession, shortest(req)), "uas" // we want to know, and can do it alone
	}
	if !able {
		refresher = "uas"
	} else if refresher != "uas" {
		refresher = "uac"
	}
	l.d.Expires, l.d.Refresher = seconds, refresher == "uas"
	res.AppendHeader(sip.NewHeader("Session-Expires", strconv.Itoa(int(seconds))+";refresher="+refresher))
	if !l.d.Refresher {
		res.AppendHeader(sip.NewHeader("Require", "timer"))
	}
	l.watchSession()
}

// askTimer asks for a timer in a request of ours. The roles stay as they are.
func (l *Leg) askTimer(req *sip.Request) {
	req.AppendHeader(sip.NewHeader("Supported", extensions))
	value := strconv.Itoa(usualSession)
	if l.d.Expires > 0 {
		value = strconv.Itoa(int(l.d.Expires))
		if l.state == confirmed && l.d.Refresher {
			value += ";refresher=uac"
		} else if l.state == confirmed {
			value += ";refresher=uas"
		}
	}
	req.AppendHeader(sip.NewHeader("Session-Expires", value))
	if l.d.MinExpires > 0 {
		req.AppendHeader(sip.NewHeader("Min-SE", strconv.Itoa(int(l.d.MinExpires))))
	}
}

// timerAgreed reads what a 2xx to a request of ours says of the timer.
func (l *Leg) timerAgreed(res *sip.Response) {
	seconds, refresher, ok := readInterval(headerValue(res, "session-expires", "x"))
	l.d.Expires, l.d.Refresher = 0, false
	if ok && seconds >= minSession {
		l.d.Expires, l.d.Refresher = seconds, refresher != "uas"
	}
	l.watchSession()
}

// longer takes a 422: the peer wants a longer interval than we asked for; true
// = the request may be sent again.
func (l *Leg) longer(res *sip.Response) bool {
	if res.StatusCode != statusIntervalTooSmall {
		return false
	}
	n := shortest(res)
	l.mu.Lock()
	defer l.mu.Unlock()
	asked := uint32(usualSession)
	if l.d.Expires > 0 {
		asked = l.d.Expires
	}
	if n <= asked {
		return false
	}
	l.d.Expires, l.d.MinExpires = n, n
	return true
}

// shortest is what a message's Min-SE says; 0 = nothing.
func shortest(m headered) uint32 {
	n, err := strconv.ParseUint(strings.TrimSpace(headerValue(m, "min-se")), 10, 31)
	if err != nil {
		return 0
	}
	return uint32(n)
}

// watchSession starts the timer anew: our refresh at half of the interval, or
// the end of a call whose peer did not refresh it (RFC 4028 10).
func (l *Leg) watchSession() {
	l.watched++
	if l.expiry != nil {
		l.expiry.Stop()
		l.expiry = nil
	}
	if l.d.Expires == 0 || l.state == ended {
		return
	}
	interval := time.Duration(l.d.Expires) * l.ua.time.second
	if l.d.Refresher {
		l.refreshIn(interval / 2)
		return
	}
	l.expiry = time.AfterFunc(interval-min(32*l.ua.time.second, interval/3), l.expire)
}

func (l *Leg) expire() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state == confirmed {
		l.bye("session expired")
		l.fail(ErrExpired)
	}
}

// refresh shows the peer that we are here, and learns whether it is. left is
// the time until the session ends.
func (l *Leg) refresh(left time.Duration) {
	ctx, cancel := context.WithTimeout(l.over, left)
	defer cancel()
	l.mu.Lock()
	busy := l.state != confirmed || l.pending || l.await != nil
	updates, watched := l.d.Updates, l.watched
	if !busy && !updates {
		l.pending = true
	}
	l.mu.Unlock()
	var err error
	switch {
	case busy: // an exchange is going on; it refreshes, or the next try does
		err = errBusy
	case updates:
		err = l.refreshByUpdate(ctx)
	default:
		err = l.offerAgain(ctx)
		l.mu.Lock()
		l.pending = false
		l.mu.Unlock()
	}
	if err != nil {
		l.notRefreshed(err, left, watched)
	}
}

var errBusy = errors.New("sip: another exchange is going on")

// notRefreshed ends a call the peer does not know any more; after other
// failures there is time for more tries, until the session ends.
func (l *Leg) notRefreshed(err error, left time.Duration, watched int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state != confirmed || l.watched != watched { // ended, or the peer has refreshed it
		return
	}
	var answered *StatusError
	gone := errors.As(err, &answered) &&
		(answered.Status == sip.StatusCallTransactionDoesNotExists || answered.Status == sip.StatusRequestTimeout)
	if gone || left < 2*l.ua.time.second {
		l.bye("session expired")
		l.fail(errors.Join(ErrExpired, err))
		return
	}
	l.ua.log.Debug("sip session not refreshed", "sip_call_id", l.d.CallID, "error", err)
	l.refreshIn(left / 2)
}

// refreshIn refreshes after half of the time that is left.
func (l *Leg) refreshIn(half time.Duration) {
	l.expiry = time.AfterFunc(half, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.state != ended { // so the UA has not stopped
			l.ua.running.Go(func() { l.refresh(half) })
		}
	})
}

func (l *Leg) refreshByUpdate(ctx context.Context) error {
	l.mu.Lock()
	h := l.hop()
	l.mu.Unlock()
	res, tx, err := l.ua.ask(ctx, h, func() (*sip.Request, error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.state != confirmed {
			return nil, ErrEnded
		}
		req, err := l.d.request(sip.UPDATE, l.d.nextSeq())
		if err == nil {
			req.AppendHeader(l.ua.contact(l.d.Transport))
			l.askTimer(req)
		}
		return req, err
	})
	switch {
	case err != nil:
		if tx != nil {
			tx.Terminate()
		}
		return err
	case res.StatusCode == sip.StatusMethodNotAllowed || res.StatusCode == sip.StatusNotImplemented:
		l.mu.Lock()
		l.d.Updates = false // its Allow was not true
		l.mu.Unlock()
		return statusError(res)
	case !res.IsSuccess():
		l.longer(res) // for the next try
		return statusError(res)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.d.refreshTarget(res) {
		l.dialogChanged()
	}
	l.timerAgreed(res)
	return nil
}
