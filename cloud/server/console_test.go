package server

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"trunkline/cloud/console"
	"trunkline/internal/fault"
	accessv1 "trunkline/proto/gen/trunkline/access/v1"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
)

func TestSuspendAndResume(t *testing.T) {
	h, ctx := newHarness(t), t.Context()
	staff, owner := h.platformAdmin("staff@x.example"), h.signUp("owner@x.example", "Acme")

	// With grace nothing happens yet.
	s, err := staff.console().SuspendTenant(ctx, &cloudv1.SuspendTenantRequest{Id: owner.tenant(), Reason: "unpaid", GraceS: 3600})
	if err != nil || s.Status != "suspending" || time.Until(s.SuspendedAt.AsTime()) < 50*time.Minute {
		t.Fatal(s, err)
	}
	owner.take(owner.refresh())

	s, err = staff.console().SuspendTenant(ctx, &cloudv1.SuspendTenantRequest{Id: owner.tenant(), Reason: "unpaid"})
	if err != nil || s.Status != "suspended" {
		t.Fatal(s, err)
	}
	owner.awaitRefusal("fault.session.revoked")
	_, err = owner.refresh()
	if f := wantFault(t, err, fault.Forbidden, "fault.tenant.suspended"); f.Params["tenant"] != "Acme" {
		t.Error(f.Params)
	}
	_, err = owner.access().SignIn(ctx, &accessv1.SignInRequest{Email: "owner@x.example", Password: password})
	wantFault(t, err, fault.Forbidden, "fault.tenant.suspended")

	if s, err = staff.console().ResumeTenant(ctx, &cloudv1.GetTenantRequest{Id: owner.tenant()}); err != nil || s.Status != "active" {
		t.Fatal(s, err)
	}
	owner.take(owner.refresh()) // the session was not lost
	if _, err := owner.access().Me(ctx, &accessv1.MeRequest{}); err != nil {
		t.Error(err)
	}
	_, err = staff.console().GetTenant(ctx, &cloudv1.GetTenantRequest{Id: 1})
	wantFault(t, err, fault.NotFound, "fault.tenant.not_found")
}

// What is due is done by the loop, whenever the program runs.
func TestSuspensionsTakeEffectWhenDue(t *testing.T) {
	h := newHarness(t)
	staff, owner := h.platformAdmin("staff@x.example"), h.signUp("owner@x.example", "Acme")
	_, err := staff.console().SuspendTenant(t.Context(), &cloudv1.SuspendTenantRequest{Id: owner.tenant(), Reason: "unpaid", GraceS: 3600})
	if err != nil {
		t.Fatal(err)
	}
	h.exe("UPDATE tenants SET suspend_at = now() - interval '1 second'")
	svc := console.New(console.Config{DB: h.Server.db, Fleet: func() console.Fleet { return nil }, Calls: func() console.Calls { return nil }})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- svc.Loop(ctx) }()
	owner.awaitRefusal("fault.session.revoked")
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestActingAsATenant(t *testing.T) {
	h, ctx := newHarness(t), t.Context()
	staff, owner := h.platformAdmin("staff@x.example"), h.signUp("owner@x.example", "Acme")
	act := func() {
		t.Helper()
		staff.take(staff.console().ActAs(ctx, &cloudv1.ActAsRequest{Id: owner.tenant(), Reason: "ticket 4711", Minutes: 5}))
	}
	act()
	a := staff.me.ActingAs
	if a.GetReason() != "ticket 4711" || a.GetAdminEmail() != "staff@x.example" || staff.tenant() != owner.tenant() {
		t.Fatal(staff.me)
	}
	acting := staff.token
	members, err := staff.access().ListMembers(ctx, &accessv1.ListMembersRequest{})
	if err != nil || len(members.Members) != 1 {
		t.Fatal(members, err)
	}
	_, err = staff.console().ListTenants(ctx, &cloudv1.ListTenantsRequest{})
	wantFault(t, err, fault.Forbidden, "fault.forbidden") // one hat at a time
	staff.take(staff.refresh())
	if staff.me.ActingAs == nil {
		t.Error("a refresh ended it")
	}
	// What staff do stands in the tenant's audit, with the reason.
	if _, err := staff.access().InviteMember(ctx, &accessv1.InviteMemberRequest{Email: "new@x.example", Roles: []string{"agent"}}); err != nil {
		t.Fatal(err)
	}

	staff.take(staff.console().StopActing(ctx, &cloudv1.StopActingRequest{}))
	if staff.me.ActingAs != nil || staff.tenant() != 0 {
		t.Error(staff.me)
	}
	own := staff.token
	staff.token = acting
	staff.awaitRefusal("fault.session.revoked")
	staff.token = own
	_, err = staff.console().StopActing(ctx, &cloudv1.StopActingRequest{})
	wantFault(t, err, fault.Forbidden, "fault.forbidden")
	audit, err := staff.console().ListAudit(ctx, &cloudv1.ListAuditRequest{TenantId: owner.tenant()})
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(audit.Entries, func(e *cloudv1.AuditEntry) bool { return e.Action == "member.invited" })
	if i < 0 || audit.Entries[i].Actor != "acting:staff@x.example" || audit.Entries[i].Reason != "ticket 4711" {
		t.Errorf("%v", audit.Entries)
	}

	act()
	h.exe("UPDATE sessions SET acting_until = now() - interval '1 second' WHERE acting_until IS NOT NULL")
	_, err = staff.access().Me(ctx, &accessv1.MeRequest{})
	wantFault(t, err, fault.Unauthenticated, "fault.acting.ended")
	staff.take(staff.refresh())
	if staff.me.ActingAs != nil || !staff.me.PlatformAdmin {
		t.Error("it did not end by itself")
	}
	_, err = owner.console().ActAs(ctx, &cloudv1.ActAsRequest{Id: owner.tenant(), Reason: "why not"})
	wantFault(t, err, fault.Forbidden, "fault.forbidden")
}

func TestListOfTenants(t *testing.T) {
	h, ctx := newHarness(t), t.Context()
	staff := h.platformAdmin("staff@x.example")
	for _, name := range []string{"Alpha", "Beta", "Gamma"} {
		h.signUp(strings.ToLower(name)+"@x.example", name)
	}
	page, err := staff.console().ListTenants(ctx, &cloudv1.ListTenantsRequest{PageSize: 2})
	if err != nil || len(page.Tenants) != 2 || page.Tenants[0].Name != "Gamma" || page.Tenants[0].OwnerEmail != "gamma@x.example" || page.Tenants[0].Users != 1 {
		t.Fatal(page, err)
	}
	page, err = staff.console().ListTenants(ctx, &cloudv1.ListTenantsRequest{PageToken: page.NextPageToken})
	if err != nil || len(page.Tenants) != 1 || page.Tenants[0].Name != "Alpha" || page.NextPageToken != "" {
		t.Fatal(page, err)
	}
	page, err = staff.console().ListTenants(ctx, &cloudv1.ListTenantsRequest{Search: "beta@"})
	if err != nil || len(page.Tenants) != 1 || page.Tenants[0].Name != "Beta" {
		t.Fatal(page, err)
	}
	_, err = staff.console().ListTenants(ctx, &cloudv1.ListTenantsRequest{PageToken: "x"})
	wantFault(t, err, fault.Invalid, "fault.page_token")
}

func TestExportHoldsOneTenantOnly(t *testing.T) {
	h, ctx := newHarness(t), t.Context()
	staff, owner := h.platformAdmin("staff@x.example"), h.signUp("owner@one.example", "One")
	h.signUp("owner@two.example", "Two")
	if _, err := owner.access().InviteMember(ctx, &accessv1.InviteMemberRequest{Email: "agent@one.example", Roles: []string{"agent"}}); err != nil {
		t.Fatal(err)
	}
	out, err := staff.console().ExportTenant(ctx, &cloudv1.GetTenantRequest{Id: owner.tenant()})
	if err != nil || !strings.HasPrefix(out.FileName, "one-") || !strings.HasSuffix(out.FileName, ".zip") {
		t.Fatal(out.GetFileName(), err)
	}
	z, err := zip.NewReader(bytes.NewReader(out.Zip), int64(len(out.Zip)))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		all[f.Name] = string(b)
		if strings.Contains(string(b), "two") || strings.Contains(string(b), "token_hash") {
			t.Errorf("%s: %s", f.Name, b)
		}
	}
	for name, want := range map[string]string{
		"tenants.jsonl": `"slug": "one"`, "accounts.jsonl": "owner@one.example", "invitations.jsonl": "agent@one.example", "audit.jsonl": "tenant.created",
		"memberships.jsonl": `"owner"`,
	} {
		if !strings.Contains(all[name], want) {
			t.Errorf("%s lacks %s: %s", name, want, all[name])
		}
	}
}

func TestRemovalIsFinalAfterTheGrace(t *testing.T) {
	h, ctx := newHarness(t), t.Context()
	staff, owner := h.platformAdmin("staff@x.example"), h.signUp("owner@x.example", "Acme")
	owner.invite("agent@x.example", "agent")
	remove := func(slug string) error {
		_, err := staff.console().DeleteTenant(ctx, &cloudv1.DeleteTenantRequest{Id: owner.tenant(), Slug: slug, Reason: "asked for"})
		return err
	}
	wantFault(t, remove("acm"), fault.Invalid, "fault.console.slug_differs")
	if err := remove("acme"); err != nil {
		t.Fatal(err)
	}
	owner.awaitRefusal("fault.session.revoked")
	if _, err := staff.console().ResumeTenant(ctx, &cloudv1.GetTenantRequest{Id: owner.tenant()}); err != nil {
		t.Fatal(err)
	}
	owner.take(owner.refresh())
	if err := remove("acme"); err != nil {
		t.Fatal(err)
	}
	wantFault(t, remove("acme"), fault.Conflict, "fault.console.deleting")

	h.exe("UPDATE tenants SET delete_at = now() - interval '1 second'")
	h.exe("INSERT INTO river.river_job (kind, args, metadata, queue, max_attempts) VALUES ('mail', '{}', jsonb_build_object('tenant', $1::bigint), 'closed', 1)", owner.tenant())
	svc := console.New(console.Config{DB: h.Server.db})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- svc.Loop(ctx) }() // the harness's server may be before it
	h.db.Await(t, "SELECT slug FROM tenants WHERE slug = 'acme'")
	cancel()
	<-done
	var rows, accounts, mails int
	h.row("SELECT count(*) FROM memberships", &rows)
	h.row("SELECT count(*) FROM accounts WHERE NOT platform_admin", &accounts)
	h.row("SELECT count(*) FROM river.river_job WHERE queue = 'closed'", &mails)
	if rows != 0 || accounts != 0 || mails != 0 {
		t.Errorf("%d memberships, %d accounts and %d mails are left", rows, accounts, mails)
	}
	audit, err := staff.console().ListAudit(t.Context(), &cloudv1.ListAuditRequest{})
	if err != nil || !slices.ContainsFunc(audit.Entries, func(e *cloudv1.AuditEntry) bool { return e.Action == "tenant.erased" && e.Subject == "acme" }) {
		t.Errorf("%v, %v", audit, err)
	}
}
