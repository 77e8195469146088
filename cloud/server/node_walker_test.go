package server

import (
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"trunkline/internal/fault"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

// ofTheSite are the methods of nodes that name no tenant, each with what keeps a
// node to its own site.
var ofTheSite = map[string]string{
	"Watch":            "the site is the certificate's; its tenants are the assigned ones",
	"PushLive":         "floors of tenants the site does not serve are dropped, see TestForeignFloorsAreDropped",
	"ReportNode":       "the node is the certificate's",
	"AckInbox":         "numbers count within the certificate's site",
	"TurnCredentials":  "the user is named after the certificate's site",
	"RenewCertificate": "the certificate is for the node that asks",
}

// Every method of nodes that names a tenant is refused for a tenant the node's
// site does not serve, without a trace.
func TestNodesReportTheirOwnTenantsAlone(t *testing.T) {
	h := newHarness(t)
	w := &world{harness: h, owner: h.signUp("owner@one.example", "One"), foreign: h.signUp("owner@two.example", "Two")}
	w.livingSite(t) // the owner's
	h.hosted(t, "elsewhere")
	stranger := h.joinHosted(t, "elsewhere", "n1")
	methods := edgev1.File_trunkline_edge_v1_fleet_proto.Services().ByName("FleetService").Methods()
	for i := range methods.Len() {
		m := methods.Get(i)
		field := m.Input().Fields().ByName("tenant_id")
		if field == nil {
			if ofTheSite[string(m.Name())] == "" {
				t.Errorf("%s names no tenant: say in ofTheSite what keeps it to its site", m.Name())
			}
			continue
		}
		before := w.rows(t)
		in := dynamicpb.NewMessage(m.Input())
		in.Set(field, protoreflect.ValueOfInt64(w.owner.tenant()))
		_, err := call(t.Context(), stranger.http, stranger.url(), m, in)
		if f := fault.Of(err); err == nil || f.Kind != fault.Forbidden || f.Key != "fault.fleet.not_assigned" {
			t.Errorf("%s: %v", m.Name(), err)
		}
		w.sameRows(t, before)
	}
}

func TestForeignFloorsAreDropped(t *testing.T) {
	h := newHarness(t)
	w := &world{harness: h, owner: h.signUp("owner@one.example", "One")}
	w.livingSite(t)
	h.hosted(t, "elsewhere")
	stranger := h.joinHosted(t, "elsewhere", "n1")
	before := w.rows(t)
	_, err := stranger.fleet().PushLive(t.Context(), &edgev1.PushLiveRequest{Tenants: []*edgev1.LiveTenant{
		{TenantId: w.owner.tenant(), At: 1, CallsActive: 99},
	}})
	if err != nil {
		t.Fatal(fault.Of(err))
	}
	w.sameRows(t, before)
}

// One node's acknowledgement does not touch another site's work.
func TestAcknowledgementsStayWithinTheSite(t *testing.T) {
	h := newHarness(t)
	w := &world{harness: h, owner: h.signUp("owner@one.example", "One")}
	w.livingSite(t)
	list, err := w.owner.sites().ListSites(t.Context(), &cloudv1.ListSitesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.features.fleet.inbox.Send(t.Context(), w.owner.tenant(), list.Sites[0].Id, "sign_out_tenant", &edgev1.Done{}, 1<<40)
	if err != nil {
		t.Fatal(err)
	}
	h.hosted(t, "elsewhere")
	stranger := h.joinHosted(t, "elsewhere", "n1")
	before := w.rows(t)
	if _, err := stranger.fleet().AckInbox(t.Context(), &edgev1.AckInboxRequest{Seqs: []uint64{1, 2, 3}}); err != nil {
		t.Fatal(fault.Of(err))
	}
	w.sameRows(t, before)
}
