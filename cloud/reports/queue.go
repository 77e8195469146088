package reports

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"trunkline/internal/fault"
	"trunkline/internal/rpcx"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
	"trunkline/tenants/tenantdb"
)

// longest bounds the period by interval, so that a report has at most some
// thousand intervals.
var longest = map[string]time.Duration{
	"15m": 32 * 24 * time.Hour,
	"1h":  100 * 24 * time.Hour,
	"1d":  3 * 366 * 24 * time.Hour,
}

// maxRows bounds a report: intervals times queues that had visits.
const maxRows = 50_000

// settings are what the definitions depend on.
type settings struct {
	TimeZone              string
	ShortAbandonS         int32
	ServiceLevelS         int32
	ServiceLevelTargetPct int32
}

func (s *Service) settings(ctx context.Context, tenant int64) (settings, error) {
	return tenantdb.One[settings](ctx, s.db, tenant, `SELECT t.time_zone, coalesce(s.short_abandon_s, 5) AS short_abandon_s,
		coalesce(s.service_level_s, 20) AS service_level_s, coalesce(s.service_level_target_pct, 80) AS service_level_target_pct
		FROM tenants t LEFT JOIN settings s USING (tenant_id) WHERE t.tenant_id = $1`, tenant)
}

// counts is one group's figures as the database sums them.
type counts struct {
	Bin                                                       int32 // number of the interval, from 1
	QueueID, QueueName                                        string
	Offered, Answered, InLevel, Abandoned, Short, Other, Lost int64
	WaitMs, HandleMs, LongestMs                               int64
}

const figures = `count(*) FILTER (WHERE v.outcome <> 'direct') AS offered,
	count(*) FILTER (WHERE v.outcome = 'answered') AS answered,
	count(*) FILTER (WHERE v.outcome = 'answered' AND v.wait_ms <= 1000 * $6::bigint) AS in_level,
	count(*) FILTER (WHERE v.outcome = 'abandoned' AND v.wait_ms >= 1000 * $7::bigint) AS abandoned,
	count(*) FILTER (WHERE v.outcome = 'abandoned' AND v.wait_ms < 1000 * $7::bigint) AS short,
	count(*) FILTER (WHERE v.outcome IN ('max_wait', 'flow')) AS other,
	count(*) FILTER (WHERE v.outcome = 'lost') AS lost,
	coalesce(sum(v.wait_ms) FILTER (WHERE v.outcome = 'answered'), 0)::bigint AS wait_ms,
	coalesce(sum(v.handle_ms + v.wrap_up_ms) FILTER (WHERE v.outcome IN ('answered', 'direct')), 0)::bigint AS handle_ms,
	coalesce(max(v.wait_ms), 0)::bigint AS longest_ms`

const matching = ` FROM queue_visits v LEFT JOIN queues q ON q.tenant_id = $1 AND q.id = v.queue_id
	WHERE v.tenant_id = $1 AND v.enqueued_at >= $2 AND v.enqueued_at < $3
		AND ($4::text[] IS NULL OR v.queue_id = ANY ($4)) AND ($5::text[] IS NULL OR v.site_id = ANY ($5))`

// QueueReport gives figures by queue and interval, by queue, and over all.
func (s *Service) QueueReport(ctx context.Context, req *cloudv1.QueueReportRequest) (*cloudv1.QueueReportResponse, error) {
	tenant := rpcx.TenantFrom(ctx)
	interval := req.GetInterval()
	if interval == "" {
		interval = "1h"
	}
	// The database knows microseconds.
	from, to := req.GetFrom().AsTime().Truncate(time.Microsecond), req.GetTo().AsTime().Truncate(time.Microsecond)
	tooLong := fault.New(fault.Invalid, "fault.report.period", "interval", interval).WithField("to")
	if !req.GetFrom().IsValid() || !req.GetTo().IsValid() || !from.Before(to) || to.Sub(from) > longest[interval] {
		return nil, tooLong
	}
	set, err := s.settings(ctx, tenant)
	if err != nil {
		return nil, err
	}
	zone, err := time.LoadLocation(set.TimeZone)
	if err != nil {
		zone, set.TimeZone = time.UTC, "UTC"
	}
	starts := intervals(from, to, interval, zone)
	rows, err := tenantdb.Many[counts](ctx, s.db, tenant, `SELECT width_bucket(v.enqueued_at, $8::timestamptz[]) AS bin,
		v.queue_id, coalesce(max(q.name), '') AS queue_name, `+figures+matching+` GROUP BY 1, 2 ORDER BY 1, 3, 2 LIMIT $9`,
		tenant, from, to, orNil(req.GetQueueIds()), orNil(req.GetSiteIds()), set.ServiceLevelS, set.ShortAbandonS, starts, maxRows+1)
	if err != nil {
		return nil, err
	}
	if len(rows) > maxRows {
		return nil, tooLong
	}
	return response(rows, append(starts, to), set), nil
}

func orNil(list []string) any {
	if len(list) == 0 {
		return nil
	}
	return list
}

// response sums the rows up by queue and over all, so that they always agree.
// Interval number i lies between edges i-1 and i.
func response(rows []counts, edges []time.Time, set settings) *cloudv1.QueueReportResponse {
	out := &cloudv1.QueueReportResponse{
		ServiceLevelS: uint32(set.ServiceLevelS), ServiceLevelTargetPct: uint32(set.ServiceLevelTargetPct),
		ShortAbandonS: uint32(set.ShortAbandonS), TimeZone: set.TimeZone,
	}
	var all counts
	queues := map[string]*counts{}
	for _, c := range rows {
		out.Rows = append(out.Rows, &cloudv1.QueueReportRow{
			From: timestamppb.New(edges[c.Bin-1]), To: timestamppb.New(edges[c.Bin]),
			QueueId: c.QueueID, QueueName: c.QueueName, Figures: c.figures(),
		})
		if queues[c.QueueID] == nil {
			queues[c.QueueID] = &counts{QueueID: c.QueueID, QueueName: c.QueueName}
		}
		queues[c.QueueID].add(c)
		all.add(c)
	}
	byName := slices.SortedFunc(maps.Values(queues), func(a, b *counts) int {
		return cmp.Or(cmp.Compare(a.QueueName, b.QueueName), cmp.Compare(a.QueueID, b.QueueID))
	})
	for _, c := range byName {
		out.Queues = append(out.Queues, &cloudv1.QueueReportRow{QueueId: c.QueueID, QueueName: c.QueueName, Figures: c.figures()})
	}
	out.Total = all.figures()
	return out
}

func (c *counts) add(o counts) {
	c.Offered += o.Offered
	c.Answered += o.Answered
	c.InLevel += o.InLevel
	c.Abandoned += o.Abandoned
	c.Short += o.Short
	c.Other += o.Other
	c.Lost += o.Lost
	c.WaitMs += o.WaitMs
	c.HandleMs += o.HandleMs
	c.LongestMs = max(c.LongestMs, o.LongestMs)
}

// figures applies the definitions; -1 where nothing counts.
func (c counts) figures() *cloudv1.QueueFigures {
	f := &cloudv1.QueueFigures{
		Offered: uint64(c.Offered), Answered: uint64(c.Answered), AnsweredInLevel: uint64(c.InLevel),
		Abandoned: uint64(c.Abandoned), AbandonedShort: uint64(c.Short), Other: uint64(c.Other), Failed: uint64(c.Lost),
		ServiceLevelPm: -1, AbandonmentPm: -1, AsaMs: -1, AhtMs: -1, MaxWaitMs: -1,
	}
	if n := c.Offered - c.Short; n > 0 {
		f.ServiceLevelPm, f.AbandonmentPm = perMille(c.InLevel, n), perMille(c.Abandoned, n)
	}
	if c.Answered > 0 {
		f.AsaMs, f.AhtMs = (c.WaitMs+c.Answered/2)/c.Answered, (c.HandleMs+c.Answered/2)/c.Answered
	}
	if c.Offered > 0 {
		f.MaxWaitMs = c.LongestMs
	}
	return f
}

func perMille(part, whole int64) int32 { return int32((1000*part + whole/2) / whole) }
