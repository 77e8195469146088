package server

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	accessv1 "trunkline/proto/gen/trunkline/access/v1"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
)

// A reader of the audit sees names, also of what is gone since, and never an id.
func TestAuditNamesWhatItSpeaksOf(t *testing.T) {
	h, ctx := newHarness(t), t.Context()
	staff, owner := h.platformAdmin("staff@x.example"), h.signUp("owner@x.example", "Acme")
	site, err := owner.sites().CreateSite(ctx, &cloudv1.CreateSiteRequest{Name: "Hamburg"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := owner.routing().SaveQueue(ctx, &cloudv1.SaveQueueRequest{Queue: &cloudv1.Queue{Name: "Sales", OfferTimeoutS: 20}}); err != nil {
		t.Fatal(err)
	}
	if _, err := owner.access().InviteMember(ctx, &accessv1.InviteMemberRequest{Email: "new@x.example", Roles: []string{"agent"}}); err != nil {
		t.Fatal(err)
	}
	h.exe("INSERT INTO audit (tenant_id, id, actor, action, subject) VALUES ($1, $2, $3, 'node.joined', $4), ($1, $5, 'system', 'recording.played', $5)",
		owner.tenant(), uuid.Must(uuid.NewV7()).String(), "node:"+site.GetId()+"/node1", site.GetId(), uuid.Must(uuid.NewV7()).String())

	audit, err := staff.console().ListAudit(ctx, &cloudv1.ListAuditRequest{TenantId: owner.tenant()})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for _, e := range audit.Entries {
		seen[e.Action] = e.Actor + " " + e.Subject
		if e.TenantName != "Acme" {
			t.Errorf("the company is called %q: %v", e.TenantName, e)
		}
		for _, word := range strings.FieldsFunc(e.Actor+" "+e.Subject, func(r rune) bool { return strings.ContainsRune(" :/", r) }) {
			if uuid.Validate(word) == nil {
				t.Errorf("an id is shown: %v", e)
			}
		}
	}
	for action, want := range map[string]string{
		"site.created":     "owner@x.example Hamburg",
		"queue.created":    "owner@x.example Sales",
		"member.invited":   "owner@x.example new@x.example",
		"node.joined":      "node:Hamburg/node1 Hamburg",
		"recording.played": "system ",
	} {
		if seen[action] != want {
			t.Errorf("%s: %q, want %q", action, seen[action], want)
		}
	}
}
