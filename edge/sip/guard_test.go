package sip

import (
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// listOnly trusts 127.0.0.1 alone, so that 127.0.0.9 is a stranger.
func listOnly(reported chan Refusal) func(*Config) {
	return func(cfg *Config) {
		cfg.Trunks = func() []Trunk {
			return []Trunk{{ID: "t1", Allowed: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}}
		}
		cfg.OnRefused = func(r Refusal) { reported <- r }
	}
}

func stranger(t *testing.T, to string) *peer {
	t.Helper()
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 9)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return fresh(&peer{t: t, udp: c, to: netip.MustParseAddrPort(to)})
}

func TestStrangersAreToldAFewTimesOnly(t *testing.T) {
	reported := make(chan Refusal, 100)
	ua := startUA(t, nil, listOnly(reported))
	p := stranger(t, ua.addr())
	// A scanner is reported, but hears nothing; nor does anything but INVITE.
	p.send("OPTIONS", "")
	p.send("REGISTER", "")
	p.send("INVITE", p.sdp(), "User-Agent: friendly-scanner")
	if r := take(t, reported); r.Reason != ReasonNotListed || r.Status != 0 {
		t.Errorf("refusal %+v", r)
	}
	for range 50 {
		p.callID = newTag()
		p.send("INVITE", p.sdp())
	}
	for range perSource - 1 {
		p.status(403)
		r := take(t, reported)
		if r.Reason != ReasonNotListed || r.Status != 403 || r.Called != "+4989654321" || r.Source.Addr() != netip.MustParseAddr("127.0.0.9") {
			t.Errorf("refusal %+v", r)
		}
	}
	// A listed peer is served behind them; then nothing more was said.
	q := newPeer(t, ua.addr())
	q.send("OPTIONS", "")
	q.status(200)
	_ = p.udp.SetReadDeadline(time.Now())
	if n, _, err := p.udp.ReadFromUDPAddrPort(make([]byte, 2000)); err == nil {
		t.Errorf("%d bytes more for a stranger", n)
	}
	if len(reported) != 0 {
		t.Errorf("%d refusals more", len(reported))
	}
	// sipgo has never heard of the stranger.
	if c, err := ua.tp.GetConnection("udp", p.local()); err == nil {
		t.Errorf("kept a stranger: %v", c)
	}
	// Over TCP the door stays closed.
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 9)}}
	c, err := d.DialContext(t.Context(), "tcp", ua.addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetReadDeadline(time.Now().Add(patience))
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("the connection is open")
	}
}

func TestLimiterForgets(t *testing.T) {
	var l limiter
	now := time.Unix(1_000_000, 0)
	a := netip.MustParseAddr("192.0.2.1")
	for i := range 10 {
		if got := l.allow(a, now); got != (i < perSource) {
			t.Errorf("message %d: %v", i, got)
		}
	}
	if !l.allow(a, now.Add(time.Minute)) {
		t.Error("still refused after a minute")
	}
	allowed := 0
	for i := range 1000 {
		if l.allow(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), now.Add(2*time.Minute)) {
			allowed++
		}
	}
	if allowed != perSecond {
		t.Errorf("%d in one second", allowed)
	}
}

func TestOverload(t *testing.T) {
	reported := make(chan Refusal, 100)
	held := make(chan *Incoming, 10)
	ua := startUA(t, func(in *Incoming) { held <- in }, func(cfg *Config) {
		cfg.MaxInvitesInFlight = 2
		cfg.OnRefused = func(r Refusal) { reported <- r }
	})
	p := newPeer(t, ua.addr())
	p.seq++
	first := p.request("INVITE", p.seq, p.newBranch(), p.sdp())
	p.write(first)
	in := take(t, held)
	q := newPeer(t, ua.addr())
	q.send("INVITE", q.sdp())
	take(t, held)

	r := newPeer(t, ua.addr())
	r.send("INVITE", r.sdp())
	if m := r.status(503); m.get("Retry-After") == "" || !strings.Contains(m.get("To"), "tag=") {
		t.Errorf("answer %+v", m)
	}
	if f := take(t, reported); f.Reason != ReasonOverload {
		t.Errorf("refusal %+v", f)
	}
	// One that is in flight may be repeated.
	p.read() // 100
	p.write(first)
	if m := p.read(); m.status() != 100 {
		t.Errorf("got %q", m.first)
	}
	// Room again.
	in.Refuse(404, "")
	p.status(404)
	s := newPeer(t, ua.addr())
	s.send("INVITE", s.sdp())
	take(t, held)
}

// One tenant's flood leaves room for another's calls, and is let in again when
// its own are decided.
func TestTenantsShareANode(t *testing.T) {
	const loud, quiet = "1000", "2000"
	reported, arrived := make(chan Refusal, 10), make(chan *Incoming, 10)
	ua := startUA(t, func(in *Incoming) { arrived <- in }, func(cfg *Config) {
		cfg.MaxInvitesInFlight = 4
		cfg.OnRefused = func(r Refusal) { reported <- r }
		cfg.Trunks = func() []Trunk { return []Trunk{{ID: "shared", Allowed: []netip.Prefix{loopback}}} }
		cfg.Tenant = func(called string) Tenant { return Tenant{ID: map[string]int64{loud: 1, quiet: 2}[called]} }
	})
	calls := func(number string) *peer {
		p := newPeer(t, ua.addr())
		p.seq++
		p.write(strings.Replace(p.request("INVITE", p.seq, p.newBranch(), p.sdp()), "+4989654321", number, 1))
		return p
	}
	calls(loud)
	first := take(t, arrived)
	calls(loud)
	take(t, arrived)
	calls(loud)
	take(t, arrived)
	p := calls(loud)
	if m := p.status(503); m.get("Retry-After") == "" {
		t.Errorf("answer %+v", m)
	}
	if f := take(t, reported); f.Reason != ReasonLimit || f.Tenant != 1 || f.TrunkID != "shared" {
		t.Errorf("refusal %+v", f)
	}
	calls(quiet)
	if in := take(t, arrived); in.Called != quiet {
		t.Errorf("a call to %s got through", in.Called)
	}
	calls(quiet).status(503) // now all is taken
	if f := take(t, reported); f.Reason != ReasonOverload || f.Tenant != 2 {
		t.Errorf("refusal %+v", f)
	}
	first.Refuse(404, "")
	calls(quiet)
	if in := take(t, arrived); in.Called != quiet {
		t.Errorf("a call to %s got through", in.Called)
	}
}

// A tenant that is called more often than it may be is refused, although all its
// calls are over; another is not.
func TestTenantsPace(t *testing.T) {
	const loud, quiet = "1000", "2000"
	reported := make(chan Refusal, 10)
	ua := startUA(t, func(in *Incoming) { in.Refuse(486, "") }, func(cfg *Config) {
		cfg.OnRefused = func(r Refusal) { reported <- r }
		cfg.Trunks = func() []Trunk { return []Trunk{{ID: "shared", Allowed: []netip.Prefix{loopback}}} }
		cfg.Tenant = func(called string) Tenant {
			if called == quiet {
				return Tenant{ID: 2}
			}
			return Tenant{ID: 1, PerSecond: 1e-6, Burst: 3}
		}
	})
	calls := func(number string, want int) {
		p := newPeer(t, ua.addr())
		p.seq++
		p.write(strings.Replace(p.request("INVITE", p.seq, p.newBranch(), p.sdp()), "+4989654321", number, 1))
		p.status(want)
	}
	for range 3 {
		calls(loud, 486)
	}
	calls(loud, 503)
	if f := take(t, reported); f.Reason != ReasonLimit || f.Tenant != 1 {
		t.Errorf("refusal %+v", f)
	}
	for range 10 {
		calls(quiet, 486)
	}
}

// Channels of a trunk that tenants share are divided like the node; a tenant's
// own trunk is all its own.
func TestTenantsShareATrunk(t *testing.T) {
	var s shares
	ua := &UA{calls: map[string]*shares{"t": &s}}
	for _, tt := range []struct {
		trunk Trunk
		taken int
	}{
		{Trunk{ID: "t", MaxCalls: 30}, 23}, {Trunk{ID: "t", MaxCalls: 1}, 1}, {Trunk{ID: "t", MaxCalls: 30, Tenant: 1}, 30},
	} {
		s = shares{}
		for ; ua.trunkFull(tt.trunk, 1) == ""; s.add(1) {
		}
		if s.total != tt.taken {
			t.Errorf("%+v: one tenant has %d", tt.trunk, s.total)
		}
		if got := ua.trunkFull(tt.trunk, 2) == ""; got != (tt.taken < tt.trunk.MaxCalls) {
			t.Errorf("%+v: another gets a call: %v", tt.trunk, got)
		}
		for ; s.total > 0; s.drop(1) {
		}
		if len(s.of) != 0 {
			t.Errorf("left behind: %v", s.of)
		}
	}
}

// However many flood the node, one who is silent finds room (as long as there
// is a whole place to be had).
func TestSharesLeaveRoom(t *testing.T) {
	const bound = 200
	for floods := range int64(40) {
		var s shares
		for more := true; more; {
			more = false
			for tenant := range floods {
				if !s.full(bound) && s.fair(bound, tenant) {
					s.add(tenant)
					more = true
				}
			}
		}
		if s.full(bound) || !s.fair(bound, 1000) {
			t.Errorf("%d tenants have %d of %d", floods, s.total, bound)
		}
	}
}

func TestTrunkFull(t *testing.T) {
	reported := make(chan Refusal, 10)
	ev := newEvents()
	handler, _ := answeringHandler(t, ev.Events)
	ua := startUA(t, handler, func(cfg *Config) {
		cfg.Trunks = func() []Trunk { return []Trunk{{ID: "small", Allowed: []netip.Prefix{loopback}, MaxCalls: 1}} }
		cfg.OnRefused = func(r Refusal) { reported <- r }
	})
	p := newPeer(t, ua.addr())
	p.call()
	ev.want(t, "acked")
	q := newPeer(t, ua.addr())
	q.send("INVITE", q.sdp())
	q.status(503)
	if r := take(t, reported); r.Reason != ReasonTrunkFull || r.TrunkID != "small" {
		t.Errorf("refusal %+v", r)
	}
	p.send("BYE", "")
	p.status(200)
	ev.want(t, "bye")
	newPeer(t, ua.addr()).call()
}

func TestTrunksThatShareACarrier(t *testing.T) {
	got := make(chan string, 1)
	startPeer := startUA(t, func(in *Incoming) { got <- in.Trunk.ID; in.Refuse(404, "") }, func(cfg *Config) {
		all := []netip.Prefix{loopback}
		cfg.Trunks = func() []Trunk { return []Trunk{{ID: "a", Allowed: all}, {ID: "b", Allowed: all}} }
		cfg.Choose = func(matching []Trunk, called string) Trunk {
			if called != "+4989654321" || len(matching) != 2 {
				t.Errorf("choose of %v for %s", matching, called)
			}
			return matching[1]
		}
	})
	p := newPeer(t, startPeer.addr())
	p.send("INVITE", p.sdp())
	if id := take(t, got); id != "b" {
		t.Errorf("trunk %s", id)
	}
}

func TestDraining(t *testing.T) {
	ev := newEvents()
	handler, _ := answeringHandler(t, ev.Events)
	ua := startUA(t, handler, nil)
	p := newPeer(t, ua.addr())
	p.call()
	ev.want(t, "acked")
	q := newPeer(t, ua.addr())
	q.send("OPTIONS", "")
	if m := q.status(200); !strings.Contains(m.get("Accept"), "sdp") {
		t.Errorf("Accept %q", m.get("Accept"))
	}
	ua.Drain()
	q.send("OPTIONS", "")
	q.status(503)
	q.send("INVITE", q.sdp())
	q.status(503)
	// What is up goes on.
	p.send("INVITE", p.sdp())
	p.status(200)
	p.ack("")
	p.send("BYE", "")
	p.status(200)
}

func TestStreamFraming(t *testing.T) {
	ua := startUA(t, nil, nil)
	p := newTCPPeer(t, ua.addr())
	options := func() string {
		p.seq++
		return p.request("OPTIONS", p.seq, p.newBranch(), "body", "Content-Type: text/plain")
	}
	// Two at once, after empty lines.
	p.write("\r\n\r\n" + options() + options())
	pong := make([]byte, 2)
	if _, err := io.ReadFull(p.rd, pong); err != nil || string(pong) != "\r\n" {
		t.Errorf("keep-alive got %q %v", pong, err)
	}
	p.status(200)
	p.status(200)
	// One in pieces.
	for _, b := range []byte(options()) {
		p.write(string(b))
	}
	p.status(200)
	// One without a length: nobody knows where the next starts.
	p.write(strings.Replace(options(), "Content-Length: 4\r\n", "", 1))
	p.status(400)
	if _, err := p.rd.ReadByte(); err == nil {
		t.Error("the connection is open")
	}
}

func TestStreamEndsEndlessHeaders(t *testing.T) {
	ua := startUA(t, nil, nil)
	p := newTCPPeer(t, ua.addr())
	_, err := io.WriteString(p.tcp, "OPTIONS sip:x SIP/2.0\r\n")
	line := "X: " + strings.Repeat("a", 1000) + "\r\n"
	for i := 0; err == nil && i < 200; i++ {
		_, err = io.WriteString(p.tcp, line)
	}
	_ = p.tcp.SetReadDeadline(time.Now().Add(patience))
	if n, _ := io.Copy(io.Discard, p.tcp); n != 0 {
		t.Errorf("%d bytes came", n)
	}
}

func TestAnswersGoWhereViaSays(t *testing.T) {
	src := netip.MustParseAddrPort("192.0.2.9:4444")
	for via, want := range map[string]string{
		"SIP/2.0/UDP a.example;branch=z9":             "192.0.2.9:5060",
		"SIP/2.0/UDP a.example:5070;branch=z9":        "192.0.2.9:5070",
		"SIP/2.0/UDP [2001:db8::1];branch=z9":         "192.0.2.9:5060",
		"SIP/2.0/UDP [2001:db8::1]:5080;branch=z9":    "192.0.2.9:5080",
		"SIP/2.0/UDP a.example:5070;rport;branch=z9":  "192.0.2.9:4444",
		"SIP/2.0/UDP a.example:5070;branch=z9; rport": "192.0.2.9:4444",
		"SIP/2.0/UDP a:5070, SIP/2.0/UDP b;rport":     "192.0.2.9:5070",
	} {
		m := &raw{via: []byte(via)}
		if got := answerTo(m, src).String(); got != want {
			t.Errorf("%s: %s, want %s", via, got, want)
		}
	}
	got := string(appendVia(nil, []byte("SIP/2.0/UDP a;rport;branch=z9, SIP/2.0/UDP b;rport"), src))
	if got != "SIP/2.0/UDP a;rport=4444;received=192.0.2.9;branch=z9, SIP/2.0/UDP b;rport" {
		t.Error(got)
	}
}

func BenchmarkGuardAdmit(b *testing.B) {
	ua := startUA(b, nil, nil)
	p := newPeer(b, ua.addr())
	msg := []byte(p.request("BYE", 5, "z9hG4bKx", p.sdp()))
	src := netip.MustParseAddrPort("127.0.0.1:5060")
	b.ReportAllocs()
	for b.Loop() {
		if ua.guard.admit(msg, src, func(a []byte, _ netip.AddrPort) { b.Fatalf("%s", a) }) == nil {
			b.Fatal("refused")
		}
	}
}
