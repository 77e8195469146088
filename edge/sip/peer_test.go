package sip

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// Short, so that what takes 32 s in life takes 2 s here.
	sip.SetTimers(30*time.Millisecond, 120*time.Millisecond, 150*time.Millisecond)
	goleak.VerifyTestMain(m)
}

// patience bounds every wait of a test.
const patience = 15 * time.Second

var loopback = netip.MustParsePrefix("127.0.0.0/8")

// handlerFunc is a Handler.
type handlerFunc func(in *Incoming)

func (f handlerFunc) Incoming(in *Incoming) { f(in) }

// startUA runs a UA on loopback that trusts it; change adjusts the config.
func startUA(t testing.TB, h handlerFunc, change func(*Config), tune ...func(*UA)) *UA {
	t.Helper()
	pc, ln := sockets(t)
	cfg := Config{
		UDP: pc, TCP: ln, Advertised: pc.LocalAddr().String(), MediaIP: netip.MustParseAddr("127.0.0.1"),
		Trunks:   func() []Trunk { return []Trunk{{ID: "t1", Tenant: 7, Allowed: []netip.Prefix{loopback}}} },
		NodeName: "node", Log: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&cfg)
	}
	if h == nil {
		h = func(in *Incoming) { in.Refuse(404, "unknown_number") }
	}
	ua, err := New(cfg, h)
	if err != nil {
		t.Fatal(err)
	}
	ua.time.pause = 0.05
	for _, fn := range tune {
		fn(ua)
	}
	if err := ua.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopUA(t, ua) })
	return ua
}

// sockets opens UDP and TCP on one port.
func sockets(t testing.TB) (*net.UDPConn, net.Listener) {
	t.Helper()
	for {
		pc, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		ln, err := net.Listen("tcp", pc.LocalAddr().String())
		if err == nil {
			return pc, ln
		}
		_ = pc.Close() // somebody has the TCP port
	}
}

func stopUA(t testing.TB, ua *UA) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := ua.Stop(ctx); err != nil {
		t.Errorf("stop: %v", err)
	}
}

func (ua *UA) addr() string { return ua.cfg.UDP.LocalAddr().String() }

// events collects what a leg reports, each as a word on a channel.
type events struct {
	ch        chan string
	mu        sync.Mutex
	snapshots [][]byte
}

func newEvents() *events { return &events{ch: make(chan string, 64)} }

func (e *events) Events() Events {
	say := func(s string) func() { return func() { e.ch <- s } }
	why := func(s string) func(Reason) { return func(r Reason) { e.ch <- strings.TrimSpace(s + " " + r.String()) } }
	return Events{
		Acked: say("acked"), Cancelled: why("cancelled"), Bye: why("bye"), Ringing: say("ringing"), EarlyMedia: say("early media"), Answered: say("answered"),
		DialogChanged: func(b []byte) {
			e.mu.Lock()
			e.snapshots = append(e.snapshots, b)
			e.mu.Unlock()
			e.ch <- "dialog"
		},
		MediaChanged: func(f Format, dir string) { e.ch <- fmt.Sprintf("media %s %s", f.Codec, dir) },
		Digit:        func(d byte) { e.ch <- "digit " + string(d) },
		Failed:       func(err error) { e.ch <- "failed " + err.Error() },
	}
}

func (e *events) want(t testing.TB, words ...string) {
	t.Helper()
	for _, w := range words {
		select {
		case got := <-e.ch:
			if !strings.HasPrefix(got, w) {
				t.Fatalf("event %q, want %q", got, w)
			}
		case <-time.After(patience):
			t.Fatalf("no event, want %q", w)
		}
	}
}

func (e *events) none(t testing.TB) {
	t.Helper()
	select {
	case got := <-e.ch:
		t.Fatalf("unexpected event %q", got)
	default:
	}
}

// peer is a scripted SIP phone on a plain socket.
type peer struct {
	t         testing.TB
	udp       *net.UDPConn
	tcp       net.Conn
	rd        *bufio.Reader
	to        netip.AddrPort
	callID    string
	from, toH string
	seq       int
	branch    int
	seen      map[string]bool // messages seen, to leave out repetitions
	media     int
	version   int
	contact   string // "" = where it sends from
}

func newPeer(t testing.TB, to string) *peer {
	t.Helper()
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return fresh(&peer{t: t, udp: c, to: netip.MustParseAddrPort(to)})
}

func newTCPPeer(t testing.TB, to string) *peer {
	t.Helper()
	c, err := net.Dial("tcp", to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return fresh(&peer{t: t, tcp: c, rd: bufio.NewReader(c), to: netip.MustParseAddrPort(to)})
}

func fresh(p *peer) *peer {
	p.callID = newTag() + "@peer"
	p.from = "<sip:+4930123456@carrier.example>;tag=" + newTag()
	p.toH = "<sip:+4989654321@site.example>"
	p.seq, p.media, p.version = 10, 40000, 1
	p.seen = map[string]bool{}
	return p
}

func (p *peer) local() string {
	if p.tcp != nil {
		return p.tcp.LocalAddr().String()
	}
	return p.udp.LocalAddr().String()
}

func newTCPListener(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// useConn goes on over another connection.
func (p *peer) useConn(c net.Conn) {
	p.t.Cleanup(func() { _ = c.Close() })
	p.tcp, p.rd, p.seen = c, bufio.NewReader(c), map[string]bool{}
}

func (p *peer) contactURI() string {
	at := p.contact
	if at == "" {
		at = p.local()
	}
	return "<sip:peer@" + at + ";transport=" + strings.ToLower(p.proto()) + ">"
}

func (p *peer) proto() string {
	if p.tcp != nil {
		return "TCP"
	}
	return "UDP"
}

func (p *peer) write(text string) {
	p.t.Helper()
	var err error
	if p.tcp != nil {
		_, err = io.WriteString(p.tcp, text)
	} else {
		_, err = p.udp.WriteToUDPAddrPort([]byte(text), p.to)
	}
	if err != nil {
		p.t.Fatalf("peer writes: %v", err)
	}
}

func (p *peer) sdp(attrs ...string) string {
	p.version++
	s := fmt.Sprintf("v=0\r\no=- 5 %d IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio %d RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\n", p.version, p.media)
	for _, a := range attrs {
		s += "a=" + a + "\r\n"
	}
	return s
}

func (p *peer) newBranch() string {
	p.branch++
	return fmt.Sprintf("z9hG4bK%s%d", p.callID[:8], p.branch)
}

// request builds a request; extra are header lines.
func (p *peer) request(method string, seq int, branch, body string, extra ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s sip:+4989654321@%s SIP/2.0\r\nVia: SIP/2.0/%s %s;branch=%s;rport\r\n", method, p.to, p.proto(), p.local(), branch)
	fmt.Fprintf(&b, "Max-Forwards: 70\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %d %s\r\n", p.from, p.toH, p.callID, seq, method)
	if method == "INVITE" || method == "UPDATE" {
		b.WriteString("Contact: " + p.contactURI() + "\r\n")
	}
	for _, e := range extra {
		b.WriteString(e + "\r\n")
	}
	if body != "" && !strings.Contains(strings.Join(extra, ""), "Content-Type") {
		b.WriteString("Content-Type: application/sdp\r\n")
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(body), body)
	return b.String()
}

// send sends a request with the next CSeq and returns its branch.
func (p *peer) send(method, body string, extra ...string) string {
	p.t.Helper()
	p.seq++
	branch := p.newBranch()
	p.write(p.request(method, p.seq, branch, body, extra...))
	return branch
}

func (p *peer) ack(body string) { p.write(p.request("ACK", p.seq, p.newBranch(), body)) }

// message is a received request or response.
type message struct {
	first  string
	header map[string][]string
	body   string
}

func (m *message) get(name string) string {
	if v := m.header[strings.ToLower(name)]; len(v) > 0 {
		return v[0]
	}
	return ""
}

func (m *message) status() int {
	if !strings.HasPrefix(m.first, "SIP/2.0 ") {
		return 0
	}
	n, _ := strconv.Atoi(m.first[8:11])
	return n
}

func (m *message) method() string {
	w, _, _ := strings.Cut(m.first, " ")
	return w
}

func (m *message) seq() int {
	n, _, _ := strings.Cut(m.get("CSeq"), " ")
	v, _ := strconv.Atoi(n)
	return v
}

func (p *peer) read() *message {
	p.t.Helper()
	deadline := time.Now().Add(patience)
	if p.tcp != nil {
		_ = p.tcp.SetReadDeadline(deadline)
		return p.readStream()
	}
	_ = p.udp.SetReadDeadline(deadline)
	buf := make([]byte, 65536)
	n, from, err := p.udp.ReadFromUDPAddrPort(buf)
	if err != nil {
		p.t.Fatalf("peer reads: %v", err)
	}
	p.to = from
	return parseMessage(p.t, buf[:n])
}

func (p *peer) readStream() *message {
	p.t.Helper()
	var head bytes.Buffer
	for {
		line, err := p.rd.ReadString('\n')
		if err != nil {
			p.t.Fatalf("peer reads: %v", err)
		}
		if line == "\r\n" && head.Len() == 0 {
			continue
		}
		head.WriteString(line)
		if line == "\r\n" {
			break
		}
	}
	m := parseMessage(p.t, head.Bytes())
	n, _ := strconv.Atoi(m.get("Content-Length"))
	body := make([]byte, n)
	if _, err := io.ReadFull(p.rd, body); err != nil {
		p.t.Fatalf("peer reads body: %v", err)
	}
	m.body = string(body)
	return m
}

func parseMessage(t testing.TB, b []byte) *message {
	t.Helper()
	head, body, ok := strings.Cut(string(b), "\r\n\r\n")
	if !ok {
		t.Fatalf("not a message: %q", b)
	}
	lines := strings.Split(head, "\r\n")
	m := &message{first: lines[0], header: map[string][]string{}, body: body}
	for _, l := range lines[1:] {
		k, v, _ := strings.Cut(l, ":")
		k = strings.ToLower(strings.TrimSpace(k))
		m.header[k] = append(m.header[k], strings.TrimSpace(v))
	}
	return m
}

// next is the next message that is no repetition and no 100.
func (p *peer) next() *message {
	p.t.Helper()
	for {
		m := p.read()
		id := m.first + m.get("Via") + m.get("CSeq")
		if p.seen[id] || m.status() == 100 {
			continue
		}
		p.seen[id] = true
		return m
	}
}

// status reads the next response and remembers the To tag of a final one.
func (p *peer) status(want int) *message {
	p.t.Helper()
	m := p.next()
	if m.status() != want {
		p.t.Fatalf("got %q, want %d", m.first, want)
	}
	return m
}

// answer reads the next request and answers it.
func (p *peer) answer(method string, status int, body string, extra ...string) *message {
	p.t.Helper()
	m := p.next()
	if m.method() != method {
		p.t.Fatalf("got %q, want %s", m.first, method)
	}
	p.respond(m, status, body, extra...)
	return m
}

func (p *peer) respond(m *message, status int, body string, extra ...string) {
	p.t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "SIP/2.0 %d Answer\r\n", status)
	for _, v := range m.header["via"] {
		b.WriteString("Via: " + v + "\r\n")
	}
	fmt.Fprintf(&b, "From: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %s\r\n", m.get("From"), m.get("To"), m.get("Call-ID"), m.get("CSeq"))
	if status/100 != 3 {
		b.WriteString("Contact: " + p.contactURI() + "\r\n")
	}
	for _, e := range extra {
		b.WriteString(e + "\r\n")
	}
	if body != "" {
		b.WriteString("Content-Type: application/sdp\r\n")
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(body), body)
	p.write(b.String())
}

// call sends INVITE, takes the 200 and acknowledges it.
func (p *peer) call(extra ...string) *message {
	p.t.Helper()
	p.send("INVITE", p.sdp(), extra...)
	m := p.status(200)
	p.toH = m.get("To")
	p.ack("")
	return m
}

// answering gives a handler that answers each call and hands out its leg.
func answeringHandler(t testing.TB, ev func() Events) (handlerFunc, chan *Leg) {
	legs := make(chan *Leg, 100)
	return func(in *Incoming) {
		l, err := in.Prepare(ev())
		if err != nil {
			t.Errorf("prepare: %v", err)
			return
		}
		if err := l.Answer(); err != nil {
			t.Errorf("answer: %v", err)
		}
		legs <- l
	}, legs
}

func take[T any](t testing.TB, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}
