package sites

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
	"trunkline/tenants"
	"trunkline/tenants/tenantdb"
)

// reportEvery is the least time between two writes for one node; a report is
// whole, so what comes between is not missed.
const reportEvery = time.Second

var refusedTotal = promauto.NewCounterVec(prometheus.CounterOpts{
	Name: "trunkline_refused_invites_total", Help: "Calls sites did not take, by reason.",
}, []string{"reason"})

// reasons are the known ones; others count as "other", for a label is no place
// for what a node sends.
var reasons = map[string]bool{
	"address_not_listed": true, "unknown_number": true, "no_common_codec": true, "overload": true, "malformed": true,
	"suspended": true, "limit": true,
}

// pulse remembers when each node was written last.
type pulse struct {
	mu   sync.Mutex
	last map[string]time.Time
}

// due says whether to write now, and takes the turn.
func (p *pulse) due(node string, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Sub(p.last[node]) < reportEvery {
		return false
	}
	if p.last == nil {
		p.last = map[string]time.Time{}
	}
	p.last[node] = now
	return true
}

// ReportNode keeps what a node says of itself, at most once a second; refused
// calls are kept always.
func (r *Registry) ReportNode(ctx context.Context, site, name string, rep *edgev1.ReportNodeRequest) error {
	if !r.pulse.due(site+"/"+name, r.now()) && len(rep.Refused) == 0 {
		return nil
	}
	return r.db.Platform(ctx, "node: report", func(ctx context.Context, tx pgx.Tx) error {
		batch := &pgx.Batch{}
		queueReport(batch, site, name, rep)
		if err := tx.SendBatch(ctx, batch).Close(); err != nil {
			return err
		}
		if len(rep.Refused) == 0 {
			return nil
		}
		return keepRefused(ctx, tx, site, name, rep.Refused)
	})
}

func queueReport(batch *pgx.Batch, site, name string, r *edgev1.ReportNodeRequest) {
	rec := recordingOf(r.Recording)
	batch.Queue(`UPDATE nodes SET seen_at = now(), started_at = $3, version = $4, leader = $5, raft_state = $6, applied_index = $7,
		lag = $8, disk_free_bytes = $9, disk_total_bytes = $10, calls = $11, facts_waiting = $12, recordings_waiting = $13,
		config_version = $14, clock_offset_us = $15, trunks = $16, clock_off_us = $17, voter = voter OR $5,
		recording_stopped = $18, recording_stopped_at = $19, recording_free_percent = $20, recording_needed_percent = $21 WHERE site_id = $1 AND name = $2`,
		site, name, micros(r.StartedAt), r.Version, r.Leader, r.RaftState, clamp(r.AppliedIndex),
		clamp(r.Lag), clamp(r.DiskFreeBytes), clamp(r.DiskTotalBytes), int32(min(r.Calls, 1<<30)), clamp(r.FactsWaiting), clamp(r.RecordingsWaiting),
		clamp(r.ConfigVersion), r.ClockOffsetUs, trunksJSON(r.Trunks), r.ClockOffUs,
		rec.RecordingStopped, rec.RecordingStoppedAt, rec.RecordingFreePercent, rec.RecordingNeededPercent)
	if !r.Leader {
		return
	}
	// The leader knows who votes; and a site that has one has begun.
	batch.Queue("UPDATE sites SET bootstrapped_at = now() WHERE id = $1 AND bootstrapped_at IS NULL", site)
	var peers []string
	var voters []bool
	for _, p := range r.Peers {
		peers, voters = append(peers, p.Name), append(voters, p.Voter)
	}
	batch.Queue(`UPDATE nodes n SET voter = p.voter FROM unnest($2::text[], $3::boolean[]) AS p (name, voter)
		WHERE n.site_id = $1 AND n.name = p.name AND n.voter <> p.voter`, site, peers, voters)
}

// recordingOf takes what a node says of its recordings, nothing from one that does
// not tell.
func recordingOf(r *edgev1.RecordingStatus) recordingState {
	out := recordingState{
		RecordingStopped: r.GetStopped(), RecordingFreePercent: percent(r.GetFreePercent()), RecordingNeededPercent: percent(r.GetNeededPercent()),
	}
	switch out.RecordingStopped {
	case "":
		return out
	case "disk_full", "disk_error":
	default:
		out.RecordingStopped = "other"
	}
	out.RecordingStoppedAt = micros(r.GetStoppedAt())
	return out
}

// percent is p between 0 and 100; what is none is 0.
func percent(p float64) float32 {
	if !(p > 0) { // also what is not a number
		return 0
	}
	return float32(min(p, 100))
}

func trunksJSON(list []*edgev1.TrunkStatus) []byte {
	type status struct {
		TrunkID    string `json:"trunk_id"`
		Reachable  bool   `json:"reachable"`
		LastCallAt int64  `json:"last_call_at"`
		Calls      uint32 `json:"calls"`
	}
	out := make([]status, 0, len(list))
	for _, t := range list {
		out = append(out, status{t.TrunkId, t.Reachable, t.LastCallAt, min(t.Calls, 1<<30)})
	}
	b, _ := json.Marshal(out) // plain strings and numbers always marshal
	return b
}

func clamp(n uint64) int64 { return int64(min(n, 1<<63-1)) }

func micros(us int64) *time.Time {
	if us <= 0 {
		return nil
	}
	t := time.UnixMicro(us)
	return &t
}

// keepRefused files each refused call under the tenant it was for: the one the
// node names if the site serves it, else the site's owner.
func keepRefused(ctx context.Context, tx pgx.Tx, site, node string, list []*edgev1.RefusedInvite) error {
	owner, err := tenantdb.TxOne[int64](ctx, tx, "SELECT tenant_id FROM sites WHERE id = $1", site)
	if err != nil {
		return err
	}
	serves, err := tenantdb.TxMany[int64](ctx, tx, "SELECT tenant_id FROM site_tenants WHERE site_id = $1 AND ended_at IS NULL", site)
	if err != nil {
		return err
	}
	known := map[int64]bool{}
	for _, t := range serves {
		known[t] = true
	}
	batch, touched := &pgx.Batch{}, map[int64]bool{}
	for _, x := range list {
		tenant := owner
		if known[x.TenantId] {
			tenant = x.TenantId
		}
		touched[tenant] = true
		at := time.Now()
		if x.At > 0 {
			at = time.UnixMicro(x.At)
		}
		batch.Queue(`INSERT INTO refused_invites (tenant_id, id, site_id, at, node, source, caller, called, reason, status, trunk_id)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
			tenant, tenants.NewID(), site, at, node, x.Source, x.Caller, x.Called, x.Reason, int32(min(x.Status, 999)), x.TrunkId)
		reason := x.Reason
		if !reasons[reason] {
			reason = "other"
		}
		refusedTotal.WithLabelValues(reason).Inc()
	}
	for tenant := range touched {
		batch.Queue(`DELETE FROM refused_invites WHERE tenant_id = $1 AND site_id = $2 AND id < (SELECT id FROM refused_invites
			WHERE tenant_id = $1 AND site_id = $2 ORDER BY id DESC OFFSET 299 LIMIT 1)`, tenant, site)
	}
	batch.Queue("SELECT pg_notify($1, $2)", Channel, site)
	return tx.SendBatch(ctx, batch).Close()
}
