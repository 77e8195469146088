package server

import (
	"testing"

	"google.golang.org/protobuf/proto"

	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
	"trunkline/proto/gen/trunkline/cloud/v1/cloudv1connect"
)

// aboutTenant is a fixture of staff asking about a tenant of its own.
func aboutTenant(request func(p *person) proto.Message) fixture {
	return fixture{scope: platform, request: func(_ *testing.T, w *world) (*person, proto.Message) {
		return w.admin, request(w.signUp(w.next("tenant")+"@x.example", w.next("Tenant ")))
	}}
}

var _ = fixtures(map[string]fixture{
	cloudv1connect.ConsoleServiceListTenantsProcedure: {scope: platform, request: func(_ *testing.T, w *world) (*person, proto.Message) {
		return w.admin, &cloudv1.ListTenantsRequest{}
	}},
	cloudv1connect.ConsoleServiceGetTenantProcedure: aboutTenant(func(p *person) proto.Message {
		return &cloudv1.GetTenantRequest{Id: p.tenant()}
	}),
	cloudv1connect.ConsoleServiceSuspendTenantProcedure: aboutTenant(func(p *person) proto.Message {
		return &cloudv1.SuspendTenantRequest{Id: p.tenant(), Reason: "unpaid for months"}
	}),
	cloudv1connect.ConsoleServiceResumeTenantProcedure: aboutTenant(func(p *person) proto.Message {
		return &cloudv1.GetTenantRequest{Id: p.tenant()}
	}),
	cloudv1connect.ConsoleServiceExportTenantProcedure: aboutTenant(func(p *person) proto.Message {
		return &cloudv1.GetTenantRequest{Id: p.tenant()}
	}),
	cloudv1connect.ConsoleServiceDeleteTenantProcedure: aboutTenant(func(p *person) proto.Message {
		return &cloudv1.DeleteTenantRequest{Id: p.tenant(), Slug: p.me.Membership.Slug, Reason: "asked for by its owner"}
	}),
	cloudv1connect.ConsoleServiceActAsProcedure: {scope: platform, request: func(_ *testing.T, w *world) (*person, proto.Message) {
		return w.platformAdmin(w.next("staff") + "@x.example"), &cloudv1.ActAsRequest{Id: w.owner.tenant(), Reason: "helping the owner"}
	}},
	cloudv1connect.ConsoleServiceStopActingProcedure: {scope: own, request: func(t *testing.T, w *world) (*person, proto.Message) {
		staff := w.platformAdmin(w.next("staff") + "@x.example")
		staff.take(staff.console().ActAs(t.Context(), &cloudv1.ActAsRequest{Id: w.owner.tenant(), Reason: "helping the owner"}))
		return staff, &cloudv1.StopActingRequest{}
	}},
	cloudv1connect.ConsoleServiceListPlatformSitesProcedure: {scope: platform, request: func(_ *testing.T, w *world) (*person, proto.Message) {
		return w.admin, &cloudv1.ListPlatformSitesRequest{}
	}},
	cloudv1connect.ConsoleServiceListAuditProcedure: {scope: platform, request: func(_ *testing.T, w *world) (*person, proto.Message) {
		return w.admin, &cloudv1.ListAuditRequest{}
	}},
})

func (p *person) console() cloudv1connect.ConsoleServiceClient {
	return cloudv1connect.NewConsoleServiceClient(p.http, p.h.url)
}
