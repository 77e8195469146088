package sip

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// torture says what each message of RFC 4475 (and RFC 5118 for IPv6) gets: the
// status, 0 = no answer. The RFC leaves some to the implementation; why says
// what we chose.
var torture = []struct {
	file   string
	status int
	why    string
}{
	// 3.1.1 valid messages
	{"rfc4475/wsinv", 481, "has a To tag: a dialog that is not here"},
	{"rfc4475/intmeth", 501, "valid, of a method nobody knows"},
	{"rfc4475/esc01", 200, "escaped user parts are kept as they are"},
	{"rfc4475/escnull", 405, "REGISTER is not served"},
	{"rfc4475/esc02", 501, "escapes mean nothing in a method"},
	{"rfc4475/lwsdisp", 200, ""},
	{"rfc4475/longreq", 200, "long values are no reason to refuse"},
	{"rfc4475/dblreq", 405, "the second request in the datagram is noise"},
	{"rfc4475/semiuri", 200, ""},
	{"rfc4475/transports", 200, ""},
	{"rfc4475/mpart01", 405, "MESSAGE is not served"},
	{"rfc4475/unreason", 0, "a response nobody waits for"},
	{"rfc4475/noreason", 0, "a response nobody waits for"},
	// 3.1.2 invalid messages
	{"rfc4475/badinv01", 400, ""},
	{"rfc4475/clerr", 400, ""},
	{"rfc4475/ncl", 400, ""},
	{"rfc4475/scalar02", 400, ""},
	{"rfc4475/scalarlg", 0, "malformed responses are dropped"},
	{"rfc4475/quotbal", 400, ""},
	{"rfc4475/ltgtruri", 400, ""},
	{"rfc4475/lwsruri", 400, ""},
	{"rfc4475/lwsstart", 400, ""},
	{"rfc4475/trws", 400, ""},
	{"rfc4475/escruri", 400, ""},
	{"rfc4475/baddate", 200, "Date is not used, so its time zone harms nobody"},
	{"rfc4475/regbadct", 400, ""},
	{"rfc4475/badaspec", 400, ""},
	{"rfc4475/baddn", 400, "as stored it has no end of headers; a comma in a name alone is let pass"},
	{"rfc4475/badvers", 505, ""},
	{"rfc4475/mismatch01", 400, ""},
	{"rfc4475/mismatch02", 501, ""},
	{"rfc4475/bigcode", 0, "malformed responses are dropped"},
	// 3.2 transaction layer, 3.3 application layer, 3.4 backward compatibility
	{"rfc4475/badbranch", 200, "answered without a transaction"},
	{"rfc4475/insuf", 400, ""},
	{"rfc4475/unkscm", 416, ""},
	{"rfc4475/novelsc", 416, ""},
	{"rfc4475/unksm2", 405, "REGISTER is not served"},
	{"rfc4475/bext01", 420, ""},
	{"rfc4475/invut", 415, ""},
	{"rfc4475/regaut01", 405, "REGISTER is not served"},
	{"rfc4475/multi01", 400, ""},
	{"rfc4475/mcl01", 400, ""},
	{"rfc4475/bcast", 0, "a response nobody waits for"},
	{"rfc4475/zeromf", 483, ""},
	{"rfc4475/cparam01", 405, "REGISTER is not served"},
	{"rfc4475/cparam02", 405, "REGISTER is not served"},
	{"rfc4475/regescrt", 405, "REGISTER is not served"},
	{"rfc4475/sdp01", 406, ""},
	{"rfc4475/inv2543", 400, "no tag and no Contact: not a caller of this century"},
	{"rfc4475/test", 0, "no Via: nowhere to answer"},
	// RFC 5118
	{"rfc5118/ipv6-good", 405, "REGISTER is not served"},
	{"rfc5118/ipv6-bad", 400, ""},
	{"rfc5118/port-ambiguous", 405, ""},
	{"rfc5118/port-unambiguous", 405, ""},
	{"rfc5118/via-received-param-no-delim", 200, ""},
	{"rfc5118/via-received-param-with-delim", 481, ""},
	{"rfc5118/ipv6-in-sdp", 488, "G.726 only"},
	{"rfc5118/mult-ip-in-header", 481, ""},
	{"rfc5118/mult-ip-in-sdp", 200, ""},
	{"rfc5118/ipv4-mapped-ipv6", 488, "G.726 only"},
	{"rfc5118/ipv6-bug-abnf-3-colons", 200, "the RFC asks to be lenient here"},
	{"rfc5118/ipv6-correct-abnf-2-colons", 200, ""},
}

func TestTortureMessages(t *testing.T) {
	listed := map[string]bool{}
	for _, c := range torture {
		listed[c.file] = true
		t.Run(c.file, func(t *testing.T) {
			data, err := os.ReadFile("testdata/" + c.file + ".dat")
			if err != nil {
				t.Fatal(err)
			}
			wire := newWire()
			ev := newEvents()
			handler := func(in *Incoming) {
				if l, err := in.Prepare(ev.Events()); err == nil {
					_ = l.Answer()
				}
			}
			startUA(t, handler, func(cfg *Config) { cfg.UDP, cfg.Advertised = wire, "127.0.0.1:5060" })
			wire.in <- data
			// A request that is surely answered shows when the first was not.
			wire.in <- []byte("OPTIONS sip:end@x SIP/2.0\r\nVia: SIP/2.0/UDP x;branch=z9hG4bKend\r\nFrom: <sip:a@b>;tag=1\r\n" +
				"To: <sip:c@d>\r\nCall-ID: end\r\nCSeq: 1 OPTIONS\r\n\r\n")
			if got := wire.final(t, c.status != 0); got != c.status {
				t.Errorf("answered %d, want %d %s", got, c.status, c.why)
			}
		})
	}
	files, _ := filepath.Glob("testdata/rfc*/*.dat")
	for _, f := range files {
		if name := strings.TrimSuffix(strings.TrimPrefix(f, "testdata/"), ".dat"); !listed[name] {
			t.Errorf("%s is not in the table", name)
		}
	}
}

// wire is a PacketConn without a network: answers may go to any address.
type wire struct {
	net.PacketConn
	in   chan []byte
	out  chan []byte
	done chan struct{}
}

func newWire() *wire {
	return &wire{in: make(chan []byte, 16), out: make(chan []byte, 256), done: make(chan struct{})}
}

func (w *wire) ReadFrom(p []byte) (int, net.Addr, error) {
	select {
	case b := <-w.in:
		return copy(p, b), &net.UDPAddr{IP: net.IPv4(127, 0, 0, 2), Port: 5060}, nil
	case <-w.done:
		return 0, nil, net.ErrClosed
	}
}

func (w *wire) WriteTo(p []byte, _ net.Addr) (int, error) {
	select {
	case w.out <- append([]byte(nil), p...):
	default:
	}
	return len(p), nil
}

func (w *wire) LocalAddr() net.Addr { return &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 5060} }

func (w *wire) Close() error {
	select {
	case <-w.done:
	default:
		close(w.done)
	}
	return nil
}

// final is the status of the first final answer that is not the end marker's;
// 0 when only the marker was answered.
func (w *wire) final(t *testing.T, wait bool) int {
	t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case b := <-w.out:
			m := parseMessage(t, b)
			switch {
			case m.get("Call-ID") == "end":
				if !wait {
					return 0
				}
			case m.status() >= 200:
				return m.status()
			}
		case <-timeout:
			return -1
		}
	}
}
