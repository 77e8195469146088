package conversations

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/proto"

	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
	"trunkline/tenants/tenantdb"
)

// Apply takes the facts this package lives by (fleet.Applier). Applying one
// twice leaves the same rows, so quarantined facts may be applied late.
func (s *Service) Apply(ctx context.Context, tx pgx.Tx, site string, f *edgev1.Fact) error {
	switch f.GetKind() {
	case "call":
		var r edgev1.CallRecord
		if err := proto.Unmarshal(f.GetBody(), &r); err != nil {
			return fmt.Errorf("call record: %w", err)
		}
		return applyCall(ctx, tx, f.GetTenantId(), site, &r, f.GetBody())
	case "wrap_up":
		var w edgev1.WrapUp
		if err := proto.Unmarshal(f.GetBody(), &w); err != nil {
			return fmt.Errorf("wrap-up: %w", err)
		}
		return applyWrapUp(ctx, tx, f.GetTenantId(), &w)
	case "recording":
		var m edgev1.RecordingManifest
		if err := proto.Unmarshal(f.GetBody(), &m); err != nil {
			return fmt.Errorf("recording manifest: %w", err)
		}
		return applyManifest(ctx, tx, f.GetTenantId(), site, &m)
	default:
		return nil
	}
}

func applyCall(ctx context.Context, tx pgx.Tx, tenant int64, site string, r *edgev1.CallRecord, body []byte) error {
	if !plainID.MatchString(r.GetCallId()) || r.GetStartedAt() <= 0 || r.GetEndedAt() < r.GetStartedAt() {
		return fmt.Errorf("call record without id or times")
	}
	t := totalsOf(r)
	tag, err := tx.Exec(ctx, `INSERT INTO calls (tenant_id, id, site_id, node, direction, trunk_id, caller, called,
			started_at, answered_at, ended_at, ended_by, end_reason, outcome, queue_id, agent_id, wait_ms, talk_ms, hold_ms, test, record)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
		ON CONFLICT (tenant_id, id) DO NOTHING`,
		tenant, r.GetCallId(), site, r.GetNode(), orElse(r.GetDirection(), "inbound"), r.GetTrunkId(), r.GetCaller(), r.GetCalled(),
		at(r.GetStartedAt()), maybeAt(r.GetAnsweredAt()), at(r.GetEndedAt()), r.GetEndedBy(), r.GetEndReason(),
		outcomeOf(r), t.queue, t.agent, t.wait, t.talk, t.hold, r.GetTest(), body)
	if err != nil || tag.RowsAffected() > 0 {
		return err
	}
	// A call ends once. Another record of the same call is not believed; held in
	// quarantine it changes no report either.
	stored, err := tenantdb.TxOne[[]byte](ctx, tx, "SELECT record FROM calls WHERE tenant_id = $1 AND id = $2", tenant, r.GetCallId())
	if err == nil && !bytes.Equal(stored, body) {
		err = fmt.Errorf("another record of the call %s", r.GetCallId())
	}
	return err
}

func applyWrapUp(ctx context.Context, tx pgx.Tx, tenant int64, w *edgev1.WrapUp) error {
	_, err := tx.Exec(ctx, `INSERT INTO call_wrap_ups (tenant_id, call_id, agent_id, started_at, ended_at, code, note)
		VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (tenant_id, call_id, agent_id, started_at)
		DO UPDATE SET ended_at = EXCLUDED.ended_at, code = EXCLUDED.code, note = EXCLUDED.note`,
		tenant, w.GetCallId(), w.GetAgentId(), at(w.GetStartedAt()), at(max(w.GetStartedAt(), w.GetEndedAt())), w.GetCode(), w.GetNote())
	if err != nil {
		return err
	}
	tag, err := tx.Exec(ctx, `UPDATE calls SET wrap_up_ms = w.ms, wrap_up_code = w.code, wrap_up_note = w.note
		FROM (SELECT (sum(extract(epoch FROM ended_at - started_at)) * 1000)::bigint AS ms,
				(array_agg(code ORDER BY started_at DESC))[1] AS code, (array_agg(note ORDER BY started_at DESC))[1] AS note
			FROM call_wrap_ups WHERE tenant_id = $1 AND call_id = $2) w
		WHERE tenant_id = $1 AND id = $2`, tenant, w.GetCallId())
	if err == nil && tag.RowsAffected() == 0 {
		err = fmt.Errorf("wrap-up of an unknown call %s", w.GetCallId())
	}
	return err
}

// totals are what a call's row sums up.
type totals struct {
	queue, agent     string
	wait, talk, hold int64 // milliseconds
}

func totalsOf(r *edgev1.CallRecord) totals {
	var t totals
	for _, v := range r.GetQueueVisits() {
		t.queue = v.GetQueueId()
		t.wait += max(0, v.GetLeftAt()-v.GetEnqueuedAt()) / 1000
	}
	for _, k := range r.GetTalks() {
		t.agent = k.GetAgentId()
		t.talk += max(0, k.GetEndedAt()-k.GetStartedAt()-k.GetHeldUs()) / 1000
		t.hold += max(0, k.GetHeldUs()) / 1000
	}
	return t
}

// outcomeOf says how a call turned out, in one word. Short abandons are told
// apart when they are looked at, because their limit is a setting.
func outcomeOf(r *edgev1.CallRecord) string {
	visits := r.GetQueueVisits()
	switch {
	case len(r.GetTalks()) > 0:
		return "answered"
	case r.GetEndedBy() == "rejected" || r.GetEndedBy() == "lost" || r.GetEndedBy() == "suspended":
		return "failed"
	case len(visits) == 0:
		return "self_service"
	case visits[len(visits)-1].GetOutcome() == "abandoned":
		return "abandoned"
	default:
		return "max_wait"
	}
}

func at(us int64) time.Time { return time.UnixMicro(us) }

func maybeAt(us int64) *time.Time {
	if us == 0 {
		return nil
	}
	t := at(us)
	return &t
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
