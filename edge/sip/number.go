package sip

import (
	"net/url"
	"strings"
)

// userOf returns the user part of a sip: URI or the number of a tel: one,
// without parameters.
func userOf(uri []byte) string {
	s := string(uri)
	scheme, rest, ok := strings.Cut(s, ":")
	if !ok {
		return ""
	}
	if strings.EqualFold(scheme, "tel") {
		user, _, _ := strings.Cut(rest, ";")
		return user
	}
	user, _, ok := strings.Cut(rest, "@")
	if !ok {
		return ""
	}
	user, _, _ = strings.Cut(user, ";")
	user, _, _ = strings.Cut(user, ":")
	if u, err := url.PathUnescape(user); err == nil {
		user = u
	}
	return user
}

// number writes a user part as +E.164 where it says which country it is of
// (+49..., 0049...), else as its digits; a name stays a name. Withheld numbers
// and what can not be shown become empty. At most 64 bytes.
func number(user string) string {
	switch strings.ToLower(user) {
	case "", "anonymous", "restricted", "unavailable", "unknown", "withheld", "private":
		return ""
	}
	digits, dialled := strings.Builder{}, true
	for i, r := range user {
		switch {
		case r >= '0' && r <= '9', r == '+' && i == 0, r == '*', r == '#':
			digits.WriteRune(r)
		case r == '-', r == '.', r == '(', r == ')', r == ' ':
		default:
			dialled = false
		}
	}
	if !dialled {
		return printable(user, 64)
	}
	d := digits.String()
	if international, ok := strings.CutPrefix(d, "00"); ok && len(international) >= 6 && len(international) <= 15 {
		return "+" + international
	}
	return printable(d, 64)
}

// printable drops control characters and invalid UTF-8 and cuts at a rune.
func printable(s string, limit int) string {
	var b strings.Builder
	for _, r := range s {
		if r < ' ' || r == 0x7f || r == '\uFFFD' {
			continue
		}
		if b.Len()+len(string(r)) > limit {
			break
		}
		b.WriteRune(r)
	}
	return strings.TrimSpace(b.String())
}
