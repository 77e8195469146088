package sip

import (
	"bytes"
	"strconv"
)

// raw is what the guard reads of a message before anybody parses it: enough to
// refuse what RFC 3261 forbids and to answer without keeping anything. The
// slices point into the datagram.
type raw struct {
	request     bool
	method, uri []byte
	status      int // of a response

	via                []byte // value of the topmost Via header, folds included
	from, to           []byte
	callID             []byte
	cseq               []byte
	seq                uint32
	contact            []byte
	require, accept    []byte
	hasAccept          bool
	contentType        []byte
	contentEncoding    []byte
	userAgent, reason  []byte
	maxForwards        int // -1 = absent
	contentLength      int // -1 = absent
	head               int // bytes before the body
	body               int // bytes of body that belong to the message
	repeated, complete bool
	// spaced: there is white space within headers that sipgo's parser would
	// take for a part of names and values.
	spaced bool
}

// flaw is why a message goes no further. Status 0 = dropped without an answer.
type flaw struct {
	status int
	text   string
	extra  string // further header lines of the answer, each with CRLF
}

// scan reads data, one message (a datagram, or what the framing of a stream
// cut out). The first flaw found is returned, but the scan goes on, because
// the answer needs Via, From, To, Call-ID and CSeq.
func scan(data []byte) (m raw, f *flaw) {
	m.maxForwards, m.contentLength = -1, -1
	line, next, ok := cutLine(data, 0)
	if !ok {
		return m, &flaw{}
	}
	f = m.startLine(line)
	if f != nil && f.status == 0 {
		return m, f
	}
	for {
		var end int
		line, end, ok = cutHeader(data, next)
		if !ok {
			return m, firstFlaw(f, bad("Header section not terminated"))
		}
		next = end
		if len(line) == 0 {
			break
		}
		f = firstFlaw(f, m.header(line))
	}
	m.head, m.complete = next, true
	f = firstFlaw(f, m.length(len(data)-next))
	if m.request {
		f = firstFlaw(f, m.checkRequest())
	} else {
		f = firstFlaw(f, m.checkResponse())
	}
	return m, f
}

func firstFlaw(a, b *flaw) *flaw {
	if a != nil {
		return a
	}
	return b
}

func bad(text string) *flaw { return &flaw{status: 400, text: text} }

// cutLine returns the line at off without its CRLF and where the next starts.
// A line that does not end in CRLF is no line.
func cutLine(data []byte, off int) (line []byte, next int, ok bool) {
	i := bytes.IndexByte(data[off:], '\n')
	if i < 1 || data[off+i-1] != '\r' || bytes.IndexByte(data[off:off+i-1], '\r') >= 0 {
		return nil, 0, false
	}
	return data[off : off+i-1], off + i + 1, true
}

// cutHeader is cutLine with continuation lines (RFC 3261 7.3.1).
func cutHeader(data []byte, off int) (line []byte, next int, ok bool) {
	line, next, ok = cutLine(data, off)
	if !ok || len(line) == 0 {
		return line, next, ok
	}
	for next < len(data) && (data[next] == ' ' || data[next] == '\t') {
		if _, next, ok = cutLine(data, next); !ok {
			return nil, 0, false
		}
		line = data[off : next-2]
	}
	return line, next, true
}

func (m *raw) startLine(line []byte) *flaw {
	if bytes.HasPrefix(line, []byte("SIP/2.0 ")) {
		code, _, ok := bytes.Cut(line[8:], []byte{' '})
		n, err := strconv.Atoi(string(code))
		if !ok || err != nil || n < 100 || n > 699 || len(code) != 3 {
			return &flaw{}
		}
		m.status = n
		return nil
	}
	version := bytes.LastIndex(line, []byte(" SIP/"))
	if version <= 0 || !tokenStart(line[0]) {
		return &flaw{}
	}
	m.request = true
	method, rest, _ := bytes.Cut(line, []byte{' '})
	m.method = method
	uri, ver, ok := bytes.Cut(rest, []byte{' '})
	switch {
	case !isToken(method):
		return bad("Malformed method")
	case !ok || len(uri) == 0 || bytes.IndexByte(ver, ' ') >= 0:
		return bad("Malformed request line")
	case !bytes.EqualFold(ver, []byte("SIP/2.0")):
		return &flaw{status: 505, text: "Version Not Supported"}
	}
	m.uri = uri
	return checkRequestURI(uri)
}

func (m *raw) header(line []byte) *flaw {
	colon := bytes.IndexByte(line, ':')
	if colon < 0 {
		return bad("Header line without a colon")
	}
	name, value := bytes.TrimRight(line[:colon], " \t"), trim(line[colon+1:])
	switch {
	case is(name, "via", 'v'):
		if m.via == nil {
			m.via = value
		}
		m.spaced = m.spaced || spaced(value)
		return checkVia(value)
	case is(name, "from", 'f'):
		m.spaced = m.spaced || spaced(value)
		m.once(&m.from, value)
		return checkAddress(value)
	case is(name, "to", 't'):
		m.spaced = m.spaced || spaced(value)
		m.once(&m.to, value)
		return checkAddress(value)
	case is(name, "call-id", 'i'):
		m.once(&m.callID, value)
	case is(name, "cseq", 0):
		m.once(&m.cseq, value)
	case is(name, "contact", 'm'):
		if m.contact == nil {
			m.contact = value
		}
		m.spaced = m.spaced || spaced(value)
		return checkContact(value)
	case is(name, "max-forwards", 0):
		return m.number(&m.maxForwards, value, 255, "Malformed Max-Forwards")
	case is(name, "content-length", 'l'):
		return m.number(&m.contentLength, value, 1<<24, "Malformed Content-Length")
	case is(name, "content-type", 'c'):
		if m.once(&m.contentType, value); len(value) == 0 {
			return bad("Malformed Content-Type")
		}
	case is(name, "content-encoding", 'e'):
		m.contentEncoding = value
	case is(name, "require", 0):
		m.require = value
	case is(name, "accept", 0):
		m.accept, m.hasAccept = value, true
	case is(name, "user-agent", 0):
		m.userAgent = value
	case is(name, "reason", 0):
		m.reason = value
	case is(name, "route", 0), is(name, "record-route", 0):
		m.spaced = m.spaced || spaced(value)
		return checkRoute(value)
	}
	return nil
}

// once stores a value that may be there only once (RFC 3261 7.3).
func (m *raw) once(at *[]byte, value []byte) {
	if *at != nil {
		m.repeated = true
		return
	}
	*at = value
}

func (m *raw) number(at *int, value []byte, limit int, text string) *flaw {
	n, err := strconv.Atoi(string(value))
	if err != nil || n < 0 || n > limit || value[0] == '+' {
		return bad(text)
	}
	if *at >= 0 {
		m.repeated = true
		return nil
	}
	*at = n
	return nil
}

// length checks Content-Length against what arrived (RFC 3261 18.3).
func (m *raw) length(arrived int) *flaw {
	m.body = arrived
	if m.contentLength < 0 {
		return nil
	}
	if m.contentLength > arrived {
		return bad("Content-Length larger than the message")
	}
	m.body = m.contentLength
	return nil
}

// spaced finds folds and white space around separators.
func spaced(line []byte) bool {
	for i, c := range line {
		switch c {
		case '\n':
			return true
		case ' ', '\t':
			if i+1 < len(line) && separator(line[i+1]) || i > 0 && separator(line[i-1]) {
				return true
			}
		}
	}
	return false
}

// unfold puts each header on one line and takes the white space around
// separators away: RFC 3261 allows it, sipgo's parser takes it for a part of
// names. head is where the body starts. Never longer than data.
func unfold(data []byte, head int) []byte {
	out := make([]byte, 0, len(data))
	quoted := false
	for i := 0; i < head-2; i++ {
		c := data[i]
		fold := c == '\r' && i+2 < head-2 && (data[i+2] == ' ' || data[i+2] == '\t')
		switch {
		case fold:
			out = squeeze(out, quoted)
			i++ // and the LF
		case c == '\r':
			quoted = false
			out = append(out, c)
		case quoted && c == '\\' && i+1 < head-2:
			out = append(out, c, data[i+1])
			i++
		case c == '"':
			quoted = !quoted
			out = append(out, c)
		case !quoted && (c == ' ' || c == '\t'):
			out = squeeze(out, false)
		case !quoted && separator(c):
			out = append(bytes.TrimRight(out, " "), c)
		default:
			out = append(out, c)
		}
	}
	out = append(out, "\r\n"...)
	return append(out, data[head:]...)
}

// squeeze adds one space, if it may mean something.
func squeeze(out []byte, quoted bool) []byte {
	if n := len(out); !quoted && n > 0 && (out[n-1] == ' ' || separator(out[n-1])) {
		return out
	}
	return append(out, ' ')
}

func separator(c byte) bool { return c == ';' || c == '=' || c == ',' || c == '/' }

// is compares a header name with its long and compact form (0 = none).
func is(name []byte, long string, short byte) bool {
	if len(name) == 1 {
		return short != 0 && name[0]|0x20 == short
	}
	if len(name) != len(long) {
		return false
	}
	for i := range len(long) {
		c := name[i]
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if c != long[i] {
			return false
		}
	}
	return true
}

func trim(b []byte) []byte { return bytes.Trim(b, " \t\r\n") }

const tokenExtra = "-.!%*_+`'~"

func tokenStart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || bytes.IndexByte([]byte(tokenExtra), c) >= 0
}

func isToken(b []byte) bool {
	for _, c := range b {
		if !tokenStart(c) {
			return false
		}
	}
	return len(b) > 0
}
