package sip

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// killed sets up a call on node A, kills A, and returns what B needs.
func killed(t *testing.T, p *peer, a *UA, legs chan *Leg, ev *events, hold bool) (snapshot []byte, ok *message) {
	t.Helper()
	ok = p.call("Record-Route: <sip:"+p.local()+";lr;transport="+strings.ToLower(p.proto())+">", "Session-Expires: 1800", "Supported: timer")
	l := take(t, legs)
	ev.want(t, "acked")
	if hold {
		p.send("INVITE", p.sdp("sendonly"))
		ok = p.status(200)
		p.ack("")
		ev.want(t, "media PCMA recvonly", "dialog")
	}
	snapshot = l.Snapshot()
	stopUA(t, a)
	return snapshot, ok
}

type restored struct {
	leg *Leg
	err error
}

func restoreOn(t *testing.T, b *UA, snapshot []byte, ev *events) chan restored {
	t.Helper()
	ch := make(chan restored, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		l, err := b.Restore(ctx, snapshot, ev.Events())
		ch <- restored{l, err}
	}()
	return ch
}

func TestTakeover(t *testing.T) {
	for _, hold := range []bool{false, true} {
		for _, byNode := range []bool{false, true} {
			name := map[bool]string{true: "held ", false: "talking "}[hold] + map[bool]string{true: "node hangs up", false: "peer hangs up"}[byNode]
			t.Run(name, func(t *testing.T) {
				evA, evB := newEvents(), newEvents()
				handler, legs := answeringHandler(t, evA.Events)
				a, b := startUA(t, handler, nil), startUA(t, nil, nil)
				p := newPeer(t, a.addr())
				snapshot, ok := killed(t, p, a, legs, evA, hold)
				oldPort := strings.Fields(ok.body[strings.Index(ok.body, "m=audio"):])[1]

				done := restoreOn(t, b, snapshot, evB)
				inv := p.next()
				checkReinvite(t, inv, ok, p, b)
				if got := strings.Fields(inv.body[strings.Index(inv.body, "m=audio"):])[1]; got == oldPort && hold == byNode {
					t.Logf("media port %s again", got)
				}
				if want := map[bool]string{true: "a=recvonly", false: "a=sendrecv"}[hold]; !strings.Contains(inv.body, want) {
					t.Errorf("offer lacks %s: %s", want, inv.body)
				}
				p.respond(inv, 180, "")
				p.respond(inv, 200, p.sdp(map[bool]string{true: "sendonly", false: "sendrecv"}[hold]))
				ack := p.next()
				if ack.method() != "ACK" || ack.seq() != inv.seq() {
					t.Fatalf("got %q %s", ack.first, ack.get("CSeq"))
				}
				p.respond(inv, 200, p.sdp()) // repeated: acknowledged again
				if again := p.read(); again.method() != "ACK" {
					t.Errorf("got %q", again.first)
				}
				r := take(t, done)
				if r.err != nil {
					t.Fatal(r.err)
				}
				if r.leg.Format().PayloadType != 8 {
					t.Errorf("format %+v", r.leg.Format())
				}
				if byNode {
					r.leg.Hangup("agent_hung_up")
					if bye := p.answer("BYE", 200, ""); bye.seq() <= inv.seq() {
						t.Errorf("BYE has CSeq %d after %d", bye.seq(), inv.seq())
					}
				} else {
					p.send("BYE", "")
					p.status(200)
					evB.want(t, "bye")
				}
				if n := b.Legs(); n != 0 {
					t.Errorf("%d legs", n)
				}
			})
		}
	}
}

// checkReinvite holds a takeover's INVITE against the dialog the peer has.
func checkReinvite(t *testing.T, inv, ok *message, p *peer, b *UA) {
	t.Helper()
	if inv.method() != "INVITE" || !strings.HasPrefix(inv.first, "INVITE sip:peer@"+p.local()) {
		t.Fatalf("got %q", inv.first)
	}
	if inv.get("Call-ID") != p.callID || inv.get("To") != p.from || inv.get("From") != ok.get("To") {
		t.Errorf("dialog %q %q %q", inv.get("Call-ID"), inv.get("From"), inv.get("To"))
	}
	if !strings.Contains(inv.get("Contact"), b.addr()) || !strings.Contains(inv.get("Via"), b.addr()) {
		t.Errorf("contact %q via %q", inv.get("Contact"), inv.get("Via"))
	}
	if inv.seq() < seqJump {
		t.Errorf("CSeq %d", inv.seq())
	}
	if version(inv) != version(ok)+versionJump {
		t.Errorf("SDP version %d after %d", version(inv), version(ok))
	}
	// Who refreshed goes on doing so; in requests of ours the roles are the other way round.
	roles := strings.NewReplacer("uas", "uac", "uac", "uas")
	if got := roles.Replace(ok.get("Session-Expires")); inv.get("Session-Expires") != got {
		t.Errorf("Session-Expires %q, want %q", inv.get("Session-Expires"), got)
	}
	if len(inv.header["route"]) != 1 {
		t.Errorf("routes %q", inv.header["route"])
	}
}

func TestTakeoverOverTCP(t *testing.T) {
	evA, evB := newEvents(), newEvents()
	handler, legs := answeringHandler(t, evA.Events)
	a, b := startUA(t, handler, nil), startUA(t, nil, nil)
	listen := newTCPListener(t)
	p := newTCPPeer(t, a.addr())
	p.contact = listen.Addr().String()
	p.call()
	l := take(t, legs)
	evA.want(t, "acked")
	snapshot := l.Snapshot()
	stopUA(t, a)

	done := restoreOn(t, b, snapshot, evB)
	conn, err := listen.Accept()
	if err != nil {
		t.Fatal(err)
	}
	p.useConn(conn)
	inv := p.next()
	if inv.method() != "INVITE" || !strings.Contains(inv.get("Via"), "TCP") || !strings.Contains(inv.get("Contact"), "transport=tcp") {
		t.Fatalf("got %q %q", inv.first, inv.get("Via"))
	}
	p.respond(inv, 200, p.sdp())
	if ack := p.next(); ack.method() != "ACK" {
		t.Fatalf("got %q", ack.first)
	}
	r := take(t, done)
	if r.err != nil {
		t.Fatal(r.err)
	}
	p.send("BYE", "")
	p.status(200)
	evB.want(t, "bye")
}

func TestTakeoverAfterCollisionAndRefusal(t *testing.T) {
	evA, evB := newEvents(), newEvents()
	handler, legs := answeringHandler(t, evA.Events)
	a, b := startUA(t, handler, nil), startUA(t, nil, nil)
	p := newPeer(t, a.addr())
	snapshot, _ := killed(t, p, a, legs, evA, false)
	done := restoreOn(t, b, snapshot, evB)

	first := p.next()
	// The peer's own re-INVITE crosses ours: each refuses the other's.
	branch := p.send("INVITE", p.sdp())
	p.status(491)
	p.write(p.request("ACK", p.seq, branch, ""))
	p.respond(first, 491, "")
	if m := p.next(); m.method() != "ACK" {
		t.Fatalf("got %q", m.first)
	}
	second := p.next()
	if second.method() != "INVITE" || second.seq() <= first.seq() {
		t.Fatalf("got %q with CSeq %d after %d", second.first, second.seq(), first.seq())
	}
	p.respond(second, 503, "", "Retry-After: 1")
	if m := p.next(); m.method() != "ACK" {
		t.Fatalf("got %q", m.first)
	}
	third := p.next()
	p.respond(third, 200, p.sdp())
	if m := p.next(); m.method() != "ACK" {
		t.Fatalf("got %q", m.first)
	}
	if r := take(t, done); r.err != nil {
		t.Fatal(r.err)
	}
}

// TestTakeoverOfALongSession: the peer takes longer intervals only.
func TestTakeoverOfALongSession(t *testing.T) {
	evA, evB := newEvents(), newEvents()
	handler, legs := answeringHandler(t, evA.Events)
	a, b := startUA(t, handler, nil), startUA(t, nil, nil)
	p := newPeer(t, a.addr())
	snapshot, _ := killed(t, p, a, legs, evA, false)
	done := restoreOn(t, b, snapshot, evB)
	p.answer("INVITE", 422, "", "Min-SE: 3600")
	p.wants("ACK")
	inv := p.answer("INVITE", 200, p.sdp(), "Session-Expires: 3600;refresher=uac")
	if !strings.HasPrefix(inv.get("Session-Expires"), "3600;") || inv.get("Min-SE") != "3600" {
		t.Errorf("Session-Expires %q, Min-SE %q", inv.get("Session-Expires"), inv.get("Min-SE"))
	}
	p.wants("ACK")
	if r := take(t, done); r.err != nil {
		t.Fatal(r.err)
	}
}

func TestTakeoverThatFails(t *testing.T) {
	start := func(t *testing.T) (*peer, *UA, chan restored, *events) {
		evA, evB := newEvents(), newEvents()
		handler, legs := answeringHandler(t, evA.Events)
		a, b := startUA(t, handler, nil), startUA(t, nil, nil)
		p := newPeer(t, a.addr())
		snapshot, _ := killed(t, p, a, legs, evA, false)
		return p, b, restoreOn(t, b, snapshot, evB), evB
	}
	t.Run("the call is gone", func(t *testing.T) {
		p, b, done, _ := start(t)
		p.answer("INVITE", 481, "")
		r := take(t, done)
		var status *StatusError
		if !errors.As(r.err, &status) || status.Status != 481 || b.Legs() != 0 {
			t.Errorf("%v, %d legs", r.err, b.Legs())
		}
		if m := p.next(); m.method() != "ACK" {
			t.Errorf("got %q", m.first)
		}
	})
	t.Run("refused", func(t *testing.T) {
		p, _, done, _ := start(t)
		p.answer("INVITE", 488, "")
		if m := p.next(); m.method() != "ACK" {
			t.Errorf("got %q", m.first)
		}
		p.answer("BYE", 200, "")
		if r := take(t, done); r.err == nil {
			t.Error("restored")
		}
	})
	t.Run("the peer hangs up", func(t *testing.T) {
		p, _, done, ev := start(t)
		inv := p.next()
		p.send("BYE", "")
		p.status(200)
		if r := take(t, done); !errors.Is(r.err, ErrEnded) {
			t.Errorf("%v", r.err)
		}
		// Its late answer is acknowledged and ended.
		p.respond(inv, 200, p.sdp())
		if m := p.next(); m.method() != "ACK" {
			t.Errorf("got %q", m.first)
		}
		p.answer("BYE", 481, "")
		ev.none(t)
	})
	t.Run("no answer in time", func(t *testing.T) {
		evA := newEvents()
		handler, legs := answeringHandler(t, evA.Events)
		a, b := startUA(t, handler, nil), startUA(t, nil, nil)
		p := newPeer(t, a.addr())
		snapshot, _ := killed(t, p, a, legs, evA, false)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := b.Restore(ctx, snapshot, Events{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		if n := b.Legs(); n != 0 {
			t.Errorf("%d legs", n)
		}
	})
	t.Run("nonsense", func(t *testing.T) {
		b := startUA(t, nil, nil)
		for _, s := range []string{"", "x", "\xa1\x01\x01", "\xa1\x01\x18\x63"} {
			if _, err := b.Restore(t.Context(), []byte(s), Events{}); !errors.Is(err, ErrSnapshot) {
				t.Errorf("%q: %v", s, err)
			}
		}
	})
}
