package sip

import (
	"fmt"
	"strings"
	"testing"
)

func TestRingingIsConfirmed(t *testing.T) {
	ev := newEvents()
	handler, legs := ringing(t, ev)
	ua := startUA(t, handler, nil)
	p := newPeer(t, ua.addr())
	p.send("INVITE", p.sdp(), "Require: 100rel")
	invite := p.seq
	ring := p.status(180)
	if ring.get("Require") != "100rel" || ring.get("RSeq") == "" {
		t.Errorf("Require %q, RSeq %q", ring.get("Require"), ring.get("RSeq"))
	}
	if again := p.read(); again.status() != 180 || again.get("RSeq") != ring.get("RSeq") {
		t.Errorf("not repeated: %q", again.first)
	}
	p.toH = ring.get("To")
	for rack, want := range map[string]int{"nonsense": 400, "1 2 3 4": 400, fmt.Sprintf("0 %d INVITE", invite): 481} {
		p.send("PRACK", "", "RAck: "+rack)
		p.status(want)
	}
	p.send("PRACK", "", fmt.Sprintf("RAck: %s %d INVITE", ring.get("RSeq"), invite))
	p.status(200)
	if err := take(t, legs).Answer(); err != nil {
		t.Fatal(err)
	}
	if m := p.next(); m.status() != 200 || !strings.HasSuffix(m.get("CSeq"), "INVITE") {
		t.Errorf("got %q %s", m.first, m.get("CSeq"))
	}
	p.write(p.request("ACK", invite, p.newBranch(), ""))
	ev.want(t, "acked")
	p.send("BYE", "", `Reason: Q.850;cause=17;text="User; busy"`)
	p.status(200)
	ev.want(t, `bye Q.850;cause=17;text="User; busy"`)
}

func TestRingingThatIsNeverConfirmed(t *testing.T) {
	ev := newEvents()
	handler, _ := ringing(t, ev)
	ua := startUA(t, handler, nil)
	p := newPeer(t, ua.addr())
	p.send("INVITE", p.sdp(), "Require: 100rel")
	p.status(180)
	p.status(504)
	ev.want(t, "cancelled")
	if n := ua.Legs(); n != 0 {
		t.Errorf("%d legs", n)
	}
}

// TestAnswerWithTheRinging: the answer to our offer comes with a reliable 183,
// the 200 has none; the called side updates the session before it answers.
func TestAnswerWithTheRinging(t *testing.T) {
	ua, ev := startUA(t, nil, nil), newEvents()
	p := newPeer(t, ua.addr())
	l := place(t, ua, ev, Outgoing{Trunks: []Trunk{trunkTo(p.local(), "udp")}, To: "+491"})
	inv := tagged(p.invited("+491"), "a")
	if !strings.Contains(inv.get("Supported"), "100rel") {
		t.Errorf("Supported %q", inv.get("Supported"))
	}
	p.respond(inv, 183, p.sdp(), "Require: 100rel", "RSeq: 7")
	prack := p.answer("PRACK", 200, "")
	if want := fmt.Sprintf("7 %d INVITE", inv.seq()); prack.get("RAck") != want || prack.seq() <= inv.seq() || !strings.HasSuffix(prack.get("To"), "tag=a") {
		t.Errorf("RAck %q, want %q; CSeq %d, To %q", prack.get("RAck"), want, prack.seq(), prack.get("To"))
	}
	ev.want(t, "media PCMA sendrecv", "early media")
	p.respond(inv, 183, p.sdp(), "Require: 100rel", "RSeq: 7") // repeated: known
	p.respond(inv, 180, "", "Require: 100rel", "RSeq: 12")     // some are missing: not to be looked at
	p.respond(inv, 180, "", "Require: 100rel", "RSeq: 8")
	if m := p.answer("PRACK", 200, ""); !strings.HasPrefix(m.get("RAck"), "8 ") {
		t.Errorf("RAck %q", m.get("RAck"))
	}
	ev.want(t, "ringing")
	p.callID, p.from, p.toH = inv.get("Call-ID"), inv.get("To"), inv.get("From")
	p.send("UPDATE", strings.Replace(p.sdp(), "8 0 101", "0 101", 1))
	if m := p.status(200); !strings.Contains(m.body, "RTP/AVP 0 101") {
		t.Errorf("answer %s", m.body)
	}
	ev.want(t, "media PCMU sendrecv", "dialog")
	p.respond(inv, 200, "")
	p.wants("ACK")
	ev.want(t, "dialog", "answered")
	if l.Format().PayloadType != 0 {
		t.Errorf("format %+v", l.Format())
	}
	p.send("BYE", "", "Reason: Q.850;cause=16")
	p.status(200)
	ev.want(t, "bye Q.850;cause=16")
}

// TestAnotherForkAnswers: what one of several said reliably is not the answer of
// the one who takes the call (RFC 3261 13.2.2.4).
func TestAnotherForkAnswers(t *testing.T) {
	ua, ev := startUA(t, nil, nil), newEvents()
	p := newPeer(t, ua.addr())
	l := place(t, ua, ev, Outgoing{Trunks: []Trunk{trunkTo(p.local(), "udp")}, To: "+491"})
	inv := p.invited("+491")
	p.respond(tagged(inv, "a"), 183, p.sdp(), "Require: 100rel", "RSeq: 7")
	p.answer("PRACK", 200, "")
	ev.want(t, "media PCMA sendrecv", "early media")
	p.respond(tagged(inv, "b"), 200, strings.Replace(p.sdp(), "8 0 101", "0 101", 1))
	p.wants("ACK")
	ev.want(t, "media PCMU sendrecv", "dialog", "answered")
	if l.Format().PayloadType != 0 {
		t.Errorf("format %+v", l.Format())
	}
}

func TestReasonOf(t *testing.T) {
	for v, want := range map[string]Reason{
		`SIP;cause=200;text="Call completed elsewhere"`: {"SIP", 200, "Call completed elsewhere"},
		`Q.850 ; cause = 17 ; text="User; busy"`:        {"Q.850", 17, "User; busy"},
		`Q.850;cause=9999999999`:                        {"Q.850", 0, ""},
		`;cause=1`:                                      {},
		`SIP;text="a, b", Q.850;cause=16`:               {"SIP", 0, "a, b"},
		`Q.850;text="unclosed`:                          {"Q.850", 0, "unclosed"},
		strings.Repeat("x", 600):                        {},
	} {
		if got := reasonOf(v); got != want {
			t.Errorf("%q: %+v", v, got)
		}
	}
	if got := (Reason{"Q.850", 16, `a"b`}).String(); got != `Q.850;cause=16;text="ab"` {
		t.Errorf("written %q", got)
	}
}

// FuzzReason: what is read can be written and read again.
func FuzzReason(f *testing.F) {
	f.Add(`Q.850;cause=16;text="x"`)
	f.Fuzz(func(t *testing.T, v string) {
		r := reasonOf(v)
		_, _, _, _ = readRAck(v)
		_, _, _ = readInterval(v)
		if r.Protocol != "" && strings.ContainsAny(r.String(), "\r\n") {
			t.Fatalf("%q", r.String())
		}
	})
}
