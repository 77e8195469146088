package sip

import (
	"strings"
	"testing"
	"time"
)

// quick makes a second of session intervals a millisecond, or longer.
func quick(second time.Duration) func(*UA) { return func(ua *UA) { ua.time.second = second } }

func TestWhoRefreshes(t *testing.T) {
	for name, c := range map[string]struct {
		ask        []string
		agreed     string
		theyDo     bool
		needsTimer bool
	}{
		"the caller asks to":         {[]string{"Session-Expires: 300;refresher=uac", "Supported: timer"}, "300;refresher=uac", true, true},
		"the caller leaves it open":  {[]string{"x: 300", "k: foo, timer"}, "300;refresher=uac", true, true},
		"the caller wants us to":     {[]string{"Session-Expires: 300;refresher=uas", "Supported: timer"}, "300;refresher=uas", false, false},
		"a proxy asks, not the peer": {[]string{"Session-Expires: 300"}, "300;refresher=uas", false, false},
		"nobody asks":                {nil, "1800;refresher=uas", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			handler, legs := answeringHandler(t, newEvents().Events)
			p := newPeer(t, startUA(t, handler, nil).addr())
			ok := p.call(c.ask...)
			if ok.get("Session-Expires") != c.agreed || (ok.get("Require") == "timer") != c.needsTimer {
				t.Errorf("agreed %q, Require %q", ok.get("Session-Expires"), ok.get("Require"))
			}
			l := take(t, legs)
			l.mu.Lock()
			defer l.mu.Unlock()
			if l.d.Refresher == c.theyDo {
				t.Errorf("we refresh: %v", l.d.Refresher)
			}
		})
	}
}

func TestIntervalTooShort(t *testing.T) {
	handler, _ := answeringHandler(t, newEvents().Events)
	p := newPeer(t, startUA(t, handler, nil).addr())
	p.send("INVITE", p.sdp(), "Session-Expires: 60", "Supported: timer")
	if m := p.status(422); m.get("Min-SE") != "90" {
		t.Errorf("Min-SE %q", m.get("Min-SE"))
	}
	p.write(p.request("ACK", p.seq, p.newBranch(), ""))
	p.call("Session-Expires: 90", "Supported: timer")
	p.send("UPDATE", "", "Session-Expires: 30", "Supported: timer")
	p.status(422)
}

// TestWeRefresh: by UPDATE where the peer takes it, else by INVITE; a peer that
// does not know the call any more ends it.
func TestWeRefresh(t *testing.T) {
	for _, method := range []string{"UPDATE", "INVITE"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			ev := newEvents()
			handler, _ := answeringHandler(t, ev.Events)
			ua := startUA(t, handler, nil, quick(20*time.Millisecond))
			p := newPeer(t, ua.addr())
			p.call("Allow: INVITE, BYE, "+method, "Session-Expires: 100;refresher=uas", "Supported: timer")
			ev.want(t, "acked")
			for range 2 {
				m := p.wants(method)
				if m.get("Session-Expires") != "100;refresher=uac" {
					t.Errorf("Session-Expires %q", m.get("Session-Expires"))
				}
				body := ""
				if method == "INVITE" {
					body = p.sdp()
				}
				p.respond(m, 200, body, "Session-Expires: 100;refresher=uac")
				if method == "INVITE" {
					p.wants("ACK")
				}
			}
			p.answer(method, 481, "")
			if method == "INVITE" {
				p.wants("ACK")
			}
			p.answer("BYE", 481, "")
			ev.want(t, "failed "+ErrExpired.Error())
		})
	}
}

// TestPeerTakesNoUpdate: its Allow says otherwise; the refresh goes on by INVITE.
func TestPeerTakesNoUpdate(t *testing.T) {
	handler, _ := answeringHandler(t, newEvents().Events)
	p := newPeer(t, startUA(t, handler, nil, quick(20*time.Millisecond)).addr())
	p.call("Allow: INVITE, UPDATE", "Session-Expires: 200;refresher=uas", "Supported: timer")
	p.answer("UPDATE", 405, "")
	p.respond(p.wants("INVITE"), 200, p.sdp(), "Session-Expires: 200;refresher=uas")
	p.wants("ACK")
}

func TestPeerDoesNotRefresh(t *testing.T) {
	ev := newEvents()
	handler, _ := answeringHandler(t, ev.Events)
	p := newPeer(t, startUA(t, handler, nil, quick(time.Millisecond)).addr())
	p.call("Session-Expires: 90;refresher=uac", "Supported: timer")
	ev.want(t, "acked")
	p.answer("BYE", 200, "")
	ev.want(t, "failed "+ErrExpired.Error())
}

// TestTimerOfOurCalls: the called side wants a longer interval, then that we
// refresh.
func TestTimerOfOurCalls(t *testing.T) {
	ua, ev := startUA(t, nil, nil), newEvents()
	p := newPeer(t, ua.addr())
	l := place(t, ua, ev, Outgoing{Trunks: []Trunk{trunkTo(p.local(), "udp")}, To: "+491"})
	inv := p.invited("+491")
	if inv.get("Session-Expires") != "1800" || !strings.Contains(inv.get("Supported"), "timer") {
		t.Errorf("Session-Expires %q, Supported %q", inv.get("Session-Expires"), inv.get("Supported"))
	}
	p.respond(tagged(inv, "a"), 422, "", "Min-SE: 3600")
	p.wants("ACK")
	inv = p.invited("+491")
	if inv.get("Session-Expires") != "3600" || inv.get("Min-SE") != "3600" {
		t.Errorf("Session-Expires %q, Min-SE %q", inv.get("Session-Expires"), inv.get("Min-SE"))
	}
	p.respond(tagged(inv, "a"), 200, p.sdp(), "Session-Expires: 3600;refresher=uac", "Require: timer")
	p.wants("ACK")
	ev.want(t, "media", "dialog", "answered")
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.d.Expires != 3600 || !l.d.Refresher || l.expiry == nil {
		t.Errorf("interval %d, we refresh: %v", l.d.Expires, l.d.Refresher)
	}
}
