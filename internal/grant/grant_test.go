package grant

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	accessv1 "trunkline/proto/gen/trunkline/access/v1"
)

func keys(t *testing.T) (Signer, func() map[string]ed25519.PublicKey) {
	t.Helper()
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return NewSigner("k1", priv), func() map[string]ed25519.PublicKey { return map[string]ed25519.PublicKey{"k1": pub} }
}

func TestATokenSaysWhatWasSigned(t *testing.T) {
	s, k := keys(t)
	in := Claims{
		Account: "a", Membership: "m", Session: "s", Tenant: 7, Slug: "acme", Name: "Ada", Roles: []string{Owner},
		ActingReason: "help", ActingAdmin: "x@y.example",
	}
	token, err := s.Sign(in)
	if err != nil {
		t.Fatal(err)
	}
	out, err := NewVerifier(k).Verify(token)
	if err != nil {
		t.Fatal(err)
	}
	if life := time.Until(out.Expires); life > MaxLife || life < MaxLife-5*time.Second {
		t.Errorf("lives %v", life)
	}
	if time.Since(out.Issued) > time.Minute || out.Issued.IsZero() {
		t.Errorf("issued %v", out.Issued)
	}
	in.Expires, in.Issued = out.Expires, out.Issued
	if out.Account != in.Account || out.Membership != in.Membership || out.Session != in.Session || out.Tenant != in.Tenant || out.Slug != in.Slug ||
		out.Name != in.Name || !slices.Equal(out.Roles, in.Roles) || out.Platform || out.ActingReason != in.ActingReason || out.ActingAdmin != in.ActingAdmin {
		t.Errorf("%+v", out)
	}
}

func TestTokensThatAreRefused(t *testing.T) {
	s, k := keys(t)
	other, _ := keys(t)
	good, _ := s.Sign(Claims{Account: "a"})
	forged, _ := other.Sign(Claims{Account: "a"})
	later := newVerifier(k, func() time.Time { return time.Now().Add(MaxLife + time.Minute) })
	if _, err := later.Verify(good); !errors.Is(err, ErrExpired) {
		t.Errorf("expired: %v", err)
	}
	long, _ := sign(s, jwt.SigningMethodEdDSA, wire{RegisteredClaims: jwt.RegisteredClaims{
		Issuer: issuer, Subject: "a", IssuedAt: jwt.NewNumericDate(time.Now()), ExpiresAt: jwt.NewNumericDate(time.Now().Add(time.Hour)),
	}})
	nobody, _ := s.Sign(Claims{})
	none := jwt.NewWithClaims(jwt.SigningMethodNone, jwt.MapClaims{"sub": "a", "iss": issuer, "exp": time.Now().Add(time.Minute).Unix()})
	none.Header["kid"] = "k1"
	unsigned, _ := none.SignedString(jwt.UnsafeAllowNoneSignatureType)
	parts := strings.Split(good, ".")
	for name, token := range map[string]string{
		"empty": "", "rubbish": "x.y.z", "another's key": forged, "too long a life": long, "no subject": nobody, "unsigned": unsigned,
		"changed": parts[0] + "." + parts[1] + "A." + parts[2],
	} {
		if _, err := NewVerifier(k).Verify(token); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	gone := func() map[string]ed25519.PublicKey { return nil }
	if _, err := NewVerifier(gone).Verify(good); !errors.Is(err, ErrInvalid) {
		t.Errorf("retired key: %v", err)
	}
}

func sign(s Signer, m jwt.SigningMethod, w wire) (string, error) {
	t := jwt.NewWithClaims(m, w)
	t.Header["kid"] = s.kid
	return t.SignedString(s.key)
}

func TestEachRoleMayMoreThanTheNext(t *testing.T) {
	for i := range len(Roles) - 1 {
		more, less := Permissions(Roles[i:i+1], false), Permissions(Roles[i+1:i+2], false)
		for _, p := range less {
			if !slices.Contains(more, p) {
				t.Errorf("%s may not %s, %s may", Roles[i], p, Roles[i+1])
			}
		}
		if len(more) <= len(less) {
			t.Errorf("%s may no more than %s", Roles[i], Roles[i+1])
		}
	}
}

func TestAllowed(t *testing.T) {
	member := func(role string) Claims {
		return Claims{Account: "a", Membership: "m", Tenant: 1, Roles: []string{role}}
	}
	staff := Claims{Account: "a", Platform: true}
	acting := Claims{Account: "a", Tenant: 1, Roles: []string{Owner}, ActingAdmin: "x"}
	for _, c := range []struct {
		name string
		who  Claims
		what accessv1.Permission
		want bool
	}{
		{"nobody signs in", Claims{}, accessv1.Permission_PERMISSION_PUBLIC, true},
		{"nobody has an account", Claims{}, accessv1.Permission_PERMISSION_ACCOUNT, false},
		{"an agent handles calls", member(Agent), accessv1.Permission_PERMISSION_CALLS_HANDLE, true},
		{"an agent reads no reports", member(Agent), accessv1.Permission_PERMISSION_REPORTS_READ, false},
		{"a supervisor commands the floor", member(Supervisor), accessv1.Permission_PERMISSION_FLOOR_COMMAND, true},
		{"a supervisor manages no sites", member(Supervisor), accessv1.Permission_PERMISSION_SITES_MANAGE, false},
		{"an admin manages members", member(Admin), accessv1.Permission_PERMISSION_MEMBERS_MANAGE, true},
		{"an admin does not own", member(Admin), accessv1.Permission_PERMISSION_TENANT_MANAGE, false},
		{"an owner owns", member(Owner), accessv1.Permission_PERMISSION_TENANT_MANAGE, true},
		{"an owner is no staff", member(Owner), accessv1.Permission_PERMISSION_PLATFORM, false},
		{"an owner is no node", member(Owner), accessv1.Permission_PERMISSION_NODE, false},
		{"an unknown role is none", member("king"), accessv1.Permission_PERMISSION_MEMBER, false},
		{"staff are staff", staff, accessv1.Permission_PERMISSION_PLATFORM, true},
		{"staff are no members", staff, accessv1.Permission_PERMISSION_MEMBER, false},
		{"who acts manages", acting, accessv1.Permission_PERMISSION_TENANT_MANAGE, true},
		{"who acts takes no calls", acting, accessv1.Permission_PERMISSION_CALLS_HANDLE, false},
		{"a role without tenant is nothing", Claims{Account: "a", Roles: []string{Owner}}, accessv1.Permission_PERMISSION_MEMBER, false},
		{"no permission is granted to nobody", member(Owner), accessv1.Permission_PERMISSION_UNSPECIFIED, false},
	} {
		if got := Allowed(c.who, c.what); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
