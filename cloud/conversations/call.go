package conversations

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"trunkline/internal/fault"
	"trunkline/internal/rpcx"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
	"trunkline/tenants/tenantdb"
)

// row is a call with the names of what it points to.
type row struct {
	ID, SiteID, SiteName, Node, Direction, Caller, Called string
	StartedAt                                             time.Time
	AnsweredAt                                            *time.Time
	EndedAt                                               time.Time
	EndedBy, Outcome                                      string
	QueueID, QueueName, AgentID, AgentName                string
	WaitMs, TalkMs, HoldMs, WrapUpMs                      int64
	WrapUpCode, WrapUpNote                                string
	Test, HasRecording                                    bool
	MatchedStays                                          int64
	Record                                                []byte
}

// outcome tells short abandons apart by the tenant's setting.
const outcome = `CASE WHEN c.outcome = 'abandoned' AND c.wait_ms < ` + shortMs + ` THEN 'abandoned_short' ELSE c.outcome END`

const shortMs = "1000 * coalesce((SELECT short_abandon_s FROM settings WHERE tenant_id = $1), 5)"

const columns = `c.id, c.site_id, coalesce(s.name, '') AS site_name, c.node, c.direction, c.caller, c.called, c.started_at,
	c.answered_at, c.ended_at, c.ended_by, ` + outcome + ` AS outcome, c.queue_id, coalesce(q.name, '') AS queue_name,
	c.agent_id, coalesce(nullif(a.display_name, ''), a.email, '') AS agent_name, c.wait_ms, c.talk_ms, c.hold_ms, c.wrap_up_ms, c.wrap_up_code,
	c.wrap_up_note, c.test, EXISTS (SELECT FROM recordings r WHERE r.tenant_id = $1 AND r.call_id = c.id) AS has_recording, `

const from = ` FROM calls c
	LEFT JOIN sites s ON s.id = c.site_id
	LEFT JOIN queues q ON q.tenant_id = $1 AND q.id = c.queue_id
	LEFT JOIN memberships m ON m.tenant_id = $1 AND m.id = c.agent_id
	LEFT JOIN accounts a ON a.id = m.account_id
	WHERE c.tenant_id = $1`

const (
	usualPage = 50
	maxPage   = 200
)

// ListCalls pages through the calls that match, newest first.
func (s *Service) ListCalls(ctx context.Context, req *cloudv1.ListCallsRequest) (*cloudv1.ListCallsResponse, error) {
	tenant := rpcx.TenantFrom(ctx)
	size := usualPage
	if n := int(req.GetPageSize()); n > 0 {
		size = min(n, maxPage)
	}
	q := query{args: []any{tenant}}
	if err := q.filter(req.GetFilter()); err != nil {
		return nil, err
	}
	if err := q.after(req.GetPageToken()); err != nil {
		return nil, err
	}
	stays := "0::bigint"
	if q.stays != "" {
		stays = "(SELECT count(*)" + q.stays + ")"
	}
	q.where = append(q.where, "TRUE")
	sql := "SELECT " + columns + stays + " AS matched_stays, ''::bytea AS record" + from + " AND " + strings.Join(q.where, " AND ") +
		fmt.Sprintf(" ORDER BY c.started_at DESC, c.id DESC LIMIT %d", size+1)
	rows, err := tenantdb.Many[row](ctx, s.db, tenant, sql, q.args...)
	if err != nil {
		return nil, err
	}
	out := &cloudv1.ListCallsResponse{}
	if len(rows) > size {
		rows = rows[:size]
		last := rows[size-1]
		out.NextPageToken = pageToken(last.StartedAt, last.ID)
	}
	for _, r := range rows {
		out.Calls = append(out.Calls, message(r))
	}
	return out, nil
}

// GetCall gives a call with its timeline and recordings.
func (s *Service) GetCall(ctx context.Context, req *cloudv1.GetCallRequest) (*cloudv1.Call, error) {
	tenant := rpcx.TenantFrom(ctx)
	r, err := tenantdb.One[row](ctx, s.db, tenant, "SELECT "+columns+"0::bigint AS matched_stays, c.record"+from+" AND c.id = $2", tenant, req.GetId())
	if errors.Is(err, tenantdb.ErrNoRows) {
		return nil, fault.New(fault.NotFound, "fault.call.unknown")
	}
	if err != nil {
		return nil, err
	}
	m := message(r)
	var rec edgev1.CallRecord
	if err := proto.Unmarshal(r.Record, &rec); err != nil {
		return nil, err
	}
	names, err := s.names(ctx, tenant, &rec)
	if err != nil {
		return nil, err
	}
	wrapUps, err := tenantdb.Many[wrapUp](ctx, s.db, tenant, `SELECT agent_id, ended_at, code, (extract(epoch FROM ended_at - started_at) * 1000)::bigint AS ms
		FROM call_wrap_ups WHERE tenant_id = $1 AND call_id = $2 ORDER BY started_at, agent_id`, tenant, r.ID)
	if err != nil {
		return nil, err
	}
	m.Events = timeline(&rec, wrapUps, names)
	m.Recordings, err = s.recordingsOf(ctx, tenant, r.ID)
	return m, err
}

func message(r row) *cloudv1.Call {
	m := &cloudv1.Call{
		Id: r.ID, SiteId: r.SiteID, SiteName: r.SiteName, Node: r.Node, Direction: r.Direction, Caller: r.Caller, Called: r.Called,
		StartedAt: timestamppb.New(r.StartedAt), EndedAt: timestamppb.New(r.EndedAt), Outcome: r.Outcome, EndedBy: r.EndedBy,
		QueueId: r.QueueID, QueueName: r.QueueName, AgentId: r.AgentID, AgentName: r.AgentName,
		WaitMs: uint64(r.WaitMs), TalkMs: uint64(r.TalkMs), HoldMs: uint64(r.HoldMs), WrapUpMs: uint64(r.WrapUpMs),
		WrapUpCode: r.WrapUpCode, WrapUpNote: r.WrapUpNote, Test: r.Test, HasRecording: r.HasRecording, MatchedStays: uint32(r.MatchedStays),
	}
	if r.AnsweredAt != nil {
		m.AnsweredAt = timestamppb.New(*r.AnsweredAt)
	}
	return m
}
