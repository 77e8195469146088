package server

import (
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"google.golang.org/protobuf/proto"

	accessv1 "trunkline/proto/gen/trunkline/access/v1"
	"trunkline/proto/gen/trunkline/access/v1/accessv1connect"
)

const (
	byLimits = "rate limits, and the same answer for every address"
	bySecret = "a secret of 256 bits sent by mail, used once"
	byCookie = "the refresh cookie"
)

var _ = fixtures(map[string]fixture{
	accessv1connect.AccessServiceSignUpProcedure: {scope: public, why: byLimits, request: func(_ *testing.T, w *world) (*person, proto.Message) {
		return nil, &accessv1.SignUpRequest{Email: w.next("new") + "@x.example", Password: password, Company: "New", Language: "en"}
	}},
	accessv1connect.AccessServiceConfirmEmailProcedure: {scope: public, why: bySecret, request: func(t *testing.T, w *world) (*person, proto.Message) {
		email := w.next("confirm") + "@x.example"
		_, err := w.person().access().SignUp(t.Context(), &accessv1.SignUpRequest{Email: email, Password: password, Company: "New", Language: "en"})
		if err != nil {
			t.Fatal(err)
		}
		return nil, &accessv1.ConfirmEmailRequest{Token: w.mailTo(email).token(t)}
	}},
	accessv1connect.AccessServiceResendConfirmationProcedure: {scope: public, why: byLimits, request: func(_ *testing.T, w *world) (*person, proto.Message) {
		return nil, &accessv1.ResendConfirmationRequest{Email: w.next("resend") + "@x.example"}
	}},
	accessv1connect.AccessServiceSignInProcedure: {scope: public, why: byLimits + ", and the password", request: func(_ *testing.T, w *world) (*person, proto.Message) {
		return nil, &accessv1.SignInRequest{Email: w.owner.me.Email, Password: password}
	}},
	accessv1connect.AccessServiceSecondFactorProcedure: {scope: public, why: "a secret given after the password was right", request: func(t *testing.T, w *world) (*person, proto.Message) {
		p, secret, codes := w.withTotp(t)
		s, err := w.person().access().SignIn(t.Context(), &accessv1.SignInRequest{Email: p.me.Email, Password: password})
		if err != nil || s.SecondFactorChallenge == "" || s.AccessToken != "" {
			t.Fatalf("%v, %v", s, err)
		}
		_ = secret
		return nil, &accessv1.SecondFactorRequest{Challenge: s.SecondFactorChallenge, Code: codes[0]}
	}},
	accessv1connect.AccessServiceBeginPasskeySignInProcedure: {scope: public, why: "only hands out a challenge", request: func(*testing.T, *world) (*person, proto.Message) {
		return nil, &accessv1.BeginPasskeySignInRequest{}
	}},
	accessv1connect.AccessServiceFinishPasskeySignInProcedure: {scope: public, why: "the passkey's signature", request: func(t *testing.T, w *world) (*person, proto.Message) {
		p := w.signUp(w.next("key")+"@x.example", "Keys")
		key := newPasskey(t)
		key.enrol(t, p)
		return nil, key.signInRequest(t, w.person())
	}},
	accessv1connect.AccessServiceRefreshProcedure: {scope: public, why: byCookie, request: func(_ *testing.T, w *world) (*person, proto.Message) {
		return w.owner, &accessv1.RefreshRequest{}
	}},
	accessv1connect.AccessServiceSignOutProcedure: {scope: public, why: byCookie, request: func(_ *testing.T, w *world) (*person, proto.Message) {
		return w.signUp(w.next("leaving")+"@x.example", "Leaving"), &accessv1.SignOutRequest{}
	}},
	accessv1connect.AccessServiceRequestPasswordResetProcedure: {scope: public, why: byLimits, request: func(*testing.T, *world) (*person, proto.Message) {
		return nil, &accessv1.RequestPasswordResetRequest{Email: "nobody@x.example"}
	}},
	accessv1connect.AccessServiceResetPasswordProcedure: {scope: public, why: bySecret, request: func(t *testing.T, w *world) (*person, proto.Message) {
		p := w.signUp(w.next("forgot")+"@x.example", "Forgot")
		if _, err := p.access().RequestPasswordReset(t.Context(), &accessv1.RequestPasswordResetRequest{Email: p.me.Email}); err != nil {
			t.Fatal(err)
		}
		return nil, &accessv1.ResetPasswordRequest{Token: w.mailTo(p.me.Email).token(t), Password: password + "!"}
	}},
	accessv1connect.AccessServiceGetInvitationProcedure: {scope: public, why: bySecret, request: func(t *testing.T, w *world) (*person, proto.Message) {
		return nil, &accessv1.GetInvitationRequest{Token: w.invitation(t).token(t)}
	}},
	accessv1connect.AccessServiceAcceptInvitationProcedure: {scope: public, why: bySecret, request: func(t *testing.T, w *world) (*person, proto.Message) {
		return nil, &accessv1.AcceptInvitationRequest{Token: w.invitation(t).token(t), Password: password}
	}},
	accessv1connect.AccessServiceConfirmEmailChangeProcedure: {scope: public, why: bySecret, request: func(t *testing.T, w *world) (*person, proto.Message) {
		p := w.signUp(w.next("moving")+"@x.example", "Moving")
		email := w.next("moved") + "@x.example"
		if _, err := p.access().ChangeEmail(t.Context(), &accessv1.ChangeEmailRequest{Email: email, Password: password}); err != nil {
			t.Fatal(err)
		}
		return nil, &accessv1.ConfirmEmailRequest{Token: w.mailTo(email).token(t)}
	}},

	accessv1connect.AccessServiceMeProcedure: {scope: account, request: func(_ *testing.T, w *world) (*person, proto.Message) {
		return w.owner, &accessv1.MeRequest{}
	}},
	accessv1connect.AccessServiceChangePasswordProcedure: {scope: account, request: func(_ *testing.T, w *world) (*person, proto.Message) {
		return w.signUp(w.next("pass")+"@x.example", "Pass"), &accessv1.ChangePasswordRequest{Current: password, Password: password + "!"}
	}},
	accessv1connect.AccessServiceChangeEmailProcedure: {scope: account, request: func(_ *testing.T, w *world) (*person, proto.Message) {
		return w.owner, &accessv1.ChangeEmailRequest{Email: w.next("change") + "@x.example", Password: password}
	}},
	accessv1connect.AccessServiceUpdateProfileProcedure: {scope: account, request: func(_ *testing.T, w *world) (*person, proto.Message) {
		return w.owner, &accessv1.UpdateProfileRequest{DisplayName: "Somebody"}
	}},
	accessv1connect.AccessServiceBeginTotpProcedure: {scope: account, request: func(_ *testing.T, w *world) (*person, proto.Message) {
		return w.owner, &accessv1.BeginTotpRequest{}
	}},
	accessv1connect.AccessServiceConfirmTotpProcedure: {scope: account, request: func(t *testing.T, w *world) (*person, proto.Message) {
		p := w.signUp(w.next("totp")+"@x.example", "Totp")
		return p, &accessv1.ConfirmTotpRequest{Code: beginTotp(t, p)}
	}},
	accessv1connect.AccessServiceRemoveTotpProcedure: {scope: account, request: func(t *testing.T, w *world) (*person, proto.Message) {
		p, _, _ := w.withTotp(t)
		return p, &accessv1.RemoveTotpRequest{Password: password}
	}},
	accessv1connect.AccessServiceBeginPasskeyEnrolmentProcedure: {scope: account, request: func(_ *testing.T, w *world) (*person, proto.Message) {
		return w.owner, &accessv1.BeginPasskeyEnrolmentRequest{}
	}},
	accessv1connect.AccessServiceFinishPasskeyEnrolmentProcedure: {scope: account, request: func(t *testing.T, w *world) (*person, proto.Message) {
		p := w.signUp(w.next("key")+"@x.example", "Keys")
		return p, newPasskey(t).enrolRequest(t, p)
	}},
	accessv1connect.AccessServiceListPasskeysProcedure: {scope: account, request: func(t *testing.T, w *world) (*person, proto.Message) {
		p := w.signUp(w.next("key")+"@x.example", "Keys")
		newPasskey(t).enrol(t, p)
		return p, &accessv1.ListPasskeysRequest{}
	}},
	accessv1connect.AccessServiceRemovePasskeyProcedure: {scope: account, request: func(t *testing.T, w *world) (*person, proto.Message) {
		p := w.signUp(w.next("key")+"@x.example", "Keys")
		newPasskey(t).enrol(t, p)
		list, err := p.access().ListPasskeys(t.Context(), &accessv1.ListPasskeysRequest{})
		if err != nil || len(list.Passkeys) != 1 {
			t.Fatalf("%v, %v", list, err)
		}
		return p, &accessv1.RemovePasskeyRequest{Id: list.Passkeys[0].Id}
	}},

	accessv1connect.AccessServiceListMembersProcedure: {scope: own, request: func(_ *testing.T, w *world) (*person, proto.Message) {
		return w.owner, &accessv1.ListMembersRequest{}
	}},
	accessv1connect.AccessServiceInviteMemberProcedure: {scope: own, request: func(_ *testing.T, w *world) (*person, proto.Message) {
		return w.owner, &accessv1.InviteMemberRequest{Email: w.next("invited") + "@x.example", Roles: []string{"agent"}}
	}},
	accessv1connect.AccessServiceListInvitationsProcedure: {scope: own, request: func(t *testing.T, w *world) (*person, proto.Message) {
		w.invitation(t)
		return w.owner, &accessv1.ListInvitationsRequest{}
	}},
	accessv1connect.AccessServiceRevokeInvitationProcedure: {scope: names, request: func(t *testing.T, w *world) (*person, proto.Message) {
		inv, err := w.owner.access().InviteMember(t.Context(), &accessv1.InviteMemberRequest{
			Email: w.next("invited") + "@x.example", Roles: []string{"agent"},
		})
		if err != nil {
			t.Fatal(err)
		}
		return w.owner, &accessv1.RevokeInvitationRequest{Id: inv.Id}
	}},
	accessv1connect.AccessServiceUpdateMemberProcedure: {scope: names, request: func(_ *testing.T, w *world) (*person, proto.Message) {
		m := w.owner.invite(w.next("member")+"@x.example", "agent")
		return w.owner, &accessv1.UpdateMemberRequest{Id: m.me.Membership.Id, Roles: []string{"supervisor"}}
	}},
	accessv1connect.AccessServiceResetMemberFactorsProcedure: {scope: names, request: func(_ *testing.T, w *world) (*person, proto.Message) {
		m := w.owner.invite(w.next("member")+"@x.example", "agent")
		return w.owner, &accessv1.ResetMemberFactorsRequest{Id: m.me.Membership.Id}
	}},
})

// invitation mails an invitation of the owner's tenant and gives the mail.
func (w *world) invitation(t *testing.T) letter {
	t.Helper()
	email := w.next("invited") + "@x.example"
	_, err := w.owner.access().InviteMember(t.Context(), &accessv1.InviteMemberRequest{Email: email, Roles: []string{"agent"}})
	if err != nil {
		t.Fatal(err)
	}
	return w.mailTo(email)
}

// beginTotp begins TOTP and gives a code that is right now.
func beginTotp(t *testing.T, p *person) (code string) {
	t.Helper()
	b, err := p.access().BeginTotp(t.Context(), &accessv1.BeginTotpRequest{})
	if err != nil {
		t.Fatal(err)
	}
	code, err = totp.GenerateCode(b.Secret, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// withTotp gives somebody who has TOTP, its secret and the recovery codes.
func (h *harness) withTotp(t *testing.T) (p *person, secret string, codes []string) {
	t.Helper()
	p = h.signUp("totp"+time.Now().Format("150405.000000000")+"@x.example", "Totp")
	b, err := p.access().BeginTotp(t.Context(), &accessv1.BeginTotpRequest{})
	if err != nil {
		t.Fatal(err)
	}
	code, err := totp.GenerateCode(b.Secret, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	c, err := p.access().ConfirmTotp(t.Context(), &accessv1.ConfirmTotpRequest{Code: code})
	if err != nil || len(c.RecoveryCodes) != 10 {
		t.Fatalf("%v, %v", c, err)
	}
	return p, b.Secret, c.RecoveryCodes
}
