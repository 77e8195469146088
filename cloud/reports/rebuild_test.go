package reports

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
	"trunkline/tenants"
	"trunkline/tenants/tenantdb"
)

func (b *bench) rebuild(req *cloudv1.RebuildRequest, calls, differences uint64) {
	b.t.Helper()
	r, err := b.Rebuild(b.ctx, req)
	if err != nil || r.Calls != calls || r.Differences != differences {
		b.t.Fatalf("rebuilt %v (%v), want %d calls and %d differences", r, err, calls, differences)
	}
}

func (b *bench) tamper(sql string, args ...any) {
	b.t.Helper()
	n, err := tenantdb.Exec(b.t.Context(), b.db, b.one, sql, append([]any{b.one}, args...)...)
	if err != nil || n != 1 {
		b.t.Fatalf("%s: %d rows, %v", sql, n, err)
	}
}

func TestRebuildRepairs(t *testing.T) {
	b := newBench(t, "UTC")
	day := utc("2026-03-02 09:00:00")
	first := b.call(stay{"q1", "answered", day, 10 * second, 60 * second})
	b.wrapUp(first, day.Add(70*second), 15*second)
	// The same agent twice in a call: the wrap-up is the last visit's.
	twice := b.call(stay{"q1", "answered", day.Add(time.Hour), second, 10 * second}, stay{"q2", "answered", day.Add(time.Hour + time.Minute), second, 10 * second})
	b.wrapUp(twice, day.Add(time.Hour+2*time.Minute), 40*second)
	b.call(stay{"q1", "abandoned", day.Add(2 * time.Hour), 3 * second, 0})
	self := &edgev1.CallRecord{CallId: tenants.NewID(), StartedAt: day.UnixMicro(), EndedAt: day.Add(time.Minute).UnixMicro()}
	b.fact("call", day.Add(time.Minute), self, false)
	// Held for good: never counted, so a rebuild does not count it either.
	held := record(stay{"q1", "answered", day, second, second})
	b.fact("call", day.Add(2*second), held, true)

	period := func() *cloudv1.QueueReportResponse { return b.report(day, day.Add(24*time.Hour), "1h") }
	before := period()
	if f := before.Total; f.Offered != 4 || f.AhtMs != (75_000+10_000+50_000)/3 {
		t.Fatalf("%v", f)
	}
	b.rebuild(&cloudv1.RebuildRequest{}, 4, 0)

	for name, change := range map[string]func(){
		"figure": func() { b.tamper("UPDATE queue_visits SET wait_ms = 1 WHERE tenant_id = $1 AND call_id = $2", first) },
		"outcome": func() {
			b.tamper("UPDATE queue_visits SET outcome = 'abandoned' WHERE tenant_id = $1 AND call_id = $2", first)
		},
		"wrap-up": func() {
			b.tamper("UPDATE queue_visits SET wrap_up_ms = 0 WHERE tenant_id = $1 AND call_id = $2", first)
		},
		"time": func() {
			b.tamper("UPDATE queue_visits SET enqueued_at = '2001-01-01' WHERE tenant_id = $1 AND call_id = $2", first)
		},
		"lost": func() { b.tamper("DELETE FROM queue_visits WHERE tenant_id = $1 AND call_id = $2 AND n = 1", twice) },
		"of a call without any": func() {
			b.tamper("INSERT INTO queue_visits VALUES ($1, $2, 0, 'site', 'q1', $3, 'answered', 0, 'a1', 0, 0)", self.CallId, day)
		},
		"of no call at all": func() {
			b.tamper("INSERT INTO queue_visits VALUES ($1, 'nobody', 0, 'site', 'q1', $2, 'answered', 0, 'a1', 0, 0)", day)
		},
	} {
		change()
		if proto.Equal(before, period()) {
			t.Errorf("%s: the report does not show it", name)
		}
		b.rebuild(&cloudv1.RebuildRequest{}, 4, 1)
		if !proto.Equal(before, period()) {
			t.Errorf("%s: not repaired", name)
		}
	}
	b.rebuild(&cloudv1.RebuildRequest{}, 4, 0)
	if r, err := b.Rebuild(b.foreign, &cloudv1.RebuildRequest{}); err != nil || r.Calls != 0 || r.Differences != 0 {
		t.Errorf("a foreigner rebuilt %v (%v)", r, err)
	}
	if !proto.Equal(before, period()) {
		t.Error("a foreigner changed it")
	}
	n, err := tenantdb.One[int](t.Context(), b.db, b.one, "SELECT count(*)::int FROM audit WHERE action = 'reports.rebuilt' AND details->>'calls' = '4'")
	if err != nil || n != 9 {
		t.Errorf("%d lines in the audit (%v)", n, err)
	}
}

// What the release before wrote, that a caller the site lost had hung up, is put
// right from the log.
func TestRebuildTellsLostFromAbandoned(t *testing.T) {
	b := newBench(t, "UTC")
	day := utc("2026-03-02 09:00:00")
	rec := record(stay{"q1", "flow", day, second, 0}, stay{"q1", "abandoned", day.Add(time.Minute), 40 * second, 0})
	rec.EndedBy = "lost"
	b.fact("call", time.UnixMicro(rec.EndedAt), rec, false)
	before := b.report(day, day.Add(time.Hour), "1h")
	if f := before.Total; f.Offered != 2 || f.Failed != 1 || f.Other != 1 || f.Abandoned != 0 {
		t.Fatalf("%v", f)
	}
	b.tamper("UPDATE queue_visits SET outcome = 'abandoned' WHERE tenant_id = $1 AND call_id = $2 AND outcome = 'lost'", rec.CallId)
	if f := b.report(day, day.Add(time.Hour), "1h").Total; f.Failed != 0 || f.Abandoned != 1 {
		t.Fatalf("%v", f)
	}
	b.rebuild(&cloudv1.RebuildRequest{}, 1, 1)
	if !proto.Equal(before, b.report(day, day.Add(time.Hour), "1h")) {
		t.Error("not repaired")
	}
}

// A period takes the calls that ended in it, with wrap-ups that ended later, and
// leaves all others alone.
func TestRebuildOfAPeriod(t *testing.T) {
	b := newBench(t, "UTC")
	midnight := utc("2026-03-03 00:00:00")
	in := b.call(stay{"q1", "answered", midnight.Add(-time.Minute), 10 * second, 49 * second})
	b.wrapUp(in, midnight.Add(-second), time.Minute) // ends after the period
	over := b.call(stay{"q1", "answered", midnight.Add(-time.Minute), 10 * second, time.Hour})
	later := b.call(stay{"q1", "answered", midnight.Add(time.Hour), second, second})
	req := &cloudv1.RebuildRequest{From: timestamppb.New(midnight.AddDate(0, 0, -1)), To: timestamppb.New(midnight)}
	b.rebuild(req, 1, 0)
	b.tamper("UPDATE queue_visits SET wait_ms = 1 WHERE tenant_id = $1 AND call_id = $2", over)
	b.tamper("UPDATE queue_visits SET wait_ms = 1 WHERE tenant_id = $1 AND call_id = $2", later)
	b.rebuild(req, 1, 0)
	b.rebuild(&cloudv1.RebuildRequest{From: req.To}, 2, 2)
	b.rebuild(&cloudv1.RebuildRequest{}, 3, 0)
}

// More facts than are read at once, many of the same moment.
func TestRebuildOfManyPages(t *testing.T) {
	if testing.Short() {
		t.Skip("some thousand calls")
	}
	b := newBench(t, "UTC")
	day := utc("2026-03-02 09:00:00")
	const n = rebuildPage + 50
	for i := range n {
		r := record(stay{"q1", "abandoned", day.Add(time.Duration(i) * second / 10), second, 0})
		b.fact("call", day.Add(time.Duration(i/100)*time.Minute), r, false)
	}
	b.rebuild(&cloudv1.RebuildRequest{}, n, 0)
}
