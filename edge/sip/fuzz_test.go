package sip

import (
	"bytes"
	"hash/maphash"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/emiago/sipgo/sip"
)

// FuzzMessage: what the guard lets through sipgo understands (else it would be
// dropped without an answer), and what it refuses is answered in SIP.
func FuzzMessage(f *testing.F) {
	files, _ := filepath.Glob("testdata/rfc*/*.dat")
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	src := netip.MustParseAddrPort("192.0.2.9:4444")
	g := &guard{seed: maphash.MakeSeed()}
	parser := sip.NewParser(sip.WithHeadersParsers(headerParsers()))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, flawed := scan(data)
		_, _ = messageSize(data)
		if flawed != nil {
			if flawed.status == 0 || m.via == nil {
				return
			}
			answer := g.build(data, &m, src, answerOf{status: flawed.status, text: flawed.text, extra: flawed.extra})
			head, _, ok := bytes.Cut(answer, []byte("\r\n\r\n"))
			if !ok || len(head)+4 != len(answer) || !strings.HasPrefix(string(head), "SIP/2.0 ") {
				t.Fatalf("answer %q", answer)
			}
			_ = answerTo(&m, src)
			return
		}
		msg := data[:m.head+m.body]
		if m.spaced {
			msg = unfold(msg, m.head)
			if len(msg) > m.head+m.body {
				t.Fatal("unfolded is longer")
			}
		}
		parsed, err := parser.ParseSIP(msg)
		if err != nil {
			t.Fatalf("let through, but: %v", err)
		}
		req, ok := parsed.(*sip.Request)
		if !ok {
			return
		}
		if req.Via() == nil || req.From() == nil || req.To() == nil || req.CallID() == nil || req.CSeq() == nil {
			t.Fatal("let through without what every request has")
		}
		// Without the branch of RFC 3261 sipgo wants the tag in lower case, and
		// answers 400 itself.
		if _, err := sip.ServerTxKeyMake(req); err != nil && tagOf(req.From().Params) == "" {
			t.Fatalf("no transaction: %v", err)
		}
		if string(req.CSeq().MethodName) != string(req.Method) || string(req.Method) != string(m.method) {
			t.Fatalf("method %q, CSeq %q", req.Method, req.CSeq().MethodName)
		}
		_, _ = callerOf(req)
		_ = number(userOf(m.uri))
		_, _ = descriptionOf(req)
		if req.Method == sip.INVITE && req.Contact() != nil {
			d := answering(req, "tag")
			_, _ = d.request(sip.BYE, 1)
		}
		_ = sip.NewResponseFromRequest(req, 200, "OK", nil).String()
	})
}
