package sip

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"
)

// authorizer answers the challenges a request of ours meets on its way: one
// realm for each proxy and one for the server (RFC 3261 22, RFC 8760).
type authorizer struct {
	username, password string
	realms             []realm
	rounds             int
}

type realm struct {
	header    string // that answers: Authorization or Proxy-Authorization
	challenge *digest.Challenge
	count     int
}

// Limits of what may challenge one request.
const (
	maxRealms    = 4
	maxRounds    = 6
	maxChallenge = 2048
)

// learn reads the challenges of a response; true = the request is worth sending
// once more. It is not when there is no password, or when the one we have was
// refused: a new challenge for a realm we have answered already says so, unless
// it calls the nonce stale.
func (a *authorizer) learn(res *sip.Response) bool {
	if res.StatusCode != sip.StatusUnauthorized && res.StatusCode != sip.StatusProxyAuthRequired {
		return false
	}
	if a.rounds++; a.username == "" || a.rounds > maxRounds {
		return false
	}
	var fresh []realm
	for _, kind := range [...][2]string{{"www-authenticate", "Authorization"}, {"proxy-authenticate", "Proxy-Authorization"}} {
		for _, h := range res.GetHeaders(kind[0]) {
			c := parseChallenge(h.Value())
			if c == nil || find(fresh, kind[1], c.Realm) >= 0 {
				continue // the topmost that we understand counts (RFC 8760 2.4)
			}
			if find(a.realms, kind[1], c.Realm) >= 0 && !c.Stale {
				return false
			}
			fresh = append(fresh, realm{header: kind[1], challenge: c})
		}
	}
	for _, r := range fresh {
		if i := find(a.realms, r.header, r.challenge.Realm); i >= 0 {
			a.realms[i] = r
		} else if len(a.realms) < maxRealms {
			a.realms = append(a.realms, r)
		}
	}
	return len(fresh) > 0
}

func find(list []realm, header, name string) int {
	for i, r := range list {
		if r.header == header && r.challenge.Realm == name {
			return i
		}
	}
	return -1
}

// parseChallenge reads one challenge; nil = not one we can answer.
func parseChallenge(v string) *digest.Challenge {
	if len(v) > maxChallenge {
		return nil
	}
	c, err := digest.ParseChallenge(v)
	if err != nil || c.Nonce == "" {
		return nil
	}
	for i, q := range c.QOP {
		c.QOP[i] = strings.TrimSpace(q)
	}
	for _, s := range [...]string{c.Realm, c.Nonce, c.Opaque} {
		if strings.ContainsAny(s, "\r\n\"") {
			return nil
		}
	}
	if !digest.CanDigest(c) {
		return nil
	}
	return c
}

// authorize adds the credentials for every realm met so far.
func (a *authorizer) authorize(req *sip.Request) error {
	for i := range a.realms {
		r := &a.realms[i]
		r.count++
		body := req.Body()
		cred, err := digest.Digest(r.challenge, digest.Options{
			Method: string(req.Method), URI: req.Recipient.String(), Count: r.count,
			Username: a.username, Password: a.password,
			GetBody: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil },
		})
		if err != nil {
			return fmt.Errorf("credentials for %q: %w", printable(r.challenge.Realm, 80), err)
		}
		req.AppendHeader(sip.NewHeader(r.header, cred.String()))
	}
	return nil
}
