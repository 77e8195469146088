package sip

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"net/netip"
	"strconv"
)

// answerOf is a response made from a request's bytes (RFC 3261 8.2.6, 8.2.7).
type answerOf struct {
	status int
	text   string
	extra  string // header lines, each with CRLF
	tag    string // of To; "" = one that repeats for the same request
}

func (g *guard) reply(data []byte, m *raw, src netip.AddrPort, send send, a answerOf) {
	send(g.build(data, m, src, a), answerTo(m, src))
	g.ua.metrics.response(string(m.method), a.status)
}

// build copies Via, From, To, Call-ID and CSeq as they came. The topmost Via
// gets received and rport (RFC 3581), To a tag if it has none.
func (g *guard) build(data []byte, m *raw, src netip.AddrPort, a answerOf) []byte {
	b := make([]byte, 0, len(data)+256)
	b = append(b, "SIP/2.0 "...)
	b = strconv.AppendInt(b, int64(a.status), 10)
	b = append(b, ' ')
	b = append(b, a.text...)
	b = append(b, "\r\n"...)
	first := true
	_, off, _ := cutLine(data, 0)
	for off < len(data) {
		line, next, ok := cutHeader(data, off)
		if !ok || len(line) == 0 {
			break
		}
		off = next
		name, value, _ := bytes.Cut(line, []byte{':'})
		name = bytes.TrimRight(name, " \t")
		switch {
		case is(name, "via", 'v'):
			b = append(b, "Via: "...)
			if first {
				b = appendVia(b, trim(value), src)
			} else {
				b = append(b, trim(value)...)
			}
			first = false
		case is(name, "to", 't'):
			b = append(b, "To: "...)
			b = append(b, trim(value)...)
			if len(param(value, "tag")) == 0 {
				b = append(b, ";tag="...)
				b = append(b, g.tagFor(m, a.tag)...)
			}
		case is(name, "from", 'f'), is(name, "call-id", 'i'), is(name, "cseq", 0):
			b = append(b, line...)
		default:
			continue
		}
		b = append(b, "\r\n"...)
	}
	b = append(b, a.extra...)
	return append(b, "Server: "+product+"\r\nContent-Length: 0\r\n\r\n"...)
}

func (g *guard) tagFor(m *raw, tag string) string {
	if tag != "" {
		return tag
	}
	var h maphash.Hash
	h.SetSeed(g.seed)
	_, _ = h.Write(m.via)
	_, _ = h.Write(m.callID)
	return fmt.Sprintf("%016x", h.Sum64())
}

// appendVia fills in an rport parameter of the first hop.
func appendVia(b, via []byte, src netip.AddrPort) []byte {
	at := rportAt(via)
	if at < 0 {
		return append(b, via...)
	}
	b = append(b, via[:at]...)
	b = append(b, '=')
	b = strconv.AppendInt(b, int64(src.Port()), 10)
	b = append(b, ";received="...)
	b = src.Addr().AppendTo(b)
	return append(b, via[at:]...)
}

// rportAt finds where the value of an empty rport of the first hop goes; -1 =
// there is none.
func rportAt(via []byte) int {
	hop := via
	if i := bytes.IndexByte(hop, ','); i >= 0 {
		hop = hop[:i]
	}
	off := 0
	for p := range bytes.SplitSeq(hop, []byte{';'}) {
		if is(trim(p), "rport", 0) {
			return off + len(bytes.TrimRight(p, " \t\r\n"))
		}
		off += len(p) + 1
	}
	return -1
}

// answerTo is where an answer goes: to the source with rport, else to the port
// of the topmost Via at the source's address (RFC 3261 18.2.2).
func answerTo(m *raw, src netip.AddrPort) netip.AddrPort {
	if rportAt(m.via) >= 0 {
		return src
	}
	sentBy := m.via
	if i := bytes.IndexAny(sentBy, ";,"); i >= 0 {
		sentBy = sentBy[:i]
	}
	sentBy = trim(sentBy)
	if i := bytes.LastIndexAny(sentBy, " \t\n"); i >= 0 {
		sentBy = sentBy[i+1:]
	}
	if i := bytes.LastIndexByte(sentBy, ':'); i >= 0 && bytes.IndexByte(sentBy[i:], ']') < 0 {
		if n, err := strconv.ParseUint(string(sentBy[i+1:]), 10, 16); err == nil && n > 0 {
			return netip.AddrPortFrom(src.Addr(), uint16(n))
		}
	}
	return netip.AddrPortFrom(src.Addr(), 5060)
}
