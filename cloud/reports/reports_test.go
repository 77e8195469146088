package reports

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

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

type bench struct {
	*Service
	t          *testing.T
	db         *tenantdb.DB
	one, other int64
	ctx        context.Context
	foreign    context.Context
	seq        int64
}

// newBench has two tenants in the zone.
func newBench(t *testing.T, zone string) *bench {
	t.Helper()
	db, err := tenantdb.Open(t.Context(), pgtest.New(t, schema.Migrate).App)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	b := &bench{Service: NewService(db), t: t, db: db}
	err = db.Platform(t.Context(), "test", func(ctx context.Context, tx pgx.Tx) error {
		for _, id := range []*int64{&b.one, &b.other} {
			if *id, err = tenantdb.TxOne[int64](ctx, tx, `INSERT INTO tenants (slug, name, language, time_zone) VALUES ($1, $1, 'en', $2)
				RETURNING tenant_id`, tenants.NewID()[24:], zone); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, `INSERT INTO queues (tenant_id, id, name) VALUES ($1, 'q1', 'Support'), ($1, 'q2', '=1+1')`, *id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	as := func(tenant int64) context.Context {
		return rpcx.WithCaller(t.Context(), rpcx.Caller{Claims: grant.Claims{Account: "a", Membership: "m", Tenant: tenant}})
	}
	b.ctx, b.foreign = as(b.one), as(b.other)
	return b
}

// fact puts a fact into the log, applies it unless it is held, and gives its number.
func (b *bench) fact(kind string, at time.Time, body proto.Message, held bool) {
	b.t.Helper()
	raw, err := proto.Marshal(body)
	if err != nil {
		b.t.Fatal(err)
	}
	b.seq++
	err = b.db.InTenant(b.t.Context(), b.one, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO facts (tenant_id, site_id, epoch, seq, kind, at, at_us, hash, body)
			VALUES ($1, 'site', 1, $2, $3, $4, $5, $6, $7)`, b.one, b.seq, kind, at, at.UnixMicro(), make([]byte, 32), raw)
		if err != nil {
			return err
		}
		if held {
			_, err = tx.Exec(ctx, "INSERT INTO quarantine (tenant_id, site_id, epoch, seq, error, retry) VALUES ($1, 'site', 1, $2, 'held', false)", b.one, b.seq)
			return err
		}
		return b.Apply(ctx, tx, "site", &edgev1.Fact{TenantId: b.one, Epoch: 1, Seq: uint64(b.seq), Kind: kind, Body: raw})
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// stay is a visit of a call made of it alone; talk follows an answered one.
type stay struct {
	queue, outcome string
	from           time.Time
	wait, talk     time.Duration
}

func (b *bench) call(stays ...stay) string {
	b.t.Helper()
	r := record(stays...)
	b.fact("call", time.UnixMicro(r.EndedAt), r, false)
	return r.CallId
}

func record(stays ...stay) *edgev1.CallRecord {
	r := &edgev1.CallRecord{CallId: tenants.NewID(), StartedAt: stays[0].from.UnixMicro(), EndedBy: "caller"}
	for _, s := range stays {
		left := s.from.Add(s.wait)
		r.QueueVisits = append(r.QueueVisits, &edgev1.QueueVisit{
			QueueId: s.queue, EnqueuedAt: s.from.UnixMicro(), LeftAt: left.UnixMicro(), Outcome: s.outcome,
		})
		if s.outcome == "answered" {
			r.Talks = append(r.Talks, &edgev1.TalkSegment{AgentId: "a1", StartedAt: left.UnixMicro(), EndedAt: left.Add(s.talk).UnixMicro()})
		}
		r.EndedAt = left.Add(s.talk).UnixMicro()
	}
	return r
}

func (b *bench) wrapUp(call string, from time.Time, took time.Duration) {
	b.t.Helper()
	end := from.Add(took)
	b.fact("wrap_up", end, &edgev1.WrapUp{CallId: call, AgentId: "a1", StartedAt: from.UnixMicro(), EndedAt: end.UnixMicro()}, false)
}

func (b *bench) report(from, to time.Time, interval string, queues ...string) *cloudv1.QueueReportResponse {
	b.t.Helper()
	r, err := b.QueueReport(b.ctx, request(from, to, interval, queues...))
	if err != nil {
		b.t.Fatal(fault.Of(err))
	}
	return r
}

func request(from, to time.Time, interval string, queues ...string) *cloudv1.QueueReportRequest {
	return &cloudv1.QueueReportRequest{From: timestamppb.New(from), To: timestamppb.New(to), Interval: interval, QueueIds: queues}
}

func utc(text string) time.Time {
	t, err := time.Parse("2006-01-02 15:04:05", text)
	if err != nil {
		panic(err)
	}
	return t
}

const second = time.Second

// The definitions of doc.go, by hand.
func TestFigures(t *testing.T) {
	b := newBench(t, "UTC")
	day := utc("2026-03-02 09:00:00")
	at := func(minutes int) time.Time { return day.Add(time.Duration(minutes) * time.Minute) }
	inTime := b.call(stay{"q1", "answered", at(0), 20 * second, 100 * second}) // in level at the limit itself
	b.wrapUp(inTime, at(0).Add(120*second), 30*second)
	late := b.call(stay{"q1", "answered", at(1), 30 * second, 200 * second})
	b.wrapUp(late, at(1).Add(230*second), 10*second)
	b.call(stay{"q1", "abandoned", at(2), 5 * second, 0})                  // at the limit: not short
	b.call(stay{"q1", "abandoned", at(3), 5*second - time.Millisecond, 0}) // short
	b.call(stay{"q1", "max_wait", at(4), 90 * second, 0})
	// The site lost the caller: however short it was, nobody hung up.
	for _, wait := range []time.Duration{second, 40 * second} {
		gone := record(stay{"q1", "abandoned", at(4), wait, 0})
		gone.EndedBy = "lost"
		b.fact("call", time.UnixMicro(gone.EndedAt), gone, false)
	}
	// Left for another queue and answered there: one visit in each.
	b.call(stay{"q1", "flow", at(5), 60 * second, 0}, stay{"q2", "answered", at(7), second, 40 * second})

	r := b.report(day, day.Add(24*time.Hour), "1d", "q1")
	want := &cloudv1.QueueFigures{
		Offered: 8, Answered: 2, AnsweredInLevel: 1, Abandoned: 1, AbandonedShort: 1, Other: 2, Failed: 2,
		ServiceLevelPm: 143, AbandonmentPm: 143, AsaMs: 25_000, AhtMs: (130_000 + 210_000) / 2, MaxWaitMs: 90_000,
	}
	for name, got := range map[string]*cloudv1.QueueFigures{"row": r.Rows[0].Figures, "queue": r.Queues[0].Figures, "total": r.Total} {
		if !proto.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	if len(r.Rows) != 1 || len(r.Queues) != 1 || r.Queues[0].QueueName != "Support" || r.ServiceLevelS != 20 || r.ShortAbandonS != 5 {
		t.Errorf("%v", r)
	}
	all := b.report(day, day.Add(24*time.Hour), "1d")
	if all.Total.Offered != 9 || all.Total.AhtMs != (130_000+210_000+40_000+1)/3 || len(all.Queues) != 2 {
		t.Errorf("over all queues: %v", all.Total)
	}
	if r, err := b.QueueReport(b.foreign, request(day, day.Add(24*time.Hour), "1d")); err != nil || len(r.Rows) != 0 || r.Total.Offered != 0 {
		t.Errorf("a foreigner sees %v (%v)", r, err)
	}

	// The definitions depend on settings, looked up when asked.
	if _, err := tenantdb.Exec(t.Context(), b.db, b.one, "INSERT INTO settings (tenant_id, short_abandon_s, service_level_s) VALUES ($1, 10, 30)", b.one); err != nil {
		t.Fatal(err)
	}
	r = b.report(day, day.Add(24*time.Hour), "1d", "q1")
	if f := r.Total; f.AbandonedShort != 2 || f.Abandoned != 0 || f.AnsweredInLevel != 2 || f.ServiceLevelPm != 333 || r.ShortAbandonS != 10 {
		t.Errorf("with other settings: %v", f)
	}
}

// A caller whom one agent passed to another, and then to another queue: each talk
// and each wrap-up counts once, to the queue the caller came from.
func TestTransfers(t *testing.T) {
	b := newBench(t, "UTC")
	day := utc("2026-03-02 09:00:00")
	at := func(s int) int64 { return day.Add(time.Duration(s) * time.Second).UnixMicro() }
	r := &edgev1.CallRecord{
		CallId: tenants.NewID(), StartedAt: at(0), EndedAt: at(500), EndedBy: "caller",
		QueueVisits: []*edgev1.QueueVisit{
			{QueueId: "q1", EnqueuedAt: at(0), LeftAt: at(10), Outcome: "answered"},
			{QueueId: "q2", EnqueuedAt: at(300), LeftAt: at(310), Outcome: "answered"},
		},
		Talks: []*edgev1.TalkSegment{
			{AgentId: "a1", StartedAt: at(10), EndedAt: at(110)},
			{AgentId: "a2", StartedAt: at(120), EndedAt: at(300)},
			{AgentId: "a1", StartedAt: at(310), EndedAt: at(400)},
			{AgentId: "a2", StartedAt: at(405), EndedAt: at(500)},
		},
	}
	b.fact("call", day.Add(500*second), r, false)
	for _, w := range []struct {
		agent    string
		from, to int
	}{{"a1", 110, 117}, {"a2", 300, 311}, {"a1", 400, 413}, {"a2", 500, 517}} {
		b.fact("wrap_up", day.Add(600*second), &edgev1.WrapUp{CallId: r.CallId, AgentId: w.agent, StartedAt: at(w.from), EndedAt: at(w.to)}, false)
	}
	for queue, want := range map[string]*cloudv1.QueueFigures{
		"q1": {Offered: 1, Answered: 1, AnsweredInLevel: 1, ServiceLevelPm: 1000, AsaMs: 10_000, AhtMs: 100_000 + 180_000 + 7000 + 11_000, MaxWaitMs: 10_000},
		"q2": {Offered: 1, Answered: 1, AnsweredInLevel: 1, ServiceLevelPm: 1000, AsaMs: 10_000, AhtMs: 90_000 + 95_000 + 13_000 + 17_000, MaxWaitMs: 10_000},
	} {
		if got := b.report(day, day.Add(time.Hour), "1d", queue).Total; !proto.Equal(got, want) {
			t.Errorf("%s: %v, want %v", queue, got, want)
		}
	}
	out, err := b.Rebuild(b.ctx, &cloudv1.RebuildRequest{})
	if err != nil || out.Differences != 0 {
		t.Errorf("rebuilt: %v (%v)", out, err)
	}
}

// A visit counts where it began, also when it ends in the next day of the zone.
func TestTheDayIsTheZones(t *testing.T) {
	b := newBench(t, "Asia/Shanghai")
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	midnight := time.Date(2026, 5, 2, 0, 0, 0, 0, shanghai) // 16:00 UTC of the day before
	b.call(stay{"q1", "answered", midnight.Add(-10 * second), 20 * second, 60 * second})
	b.call(stay{"q1", "answered", midnight, 5 * second, 60 * second})
	b.call(stay{"q1", "abandoned", midnight.Add(20 * time.Hour), 50 * second, 0})
	r := b.report(midnight.AddDate(0, 0, -1), midnight.AddDate(0, 0, 1), "1d")
	if r.TimeZone != "Asia/Shanghai" || len(r.Rows) != 2 {
		t.Fatalf("%v", r)
	}
	for i, want := range []uint64{1, 2} {
		row := r.Rows[i]
		if row.Figures.Offered != want || !row.From.AsTime().Equal(midnight.AddDate(0, 0, i-1)) || !row.To.AsTime().Equal(midnight.AddDate(0, 0, i)) {
			t.Errorf("day %d: %v", i, row)
		}
	}
	// Cut at its ends, a report counts what began within, and says so.
	r = b.report(midnight.Add(-5*second), midnight.Add(time.Hour), "1d")
	if len(r.Rows) != 1 || r.Rows[0].Figures.Offered != 1 || !r.Rows[0].To.AsTime().Equal(midnight.Add(time.Hour)) {
		t.Errorf("cut: %v", r.Rows)
	}
}

// One call each half hour of a day with a change of the clock: every interval
// holds its own, and days have 23 and 25 hours.
func TestDaysWithAChangeOfTheClock(t *testing.T) {
	b := newBench(t, "Europe/Berlin")
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for date, hours := range map[time.Time]int{
		time.Date(2026, 3, 29, 0, 0, 0, 0, berlin): 23, time.Date(2026, 10, 25, 0, 0, 0, 0, berlin): 25,
	} {
		end := date.AddDate(0, 0, 1)
		for t := date.Add(time.Minute); t.Before(end); t = t.Add(30 * time.Minute) {
			b.call(stay{"q1", "answered", t, second, 10 * second})
		}
		day := b.report(date, end.AddDate(0, 0, 1), "1d")
		if len(day.Rows) != 1 || day.Total.Offered != uint64(2*hours) || day.Rows[0].To.AsTime().Sub(day.Rows[0].From.AsTime()) != time.Duration(hours)*time.Hour {
			t.Errorf("%s: %v", date, day.Rows)
		}
		hourly := b.report(date, end, "1h")
		if len(hourly.Rows) != hours {
			t.Errorf("%s: %d hours", date, len(hourly.Rows))
		}
		edge := date
		for _, row := range hourly.Rows {
			if row.Figures.Offered != 2 || !row.From.AsTime().Equal(edge) || row.To.AsTime().Sub(edge) != time.Hour {
				t.Errorf("%s: %v", date, row)
			}
			edge = row.To.AsTime()
		}
		if quarters := b.report(date, end, "15m"); len(quarters.Rows) != 2*hours {
			t.Errorf("%s: %d quarters with calls", date, len(quarters.Rows))
		}
	}
}

func TestIntervals(t *testing.T) {
	for _, c := range []struct {
		zone, from, interval string
		length               time.Duration
		want                 string // starts, on the zone's clock
	}{
		{"Asia/Kathmandu", "2026-01-01 00:20:00", "1h", 2 * time.Hour, "06:05+0545 07:00+0545 08:00+0545"},
		{"Asia/Kathmandu", "2026-01-01 00:20:00", "15m", 30 * time.Minute, "06:05+0545 06:15+0545 06:30+0545"},
		{"Europe/Berlin", "2026-10-25 00:00:00", "1h", 3 * time.Hour, "02:00+0200 02:00+0100 03:00+0100"},
		{"Australia/Lord_Howe", "2026-04-04 14:30:00", "1h", 2 * time.Hour, "01:30+1100 01:30+1030 02:00+1030"},
		// Midnight is skipped, shown twice, and a whole day left out.
		{"America/Sao_Paulo", "2018-11-03 03:00:00", "1d", 40 * time.Hour, "00:00-0300 01:00-0200"},
		{"America/Havana", "2026-10-31 04:00:00", "1d", 50 * time.Hour, "00:00-0400 00:00-0400 00:00-0500"},
		{"Pacific/Apia", "2011-12-29 10:00:00", "1d", 30 * time.Hour, "00:00-1000 00:00+1400"},
	} {
		zone, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		from := utc(c.from)
		got := ""
		for i, start := range intervals(from, from.Add(c.length), c.interval, zone) {
			if i > 0 {
				got += " "
			}
			got += start.In(zone).Format("15:04-0700")
		}
		if got != c.want {
			t.Errorf("%s by %s: %s, want %s", c.zone, c.interval, got, c.want)
		}
	}
}

// The file holds the rows of the report, figure by figure.
func TestCsvIsTheReport(t *testing.T) {
	b := newBench(t, "Europe/Berlin")
	day := utc("2026-10-24 22:00:00") // midnight in Berlin, of 25 hours
	for i := range 25 {
		b.call(stay{[]string{"q1", "q2", "q3"}[i%3], []string{"answered", "abandoned", "flow", "max_wait"}[i%4], day.Add(time.Duration(i) * time.Hour), time.Duration(i*i) * second, 70 * second})
	}
	req := request(day, day.Add(25*time.Hour), "1h")
	rep, err := b.QueueReport(b.ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	file, err := b.QueueReportCsv(b.ctx, req)
	if err != nil || file.FileName != "queues-2026-10-25.csv" {
		t.Fatal(file.GetFileName(), err)
	}
	lines, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(file.Csv, []byte("\uFEFF")))).ReadAll()
	if err != nil || len(lines) != 1+len(rep.Rows) || len(rep.Rows) != 25 {
		t.Fatalf("%d lines for %d rows (%v)", len(lines), len(rep.Rows), err)
	}
	rate := func(v int64, by float64) string {
		if v < 0 {
			return ""
		}
		return fmt.Sprintf("%.1f", float64(v)/by)
	}
	name := map[string]string{"q1": "Support", "q2": "'=1+1", "q3": "q3"} // a formula is no formula; a queue long gone has its id
	seen := map[string]bool{}
	for i, row := range rep.Rows {
		line, f := lines[i+1], row.Figures
		from, err := time.Parse("2006-01-02 15:04:05 -07:00", line[0]+" "+line[2])
		if err != nil || !from.Equal(row.From.AsTime()) || seen[line[0]+line[2]] {
			t.Errorf("from %v, want %v (%v)", line[:3], row.From.AsTime(), err)
		}
		seen[line[0]+line[2]] = true
		want := []string{
			name[row.QueueId], fmt.Sprint(f.Offered), fmt.Sprint(f.Answered), fmt.Sprint(f.AnsweredInLevel), fmt.Sprint(f.Abandoned),
			fmt.Sprint(f.AbandonedShort), fmt.Sprint(f.Other), rate(int64(f.ServiceLevelPm), 10), rate(int64(f.AbandonmentPm), 10),
			rate(f.AsaMs, 1000), rate(f.AhtMs, 1000), rate(f.MaxWaitMs, 1000),
		}
		for j := range want {
			if line[3+j] != want[j] {
				t.Errorf("row %d, %s: %q, want %q", i, lines[0][3+j], line[3+j], want[j])
			}
		}
	}
	if file, err := b.QueueReportCsv(b.foreign, req); err != nil || bytes.Count(file.Csv, []byte("\n")) != 1 {
		t.Errorf("a foreigner's file: %q (%v)", file.GetCsv(), err)
	}
}

func TestPeriods(t *testing.T) {
	b := newBench(t, "UTC")
	day := utc("2026-01-01 00:00:00")
	for name, req := range map[string]*cloudv1.QueueReportRequest{
		"empty":     request(day, day, "1d"),
		"backwards": request(day, day.Add(-time.Hour), "1h"),
		"quarters":  request(day, day.AddDate(0, 0, 33), "15m"),
		"hours":     request(day, day.AddDate(0, 0, 101), ""),
		"days":      request(day, day.AddDate(4, 0, 0), "1d"),
		"no time":   {From: &timestamppb.Timestamp{Seconds: 1 << 60}, To: &timestamppb.Timestamp{Seconds: 1<<60 + 60}, Interval: "1h"},
	} {
		if _, err := b.QueueReport(b.ctx, req); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	r := b.report(day, day.AddDate(0, 0, 32), "15m") // nothing there
	f := r.Total
	if len(r.Rows) != 0 || len(r.Queues) != 0 || f.Offered != 0 || f.ServiceLevelPm != -1 || f.AbandonmentPm != -1 || f.AsaMs != -1 || f.AhtMs != -1 || f.MaxWaitMs != -1 {
		t.Errorf("%v", r)
	}
}
