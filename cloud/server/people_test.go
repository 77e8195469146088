package server

import (
	"strings"
	"testing"

	"trunkline/internal/fault"
	accessv1 "trunkline/proto/gen/trunkline/access/v1"
)

func TestNobodyLearnsWhoIsKnown(t *testing.T) {
	h, ctx := newHarness(t), t.Context()
	h.signUp("ada@x.example", "Acme")
	for _, email := range []string{"ada@x.example", "new@x.example"} {
		res, err := h.person().access().SignUp(ctx, &accessv1.SignUpRequest{Email: email, Password: password, Company: "Other", Language: "zh-Hans"})
		if err != nil || res.Email != email {
			t.Fatal(res, err)
		}
	}
	if m := h.mailTo("ada@x.example"); !strings.Contains(m.Subject, "already") || strings.Contains(m.Body, "token=") {
		t.Errorf("%s\n%s", m.Subject, m.Body)
	}
	if m := h.mailTo("new@x.example"); !strings.Contains(m.Body, "欢迎") || m.code() == "" {
		t.Errorf("%s\n%s", m.Subject, m.Body)
	}
	for _, email := range []string{"ada@x.example", "nobody@x.example"} {
		if _, err := h.person().access().RequestPasswordReset(ctx, &accessv1.RequestPasswordResetRequest{Email: email}); err != nil {
			t.Fatal(err)
		}
		if _, err := h.person().access().ResendConfirmation(ctx, &accessv1.ResendConfirmationRequest{Email: email}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestConfirmationCodes(t *testing.T) {
	h, ctx := newHarness(t), t.Context()
	p := h.person()
	if _, err := p.access().SignUp(ctx, &accessv1.SignUpRequest{Email: "ada@x.example", Password: password, Company: "Acme", Language: "en"}); err != nil {
		t.Fatal(err)
	}
	first := h.mailTo("ada@x.example")
	if _, err := p.access().ResendConfirmation(ctx, &accessv1.ResendConfirmationRequest{Email: "ada@x.example"}); err != nil {
		t.Fatal(err)
	}
	second := h.mailTo("ada@x.example")
	wrong := "000000"
	for wrong == first.code() || wrong == second.code() {
		wrong = "000001"
	}
	confirm := func(code string) error {
		_, err := p.access().ConfirmEmail(ctx, &accessv1.ConfirmEmailRequest{Email: "ada@x.example", Code: code})
		return err
	}
	for range 6 {
		if f := wantFault(t, confirm(wrong), fault.Invalid, "fault.code.wrong"); f.Field != "code" {
			t.Error(f.Field)
		}
	}
	// The right one no longer helps: whoever guesses has to start over. The link does.
	wantFault(t, confirm(second.code()), fault.Invalid, "fault.code.wrong")
	p.take(p.access().ConfirmEmail(ctx, &accessv1.ConfirmEmailRequest{Token: first.token(t)}))
	_, err := p.access().ConfirmEmail(ctx, &accessv1.ConfirmEmailRequest{Token: second.token(t)})
	wantFault(t, err, fault.Conflict, "fault.confirm.used")
	_, err = p.access().ConfirmEmail(ctx, &accessv1.ConfirmEmailRequest{Token: "nonsense"})
	wantFault(t, err, fault.NotFound, "fault.link.unknown")
}

func TestWeakPasswords(t *testing.T) {
	h := newHarness(t)
	for _, weak := range []string{"aaaaaaaaaaaa", "Password123", "ada@x.example"} {
		_, err := h.person().access().SignUp(t.Context(), &accessv1.SignUpRequest{Email: "ada@x.example", Password: weak, Company: "A", Language: "en"})
		wantFault(t, err, fault.Invalid, "fault.password.weak")
	}
}

func TestPasswordResetAndChange(t *testing.T) {
	h, ctx := newHarness(t), t.Context()
	p := h.signUp("ada@x.example", "Acme")
	if _, err := h.person().access().RequestPasswordReset(ctx, &accessv1.RequestPasswordResetRequest{Email: "ada@x.example"}); err != nil {
		t.Fatal(err)
	}
	link := h.mailTo("ada@x.example").token(t)
	n := h.person()
	n.take(n.access().ResetPassword(ctx, &accessv1.ResetPasswordRequest{Token: link, Password: "another good one"}))
	_, err := n.access().ResetPassword(ctx, &accessv1.ResetPasswordRequest{Token: link, Password: "another good one"})
	wantFault(t, err, fault.Conflict, "fault.link.used")
	_, err = p.refresh()
	wantFault(t, err, fault.Unauthenticated, "fault.session.ended")
	p.awaitRefusal("fault.session.revoked")

	_, err = n.access().ChangePassword(ctx, &accessv1.ChangePasswordRequest{Current: password, Password: "a third good one"})
	if f := wantFault(t, err, fault.Invalid, "fault.password.wrong"); f.Field != "current" {
		t.Error(f.Field)
	}
	if _, err := n.access().ChangePassword(ctx, &accessv1.ChangePasswordRequest{Current: "another good one", Password: "a third good one"}); err != nil {
		t.Fatal(err)
	}
	n.take(n.refresh()) // one's own session goes on
	p.take(p.access().SignIn(ctx, &accessv1.SignInRequest{Email: "ada@x.example", Password: "a third good one"}))
}

func TestChangeOfAddress(t *testing.T) {
	h, ctx := newHarness(t), t.Context()
	p := h.signUp("ada@x.example", "Acme")
	h.signUp("taken@x.example", "Other")
	change := func(to string) {
		t.Helper()
		if _, err := p.access().ChangeEmail(ctx, &accessv1.ChangeEmailRequest{Email: to, Password: password}); err != nil {
			t.Fatal(err)
		}
	}
	change("taken@x.example") // the same answer; and no mail to anybody, as the next one shows
	change("lovelace@x.example")
	m := h.mailTo("lovelace@x.example")
	p.take(p.access().SignIn(ctx, &accessv1.SignInRequest{Email: "ada@x.example", Password: password}))
	if _, err := h.person().access().ConfirmEmailChange(ctx, &accessv1.ConfirmEmailRequest{Token: m.token(t)}); err != nil {
		t.Fatal(err)
	}
	if m := h.mailTo("ada@x.example"); !strings.Contains(m.Body, "lovelace@x.example") {
		t.Error(m.Body)
	}
	_, err := p.access().SignIn(ctx, &accessv1.SignInRequest{Email: "ada@x.example", Password: password})
	wantFault(t, err, fault.Unauthenticated, "fault.sign_in.wrong")
	p.take(p.access().SignIn(ctx, &accessv1.SignInRequest{Email: "lovelace@x.example", Password: password}))
}

func TestInvitations(t *testing.T) {
	h, ctx := newHarness(t), t.Context()
	owner := h.signUp("owner@x.example", "Acme")
	invite := func(email string) (id, token string) {
		t.Helper()
		inv, err := owner.access().InviteMember(ctx, &accessv1.InviteMemberRequest{Email: email, Roles: []string{"agent"}})
		if err != nil || inv.Status != "pending" || inv.TenantName != "Acme" {
			t.Fatal(inv, err)
		}
		return inv.Id, h.mailTo(email).token(t)
	}
	accept := func(token string) (*person, error) {
		n := h.person()
		s, err := n.access().AcceptInvitation(ctx, &accessv1.AcceptInvitationRequest{Token: token, Password: password, DisplayName: "Bob"})
		if err == nil {
			n.take(s, nil)
		}
		return n, err
	}
	status := func(token string) string {
		t.Helper()
		inv, err := h.person().access().GetInvitation(ctx, &accessv1.GetInvitationRequest{Token: token})
		if err != nil {
			t.Fatal(err)
		}
		return inv.Status
	}

	_, first := invite("bob@x.example")
	_, token := invite("bob@x.example") // a second mail makes the first useless
	_, err := accept(first)
	wantFault(t, err, fault.Conflict, "fault.invitation.revoked")
	bob, err := accept(token)
	if err != nil || bob.me.DisplayName != "Bob" || bob.me.Membership.TenantName != "Acme" || bob.me.Membership.Roles[0] != "agent" {
		t.Fatal(bob.me, err)
	}
	_, err = accept(token)
	wantFault(t, err, fault.Conflict, "fault.invitation.accepted")
	_, err = owner.access().InviteMember(ctx, &accessv1.InviteMemberRequest{Email: "bob@x.example", Roles: []string{"agent"}})
	wantFault(t, err, fault.Conflict, "fault.member.already")

	id, token := invite("carol@x.example")
	if _, err := owner.access().RevokeInvitation(ctx, &accessv1.RevokeInvitationRequest{Id: id}); err != nil {
		t.Fatal(err)
	}
	_, err = accept(token)
	wantFault(t, err, fault.Conflict, "fault.invitation.revoked")
	if s := status(token); s != "revoked" {
		t.Error(s)
	}

	_, token = invite("dave@x.example")
	h.exe("UPDATE invitations SET expires_at = now() - interval '1 second' WHERE email = 'dave@x.example'")
	_, err = accept(token)
	wantFault(t, err, fault.Conflict, "fault.invitation.expired")
	if s := status(token); s != "expired" {
		t.Error(s)
	}
	_, err = accept("nonsense")
	wantFault(t, err, fault.NotFound, "fault.invitation.unknown")

	list, err := owner.access().ListInvitations(ctx, &accessv1.ListInvitationsRequest{PageSize: 2})
	if err != nil || len(list.Invitations) != 2 || list.NextPageToken == "" || list.Invitations[0].Email != "dave@x.example" {
		t.Fatal(list, err)
	}
	list, err = owner.access().ListInvitations(ctx, &accessv1.ListInvitationsRequest{PageToken: list.NextPageToken})
	if err != nil || len(list.Invitations) != 2 || list.NextPageToken != "" {
		t.Fatal(list, err)
	}
}

// One person, two companies: the invitation asks for the password they have.
func TestOneAccountInTwoTenants(t *testing.T) {
	h, ctx := newHarness(t), t.Context()
	owner := h.signUp("owner@x.example", "Acme")
	other := h.signUp("other@x.example", "Beta")
	if _, err := owner.access().InviteMember(ctx, &accessv1.InviteMemberRequest{Email: "other@x.example", Roles: []string{"supervisor"}}); err != nil {
		t.Fatal(err)
	}
	token := h.mailTo("other@x.example").token(t)
	if inv, err := h.person().access().GetInvitation(ctx, &accessv1.GetInvitationRequest{Token: token}); err != nil || !inv.AccountExists {
		t.Fatal(inv, err)
	}
	n := h.person()
	_, err := n.access().AcceptInvitation(ctx, &accessv1.AcceptInvitationRequest{Token: token, Password: "not their password"})
	wantFault(t, err, fault.Unauthenticated, "fault.sign_in.wrong")
	n.take(n.access().AcceptInvitation(ctx, &accessv1.AcceptInvitationRequest{Token: token, Password: password}))
	if len(n.me.Memberships) != 2 || n.me.Membership.TenantId != owner.tenant() {
		t.Fatal(n.me)
	}
	n.take(n.access().Refresh(ctx, &accessv1.RefreshRequest{TenantId: other.tenant()}))
	if n.tenant() != other.tenant() || n.me.Membership.Roles[0] != "owner" {
		t.Fatal(n.me)
	}
	_, err = n.access().Refresh(ctx, &accessv1.RefreshRequest{TenantId: 1})
	wantFault(t, err, fault.NotFound, "fault.tenant.not_found")
	n.take(n.refresh()) // and stays where they were
	if n.tenant() != other.tenant() {
		t.Error(n.tenant())
	}
	// Neither company may take the second factor of a sign-in that opens the other.
	members, err := owner.access().ListMembers(ctx, &accessv1.ListMembersRequest{Search: "other@"})
	if err != nil || len(members.Members) != 1 {
		t.Fatal(members, err)
	}
	_, err = owner.access().ResetMemberFactors(ctx, &accessv1.ResetMemberFactorsRequest{Id: members.Members[0].Id})
	wantFault(t, err, fault.Forbidden, "fault.member.elsewhere")
}

func TestMembers(t *testing.T) {
	h, ctx := newHarness(t), t.Context()
	owner := h.signUp("owner@x.example", "Acme")
	admin := owner.invite("admin@x.example", "admin")
	agent := owner.invite("agent@x.example", "agent")
	update := func(by *person, who *person, disabled bool, roles ...string) error {
		_, err := by.access().UpdateMember(ctx, &accessv1.UpdateMemberRequest{Id: who.me.Membership.Id, Roles: roles, Disabled: disabled})
		return err
	}
	list, err := admin.access().ListMembers(ctx, &accessv1.ListMembersRequest{PageSize: 2})
	if err != nil || len(list.Members) != 2 || list.NextPageToken == "" {
		t.Fatal(list, err)
	}
	list, err = admin.access().ListMembers(ctx, &accessv1.ListMembersRequest{PageToken: list.NextPageToken})
	if err != nil || len(list.Members) != 1 || list.Members[0].Email != "agent@x.example" {
		t.Fatal(list, err)
	}

	wantFault(t, update(admin, owner, false, "agent"), fault.Forbidden, "fault.role.owner_only")
	wantFault(t, update(admin, admin, false, "owner"), fault.Forbidden, "fault.role.owner_only")
	wantFault(t, update(admin, admin, true), fault.Conflict, "fault.member.self")
	wantFault(t, update(owner, owner, false, "admin"), fault.Conflict, "fault.member.last_owner")
	wantFault(t, update(admin, agent, false, "king"), fault.Invalid, "fault.role.unknown")
	_, err = admin.access().InviteMember(ctx, &accessv1.InviteMemberRequest{Email: "x@x.example", Roles: []string{"owner"}})
	wantFault(t, err, fault.Forbidden, "fault.role.owner_only")

	if err := update(admin, agent, false, "supervisor"); err != nil {
		t.Fatal(err)
	}
	agent.awaitRefusal("fault.session.revoked") // an old token has the old roles
	agent.take(agent.refresh())
	if agent.me.Membership.Roles[0] != "supervisor" {
		t.Error(agent.me.Membership)
	}
	if err := update(admin, agent, true); err != nil {
		t.Fatal(err)
	}
	agent.awaitRefusal("fault.session.revoked")
	_, err = agent.refresh()
	wantFault(t, err, fault.Forbidden, "fault.membership.disabled")
	_, err = agent.access().SignIn(ctx, &accessv1.SignInRequest{Email: "agent@x.example", Password: password})
	wantFault(t, err, fault.Forbidden, "fault.membership.disabled")

	if err := update(owner, admin, false, "owner"); err != nil {
		t.Fatal(err)
	}
	if err := update(owner, owner, false, "agent"); err != nil {
		t.Fatal("with another owner there:", err)
	}
}

func TestResetOfAMembersFactors(t *testing.T) {
	h, ctx := newHarness(t), t.Context()
	owner := h.signUp("owner@x.example", "Acme")
	agent := owner.invite("agent@x.example", "agent")
	code := beginTotp(t, agent)
	if _, err := agent.access().ConfirmTotp(ctx, &accessv1.ConfirmTotpRequest{Code: code}); err != nil {
		t.Fatal(err)
	}
	newPasskey(t).enrol(t, agent)
	if _, err := owner.access().ResetMemberFactors(ctx, &accessv1.ResetMemberFactorsRequest{Id: agent.me.Membership.Id}); err != nil {
		t.Fatal(err)
	}
	for m := h.mailTo("agent@x.example"); !strings.Contains(m.Body, "administrator of Acme"); {
		m = h.mailTo("agent@x.example")
	}
	_, err := agent.refresh()
	wantFault(t, err, fault.Unauthenticated, "fault.session.ended")
	agent.take(agent.access().SignIn(ctx, &accessv1.SignInRequest{Email: "agent@x.example", Password: password}))
	keys, err := agent.access().ListPasskeys(ctx, &accessv1.ListPasskeysRequest{})
	if err != nil || agent.me.TotpEnabled || len(keys.Passkeys) != 0 {
		t.Error(agent.me, keys, err)
	}
}
