package server

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"trunkline/cloud/sites"
	"trunkline/internal/fault"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
	"trunkline/proto/gen/trunkline/cloud/v1/cloudv1connect"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

func (p *person) sites() cloudv1connect.SiteServiceClient {
	return cloudv1connect.NewSiteServiceClient(p.http, p.h.url)
}

// site makes a site of the owner's own.
func (w *world) site(t *testing.T) *cloudv1.Site {
	t.Helper()
	s, err := w.owner.sites().CreateSite(t.Context(), &cloudv1.CreateSiteRequest{Name: w.next("Site ")})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// trunk makes a trunk at a site of the owner's own.
func (w *world) trunk(t *testing.T) *cloudv1.Trunk {
	t.Helper()
	x, err := w.owner.sites().SaveTrunk(t.Context(), &cloudv1.SaveTrunkRequest{Trunk: &cloudv1.Trunk{
		SiteId: w.site(t).Id, Name: "carrier", Allowed: []string{"192.0.2.7"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// number makes a number of the owner's.
func (w *world) number(t *testing.T) *cloudv1.PhoneNumber {
	t.Helper()
	n, err := w.owner.sites().SaveNumber(t.Context(), &cloudv1.SaveNumberRequest{Number: &cloudv1.PhoneNumber{
		E164: w.next("+49301234"), TrunkId: w.trunk(t).Id,
	}})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// hosted makes a hosted site.
func (h *harness) hosted(t *testing.T, name string) string {
	t.Helper()
	id, err := sites.NewAdmin(h.Server.db, h.features.routing).CreateHosted(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

var _ = fixtures(map[string]fixture{
	cloudv1connect.SiteServiceListSitesProcedure: {scope: own, request: func(t *testing.T, w *world) (*person, proto.Message) {
		w.site(t)
		return w.owner, &cloudv1.ListSitesRequest{}
	}},
	cloudv1connect.SiteServiceGetSiteProcedure: {scope: names, request: func(t *testing.T, w *world) (*person, proto.Message) {
		return w.owner, &cloudv1.GetSiteRequest{Id: w.site(t).Id}
	}},
	cloudv1connect.SiteServiceCreateSiteProcedure: {scope: own, request: func(_ *testing.T, w *world) (*person, proto.Message) {
		return w.owner, &cloudv1.CreateSiteRequest{Name: w.next("Site ")}
	}},
	// Of two living hosted sites each tenant gets the emptier one, so that ids differ.
	cloudv1connect.SiteServiceUseHostedSiteProcedure: {scope: own, request: func(t *testing.T, w *world) (*person, proto.Message) {
		for _, name := range []string{"east", "west"} {
			w.hosted(t, name)
			w.joinHosted(t, name, "n1").report(&edgev1.ReportNodeRequest{Leader: true})
		}
		return w.owner, &cloudv1.UseHostedSiteRequest{}
	}},
	cloudv1connect.SiteServiceCreateJoinTokenProcedure: {scope: names, request: func(t *testing.T, w *world) (*person, proto.Message) {
		return w.owner, &cloudv1.CreateJoinTokenRequest{SiteId: w.site(t).Id}
	}},
	cloudv1connect.SiteServiceWatchSiteProcedure: {scope: names, request: func(t *testing.T, w *world) (*person, proto.Message) {
		return w.owner, &cloudv1.WatchSiteRequest{Id: w.site(t).Id}
	}},
	cloudv1connect.SiteServiceListTrunksProcedure: {scope: own, request: func(t *testing.T, w *world) (*person, proto.Message) {
		w.trunk(t)
		return w.owner, &cloudv1.ListTrunksRequest{}
	}},
	cloudv1connect.SiteServiceSaveTrunkProcedure: {scope: names, request: func(t *testing.T, w *world) (*person, proto.Message) {
		x := w.trunk(t)
		x.Target = "sip.example:5060"
		return w.owner, &cloudv1.SaveTrunkRequest{Trunk: x}
	}},
	cloudv1connect.SiteServiceDeleteTrunkProcedure: {scope: names, request: func(t *testing.T, w *world) (*person, proto.Message) {
		return w.owner, &cloudv1.DeleteTrunkRequest{Id: w.trunk(t).Id}
	}},
	cloudv1connect.SiteServiceListNumbersProcedure: {scope: own, request: func(t *testing.T, w *world) (*person, proto.Message) {
		w.number(t)
		return w.owner, &cloudv1.ListNumbersRequest{}
	}},
	cloudv1connect.SiteServiceSaveNumberProcedure: {scope: names, request: func(t *testing.T, w *world) (*person, proto.Message) {
		n := w.number(t)
		n.FlowId = ""
		return w.owner, &cloudv1.SaveNumberRequest{Number: n}
	}},
	cloudv1connect.SiteServiceDeleteNumberProcedure: {scope: names, request: func(t *testing.T, w *world) (*person, proto.Message) {
		return w.owner, &cloudv1.DeleteNumberRequest{Id: w.number(t).Id}
	}},

	cloudv1connect.OnboardingServiceGetChecklistProcedure: {scope: own, request: func(_ *testing.T, w *world) (*person, proto.Message) {
		return w.owner, &cloudv1.GetChecklistRequest{}
	}},
	cloudv1connect.OnboardingServiceSkipStepProcedure: {scope: own, request: func(_ *testing.T, w *world) (*person, proto.Message) {
		return w.owner, &cloudv1.SkipStepRequest{Id: "trunk"}
	}},
	// The flow is the owner's; another tenant may not have it called.
	cloudv1connect.OnboardingServiceStartTestCallProcedure: {scope: names, refused: fault.NotFound, request: func(t *testing.T, w *world) (*person, proto.Message) {
		w.livingSite(t)
		return w.owner, &cloudv1.StartTestCallRequest{FlowId: w.flow(t).Id}
	}},
})
