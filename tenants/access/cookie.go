package access

import (
	"context"
	"crypto/hmac"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect"

	accessv1connect "trunkline/proto/gen/trunkline/access/v1/accessv1connect"
)

// The refresh cookie goes to AccessService only: scripts cannot read it, other
// sites cannot have it sent.
const (
	cookieName = "trunkline_refresh"
	cookiePath = "/" + accessv1connect.AccessServiceName + "/"
)

// ticket is what the cookie says: session, which cookie of it, and the MAC that
// proves it is ours.
type ticket struct {
	session    string
	generation int64
}

func (s *Service) mac(t ticket) string {
	data := t.session + "." + strconv.FormatInt(t.generation, 10)
	return base64.RawURLEncoding.EncodeToString(s.box.MAC([]byte(data), "refresh cookie"))
}

// readCookie gives the ticket of the request; ok is false without a good one.
func (s *Service) readCookie(ctx context.Context) (t ticket, ok bool) {
	info, here := connect.CallInfoForHandlerContext(ctx)
	if !here {
		return t, false
	}
	r := http.Request{Header: info.RequestHeader()}
	for _, c := range r.CookiesNamed(cookieName) {
		parts := strings.Split(c.Value, ".")
		if len(parts) != 3 {
			continue
		}
		n, err := strconv.ParseInt(parts[1], 10, 64)
		t := ticket{parts[0], n}
		if err == nil && hmac.Equal([]byte(parts[2]), []byte(s.mac(t))) {
			return t, true
		}
	}
	return t, false
}

func (s *Service) setCookie(ctx context.Context, t ticket, expires time.Time) {
	s.writeCookie(ctx, t.session+"."+strconv.FormatInt(t.generation, 10)+"."+s.mac(t), expires)
}

func (s *Service) clearCookie(ctx context.Context) { s.writeCookie(ctx, "", time.Unix(1, 0)) }

func (s *Service) writeCookie(ctx context.Context, value string, expires time.Time) {
	info, here := connect.CallInfoForHandlerContext(ctx)
	if !here {
		return
	}
	c := http.Cookie{
		Name: cookieName, Value: value, Path: cookiePath, Expires: expires,
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: s.publicURL.Scheme == "https",
	}
	info.ResponseHeader().Add("Set-Cookie", c.String())
}

func userAgent(ctx context.Context) string {
	info, here := connect.CallInfoForHandlerContext(ctx)
	if !here {
		return ""
	}
	ua := strings.ToValidUTF8(info.RequestHeader().Get("User-Agent"), "")
	return ua[:min(len(ua), 200)]
}
