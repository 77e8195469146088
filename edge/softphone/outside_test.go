package softphone

import (
	"testing"

	"trunkline/edge/call"
	"trunkline/internal/fault"
	agentv1 "trunkline/proto/gen/trunkline/agent/v1"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

// lineSite is a site with trunks, rules of dialling and one talking agent.
type lineSite struct {
	*fakeSite
	dialling    *edgev1.Dialling
	own, shared bool
	old         bool // a node of it does not know numbers
}

func (s *lineSite) Lines(int64) (bool, bool) { return s.own, s.shared }

func (s *lineSite) Allows(call.Command) bool { return !s.old }

func (s *lineSite) Call(id string) (call.Call, bool) {
	return call.Call{ID: id, Tenant: 1, Called: "+493012345678", AgentID: "ann", QueueID: "q", Phase: call.PhaseTalking}, id == "c1"
}

func (s *lineSite) Nodes() []call.NodeInfo { return nil }

func (s *lineSite) Config(int64) *edgev1.TenantConfig {
	return &edgev1.TenantConfig{
		Dialling: s.dialling, Numbers: []*edgev1.Number{{E164: "+12125550100"}, {E164: "+493012345678"}},
		Queues: []*edgev1.Queue{{Id: "q", WrapUpMs: 30_000}},
	}
}

func TestOutside(t *testing.T) {
	germany := &edgev1.Dialling{Enabled: true, Prefixes: []string{"+49"}, MaxCalls: 5, SharedCalls: 2}
	ungranted := &edgev1.Dialling{Enabled: true, Prefixes: []string{"+49"}, MaxCalls: 5}
	for name, x := range map[string]struct {
		site  lineSite
		typed string
		want  target
	}{
		"own trunk":                {lineSite{dialling: germany, own: true}, "030 555 0100", target{number: "+49305550100", max: 5}},
		"platform's trunk":         {lineSite{dialling: germany, shared: true}, "030 555 0100", target{number: "+49305550100", max: 2}},
		"platform's, not granted":  {lineSite{dialling: ungranted, shared: true}, "+49 30 555 0100", target{number: "+49305550100", problem: "no_trunk"}},
		"no trunk":                 {lineSite{dialling: germany}, "+49 30 555 0100", target{number: "+49305550100", problem: "no_trunk"}},
		"another country":          {lineSite{dialling: germany, own: true}, "+43 1 50000", target{number: "+43150000", problem: "prefix"}},
		"premium":                  {lineSite{dialling: germany, own: true}, "0900 1234567", target{number: "+499001234567", problem: "premium"}},
		"nothing said yet":         {lineSite{own: true}, "+49 30 555 0100", target{number: "+49305550100", problem: "off"}},
		"emergency, nothing said":  {lineSite{own: true}, "112", target{number: "112"}},
		"emergency, not granted":   {lineSite{dialling: ungranted, shared: true}, "110", target{number: "110"}},
		"emergency, without trunk": {lineSite{dialling: germany}, "112", target{number: "112", problem: "no_trunk"}},
		"a name":                   {lineSite{dialling: germany, own: true}, "ann", target{problem: "invalid"}},
		"an older node":            {lineSite{dialling: germany, own: true, old: true}, "030 555 0100", target{number: "+49305550100", problem: "upgrading"}},
	} {
		x.site.fakeSite = newFakeSite()
		s := &Service{site: &x.site}
		if got := s.outside(1, "c1", x.typed); got != x.want {
			t.Errorf("%s: %+v, want %+v", name, got, x.want)
		}
		if x.want.problem != "" && problems[x.want.problem] == nil {
			t.Errorf("%s has no words", x.want.problem)
		}
	}
	// Without the call, the tenant's first number says the country.
	s := &Service{site: &lineSite{fakeSite: newFakeSite(), own: true}}
	if got := s.outside(1, "", "911").number; got != "911" {
		t.Errorf("%q", got)
	}
	if got := s.outside(1, "", "(212) 555-0199").number; got != "+12125550199" {
		t.Errorf("%q", got)
	}
}

func TestTransferToANumber(t *testing.T) {
	site := &lineSite{
		fakeSite: newFakeSite(call.Agent{ID: "ann", Tenant: 1}), own: true,
		dialling: &edgev1.Dialling{Enabled: true, Prefixes: []string{"+49"}, MaxCalls: 5},
	}
	s := NewService(site, nil, nil, discard)
	ctx := as(t.Context(), "ann")
	req := &agentv1.TransferRequest{CallId: "c1", IdempotencyKey: "k1", Number: "030 555 0100"}
	if _, err := s.Transfer(ctx, req); err != nil {
		t.Fatal(err)
	}
	want := call.TransferCall{CallID: "c1", By: "ann", Number: "+49305550100", MaxOutside: 5, Timeout: ringOutsideFor, WrapUp: 30_000_000}
	if n := len(site.commands); n != 1 || site.commands[0] != call.Command(want) {
		t.Fatalf("%+v", site.commands)
	}
	for typed, key := range map[string]string{"+43 1 50000": "fault.transfer.number_closed", "ann": "fault.transfer.number_invalid"} {
		_, err := s.Transfer(ctx, &agentv1.TransferRequest{CallId: "c1", IdempotencyKey: "k" + typed, Number: typed})
		if f := fault.Of(err); err == nil || f.Key != key {
			t.Errorf("%s: %v", typed, err)
		}
	}
	both := &agentv1.TransferRequest{CallId: "c1", IdempotencyKey: "k3", Number: "112", QueueId: "q"}
	if _, err := s.Transfer(ctx, both); err == nil {
		t.Error("two targets were taken")
	}
	if len(site.commands) != 1 {
		t.Errorf("%+v", site.commands)
	}
	for query, want := range map[string]string{"ann": "", "030 555 0100": "+49305550100", "12": ""} {
		if got := s.targetNumber(1, &agentv1.ListTargetsRequest{CallId: "c1", Query: query}); got.GetNumber() != want || (got == nil) != (want == "") {
			t.Errorf("%q: %v", query, got)
		}
	}
}
