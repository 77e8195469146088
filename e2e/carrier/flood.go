package carrier

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Flood is a caller who does not care: INVITEs at a steady rate whatever became
// of those before, none of them repeated, each answer acknowledged and hung up
// at once. It keeps no transactions, so that it costs the machine little.
type Flood struct {
	to   string
	conn *net.UDPConn
	done chan struct{}
	wg   sync.WaitGroup

	mu      sync.Mutex
	sent    int
	got     Flooded
	over    map[string]bool // calls with a final answer
	stopped bool
	whole   chan struct{} // closed when it has stopped and all calls have one
}

// Flooded is what became of a flood's calls.
type Flooded struct {
	Sent   int
	Took   time.Duration
	Status map[int]int // final answers; what is missing never got one
	// NoRetry counts answers 503 without Retry-After.
	NoRetry int
}

// StartFlood calls to at the nodes in turn, so many times a second in all.
func StartFlood(nodes []string, to string, perSecond int) (*Flood, error) {
	addrs := make([]*net.UDPAddr, len(nodes))
	for i, n := range nodes {
		var err error
		if addrs[i], err = net.ResolveUDPAddr("udp", n); err != nil {
			return nil, err
		}
	}
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	_ = conn.SetReadBuffer(4 << 20)
	f := &Flood{to: to, conn: conn, done: make(chan struct{}), got: Flooded{Status: map[int]int{}}, over: map[string]bool{}, whole: make(chan struct{})}
	f.wg.Go(func() { f.call(addrs, perSecond) })
	go f.read()
	return f, nil
}

// stopGrace is more than a node takes to decide: what has no answer then was lost.
const stopGrace = 4 * time.Second

// Stop ends the calls and waits for the answers that are under way.
func (f *Flood) Stop() Flooded {
	close(f.done)
	f.wg.Wait()
	f.mu.Lock()
	f.stopped = true
	waits := len(f.over) < f.sent
	f.mu.Unlock()
	if waits {
		late := time.NewTimer(stopGrace)
		defer late.Stop()
		select {
		case <-f.whole:
		case <-late.C:
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	_ = f.conn.Close()
	f.got.Sent = f.sent
	return f.got
}

func (f *Flood) call(nodes []*net.UDPAddr, perSecond int) {
	began := time.Now()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for sent := 0; ; {
		select {
		case <-f.done:
			f.mu.Lock()
			f.sent, f.got.Took = sent, time.Since(began)
			f.mu.Unlock()
			return
		case <-tick.C:
		}
		for due := int(time.Since(began).Seconds() * float64(perSecond)); sent < due; sent++ {
			_, _ = f.conn.WriteToUDP(f.invite(newCallID(), nodes[sent%len(nodes)]), nodes[sent%len(nodes)])
		}
	}
}

func (f *Flood) invite(id string, node *net.UDPAddr) []byte {
	self := f.conn.LocalAddr().String()
	sdp := "v=0\r\no=flood 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
	return fmt.Appendf(nil, "INVITE sip:%s@%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s;rport\r\nMax-Forwards: 70\r\n"+
		"From: <sip:+4930999999@%s>;tag=f\r\nTo: <sip:%s@%s>\r\nCall-ID: %s\r\nCSeq: 1 INVITE\r\nContact: <sip:%s>\r\n"+
		"Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s", f.to, node, self, id, self, f.to, node, id, self, len(sdp), sdp)
}

func (f *Flood) read() {
	buf := make([]byte, 1<<16)
	for {
		n, from, err := f.conn.ReadFromUDP(buf)
		if err != nil {
			return
		}
		f.take(string(buf[:n]), from)
	}
}

// take acknowledges a final answer and hangs up what was answered; a node's own
// BYE is answered.
func (f *Flood) take(msg string, node *net.UDPAddr) {
	if method, _, _ := strings.Cut(msg, " "); method != "SIP/2.0" {
		if method == "BYE" {
			_, _ = f.conn.WriteToUDP(fmt.Appendf(nil, "SIP/2.0 200 OK\r\nVia: %s\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %s\r\nContent-Length: 0\r\n\r\n",
				field(msg, "Via"), field(msg, "From"), field(msg, "To"), field(msg, "Call-ID"), field(msg, "CSeq")), node)
		}
		return
	}
	status, _ := strconv.Atoi(msg[len("SIP/2.0 "):min(len(msg), len("SIP/2.0 200"))])
	if status < 200 || !strings.HasSuffix(field(msg, "CSeq"), "INVITE") {
		return
	}
	id := field(msg, "Call-ID")
	_, _ = f.conn.WriteToUDP(f.within("ACK", id, 1, field(msg, "To"), node), node)
	f.mu.Lock()
	again := f.over[id]
	f.over[id] = true
	if !again {
		if f.stopped && len(f.over) == f.sent {
			close(f.whole)
		}
		f.got.Status[status]++
		if status == 503 && field(msg, "Retry-After") == "" {
			f.got.NoRetry++
		}
	}
	f.mu.Unlock()
	if status < 300 && !again {
		_, _ = f.conn.WriteToUDP(f.within("BYE", id, 2, field(msg, "To"), node), node)
	}
}

// within builds a request of a call; a refusal's ACK has its INVITE's branch,
// and nobody minds an answer's having it too.
func (f *Flood) within(method, id string, seq int, to string, node *net.UDPAddr) []byte {
	self, branch := f.conn.LocalAddr().String(), id
	if method != "ACK" {
		branch += method
	}
	return fmt.Appendf(nil, "%s sip:%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s;rport\r\nMax-Forwards: 70\r\n"+
		"From: <sip:+4930999999@%s>;tag=f\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %d %s\r\nContent-Length: 0\r\n\r\n",
		method, node, self, branch, self, to, id, seq, method)
}

// field is a header's value in a message of the node, which writes long names.
func field(msg, name string) string {
	i := strings.Index(msg, "\r\n"+name+": ")
	if i < 0 {
		return ""
	}
	value, _, _ := strings.Cut(msg[i+len("\r\n"+name+": "):], "\r\n")
	return value
}
