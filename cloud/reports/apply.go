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

// direct is the outcome of what was no visit: a talk of an agent whom a colleague
// passed the caller to. It counts to the queue the caller came from last.
const direct = "direct"

// lost is the outcome of a visit that ended because the site lost the caller; the
// record's visit says "abandoned", and the call that it was lost.
const lost = "lost"

// visitsOf makes the visits of a call from its record, in order of time. The talk
// that followed a visit is the first one that began when the visit ended or later.
func visitsOf(site string, r *edgev1.CallRecord) []visit {
	var out []visit
	add := func(v visit) {
		v.CallID, v.N, v.SiteID = r.GetCallId(), int32(len(out)), site
		out = append(out, v)
	}
	talks := r.GetTalks()
	queue := ""
	passedOn := func(until int) {
		for _, t := range talks[:until] {
			if queue != "" {
				add(visit{QueueID: queue, Outcome: direct, EnqueuedAt: time.UnixMicro(t.GetStartedAt()).UTC()}.handledBy(t))
			}
		}
		talks = talks[until:]
	}
	for _, q := range r.GetQueueVisits() {
		before := slices.IndexFunc(talks, func(t *edgev1.TalkSegment) bool { return t.GetStartedAt() >= q.GetLeftAt() })
		if before < 0 {
			before = len(talks)
		}
		passedOn(before)
		queue = q.GetQueueId()
		outcome := q.GetOutcome()
		if outcome == "abandoned" && r.GetEndedBy() == "lost" {
			outcome = lost
		}
		v := visit{
			QueueID: queue, EnqueuedAt: time.UnixMicro(q.GetEnqueuedAt()).UTC(), Outcome: outcome,
			WaitMs: max(0, q.GetLeftAt()-q.GetEnqueuedAt()) / 1000,
		}
		if v.Outcome == "answered" && len(talks) > 0 {
			v, talks = v.handledBy(talks[0]), talks[1:]
		}
		add(v)
	}
	passedOn(len(talks))
	return out
}

func (v visit) handledBy(t *edgev1.TalkSegment) visit {
	v.AgentID, v.HandleMs = t.GetAgentId(), max(0, t.GetEndedAt()-t.GetStartedAt())/1000
	return v
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
			AND n = (SELECT max(n) FROM queue_visits WHERE tenant_id = $1 AND call_id = $2 AND agent_id = $3 AND enqueued_at < $5)`,
			f.GetTenantId(), w.GetCallId(), w.GetAgentId(), wrapUpMs(&w), time.UnixMicro(w.GetStartedAt()))
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

// wrapUpMs counts to the agent's last visit that had begun: wrap-up follows its end.
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
