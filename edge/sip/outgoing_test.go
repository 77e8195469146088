package sip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/icholy/digest"
)

// place calls by trunks and gives the leg; its events are ev's.
func place(t *testing.T, ua *UA, ev *events, out Outgoing) *Leg {
	t.Helper()
	l, err := ua.Call(out, ev.Events())
	if err != nil {
		t.Fatal(err)
	}
	l.Invite()
	l.Invite() // does nothing
	return l
}

// tagged gives a request's To the peer's tag for the answers.
func tagged(m *message, tag string) *message {
	to, _, _ := strings.Cut(m.header["to"][0], ";tag=")
	m.header["to"][0] = to + ";tag=" + tag
	return m
}

func (p *peer) invited(want string) *message {
	p.t.Helper()
	m := p.next()
	if m.method() != "INVITE" || !strings.Contains(m.first, want) {
		p.t.Fatalf("got %q, want an INVITE of %s", m.first, want)
	}
	return m
}

func (p *peer) wants(method string) *message {
	p.t.Helper()
	m := p.next()
	if m.method() != method {
		p.t.Fatalf("got %q, want %s", m.first, method)
	}
	return m
}

func TestCallWithEarlyMedia(t *testing.T) {
	ua, ev := startUA(t, nil, nil), newEvents()
	p := newPeer(t, ua.addr())
	trunk := trunkTo(p.local(), "udp")
	trunk.Domain = "carrier.example"
	l := place(t, ua, ev, Outgoing{
		Trunks: []Trunk{trunk}, From: "+4930111", FromName: "Desk", To: "+4989222", DivertedFrom: "+4930999",
	})
	inv := p.invited("sip:+4989222@carrier.example")
	if got := inv.get("P-Asserted-Identity"); got != `"Desk" <sip:+4930111@carrier.example>` {
		t.Errorf("identity %q", got)
	}
	if got := inv.get("Diversion"); !strings.HasPrefix(got, "<sip:+4930999@carrier.example>;reason=") {
		t.Errorf("diversion %q", got)
	}
	if l.port.LocalAddr().Port() == 0 || inv.get("Call-ID") != l.SIPCallID() {
		t.Errorf("call %q, leg %q", inv.get("Call-ID"), l.SIPCallID())
	}
	tagged(inv, "a")
	p.respond(inv, 180, "")
	ev.want(t, "ringing")
	p.respond(inv, 183, p.sdp())
	ev.want(t, "media PCMA sendrecv", "early media")
	p.respond(inv, 180, "")
	p.respond(inv, 200, p.sdp())
	p.wants("ACK")
	ev.want(t, "dialog", "answered")
	if l.Format().PayloadType != 8 || l.TrunkID() != "out" || ua.Legs() != 1 {
		t.Errorf("format %+v, trunk %q, %d legs", l.Format(), l.TrunkID(), ua.Legs())
	}
	l.Hangup("done")
	p.answer("BYE", 200, "")
	ev.none(t)
	if n := ua.Legs(); n != 0 {
		t.Errorf("%d legs", n)
	}
}

func TestWithheldNumber(t *testing.T) {
	ua := startUA(t, nil, nil)
	p := newPeer(t, ua.addr())
	l := place(t, ua, newEvents(), Outgoing{Trunks: []Trunk{trunkTo(p.local(), "udp")}, From: "+4930111", FromName: "Desk", To: "+491", Anonymous: true})
	inv := p.invited("+491")
	if from := inv.get("From"); strings.Contains(from, "4930111") || strings.Contains(from, "Desk") || inv.get("Privacy") != "id" ||
		!strings.Contains(inv.get("P-Asserted-Identity"), "+4930111") {
		t.Errorf("from %q, privacy %q, identity %q", from, inv.get("Privacy"), inv.get("P-Asserted-Identity"))
	}
	p.respond(tagged(inv, "a"), 486, "")
	p.wants("ACK")
	<-l.Done()
}

// TestCallGoesOnElsewhere: each kind of failure moves the call to the next
// target, the called side's own word ends it.
func TestCallGoesOnElsewhere(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		goesOn bool
		extra  string
	}{
		"overload":       {503, true, "Retry-After: 20"},
		"server failure": {500, true, ""},
		"forbidden":      {403, true, ""},
		"no credentials": {401, true, `WWW-Authenticate: Digest realm="x", nonce="y"`},
		"moved away":     {302, true, "Contact: <sip:+491@192.0.2.1>"},
		"busy":           {486, false, ""},
		"no such number": {404, false, ""},
		"declined":       {603, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			ua, ev := startUA(t, nil, nil), newEvents()
			first, second, third := newPeer(t, ua.addr()), newPeer(t, ua.addr()), newPeer(t, ua.addr())
			one, two := trunkTo(first.local(), "udp"), trunkTo(third.local(), "udp")
			one.Fallbacks, two.ID = []string{second.local()}, "two"
			l := place(t, ua, ev, Outgoing{Trunks: []Trunk{one, two}, From: "+4930111", To: "+491"})
			inv := first.invited("+491")
			extra := []string{}
			if c.extra != "" {
				extra = append(extra, c.extra)
			}
			first.respond(tagged(inv, "a"), c.status, "", extra...)
			first.wants("ACK")
			if !c.goesOn {
				ev.want(t, fmt.Sprintf("failed sip: answered %d", c.status))
				return
			}
			inv = second.invited("+491")
			second.respond(tagged(inv, "b"), c.status, "", extra...)
			second.wants("ACK")
			inv = third.invited("+491")
			third.respond(tagged(inv, "c"), 200, third.sdp())
			third.wants("ACK")
			ev.want(t, "media", "dialog", "answered")
			if l.TrunkID() != "two" {
				t.Errorf("trunk %q", l.TrunkID())
			}
		})
	}
}

func TestSilentTargetIsLeft(t *testing.T) {
	ua, ev := startUA(t, nil, nil), newEvents()
	dead, live := newPeer(t, ua.addr()), newPeer(t, ua.addr())
	trunk := trunkTo(dead.local(), "udp")
	trunk.Fallbacks = []string{live.local()}
	place(t, ua, ev, Outgoing{Trunks: []Trunk{trunk}, To: "+491"})
	late := dead.invited("+491")
	inv := live.invited("+491")
	live.respond(tagged(inv, "b"), 200, live.sdp())
	live.wants("ACK")
	ev.want(t, "media", "dialog", "answered")
	// It wakes up: the call it believes in is ended.
	dead.respond(tagged(late, "a"), 200, dead.sdp())
	dead.wants("ACK")
	dead.answer("BYE", 200, "")
	// The next call does not wait for it.
	if list := ua.targets(t.Context(), trunk); list[0].addr.String() != live.local() {
		t.Errorf("first target is %s", list[0].addr)
	}
}

func TestRedirectWithinTheTrunk(t *testing.T) {
	ua, ev := startUA(t, nil, nil), newEvents()
	p, q := newPeer(t, ua.addr()), newPeer(t, ua.addr())
	place(t, ua, ev, Outgoing{Trunks: []Trunk{trunkTo(p.local(), "udp")}, To: "+491"})
	p.respond(tagged(p.invited("+491"), "a"), 302, "", "Contact: <sip:+492@"+q.local()+">")
	p.wants("ACK")
	inv := q.invited("sip:+492@")
	if !strings.Contains(inv.get("To"), "+491") {
		t.Errorf("To %q", inv.get("To"))
	}
	// A circle ends.
	for i := range maxRedirects {
		q.respond(tagged(inv, "b"), 302, "", "Contact: <sip:+492@"+q.local()+">")
		q.wants("ACK")
		if i+1 < maxRedirects {
			inv = q.invited("+492")
		}
	}
	ev.want(t, "failed sip: answered 302")
}

// checkCredentials verifies a header as a server does that knows the password.
func checkCredentials(t *testing.T, m *message, header, password string, c *digest.Challenge) {
	t.Helper()
	var value string
	for _, v := range m.header[strings.ToLower(header)] {
		if strings.Contains(v, `realm="`+c.Realm+`"`) {
			value = v
		}
	}
	got, err := digest.ParseCredentials(value)
	if err != nil {
		t.Fatalf("%s %q: %v", header, value, err)
	}
	want, err := digest.Digest(c, digest.Options{
		Method: m.method(), URI: strings.Fields(m.first)[1], Count: got.Nc, Cnonce: got.Cnonce, Username: "user", Password: password,
	})
	if err != nil || want.Response != got.Response || got.Nonce != c.Nonce || got.Username != "user" {
		t.Errorf("credentials %q, want response %q (%v)", value, want.Response, err)
	}
}

func TestChallenges(t *testing.T) {
	ua, ev := startUA(t, nil, nil), newEvents()
	p := newPeer(t, ua.addr())
	trunk := trunkTo(p.local(), "udp")
	trunk.Username, trunk.Password = "user", "secret"
	l := place(t, ua, ev, Outgoing{Trunks: []Trunk{trunk}, From: "+49301", To: "+491"})
	ask := func(inv *message, status int, challenges ...string) {
		t.Helper()
		p.respond(tagged(inv, "x"), status, "", challenges...)
		p.wants("ACK")
	}
	inv := p.invited("+491")
	first := inv
	// A proxy wants to know first; it knows an algorithm we do not.
	ask(inv, 407, `Proxy-Authenticate: Digest realm="edge", nonce="0", algorithm=SHA3-256`,
		`Proxy-Authenticate: Digest realm="edge", nonce="n1", algorithm=SHA-256, qop="auth-int, auth"`,
		`Proxy-Authenticate: Digest realm="edge", nonce="n2", algorithm=MD5`)
	edge := &digest.Challenge{Realm: "edge", Nonce: "n1", Algorithm: "SHA-256", QOP: []string{"auth"}}
	inv = p.invited("+491")
	checkCredentials(t, inv, "Proxy-Authorization", "secret", edge)
	if inv.seq() != first.seq()+1 || inv.get("Call-ID") != first.get("Call-ID") || inv.get("From") != first.get("From") {
		t.Errorf("CSeq %d after %d, Call-ID %q, From %q", inv.seq(), first.seq(), inv.get("Call-ID"), inv.get("From"))
	}
	// Its nonce is old already, then the server behind it asks in its own realm.
	ask(inv, 407, `Proxy-Authenticate: Digest realm="edge", nonce="n3", algorithm=SHA-256, qop="auth", stale=TRUE`)
	edge.Nonce = "n3"
	inv = p.invited("+491")
	checkCredentials(t, inv, "Proxy-Authorization", "secret", edge)
	ask(inv, 401, `WWW-Authenticate: Digest realm="core", nonce="c1", opaque="o"`)
	core := &digest.Challenge{Realm: "core", Nonce: "c1", Opaque: "o"}
	inv = p.invited("+491")
	checkCredentials(t, inv, "Proxy-Authorization", "secret", edge)
	checkCredentials(t, inv, "Authorization", "secret", core)
	p.respond(tagged(inv, "x"), 200, p.sdp())
	ack := p.wants("ACK")
	if ack.get("Authorization") != inv.get("Authorization") || ack.get("Proxy-Authorization") != inv.get("Proxy-Authorization") {
		t.Errorf("credentials of the ACK %q", ack.get("Authorization"))
	}
	ev.want(t, "media", "dialog", "answered")
	// The BYE is challenged as well.
	l.Hangup("done")
	p.respond(p.wants("BYE"), 401, "", `WWW-Authenticate: Digest realm="core", nonce="c2"`)
	checkCredentials(t, p.answer("BYE", 200, ""), "Authorization", "secret", &digest.Challenge{Realm: "core", Nonce: "c2"})
}

func TestWrongPasswordIsNotTriedForEver(t *testing.T) {
	for stale, rounds := range map[string]int{"": 2, ", stale=true": maxRounds + 1} {
		ua, ev := startUA(t, nil, nil), newEvents()
		p := newPeer(t, ua.addr())
		trunk := trunkTo(p.local(), "udp")
		trunk.Username, trunk.Password = "user", "wrong"
		place(t, ua, ev, Outgoing{Trunks: []Trunk{trunk}, To: "+491"})
		for i := range rounds {
			p.respond(tagged(p.invited("+491"), "x"), 401, "", fmt.Sprintf(`WWW-Authenticate: Digest realm="core", nonce="n%d"%s`, i, stale))
			p.wants("ACK")
		}
		ev.want(t, "failed sip: answered 401")
	}
}

// TestTwoAnswer: a proxy rang two, both answered; the second is hung up on.
func TestTwoAnswer(t *testing.T) {
	ua, ev := startUA(t, nil, nil), newEvents()
	p := newPeer(t, ua.addr())
	l := place(t, ua, ev, Outgoing{Trunks: []Trunk{trunkTo(p.local(), "udp")}, To: "+491"})
	inv := p.invited("+491")
	p.respond(tagged(inv, "one"), 200, p.sdp())
	if ack := p.wants("ACK"); !strings.HasSuffix(ack.get("To"), "tag=one") {
		t.Errorf("ACK to %q", ack.get("To"))
	}
	ev.want(t, "media", "dialog", "answered")
	p.respond(tagged(inv, "two"), 200, p.sdp())
	if ack := p.wants("ACK"); !strings.HasSuffix(ack.get("To"), "tag=two") {
		t.Errorf("ACK to %q", ack.get("To"))
	}
	if bye := p.answer("BYE", 200, ""); !strings.HasSuffix(bye.get("To"), "tag=two") {
		t.Errorf("BYE to %q", bye.get("To"))
	}
	l.Hangup("done")
	if bye := p.answer("BYE", 200, ""); !strings.HasSuffix(bye.get("To"), "tag=one") {
		t.Errorf("BYE to %q", bye.get("To"))
	}
	ev.none(t)
}

func TestHangupWhileItRings(t *testing.T) {
	ua, ev := startUA(t, nil, nil), newEvents()
	p := newPeer(t, ua.addr())
	l := place(t, ua, ev, Outgoing{Trunks: []Trunk{trunkTo(p.local(), "udp")}, To: "+491"})
	inv := tagged(p.invited("+491"), "a")
	p.respond(inv, 180, "")
	ev.want(t, "ringing")
	if _, err := decodeDialog(l.Snapshot()); !errors.Is(err, ErrSnapshot) {
		t.Errorf("a call that rings can be restored: %v", err)
	}
	l.Hangup("agent_gave_up")
	p.answer("CANCEL", 200, "")
	p.respond(inv, 487, "")
	p.wants("ACK")
	ev.none(t)
	if n := ua.Legs(); n != 0 {
		t.Errorf("%d legs", n)
	}
}

// TestAnswerMeetsHangup: the 200 crosses the CANCEL; the call is acknowledged
// and ended (RFC 3261 9.1).
func TestAnswerMeetsHangup(t *testing.T) {
	ua, ev := startUA(t, nil, nil), newEvents()
	p := newPeer(t, ua.addr())
	l := place(t, ua, ev, Outgoing{Trunks: []Trunk{trunkTo(p.local(), "udp")}, To: "+491"})
	inv := tagged(p.invited("+491"), "a")
	p.respond(inv, 180, "")
	ev.want(t, "ringing")
	l.Hangup("agent_gave_up")
	cancel := p.wants("CANCEL")
	p.respond(inv, 200, p.sdp())
	p.respond(cancel, 200, "")
	p.wants("ACK")
	p.answer("BYE", 200, "")
	ev.none(t)
}

func TestNobodyAnswers(t *testing.T) {
	ua, ev := startUA(t, nil, nil), newEvents()
	p := newPeer(t, ua.addr())
	place(t, ua, ev, Outgoing{Trunks: []Trunk{trunkTo(p.local(), "udp")}, To: "+491", RingFor: 200 * time.Millisecond})
	inv := tagged(p.invited("+491"), "a")
	p.respond(inv, 180, "")
	ev.want(t, "ringing", "failed "+ErrNoAnswer.Error())
	p.answer("CANCEL", 200, "")
	p.respond(inv, 487, "")
	p.wants("ACK")
}

func TestStopWhileItRings(t *testing.T) {
	ua, ev := startUA(t, nil, nil), newEvents()
	p := newPeer(t, ua.addr())
	place(t, ua, ev, Outgoing{Trunks: []Trunk{trunkTo(p.local(), "udp")}, To: "+491"})
	p.respond(tagged(p.invited("+491"), "a"), 180, "")
	ev.want(t, "ringing")
	stopUA(t, ua)
	p.wants("CANCEL")
	ev.none(t)
}

func TestTrunkLimitOfOurOwnCalls(t *testing.T) {
	ua, ev := startUA(t, nil, nil), newEvents()
	p := newPeer(t, ua.addr())
	one, two := trunkTo(p.local(), "udp"), trunkTo(p.local(), "udp")
	one.MaxCalls, two.ID = 1, "two"
	first := place(t, ua, ev, Outgoing{Trunks: []Trunk{one}, To: "+491"})
	p.respond(tagged(p.invited("+491"), "a"), 180, "")
	ev.want(t, "ringing")
	place(t, ua, ev, Outgoing{Trunks: []Trunk{one}, To: "+492"})
	ev.want(t, "failed "+ErrTrunkFull.Error())
	second := place(t, ua, ev, Outgoing{Trunks: []Trunk{one, two}, To: "+493"})
	p.respond(tagged(p.invited("+493"), "b"), 180, "")
	ev.want(t, "ringing")
	if second.TrunkID() != "two" || first.TrunkID() != "out" {
		t.Errorf("trunks %q, %q", first.TrunkID(), second.TrunkID())
	}
	first.Hangup("")
	second.Hangup("")
	if len(ua.calls) != 0 {
		t.Errorf("calls counted: %v", ua.calls)
	}
}

func TestServiceLookup(t *testing.T) {
	ua := startUA(t, nil, nil)
	ua.resolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("no name server")
	}}
	got := ua.locate(t.Context(), "192.0.2.1", "udp")
	if len(got) != 1 || got[0] != netip.MustParseAddrPort("192.0.2.1:5060") {
		t.Errorf("address alone: %v", got)
	}
	if got := ua.locate(t.Context(), "[2001:db8::1]:5070", "udp"); len(got) != 1 || got[0] != netip.MustParseAddrPort("[2001:db8::1]:5070") {
		t.Errorf("IPv6 with port: %v", got)
	}
}

// FuzzChallenge: whatever a server asks, we answer in one header line or not at
// all.
func FuzzChallenge(f *testing.F) {
	f.Add(`Digest realm="a", nonce="b", qop="auth,auth-int", algorithm=SHA-256, stale=true, userhash=true, opaque="x"`)
	f.Add(`Digest realm="a\"", nonce="b"`)
	f.Add(`Basic realm="a"`)
	f.Fuzz(func(t *testing.T, v string) {
		c := parseChallenge(v)
		if c == nil {
			return
		}
		cred, err := digest.Digest(c, digest.Options{Method: "INVITE", URI: "sip:a@b", Count: 1, Username: "u", Password: "p"})
		if err != nil {
			return
		}
		if strings.ContainsAny(cred.String(), "\r\n") {
			t.Fatalf("credentials %q", cred)
		}
	})
}
