package reports

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/proto"

	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

// visit is one stay in a queue as reports count it.
type visit struct {
	CallID     string
	N          int32
	SiteID     string
	QueueID    string
	EnqueuedAt time.Time
	Outcome    string
	WaitMs     int64
	AgentID    string
	HandleMs   int64
	WrapUpMs   int64
}

// visitsOf makes the visits of a call from its record. The talk that followed a
// visit is the first one that began when the visit ended or later.
func visitsOf(site string, r *edgev1.CallRecord) []visit {
	var out []visit
	talks := slices.Clone(r.GetTalks())
	for i, q := range r.GetQueueVisits() {
		v := visit{
			CallID: r.GetCallId(), N: int32(i), SiteID: site, QueueID: q.GetQueueId(),
			EnqueuedAt: time.UnixMicro(q.GetEnqueuedAt()).UTC(), Outcome: q.GetOutcome(),
			WaitMs: max(0, q.GetLeftAt()-q.GetEnqueuedAt()) / 1000,
		}
		next := slices.IndexFunc(talks, func(t *edgev1.TalkSegment) bool { return t.GetStartedAt() >= q.GetLeftAt() })
		if v.Outcome == "answered" && next >= 0 {
			t := talks[next]
			talks = talks[next+1:]
			v.AgentID, v.HandleMs = t.GetAgentId(), max(0, t.GetEndedAt()-t.GetStartedAt())/1000
		}
		out = append(out, v)
	}
	return out
}

// Apply takes the facts reports count (fleet.Applier).
func (s *Service) Apply(ctx context.Context, tx pgx.Tx, site string, f *edgev1.Fact) error {
	switch f.GetKind() {
	case "call":
		var r edgev1.CallRecord
		if err := proto.Unmarshal(f.GetBody(), &r); err != nil {
			return fmt.Errorf("call record: %w", err)
		}
		return storeVisits(ctx, tx, f.GetTenantId(), visitsOf(site, &r))
	case "wrap_up":
		var w edgev1.WrapUp
		if err := proto.Unmarshal(f.GetBody(), &w); err != nil {
			return fmt.Errorf("wrap-up: %w", err)
		}
		_, err := tx.Exec(ctx, `UPDATE queue_visits SET wrap_up_ms = $4 WHERE tenant_id = $1 AND call_id = $2
			AND n = (SELECT max(n) FROM queue_visits WHERE tenant_id = $1 AND call_id = $2 AND agent_id = $3)`,
			f.GetTenantId(), w.GetCallId(), w.GetAgentId(), wrapUpMs(&w))
		return err
	case "agent_interval":
		var i edgev1.AgentInterval
		if err := proto.Unmarshal(f.GetBody(), &i); err != nil {
			return fmt.Errorf("agent interval: %w", err)
		}
		_, err := tx.Exec(ctx, `INSERT INTO agent_intervals (tenant_id, agent_id, started_at, site_id, ended_at, state, reason, call_id)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING`, f.GetTenantId(), i.GetAgentId(),
			time.UnixMicro(i.GetStartedAt()), site, time.UnixMicro(i.GetEndedAt()), i.GetState(), i.GetReason(), i.GetCallId())
		return err
	default:
		return nil
	}
}

// wrapUpMs counts to the agent's last visit of the call: wrap-up follows its end.
func wrapUpMs(w *edgev1.WrapUp) int64 { return max(0, w.GetEndedAt()-w.GetStartedAt()) / 1000 }

func storeVisits(ctx context.Context, tx pgx.Tx, tenant int64, visits []visit) error {
	if len(visits) == 0 {
		return nil
	}
	batch := &pgx.Batch{}
	for _, v := range visits {
		batch.Queue(`INSERT INTO queue_visits (tenant_id, call_id, n, site_id, queue_id, enqueued_at, outcome, wait_ms, agent_id, handle_ms, wrap_up_ms)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
			ON CONFLICT DO NOTHING`,
			tenant, v.CallID, v.N, v.SiteID, v.QueueID, v.EnqueuedAt, v.Outcome, v.WaitMs, v.AgentID, v.HandleMs, v.WrapUpMs)
	}
	return tx.SendBatch(ctx, batch).Close()
}
