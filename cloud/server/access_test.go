package server

import (
	"strings"
	"testing"

	"trunkline/internal/fault"
	accessv1 "trunkline/proto/gen/trunkline/access/v1"
)

func TestSignUpConfirmSignIn(t *testing.T) {
	h, ctx := newHarness(t), t.Context()
	p := h.person()
	_, err := p.access().SignUp(ctx, &accessv1.SignUpRequest{
		Email: "Ada@Example.com", Password: password, Company: "Acme Café GmbH", Language: "en", TimeZone: "Europe/Berlin",
	})
	if err != nil {
		t.Fatal(err)
	}
	m := h.mailTo("ada@example.com")
	if m.code() == "" || !strings.Contains(m.Body, "http://trunkline.test/confirm?token=") {
		t.Fatalf("mail:\n%s", m.Body)
	}

	_, err = p.access().SignIn(ctx, &accessv1.SignInRequest{Email: "ada@example.com", Password: password})
	wantFault(t, err, fault.Conflict, "fault.sign_in.unconfirmed")
	_, err = p.access().SignIn(ctx, &accessv1.SignInRequest{Email: "ada@example.com", Password: "something else"})
	wantFault(t, err, fault.Unauthenticated, "fault.sign_in.wrong")

	s := p.take(p.access().ConfirmEmail(ctx, &accessv1.ConfirmEmailRequest{Email: "ada@example.com", Code: m.code()}))
	if got := s.Me.Membership; got.Slug != "acme-cafe-gmbh" || got.TenantName != "Acme Café GmbH" || len(got.Roles) != 1 || got.Roles[0] != "owner" {
		t.Fatalf("membership %v", got)
	}
	_, err = p.access().ConfirmEmail(ctx, &accessv1.ConfirmEmailRequest{Token: m.token(t)})
	wantFault(t, err, fault.Conflict, "fault.confirm.used")

	me, err := p.access().Me(ctx, &accessv1.MeRequest{})
	if err != nil || me.Email != "ada@example.com" {
		t.Fatalf("%v, %v", me, err)
	}
	other := h.person()
	other.take(other.access().SignIn(ctx, &accessv1.SignInRequest{Email: "ADA@example.com", Password: password}))
	if other.me.Membership.GetTenantId() != me.Membership.TenantId {
		t.Fatalf("signed in to %v", other.me.Membership)
	}
}
