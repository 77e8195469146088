package sip

import (
	"strconv"
	"strings"
)

// Reason is why one side ended a call (RFC 3326); the zero value says nothing.
type Reason struct {
	Protocol string // "Q.850" or "SIP"
	Cause    int    // of that protocol; 0 = not given
	Text     string
}

// String is the header's value.
func (r Reason) String() string {
	s := r.Protocol
	if r.Cause > 0 {
		s += ";cause=" + strconv.Itoa(r.Cause)
	}
	if r.Text != "" {
		s += `;text="` + quotable(r.Text) + `"`
	}
	return s
}

// reasonOf reads the first reason of a header; what is not understood is left
// out.
func reasonOf(v string) Reason {
	if len(v) > 512 {
		return Reason{}
	}
	var r Reason
	v = firstValue(v)
	r.Protocol, v, _ = strings.Cut(v, ";")
	if r.Protocol = strings.TrimSpace(r.Protocol); !isToken([]byte(r.Protocol)) {
		return Reason{}
	}
	for v != "" {
		var name, value string
		name, v, _ = strings.Cut(v, "=")
		v = strings.TrimSpace(v)
		if strings.HasPrefix(v, `"`) {
			value, v, _ = strings.Cut(v[1:], `"`)
			_, v, _ = strings.Cut(v, ";")
		} else {
			value, v, _ = strings.Cut(v, ";")
		}
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "cause":
			if n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 10); err == nil {
				r.Cause = int(n)
			}
		case "text":
			r.Text = printable(value, 128)
		}
	}
	return r
}

// firstValue is the first of several values in one header.
func firstValue(v string) string {
	quoted := false
	for i := range len(v) {
		switch {
		case v[i] == '"':
			quoted = !quoted
		case v[i] == ',' && !quoted:
			return v[:i]
		}
	}
	return v
}
