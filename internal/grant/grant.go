// Package grant holds what a cloud access token says and who may do what with
// it. Tokens are JWTs signed with EdDSA, valid for at most ten minutes, each
// for one membership of one account. Edges verify them without the cloud, by
// the public keys in their configuration.
package grant

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// MaxLife is the longest an access token may live. A token that claims more is
// refused even when its signature is good.
const MaxLife = 10 * time.Minute

// leeway is how far the clocks of cloud and edge may be apart.
const leeway = 5 * time.Second

const issuer = "trunkline"

// Claims is what a token says of its bearer.
type Claims struct {
	Account    string // account id
	Membership string // membership id; "" for platform staff and while acting
	Session    string // session id, revocable
	Tenant     int64  // 0 for an account without a tenant
	Slug       string // the tenant's
	Name       string // the person's display name
	Roles      []string
	Platform   bool // platform staff; false while acting as a tenant

	// Set while a platform admin acts as the tenant.
	ActingReason string
	ActingAdmin  string // the admin's e-mail address

	Issued  time.Time // set by Sign, to the microsecond
	Expires time.Time
}

// Errors of Verify.
var (
	ErrExpired = errors.New("access token expired")
	ErrInvalid = errors.New("access token invalid")
)

type wire struct {
	jwt.RegisteredClaims
	Membership   string   `json:"mem,omitempty"`
	Session      string   `json:"sid,omitempty"`
	Tenant       int64    `json:"ten,omitempty"`
	Slug         string   `json:"slug,omitempty"`
	Name         string   `json:"name,omitempty"`
	Roles        []string `json:"roles,omitempty"`
	Platform     bool     `json:"plat,omitempty"`
	ActingReason string   `json:"act_reason,omitempty"`
	ActingAdmin  string   `json:"act_admin,omitempty"`
	IssuedUS     int64    `json:"iat_us"` // iat has whole seconds only
}

// Signer signs tokens with one key.
type Signer struct {
	kid string
	key ed25519.PrivateKey
}

// NewSigner makes a signer; kid tells verifiers which key it is.
func NewSigner(kid string, key ed25519.PrivateKey) Signer { return Signer{kid, key} }

// Sign makes a token that ends at c.Expires, or after MaxLife if that is
// sooner or Expires is zero.
func (s Signer) Sign(c Claims) (string, error) {
	now := time.Now()
	if latest := now.Add(MaxLife); c.Expires.IsZero() || c.Expires.After(latest) {
		c.Expires = latest
	}
	t := jwt.NewWithClaims(jwt.SigningMethodEdDSA, wire{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: issuer, Subject: c.Account,
			IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(c.Expires),
		},
		Membership: c.Membership, Session: c.Session, Tenant: c.Tenant, Slug: c.Slug, Name: c.Name, Roles: c.Roles,
		Platform: c.Platform, ActingReason: c.ActingReason, ActingAdmin: c.ActingAdmin,
		IssuedUS: now.UnixMicro(),
	})
	t.Header["kid"] = s.kid
	return t.SignedString(s.key)
}

// Verifier checks tokens against the keys known at the moment.
type Verifier struct {
	keys   func() map[string]ed25519.PublicKey
	parser *jwt.Parser
}

// NewVerifier takes a function because keys rotate; it is called for each token
// and must be quick.
func NewVerifier(keys func() map[string]ed25519.PublicKey) *Verifier {
	return newVerifier(keys, time.Now)
}

func newVerifier(keys func() map[string]ed25519.PublicKey, now func() time.Time) *Verifier {
	return &Verifier{keys, jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg()}), jwt.WithIssuer(issuer),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(leeway), jwt.WithTimeFunc(now),
	)}
}

// Verify gives the claims of a good token, else ErrExpired or ErrInvalid.
func (v *Verifier) Verify(token string) (Claims, error) {
	var w wire
	_, err := v.parser.ParseWithClaims(token, &w, func(t *jwt.Token) (any, error) {
		kid, _ := t.Header["kid"].(string)
		key, ok := v.keys()[kid]
		if !ok {
			return nil, fmt.Errorf("no key %q", kid)
		}
		return key, nil
	})
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return Claims{}, ErrExpired
	case err != nil:
		return Claims{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	case w.IssuedAt == nil || w.ExpiresAt.Sub(w.IssuedAt.Time) > MaxLife:
		return Claims{}, fmt.Errorf("%w: lives too long", ErrInvalid)
	case w.Subject == "":
		return Claims{}, fmt.Errorf("%w: no subject", ErrInvalid)
	}
	return Claims{
		Account: w.Subject, Membership: w.Membership, Session: w.Session, Tenant: w.Tenant, Slug: w.Slug, Name: w.Name,
		Roles: w.Roles, Platform: w.Platform, ActingReason: w.ActingReason, ActingAdmin: w.ActingAdmin,
		Issued: time.UnixMicro(w.IssuedUS), Expires: w.ExpiresAt.Time,
	}, nil
}
