package sip

import (
	"bytes"
	"strconv"
	"strings"
)

// What RFC 3261 asks of a message's fields, on raw bytes. RFC 4475 shows what
// goes wrong; check_test.go sends its messages through here.

// allowed are the methods served; others known to SIP get 405, the rest 501.
const allowed = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK"

// extensions are the option tags we name in Supported.
const extensions = "timer, 100rel"

// supported are the option tags a Require may name.
var supported = strings.Split(extensions, ", ")

func served(method []byte) bool {
	switch string(method) {
	case "INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "INFO", "UPDATE", "PRACK":
		return true
	}
	return false
}

func known(method []byte) bool {
	switch string(method) {
	case "REGISTER", "SUBSCRIBE", "NOTIFY", "REFER", "MESSAGE", "PUBLISH":
		return true
	}
	return served(method)
}

func (m *raw) checkRequest() *flaw {
	if m.via == nil || len(m.callID) == 0 || m.cseq == nil || m.from == nil || m.to == nil {
		return bad("Via, From, To, Call-ID and CSeq are needed")
	}
	if m.repeated {
		return bad("Header that may be there once is there twice")
	}
	if f := m.checkCSeq(); f != nil {
		return f
	}
	if !served(m.method) {
		if known(m.method) {
			return &flaw{status: 405, text: "Method Not Allowed", extra: "Allow: " + allowed + "\r\n"}
		}
		return &flaw{status: 501, text: "Not Implemented", extra: "Allow: " + allowed + "\r\n"}
	}
	if !isToken(param(m.from, "tag")) {
		return bad("From without a tag")
	}
	if tag := param(m.to, "tag"); len(tag) > 0 && !isToken(tag) {
		return bad("Malformed To tag")
	}
	method := string(m.method)
	if method == "ACK" || method == "CANCEL" {
		return nil // these are never refused (RFC 3261 8.2.2.3, 17.1.1.3)
	}
	if m.maxForwards == 0 && m.initial() {
		return &flaw{status: 483, text: "Too Many Hops"}
	}
	if f := m.checkRequire(); f != nil {
		return f
	}
	return m.checkContent(method)
}

// initial tells a request that opens a dialog or stands alone.
func (m *raw) initial() bool { return len(param(m.to, "tag")) == 0 }

// called is the number an INVITE is for, as Incoming.Called has it.
func (m *raw) called() string {
	if n := number(userOf(m.uri)); n != "" {
		return n
	}
	to, _, _, _ := cutAddress(m.to)
	return number(userOf(to))
}

func (m *raw) checkCSeq() *flaw {
	num, method, ok := bytes.Cut(m.cseq, []byte{' '})
	if !ok {
		if i := bytes.IndexAny(m.cseq, "\t\r\n"); i > 0 {
			num, method, ok = m.cseq[:i], m.cseq[i:], true
		}
	}
	n, err := strconv.ParseUint(string(trim(num)), 10, 31)
	if !ok || err != nil {
		return bad("Malformed CSeq")
	}
	m.seq = uint32(n)
	m.spaced = m.spaced || len(trim(method)) != len(method)
	if m.request && !bytes.Equal(trim(method), m.method) {
		if known(m.method) {
			return bad("CSeq method does not match")
		}
		return nil // 501 says more (RFC 4475 3.1.2.18)
	}
	return nil
}

func (m *raw) checkRequire() *flaw {
	var unsupported []byte
	for tag := range bytes.SplitSeq(m.require, []byte{','}) {
		tag = trim(tag)
		if len(tag) == 0 || isOneOf(tag, supported) {
			continue
		}
		if unsupported != nil {
			unsupported = append(unsupported, ", "...)
		}
		unsupported = append(unsupported, oneLine(tag)...)
	}
	if unsupported == nil {
		return nil
	}
	return &flaw{status: 420, text: "Bad Extension", extra: "Unsupported: " + string(unsupported) + "\r\n"}
}

func (m *raw) checkContent(method string) *flaw {
	offer := method == "INVITE" || method == "UPDATE"
	if method == "INVITE" && m.contact == nil {
		return bad("INVITE without a Contact")
	}
	if offer && m.hasAccept && !accepts(m.accept) {
		return &flaw{status: 406, text: "Not Acceptable", extra: "Accept: application/sdp\r\n"}
	}
	if m.body == 0 {
		return nil
	}
	if len(m.contentEncoding) > 0 && !bytes.EqualFold(m.contentEncoding, []byte("identity")) {
		return &flaw{status: 415, text: "Unsupported Media Type", extra: "Accept-Encoding: identity\r\n"}
	}
	if offer && !isSDP(m.contentType) && !isMultipart(m.contentType) {
		return &flaw{status: 415, text: "Unsupported Media Type", extra: "Accept: application/sdp\r\n"}
	}
	return nil
}

func (m *raw) checkResponse() *flaw {
	if m.via == nil || len(m.callID) == 0 || m.cseq == nil || m.from == nil || m.to == nil || m.repeated || m.checkCSeq() != nil {
		return &flaw{}
	}
	return nil
}

func mediaType(v []byte) []byte {
	t, _, _ := bytes.Cut(v, []byte{';'})
	return trim(t)
}

func isSDP(contentType []byte) bool {
	return bytes.EqualFold(mediaType(contentType), []byte("application/sdp"))
}

func isMultipart(contentType []byte) bool {
	return bytes.EqualFold(mediaType(contentType), []byte("multipart/mixed"))
}

// accepts tells whether an Accept header lets us answer with SDP. An empty one
// accepts nothing (RFC 3261 20.1).
func accepts(v []byte) bool {
	for t := range bytes.SplitSeq(v, []byte{','}) {
		switch t = mediaType(t); {
		case bytes.EqualFold(t, []byte("application/sdp")), bytes.EqualFold(t, []byte("application/*")), string(t) == "*/*":
			return true
		}
	}
	return false
}

// checkRequestURI wants sip: or tel:, without headers (RFC 3261 19.1.1: they
// may not be in a Request-URI).
func checkRequestURI(uri []byte) *flaw {
	if bytes.ContainsAny(uri, "<>\"") {
		return bad("Malformed Request-URI")
	}
	scheme, rest, ok := bytes.Cut(uri, []byte{':'})
	if !ok || !isToken(scheme) || len(rest) == 0 {
		return bad("Malformed Request-URI")
	}
	switch {
	case bytes.EqualFold(scheme, []byte("tel")):
		return nil
	case !bytes.EqualFold(scheme, []byte("sip")):
		return &flaw{status: 416, text: "Unsupported URI Scheme"}
	case !hostOK(rest, false):
		return bad("Malformed Request-URI")
	}
	return nil
}

// hostOK checks [user@]host[:port][;params][?headers].
func hostOK(rest []byte, headers bool) bool {
	if i := bytes.IndexByte(rest, '@'); i >= 0 {
		rest = rest[i+1:]
	}
	if i := bytes.IndexByte(rest, '?'); i >= 0 {
		if !headers {
			return false
		}
		rest = rest[:i]
	}
	rest, _, _ = bytes.Cut(rest, []byte{';'})
	port := rest
	if len(rest) > 0 && rest[0] == '[' {
		end := bytes.IndexByte(rest, ']')
		if end < 3 || end > 40 {
			return false
		}
		port = rest[end+1:]
		if len(port) == 0 {
			return true
		}
		if port[0] != ':' {
			return false
		}
		port = port[1:]
	} else {
		host, p, ok := bytes.Cut(rest, []byte{':'})
		if !isHost(host) {
			return false
		}
		if !ok {
			return true
		}
		port = p
	}
	n, err := strconv.ParseUint(string(port), 10, 16)
	return err == nil && n > 0
}

func isHost(b []byte) bool {
	for _, c := range b {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '-' || c == '_') {
			return false
		}
	}
	return len(b) > 0 && len(b) < 256
}

// checkVia checks each hop: SIP/2.0/transport host[:port][;params].
func checkVia(v []byte) *flaw {
	for hop := range bytes.SplitSeq(v, []byte{','}) {
		first, params, ok := bytes.Cut(hop, []byte{';'})
		parts := bytes.SplitN(first, []byte{'/'}, 3)
		if len(parts) < 3 || ok && emptyParam(params) {
			return bad("Malformed Via")
		}
		sent := trim(parts[2])
		end := bytes.IndexAny(sent, " \t\r\n")
		if end < 0 || !isToken(trim(parts[0])) || !isToken(trim(parts[1])) || !isToken(sent[:end]) || !hostOK(trim(sent[end:]), false) {
			return bad("Malformed Via")
		}
	}
	return nil
}

// emptyParam finds ";;" and ";," where a parameter should be.
func emptyParam(params []byte) bool {
	quoted, empty := false, true
	for _, c := range params {
		switch {
		case c == '"':
			quoted, empty = !quoted, false
		case quoted, c == ' ', c == '\t', c == '\r', c == '\n':
		case c == ';' || c == ',':
			if empty {
				return true
			}
			empty = c == ';'
		default:
			empty = false
		}
	}
	return empty
}

// checkAddress checks a From or To value: name-addr or addr-spec.
func checkAddress(v []byte) *flaw {
	spec, rest, _, ok := cutAddress(v)
	if !ok || !checkSpec(spec) {
		return bad("Malformed address")
	}
	if rest = trim(rest); len(rest) > 0 && rest[0] != ';' {
		return bad("Malformed address")
	}
	return nil
}

func checkContact(v []byte) *flaw {
	if len(v) == 1 && v[0] == '*' {
		return nil
	}
	for more := true; more; {
		spec, rest, bracketed, ok := cutAddress(v)
		if !ok || !checkSpec(spec) || !bracketed && bytes.IndexByte(spec, '?') >= 0 {
			return bad("Malformed Contact")
		}
		var params []byte
		params, v, more = cutList(rest)
		if i := bytes.IndexByte(params, ';'); i >= 0 && emptyParam(params[i+1:]) {
			return bad("Malformed Contact")
		}
	}
	return nil
}

func checkRoute(v []byte) *flaw {
	for more := true; more; {
		spec, rest, _, ok := cutAddress(v)
		if !ok || !checkSpec(spec) {
			return bad("Malformed Route")
		}
		_, v, more = cutList(rest)
	}
	return nil
}

// checkSpec takes any absolute URI; of sip: ones the host must make sense.
func checkSpec(spec []byte) bool {
	scheme, rest, ok := bytes.Cut(spec, []byte{':'})
	if !ok || !letters(scheme) || len(rest) == 0 || bytes.ContainsAny(spec, " \t\r\n<>\"") {
		return false
	}
	if bytes.EqualFold(scheme, []byte("sip")) || bytes.EqualFold(scheme, []byte("sips")) {
		return hostOK(rest, true)
	}
	return true
}

// letters: sipgo knows no other schemes; those with digits or dots are no
// address of a caller.
func letters(b []byte) bool {
	for _, c := range b {
		if c|0x20 < 'a' || c|0x20 > 'z' {
			return false
		}
	}
	return len(b) > 0
}

// cutAddress returns the URI of the first address in v and what follows it;
// bracketed = it stood in <>.
func cutAddress(v []byte) (spec, rest []byte, bracketed, ok bool) {
	after := v
	if len(v) > 0 && v[0] == '"' {
		end := closingQuote(v)
		if end < 0 {
			return nil, nil, false, false
		}
		after = trim(v[end+1:])
		if len(after) == 0 || after[0] != '<' {
			return nil, nil, false, false
		}
	}
	if open := bytes.IndexByte(after, '<'); open >= 0 && !bytes.ContainsAny(after[:open], ";\"") {
		end := bytes.IndexByte(after[open:], '>')
		if end < 0 {
			return nil, nil, false, false
		}
		return after[open+1 : open+end], after[open+end+1:], true, true
	}
	end := bytes.IndexAny(after, ";, \t\r\n")
	if end < 0 {
		return after, nil, false, len(after) > 0
	}
	return after[:end], after[end:], false, end > 0
}

func closingQuote(v []byte) int {
	for i := 1; i < len(v); i++ {
		switch v[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}

// cutList splits at the first comma outside of quotes; more = there was one.
func cutList(v []byte) (item, rest []byte, more bool) {
	quoted := false
	for i, c := range v {
		switch {
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			return v[:i], trim(v[i+1:]), true
		}
	}
	return v, nil, false
}

// param finds a header parameter's value, outside of <> and quotes.
func param(v []byte, name string) []byte {
	if _, rest, _, ok := cutAddress(v); ok {
		v = rest
	}
	for p := range bytes.SplitSeq(v, []byte{';'}) {
		key, value, _ := bytes.Cut(p, []byte{'='})
		if is(trim(key), name, 0) {
			return trim(value)
		}
	}
	return nil
}

func isOneOf(tag []byte, list []string) bool {
	for _, s := range list {
		if bytes.EqualFold(tag, []byte(s)) {
			return true
		}
	}
	return false
}

// oneLine makes a value fit to be repeated in an answer.
func oneLine(b []byte) []byte {
	return bytes.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, b)
}
