package sites

import (
	"testing"

	"trunkline/internal/fault"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
)

func TestANumberBelongsToOneTenant(t *testing.T) {
	p := newPlace(t)
	_, ctx1 := p.tenant("one")
	_, ctx2 := p.tenant("two")
	a, b := p.site(ctx1, "A"), p.site(ctx2, "B")
	save := func(n *cloudv1.PhoneNumber) *cloudv1.SaveNumberRequest { return &cloudv1.SaveNumberRequest{Number: n} }
	n, err := p.service.SaveNumber(ctx1, save(&cloudv1.PhoneNumber{E164: "+4930123", FlowId: "main"}))
	if err != nil || len(n.SiteIds) != 1 || n.SiteIds[0] != a.Id {
		t.Fatalf("%v, %v", n, err)
	}
	_, err = p.service.SaveNumber(ctx2, save(&cloudv1.PhoneNumber{E164: "+4930123"}))
	wantFault(t, err, fault.Conflict, "fault.number.taken")
	_, err = p.service.SaveNumber(ctx2, save(&cloudv1.PhoneNumber{Id: n.Id, E164: "+4930123"}))
	wantFault(t, err, fault.NotFound, "fault.number.not_found")
	_, err = p.service.SaveNumber(ctx1, save(&cloudv1.PhoneNumber{E164: "+4930124", SiteIds: []string{b.Id}}))
	wantFault(t, err, fault.NotFound, "fault.site.not_found")
	_, err = p.service.SaveNumber(ctx1, save(&cloudv1.PhoneNumber{E164: "+4930124", FlowId: "nope"}))
	wantFault(t, err, fault.NotFound, "fault.flow.not_found")
	_, err = p.service.SaveNumber(ctx1, save(&cloudv1.PhoneNumber{Id: n.Id, E164: "+4930125"}))
	wantFault(t, err, fault.Invalid, "fault.number.fixed")
	_, err = p.service.DeleteNumber(ctx2, &cloudv1.DeleteNumberRequest{Id: n.Id})
	wantFault(t, err, fault.NotFound, "fault.number.not_found")
	if _, err = p.service.DeleteNumber(ctx1, &cloudv1.DeleteNumberRequest{Id: n.Id}); err != nil {
		t.Error(err)
	}
	if _, err = p.service.SaveNumber(ctx2, save(&cloudv1.PhoneNumber{E164: "+4930123"})); err != nil {
		t.Errorf("a number given up: %v", err)
	}
}

func TestThePlatformGivesNumbersOnItsTrunks(t *testing.T) {
	p := newPlace(t)
	_, ctx := p.tenant("one")
	hosted, err := p.admin.CreateHosted(t.Context(), "demo")
	if err != nil {
		t.Fatal(err)
	}
	number := PlatformNumber{Tenant: "one", E164: "+4930123"}
	_, err = p.admin.AddNumber(t.Context(), number)
	wantFault(t, err, fault.NotFound, "fault.trunk.not_found")
	in := PlatformTrunk{Site: "demo", Name: "carrier", Allowed: []string{"127.0.0.1/32"}, Target: "127.0.0.1:5080"}
	trunk, err := p.admin.AddTrunk(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := p.admin.AddTrunk(t.Context(), in); err != nil || again != trunk {
		t.Errorf("the same trunk again: %s, %v", again, err)
	}
	if _, err := p.service.UseHostedSite(ctx, &cloudv1.UseHostedSiteRequest{}); err != nil {
		t.Fatal(err)
	}
	id, err := p.admin.AddNumber(t.Context(), number)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := p.admin.AddNumber(t.Context(), number); err != nil || again != id {
		t.Errorf("the same number again: %s, %v", again, err)
	}
	list, err := p.service.ListNumbers(ctx, &cloudv1.ListNumbersRequest{})
	if err != nil || len(list.Numbers) != 1 {
		t.Fatalf("%v, %v", list, err)
	}
	n := list.Numbers[0]
	if n.TrunkId != trunk || n.FlowId != "main" || len(n.SiteIds) != 1 || n.SiteIds[0] != hosted {
		t.Errorf("%v", n)
	}
	trunks, err := p.service.ListTrunks(ctx, &cloudv1.ListTrunksRequest{})
	if err != nil || len(trunks.Trunks) != 1 || !trunks.Trunks[0].Platform {
		t.Errorf("%v, %v", trunks, err)
	}
	if _, err := p.service.SaveNumber(ctx, &cloudv1.SaveNumberRequest{Number: n}); err != nil {
		t.Errorf("the flow of a given number: %v", err)
	}
	n.TrunkId, n.SiteIds = "elsewhere", nil
	_, err = p.service.SaveNumber(ctx, &cloudv1.SaveNumberRequest{Number: n})
	wantFault(t, err, fault.Forbidden, "fault.number.belongs_to_platform")
	_, err = p.service.DeleteNumber(ctx, &cloudv1.DeleteNumberRequest{Id: n.Id})
	wantFault(t, err, fault.Forbidden, "fault.number.belongs_to_platform")
	_, err = p.service.SaveNumber(ctx, &cloudv1.SaveNumberRequest{Number: &cloudv1.PhoneNumber{E164: "+4930999"}})
	wantFault(t, err, fault.Forbidden, "fault.number.belongs_to_platform")
}

func TestTrunks(t *testing.T) {
	p := newPlace(t)
	_, ctx := p.tenant("one")
	_, other := p.tenant("two")
	s := p.site(ctx, "Berlin")
	good := &cloudv1.Trunk{SiteId: s.Id, Name: "carrier", Allowed: []string{"192.0.2.1", "198.51.100.77/24"}, Target: "sip.example:5060"}
	saved, err := p.service.SaveTrunk(ctx, &cloudv1.SaveTrunkRequest{Trunk: good})
	if err != nil {
		t.Fatal(err)
	}
	if saved.Allowed[1] != "198.51.100.0/24" || saved.Transport != "udp" || saved.Takeover != "any-node" {
		t.Errorf("%v", saved)
	}
	for field, bad := range map[string]*cloudv1.Trunk{
		"trunk.name":       {SiteId: s.Id, Name: " ", Allowed: []string{"192.0.2.1"}},
		"trunk.allowed":    {SiteId: s.Id, Name: "x"},
		"trunk.allowed[0]": {SiteId: s.Id, Name: "x", Allowed: []string{"0.0.0.0/0"}},
		"trunk.allowed[1]": {SiteId: s.Id, Name: "x", Allowed: []string{"192.0.2.1", "sip.example"}},
		"trunk.target":     {SiteId: s.Id, Name: "x", Allowed: []string{"192.0.2.1"}, Target: "a@b:5060"},
		"trunk.transport":  {SiteId: s.Id, Name: "x", Allowed: []string{"192.0.2.1"}, Transport: "sctp"},
		"trunk.takeover":   {SiteId: s.Id, Name: "x", Allowed: []string{"192.0.2.1"}, Takeover: "luck"},
	} {
		_, err := p.service.SaveTrunk(ctx, &cloudv1.SaveTrunkRequest{Trunk: bad})
		if f := fault.Of(err); err == nil || f.Kind != fault.Invalid || f.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	_, err = p.service.SaveTrunk(ctx, &cloudv1.SaveTrunkRequest{Trunk: &cloudv1.Trunk{SiteId: s.Id, Name: "carrier", Allowed: []string{"192.0.2.9"}}})
	wantFault(t, err, fault.Conflict, "fault.trunk.name_taken")
	_, err = p.service.DeleteTrunk(other, &cloudv1.DeleteTrunkRequest{Id: saved.Id})
	wantFault(t, err, fault.NotFound, "fault.trunk.not_found")
	n, err := p.service.SaveNumber(ctx, &cloudv1.SaveNumberRequest{Number: &cloudv1.PhoneNumber{E164: "+4930123", TrunkId: saved.Id}})
	if err != nil || n.SiteIds[0] != s.Id {
		t.Fatalf("%v, %v", n, err)
	}
	_, err = p.service.DeleteTrunk(ctx, &cloudv1.DeleteTrunkRequest{Id: saved.Id})
	wantFault(t, err, fault.Conflict, "fault.trunk.in_use")
	if _, err := p.service.DeleteNumber(ctx, &cloudv1.DeleteNumberRequest{Id: n.Id}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.service.DeleteTrunk(ctx, &cloudv1.DeleteTrunkRequest{Id: saved.Id}); err != nil {
		t.Error(err)
	}
}

func TestListSitesPages(t *testing.T) {
	p := newPlace(t)
	_, ctx := p.tenant("one")
	for _, name := range []string{"A", "B", "C"} {
		p.site(ctx, name)
	}
	_, err := p.service.CreateSite(ctx, &cloudv1.CreateSiteRequest{Name: " A "})
	wantFault(t, err, fault.Conflict, "fault.site.name_taken")
	var names, token string
	for pages := 0; pages == 0 || token != ""; pages++ {
		res, err := p.service.ListSites(ctx, &cloudv1.ListSitesRequest{PageSize: 2, PageToken: token})
		if err != nil || pages > 2 {
			t.Fatalf("%d pages, %v", pages, err)
		}
		for _, s := range res.Sites {
			names += s.Name
		}
		token = res.NextPageToken
	}
	if names != "ABC" {
		t.Errorf("pages gave %q", names)
	}
}
