package sip

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// ringing gives a handler that prepares and rings, and hands out the leg.
func ringing(t *testing.T, ev *events) (handlerFunc, chan *Leg) {
	legs := make(chan *Leg, 8)
	return func(in *Incoming) {
		l, err := in.Prepare(ev.Events())
		if err != nil {
			t.Errorf("prepare: %v", err)
			return
		}
		l.Ring()
		legs <- l
	}, legs
}

func TestCallerGivesUp(t *testing.T) {
	ev := newEvents()
	handler, legs := ringing(t, ev)
	ua := startUA(t, handler, nil)
	p := newPeer(t, ua.addr())
	branch := p.send("INVITE", p.sdp())
	ring := p.status(180)
	p.write(p.request("CANCEL", p.seq, branch, ""))
	cancelled, ended := p.next(), p.next()
	if cancelled.status() == 487 {
		cancelled, ended = ended, cancelled
	}
	if cancelled.status() != 200 || cancelled.get("CSeq") != fmt.Sprint(p.seq)+" CANCEL" {
		t.Errorf("CANCEL got %q", cancelled.first)
	}
	if ended.status() != 487 {
		t.Errorf("INVITE got %q", ended.first)
	}
	for _, m := range []*message{cancelled, ended} {
		if m.get("To") != ring.get("To") {
			t.Errorf("To %q, first %q", m.get("To"), ring.get("To"))
		}
	}
	ev.want(t, "cancelled")
	if err := take(t, legs).Answer(); !errors.Is(err, ErrEnded) {
		t.Errorf("answer after CANCEL: %v", err)
	}
	p.write(p.request("CANCEL", p.seq, branch, ""))
	if m := p.read(); m.status() != 481 && m.status() != 487 {
		t.Errorf("CANCEL of nothing got %q", m.first)
	}
}

// TestCancelMeetsAnswer: whoever is first decides, and both sides agree.
func TestCancelMeetsAnswer(t *testing.T) {
	for i := range 50 {
		ev := newEvents()
		handler, legs := ringing(t, ev)
		ua := startUA(t, handler, nil)
		p := newPeer(t, ua.addr())
		branch := p.send("INVITE", p.sdp())
		l := take(t, legs)
		answered := make(chan error, 1)
		go func() { answered <- l.Answer() }()
		p.write(p.request("CANCEL", p.seq, branch, ""))
		var final *message
		for final == nil {
			if m := p.next(); m.status() >= 200 && strings.HasSuffix(m.get("CSeq"), "INVITE") {
				final = m
			}
		}
		err := take(t, answered)
		if accepted := final.status() == 200; accepted != (err == nil) {
			t.Fatalf("run %d: peer got %d, Answer said %v", i, final.status(), err)
		}
		if err != nil {
			ev.want(t, "cancelled")
		} else {
			p.toH = final.get("To")
			p.ack("")
			ev.want(t, "acked")
		}
		stopUA(t, ua)
	}
}

func TestRefusals(t *testing.T) {
	reported := make(chan Refusal, 8)
	ua := startUA(t, func(in *Incoming) {
		if in.Called != "+4989654321" || in.Caller != "+4930123456" || in.Trunk.Tenant != 7 {
			t.Errorf("incoming %+v", in)
		}
		in.Refuse(404, "unknown_number")
		in.Refuse(500, "twice")
	}, func(cfg *Config) { cfg.OnRefused = func(r Refusal) { reported <- r } })
	p := newPeer(t, ua.addr())
	branch := p.send("INVITE", p.sdp())
	m := p.status(404)
	p.toH = m.get("To")
	p.write(p.request("ACK", p.seq, branch, ""))
	r := take(t, reported)
	if r.Reason != "unknown_number" || r.Status != 404 || r.TrunkID != "t1" || r.Called != "+4989654321" || r.Source.String() != p.local() {
		t.Errorf("refusal %+v", r)
	}

	p2 := newPeer(t, ua.addr())
	p2.send("INVITE", "v=0\r\nnonsense\r\n")
	p2.status(404) // the handler never asked for the description
}

func TestDescriptionsThatDoNotFit(t *testing.T) {
	reported := make(chan Refusal, 8)
	ua := startUA(t, func(in *Incoming) {
		if _, err := in.Prepare(Events{}); err == nil {
			t.Error("prepared")
		}
	}, func(cfg *Config) { cfg.OnRefused = func(r Refusal) { reported <- r } })
	for body, want := range map[string]struct {
		status int
		reason string
	}{
		"v=0\r\nnonsense\r\n": {400, ReasonBadRequest},
		"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 9 18\r\n":                          {488, ReasonNoCodec},
		"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=video 4000 RTP/AVP 31\r\nm=audio 4000 RTP/SAVP 0\r\n": {488, ReasonNoCodec},
		"v=0\r\no=- 1 1 IN IP6 ::1\r\ns=-\r\nc=IN IP6 ::1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n":                                         {488, ReasonNoCodec},
		"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\na=rtpmap:0 PCMU/16000/2\r\n":  {488, ReasonNoCodec},
	} {
		p := newPeer(t, ua.addr())
		p.send("INVITE", body)
		p.status(want.status)
		if r := take(t, reported); r.Reason != want.reason || r.Status != want.status {
			t.Errorf("%q: refusal %+v", body, r)
		}
	}
	if n := ua.Legs(); n != 0 {
		t.Errorf("%d legs", n)
	}
}

func TestHangupBeforeTheAckWaitsForIt(t *testing.T) {
	ev := newEvents()
	handler, legs := ringing(t, ev)
	ua := startUA(t, handler, nil)
	p := newPeer(t, ua.addr())
	p.send("INVITE", p.sdp())
	l := take(t, legs)
	if err := l.Answer(); err != nil {
		t.Fatal(err)
	}
	if err := l.Answer(); !errors.Is(err, ErrDecided) {
		t.Errorf("second answer: %v", err)
	}
	l.Hangup("gone")
	p.status(180)
	p.toH = p.status(200).get("To")
	p.ack("")
	p.answer("BYE", 200, "")
	ev.none(t)
	if _, err := l.Port().ReadRTP(make([]byte, 10)); err == nil {
		t.Error("media port is open")
	}
}

func TestAnswerWithoutAck(t *testing.T) {
	ev := newEvents()
	handler, _ := answeringHandler(t, ev.Events)
	ua := startUA(t, handler, nil)
	p := newPeer(t, ua.addr())
	p.send("INVITE", p.sdp())
	repeats := 0
	for {
		m := p.read()
		if m.status() == 200 {
			repeats++
			continue
		}
		if m.method() == "BYE" {
			p.respond(m, 200, "")
			break
		}
	}
	if repeats < 5 {
		t.Errorf("200 sent %d times", repeats)
	}
	ev.want(t, "failed sip: the answer was not acknowledged")
}

func TestRepeatedInviteIsOneCall(t *testing.T) {
	ev := newEvents()
	handler, legs := ringing(t, ev)
	ua := startUA(t, handler, nil)
	p := newPeer(t, ua.addr())
	p.seq++
	invite := p.request("INVITE", p.seq, p.newBranch(), p.sdp())
	p.write(invite)
	take(t, legs)
	p.write(invite)
	// The same call by another way (RFC 3261 8.2.2.2).
	p.write(p.request("INVITE", p.seq, p.newBranch(), p.sdp()))
	for p.read().status() != 482 {
	}
	if n := ua.Legs(); n != 1 {
		t.Errorf("%d legs", n)
	}
}

func TestPeerHoldsAndResumes(t *testing.T) {
	ev := newEvents()
	handler, legs := answeringHandler(t, ev.Events)
	ua := startUA(t, handler, nil)
	p := newPeer(t, ua.addr())
	first := p.call()
	l := take(t, legs)
	ev.want(t, "acked")

	p.send("INVITE", p.sdp("sendonly"))
	held := p.status(200)
	p.ack("")
	ev.want(t, "media PCMA recvonly", "dialog")
	if !strings.Contains(held.body, "a=recvonly") || version(held) != version(first)+1 {
		t.Errorf("answer to hold: %s after %s", held.body, first.body)
	}
	if got := l.Direction(); got != RecvOnly {
		t.Errorf("direction %s", got)
	}

	// The same once more is a refresh: nothing changes, no event.
	p.send("INVITE", p.sdp("sendonly"))
	again := p.status(200)
	p.ack("")
	if version(again) != version(held) {
		t.Errorf("version went from %d to %d", version(held), version(again))
	}

	// Back, with the other codec and another port.
	p.media = 41000
	p.send("INVITE", strings.Replace(p.sdp("sendrecv"), "8 0 101", "0 101", 1))
	resumed := p.status(200)
	p.ack("")
	ev.want(t, "media PCMU sendrecv", "dialog")
	if !strings.Contains(resumed.body, "a=sendrecv") || version(resumed) != version(held)+1 {
		t.Errorf("answer to resume: %s", resumed.body)
	}

	// What can not be is refused, and the session stays.
	p.send("INVITE", strings.Replace(p.sdp(), "8 0 101", "9", 1))
	p.status(488)
	if got := l.Direction(); got != SendRecv {
		t.Errorf("direction %s", got)
	}
	p.send("BYE", "")
	p.status(200)
	ev.want(t, "bye")
}

func version(m *message) int {
	var id, v int
	_, after, _ := strings.Cut(m.body, "o=- ")
	_, _ = fmt.Sscan(after, &id, &v)
	return v
}

func TestOfferInTheAnswer(t *testing.T) {
	ev := newEvents()
	handler, legs := answeringHandler(t, ev.Events)
	ua := startUA(t, handler, nil)
	p := newPeer(t, ua.addr())
	p.send("INVITE", "")
	ok := p.status(200)
	p.toH = ok.get("To")
	if !strings.Contains(ok.body, "RTP/AVP 0 8 101") {
		t.Errorf("offer %s", ok.body)
	}
	p.ack(strings.Replace(p.sdp(), "8 0 101", "8 101", 1))
	ev.want(t, "media PCMA sendrecv", "dialog", "acked")
	if l := take(t, legs); l.Format().PayloadType != 8 {
		t.Errorf("format %+v", l.Format())
	}
	// A refresh without an offer gets one, too.
	p.send("INVITE", "")
	again := p.status(200)
	if version(again) <= version(ok) && !strings.Contains(again.body, "RTP/AVP 8 0 101") {
		t.Errorf("offer %s", again.body)
	}
	// A second INVITE while the answer is missing collides.
	p.send("INVITE", p.sdp())
	p.status(491)
	p.write(p.request("ACK", p.seq-1, p.newBranch(), p.sdp("sendonly")))
	ev.want(t, "media PCMA recvonly", "dialog")
}

func TestAckWithoutTheAnswerEndsTheCall(t *testing.T) {
	ev := newEvents()
	handler, _ := answeringHandler(t, ev.Events)
	ua := startUA(t, handler, nil)
	p := newPeer(t, ua.addr())
	p.send("INVITE", "")
	p.toH = p.status(200).get("To")
	p.ack("")
	p.answer("BYE", 200, "")
	ev.want(t, "failed sip: session description not understood")
}

func TestRequestsWithinTheDialog(t *testing.T) {
	ev := newEvents()
	handler, _ := answeringHandler(t, ev.Events)
	ua := startUA(t, handler, nil)
	p := newPeer(t, ua.addr())
	p.call("Session-Expires: 1800", "Supported: timer")
	ev.want(t, "acked")

	p.send("OPTIONS", "")
	if m := p.status(200); !strings.Contains(m.get("Allow"), "UPDATE") {
		t.Errorf("Allow %q", m.get("Allow"))
	}
	p.send("INFO", "Signal=5\r\nDuration=160\r\n", "Content-Type: application/dtmf-relay")
	p.status(200)
	p.send("INFO", "#", "Content-Type: application/dtmf")
	p.status(200)
	ev.want(t, "digit 5", "digit #")
	p.send("INFO", "Signal=x", "Content-Type: application/dtmf-relay")
	p.status(400)
	p.send("INFO", "<x/>", "Content-Type: application/media_control+xml")
	p.status(415)
	p.send("UPDATE", p.sdp("inactive"), "Session-Expires: 900;refresher=uac", "Supported: timer")
	if m := p.status(200); !strings.Contains(m.body, "a=inactive") || m.get("Session-Expires") != "900;refresher=uac" {
		t.Errorf("UPDATE answered %s", m.body)
	}
	ev.want(t, "media PCMA inactive", "dialog")
	p.send("MESSAGE", "hello", "Content-Type: text/plain")
	p.status(405)
	p.send("FOO", "")
	p.status(501)
	p.send("OPTIONS", "", "Require: teleport")
	if m := p.status(420); m.get("Unsupported") != "teleport" {
		t.Errorf("Unsupported %q", m.get("Unsupported"))
	}
	// An old number is out of order (RFC 3261 12.2.2).
	p.write(p.request("OPTIONS", 3, p.newBranch(), ""))
	p.status(500)
	// Another tag is another call.
	real := p.toH
	p.toH = "<sip:+4989654321@site.example>;tag=other"
	p.send("BYE", "")
	p.status(481)
	p.toH = real
	p.send("BYE", "")
	p.status(200)
	ev.want(t, "bye")
	p.send("BYE", "")
	p.status(481)
}

func TestDialogElsewhereIsNotDeniedByThisNode(t *testing.T) {
	ua := startUA(t, nil, func(cfg *Config) {
		cfg.Resolve = func(callID, tag string) bool { return tag == "theirs" }
	})
	p := newPeer(t, ua.addr())
	p.toH += ";tag=theirs"
	p.send("OPTIONS", "")
	if m := p.status(500); m.get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}

func TestSessionThatIsNotRefreshed(t *testing.T) {
	ev := newEvents()
	handler, legs := answeringHandler(t, ev.Events)
	ua := startUA(t, handler, nil)
	p := newPeer(t, ua.addr())
	ok := p.call("Session-Expires: 90;refresher=uac", "Supported: timer")
	if ok.get("Session-Expires") != "90;refresher=uac" || ok.get("Require") != "timer" {
		t.Errorf("answer %v", ok.header)
	}
	l := take(t, legs)
	ev.want(t, "acked")
	l.mu.Lock()
	l.expiry.Reset(time.Millisecond)
	l.mu.Unlock()
	p.answer("BYE", 200, "")
	ev.want(t, "failed sip: the session was not refreshed")
}

func TestRoutesAndTargets(t *testing.T) {
	ev := newEvents()
	handler, legs := answeringHandler(t, ev.Events)
	ua := startUA(t, handler, nil)
	p := newPeer(t, ua.addr())
	proxy := newPeer(t, ua.addr())
	p.call("Record-Route: <sip:"+proxy.local()+";lr>", "Record-Route: <sip:far.example;lr>")
	l := take(t, legs)
	ev.want(t, "acked")
	// The target moves with a re-INVITE: requests keep the routes.
	p.send("UPDATE", "")
	p.status(200)
	l.Hangup("done")
	bye := proxy.answer("BYE", 200, "")
	if got := strings.Join(bye.header["route"], " "); got != "<sip:"+proxy.local()+";lr> <sip:far.example;lr>" {
		t.Errorf("routes %q", got)
	}
	if !strings.Contains(bye.first, "sip:peer@"+p.local()) {
		t.Errorf("request line %q", bye.first)
	}
}

func TestTargetOutsideOfTheListIsNotUsed(t *testing.T) {
	ev := newEvents()
	handler, legs := answeringHandler(t, ev.Events)
	ua := startUA(t, handler, nil)
	p := newPeer(t, ua.addr())
	p.seq++
	p.write(strings.Replace(p.request("INVITE", p.seq, p.newBranch(), p.sdp()), "Contact: <sip:peer@"+p.local(), "Contact: <sip:peer@10.1.2.3:5060", 1))
	p.toH = p.status(200).get("To")
	p.ack("")
	l := take(t, legs)
	ev.want(t, "acked")
	l.Hangup("done")
	if bye := p.answer("BYE", 200, ""); !strings.Contains(bye.first, "10.1.2.3") {
		t.Errorf("request line %q", bye.first)
	}
}

func TestUndecidedCallIsEnded(t *testing.T) {
	ev := newEvents()
	ua := startUA(t, func(in *Incoming) {
		if _, err := in.Prepare(ev.Events()); err != nil {
			t.Error(err)
		}
	}, nil, func(ua *UA) { ua.time.decide = 200 * time.Millisecond })
	p := newPeer(t, ua.addr())
	p.send("INVITE", p.sdp())
	p.status(480)
	ev.want(t, "cancelled")
}
