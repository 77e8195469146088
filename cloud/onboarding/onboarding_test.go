package onboarding

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/proto"

	"trunkline/cloud/schema"
	"trunkline/internal/fault"
	"trunkline/internal/grant"
	"trunkline/internal/pg/pgtest"
	"trunkline/internal/rpcx"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
	"trunkline/tenants"
	"trunkline/tenants/tenantdb"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// around is everything the checklist looks at, as this test wants it.
type around struct {
	site  string
	urls  []string
	flow  string
	since map[string]*time.Time
	puts  []proto.Message
}

func (a *around) Reachable(context.Context, pgx.Tx, int64) (string, []string, error) {
	return a.site, a.urls, nil
}

func (a *around) FlowExists(_ context.Context, _ pgx.Tx, _ int64, id string) (bool, error) {
	return id == a.flow, nil
}

func (a *around) DefaultFlow(context.Context, pgx.Tx, int64) (string, error) { return a.flow, nil }

func (a *around) Put(_ context.Context, _ pgx.Tx, _ int64, _, _ string, body proto.Message, _ time.Duration) (string, error) {
	a.puts = append(a.puts, body)
	return "id", nil
}

func (a *around) done(step string) Since {
	return func(context.Context, pgx.Tx, int64) (*time.Time, error) { return a.since[step], nil }
}

func begin(t *testing.T) (*Service, *around, int64, context.Context) {
	t.Helper()
	db, err := tenantdb.Open(t.Context(), pgtest.New(t, schema.Migrate).App)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	a := &around{flow: "main", since: map[string]*time.Time{}}
	left := 3
	s := New(Config{
		DB: db, Sites: a, Flows: a, Inbox: a,
		Done: map[string]Since{Site: a.done(Site), Trunk: a.done(Trunk), Routing: a.done(Routing)},
		Limit: func(context.Context, string) error {
			if left--; left < 0 {
				return fault.New(fault.Exhausted, "fault.too_many_attempts")
			}
			return nil
		},
	})
	var tn tenants.Tenant
	err = db.Platform(t.Context(), "test", func(ctx context.Context, tx pgx.Tx) (err error) {
		tn, err = tenants.Create(ctx, tx, "one", "en", "UTC", nil)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	claims := grant.Claims{Account: "a", Tenant: tn.ID, Name: "Ann", Roles: []string{grant.Owner}}
	return s, a, tn.ID, rpcx.WithCaller(t.Context(), rpcx.Caller{Claims: claims})
}

func status(t *testing.T, c *cloudv1.Checklist, err error) map[string]string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{"": "open"}
	if c.Complete {
		out[""] = "complete"
	}
	for _, s := range c.Steps {
		out[s.Id] = s.Status
	}
	return out
}

func (s *Service) apply(t *testing.T, tenant int64, kind string, c *edgev1.CallRecord) error {
	t.Helper()
	body, err := proto.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return s.cfg.DB.InTenant(t.Context(), tenant, func(ctx context.Context, tx pgx.Tx) error {
		return s.Apply(ctx, tx, "site-1", &edgev1.Fact{TenantId: tenant, Kind: kind, At: 1_700_000_000_000_000, Body: body})
	})
}

func TestTheChecklistSaysWhatIsThere(t *testing.T) {
	s, a, tenant, ctx := begin(t)
	list := func() map[string]string {
		c, err := s.GetChecklist(ctx, &cloudv1.GetChecklistRequest{})
		return status(t, c, err)
	}
	if got := list(); got[Site] != "open" || got[Agents] != "open" || got[""] != "open" {
		t.Errorf("%v", got)
	}
	for _, step := range []string{Trunk, Agents, Routing} {
		if _, err := s.SkipStep(ctx, &cloudv1.SkipStepRequest{Id: step}); err != nil {
			t.Fatal(err)
		}
	}
	if got := list(); got[Trunk] != "skipped" || got[""] != "open" {
		t.Errorf("%v", got)
	}
	now := time.Now()
	a.since[Site], a.since[Trunk] = &now, &now
	if got := list(); got[Site] != "done" || got[Trunk] != "done" || got[Routing] != "skipped" {
		t.Errorf("a skipped step that was done after all: %v", got)
	}
	for what, c := range map[string]*edgev1.CallRecord{
		"a call of a caller": {CallId: "c", AnsweredAt: 5}, "a test nobody answered": {CallId: "c", Test: true},
	} {
		if err := s.apply(t, tenant, "call", c); err != nil {
			t.Fatal(err)
		}
		if got := list(); got[TestCall] != "open" {
			t.Errorf("%s: %v", what, got)
		}
	}
	for range 2 {
		if err := s.apply(t, tenant, "call", &edgev1.CallRecord{CallId: "c", Test: true, AnsweredAt: 5}); err != nil {
			t.Fatal(err)
		}
	}
	if got := list(); got[TestCall] != "done" || got[""] != "complete" {
		t.Errorf("%v", got)
	}
}

func TestStartTestCall(t *testing.T) {
	s, a, _, ctx := begin(t)
	start := func(flow string) error {
		_, err := s.StartTestCall(ctx, &cloudv1.StartTestCallRequest{FlowId: flow})
		return err
	}
	want := func(err error, key string) {
		t.Helper()
		if f, ok := errors.AsType[*fault.Error](err); !ok || f.Key != key {
			t.Errorf("got %v, want %s", err, key)
		}
	}
	want(start(""), "fault.onboarding.no_site")
	a.site = "site-1"
	want(start(""), "fault.onboarding.no_node")
	a.urls = []string{"http://n1.example"}
	if err := start(""); err != nil {
		t.Fatal(err)
	}
	ticket := a.puts[len(a.puts)-1].(*edgev1.TestCallTicket)
	if len(ticket.TicketHash) != 32 || ticket.FlowId != "main" || ticket.CallerName != "Ann" {
		t.Errorf("%v", ticket)
	}
	want(start("main"), "fault.too_many_attempts")
}

func TestAForeignFlowIsNotCalled(t *testing.T) {
	s, a, _, ctx := begin(t)
	a.site, a.urls = "site-1", []string{"http://n1.example"}
	_, err := s.StartTestCall(ctx, &cloudv1.StartTestCallRequest{FlowId: "other"})
	if fault.KindOf(err) != fault.NotFound || len(a.puts) != 0 {
		t.Errorf("%v, %d tickets", err, len(a.puts))
	}
}
