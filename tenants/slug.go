package tenants

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// maxSlug keeps "<slug>.<domain>" and "<node>.<site>.<slug>.<domain>" within
// what DNS allows for one label (63 bytes, RFC 1035 section 2.3.4) with room.
const maxSlug = 32

// reserved are names the platform itself may want below its domain.
var reserved = []string{"www", "api", "app", "admin", "console", "mail", "status", "docs", "help", "support", "static", "cdn", "platform", "trunkline"}

// Slug makes a DNS label of a company's name: accents are dropped, what is no
// Latin letter or digit becomes a hyphen. A name without any gives "tenant".
func Slug(name string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(strings.ToLower(name)) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case unicode.Is(unicode.Mn, r): // the accent of the letter before
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() >= maxSlug {
			break
		}
	}
	s := strings.Trim(b.String(), "-")
	if s == "" {
		return "tenant"
	}
	if slices.Contains(reserved, s) {
		return s + "-1"
	}
	return s
}

func numbered(base string, n int) string {
	if n == 1 {
		return base
	}
	return fmt.Sprintf("%s-%d", base, n)
}
