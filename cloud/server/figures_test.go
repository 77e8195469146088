package server

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"trunkline/cloud/conversations"
	"trunkline/cloud/reports"
	"trunkline/cloud/schema"
	"trunkline/internal/grant"
	"trunkline/internal/pg/pgtest"
	"trunkline/internal/rpcx"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
	"trunkline/tenants"
	"trunkline/tenants/tenantdb"
)

// figuresBench has random calls in a tenant's log, of several queues and sites.
type figuresBench struct {
	t       *testing.T
	ctx     context.Context
	calls   *conversations.Service
	reports *reports.Service
	from    time.Time
	to      time.Time
}

// randomCall visits one to three queues, some of them twice, and may end in any
// way, limits of the definitions included.
func randomCall(r *rand.Rand, start time.Time) *edgev1.CallRecord {
	rec := &edgev1.CallRecord{CallId: tenants.NewID(), StartedAt: start.UnixMicro(), EndedBy: []string{"caller", "lost", "flow"}[r.IntN(3)]}
	at := start.Add(time.Duration(r.IntN(120)) * time.Second)
	for n := r.IntN(4); n > 0; n-- {
		wait := time.Duration([]int{0, 3, 4999, 5000, 5001, 12_000, 20_000, 20_001, 90_000, 4_000_000}[r.IntN(10)]) * time.Millisecond
		outcome := "flow"
		if n == 1 {
			outcome = []string{"answered", "answered", "abandoned", "abandoned", "max_wait", "flow"}[r.IntN(6)]
		}
		left := at.Add(wait)
		rec.QueueVisits = append(rec.QueueVisits, &edgev1.QueueVisit{
			QueueId: fmt.Sprintf("q%d", r.IntN(3)), EnqueuedAt: at.UnixMicro(), LeftAt: left.UnixMicro(), Outcome: outcome,
		})
		at = left
		if outcome == "answered" {
			at = left.Add(time.Duration(r.IntN(600)) * time.Second)
			rec.Talks = append(rec.Talks, &edgev1.TalkSegment{AgentId: fmt.Sprintf("a%d", r.IntN(3)), StartedAt: left.UnixMicro(), EndedAt: at.UnixMicro()})
			if r.IntN(4) == 0 { // passed on to a colleague
				rec.Talks = append(rec.Talks, &edgev1.TalkSegment{AgentId: "a9", StartedAt: at.Add(time.Second).UnixMicro(), EndedAt: at.Add(time.Minute).UnixMicro()})
				at = at.Add(time.Minute)
			}
		}
	}
	rec.EndedAt = at.UnixMicro()
	return rec
}

func newFiguresBench(t *testing.T, r *rand.Rand, n int) *figuresBench {
	db, err := tenantdb.Open(t.Context(), pgtest.New(t, schema.Migrate).App)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	b := &figuresBench{t: t, calls: conversations.NewService(db, nil, nil, t.TempDir(), slog.New(slog.DiscardHandler)), reports: reports.NewService(db)}
	var tenant int64
	err = db.Platform(t.Context(), "test", func(ctx context.Context, tx pgx.Tx) (err error) {
		tenant, err = tenantdb.TxOne[int64](ctx, tx, `INSERT INTO tenants (slug, name, language, time_zone) VALUES ('one', 'One', 'en', 'Europe/Berlin')
			RETURNING tenant_id`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	b.ctx = rpcx.WithCaller(t.Context(), rpcx.Caller{Claims: grant.Claims{Account: "a", Membership: "m", Tenant: tenant}})
	b.from = time.Date(2026, 10, 24, 9, 17, 0, 0, time.UTC) // over the night the clock is put back
	b.to = b.from.Add(40 * time.Hour)
	err = db.InTenant(t.Context(), tenant, func(ctx context.Context, tx pgx.Tx) error {
		for range n {
			start := b.from.Add(time.Duration(r.Int64N(int64(44*time.Hour))) - 2*time.Hour).Truncate(time.Second)
			body, err := proto.Marshal(randomCall(r, start))
			if err != nil {
				return err
			}
			site, f := fmt.Sprintf("s%d", r.IntN(2)), &edgev1.Fact{TenantId: tenant, Kind: "call", Body: body}
			if err := b.calls.Apply(ctx, tx, site, f); err != nil {
				return err
			}
			if err := b.reports.Apply(ctx, tx, site, f); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// behind counts the stays of all calls the filter lists.
func (b *figuresBench) behind(f *cloudv1.CallFilter) (stays uint64) {
	b.t.Helper()
	seen := map[string]bool{}
	for token := ""; ; {
		page, err := b.calls.ListCalls(b.ctx, &cloudv1.ListCallsRequest{Filter: f, PageSize: 67, PageToken: token})
		if err != nil {
			b.t.Fatal(err)
		}
		for _, c := range page.Calls {
			if seen[c.Id] || c.MatchedStays == 0 {
				b.t.Fatalf("call %s twice or without a stay", c.Id)
			}
			// The row says what the figure says.
			if only := f.GetOutcomes(); len(only) == 1 && (only[0] == "failed" || only[0] == "abandoned") && c.Outcome != only[0] {
				b.t.Errorf("among the %s: a call of which the list says %s", only[0], c.Outcome)
			}
			seen[c.Id] = true
			stays += uint64(c.MatchedStays)
		}
		if token = page.NextPageToken; token == "" {
			return stays
		}
	}
}

// check opens each figure and counts what is behind it.
func (b *figuresBench) check(what string, f *cloudv1.QueueFigures, filter *cloudv1.CallFilter) {
	b.t.Helper()
	for name, x := range map[string]struct {
		figure  uint64
		outcome string
		level   bool
	}{
		"offered": {f.Offered, "", false}, "answered": {f.Answered, "answered", false}, "in level": {f.AnsweredInLevel, "", true},
		"abandoned": {f.Abandoned, "abandoned", false}, "short": {f.AbandonedShort, "abandoned_short", false}, "other": {f.Other, "max_wait", false},
		"failed": {f.Failed, "failed", false},
	} {
		one := proto.CloneOf(filter)
		one.Queued, one.WithinServiceLevel = true, x.level
		if x.outcome != "" {
			one.Outcomes = []string{x.outcome}
		}
		if got := b.behind(one); got != x.figure {
			b.t.Errorf("%s, %s: the report says %d, the calls behind it %d", what, name, x.figure, got)
		}
	}
}

// Whatever calls there are: each figure of a report is the number of stays of
// the calls it opens.
func TestFiguresAreTheCallsBehindThem(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	b := newFiguresBench(t, rand.New(rand.NewPCG(seed, 1)), 400)
	for _, sites := range [][]string{nil, {"s1"}} {
		rep, err := b.reports.QueueReport(b.ctx, &cloudv1.QueueReportRequest{
			From: timestamppb.New(b.from), To: timestamppb.New(b.to), Interval: "1d", SiteIds: sites,
		})
		if err != nil {
			t.Fatal(err)
		}
		if rep.Total.Offered < 100 || len(rep.Rows) < 6 || len(rep.Queues) != 3 {
			t.Fatalf("%d visits, %d rows", rep.Total.Offered, len(rep.Rows))
		}
		period := &cloudv1.CallFilter{From: timestamppb.New(b.from), To: timestamppb.New(b.to), SiteIds: sites}
		b.check("total", rep.Total, period)
		var sum uint64
		for _, q := range rep.Queues {
			f := proto.CloneOf(period)
			f.QueueIds = []string{q.QueueId}
			b.check(q.QueueId, q.Figures, f)
			sum += q.Figures.Offered
		}
		for _, row := range rep.Rows {
			b.check(row.QueueId+" "+row.From.AsTime().String(), row.Figures, &cloudv1.CallFilter{
				From: row.From, To: row.To, QueueIds: []string{row.QueueId}, SiteIds: sites,
			})
			sum -= row.Figures.Offered
		}
		if f := rep.Total; sum != 0 || f.Offered != f.Answered+f.Abandoned+f.AbandonedShort+f.Other+f.Failed || f.Failed == 0 {
			t.Errorf("figures that do not add up: %v", f)
		}
	}
}
