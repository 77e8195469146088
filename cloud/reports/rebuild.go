package reports

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"google.golang.org/protobuf/proto"

	"trunkline/internal/fault"
	"trunkline/internal/rpcx"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
	"trunkline/tenants"
	"trunkline/tenants/tenantdb"
)

const (
	// rebuildPage is how many facts are read at a time.
	rebuildPage = 2000
	// rebuildTries is how often a rebuild that met a change is begun again.
	rebuildTries = 3
	// settled is longer than any call, and than any wrap-up after it.
	settled = 7 * 24 * time.Hour
)

// Rebuild makes the visits of the calls that ended in the period again from the
// event log, counts those that differ from what is stored, and stores what the
// log says. Without from or to it takes all there is. It reads one snapshot;
// facts that come meanwhile are not its concern.
func (s *Service) Rebuild(ctx context.Context, req *cloudv1.RebuildRequest) (*cloudv1.RebuildResponse, error) {
	r := rebuild{tenant: rpcx.TenantFrom(ctx), from: time.Unix(0, 0), to: s.now().AddDate(100, 0, 0)}
	if req.GetFrom() != nil {
		r.from = req.GetFrom().AsTime()
	}
	if req.GetTo() != nil {
		r.to = req.GetTo().AsTime()
	}
	if req.GetFrom() != nil && !req.GetFrom().IsValid() || req.GetTo() != nil && !req.GetTo().IsValid() || !r.from.Before(r.to) {
		return nil, fault.New(fault.Invalid, "fault.filter.period").WithField("to")
	}
	for try := 1; ; try++ {
		r.out = &cloudv1.RebuildResponse{}
		err := s.db.InTenant(ctx, r.tenant, r.run)
		if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok && pgErr.Code == "40001" && try < rebuildTries {
			continue // a visit changed under our hands
		}
		if err != nil {
			return nil, err
		}
		return r.out, nil
	}
}

type rebuild struct {
	tenant   int64
	from, to time.Time
	out      *cloudv1.RebuildResponse
}

// What the log says is kept beside the tables, for a log is larger than memory.
const beside = `CREATE TEMP TABLE rebuilt (LIKE queue_visits, PRIMARY KEY (call_id, n)) ON COMMIT DROP;
	CREATE TEMP TABLE rebuilt_calls (id text PRIMARY KEY, due boolean NOT NULL) ON COMMIT DROP`

func (r *rebuild) run(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, beside); err != nil {
		return err
	}
	if err := r.each(ctx, tx, "call", r.call); err != nil {
		return err
	}
	if err := r.each(ctx, tx, "wrap_up", r.wrapUp); err != nil {
		return err
	}
	if err := r.replace(ctx, tx); err != nil {
		return err
	}
	return tenants.Audit(ctx, tx, tenants.Entry{Tenant: r.tenant, Action: "reports.rebuilt", Details: map[string]string{
		"calls": strconv.FormatUint(r.out.Calls, 10), "differences": strconv.FormatUint(r.out.Differences, 10),
	}})
}

type logged struct {
	SiteID     string
	Epoch, Seq int64
	At         time.Time
	Body       []byte
}

// each hands the facts of a kind to take, a page in one batch, in order of time.
// What lies in quarantine had no effect and has none here.
func (r *rebuild) each(ctx context.Context, tx pgx.Tx, kind string, take func(*pgx.Batch, logged) error) error {
	after := logged{At: r.from}
	for {
		page, err := tenantdb.TxMany[logged](ctx, tx, `SELECT site_id, epoch, seq, at, body FROM facts f
			WHERE tenant_id = $1 AND kind = $2 AND at >= $4 AND at < $3 AND (at, site_id, epoch, seq) > ($4, $5, $6, $7)
				AND NOT EXISTS (SELECT FROM quarantine q WHERE q.tenant_id = $1 AND q.site_id = f.site_id AND q.epoch = f.epoch AND q.seq = f.seq)
			ORDER BY at, site_id, epoch, seq LIMIT $8`,
			r.tenant, kind, r.to.Add(settled), after.At, after.SiteID, after.Epoch, after.Seq, rebuildPage)
		if err != nil || len(page) == 0 {
			return err
		}
		after = page[len(page)-1]
		batch := &pgx.Batch{}
		for _, f := range page {
			if err := take(batch, f); err != nil {
				return err
			}
		}
		if err := tx.SendBatch(ctx, batch).Close(); err != nil {
			return err
		}
	}
}

func (r *rebuild) call(batch *pgx.Batch, f logged) error {
	var rec edgev1.CallRecord
	if err := proto.Unmarshal(f.Body, &rec); err != nil {
		return err
	}
	due := f.At.Before(r.to)
	batch.Queue("INSERT INTO rebuilt_calls VALUES ($1, $2) ON CONFLICT DO NOTHING", rec.GetCallId(), due)
	if !due {
		return nil
	}
	r.out.Calls++
	for _, v := range visitsOf(f.SiteID, &rec) {
		batch.Queue(`INSERT INTO rebuilt (tenant_id, call_id, n, site_id, queue_id, enqueued_at, outcome, wait_ms, agent_id, handle_ms, wrap_up_ms)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0) ON CONFLICT DO NOTHING`,
			r.tenant, v.CallID, v.N, v.SiteID, v.QueueID, v.EnqueuedAt, v.Outcome, v.WaitMs, v.AgentID, v.HandleMs)
	}
	return nil
}

func (r *rebuild) wrapUp(batch *pgx.Batch, f logged) error {
	var w edgev1.WrapUp
	if err := proto.Unmarshal(f.Body, &w); err != nil {
		return err
	}
	batch.Queue(`UPDATE rebuilt SET wrap_up_ms = $3 WHERE call_id = $1
		AND n = (SELECT max(n) FROM rebuilt WHERE call_id = $1 AND agent_id = $2 AND enqueued_at < $4)`,
		w.GetCallId(), w.GetAgentId(), wrapUpMs(&w), time.UnixMicro(w.GetStartedAt()))
	return nil
}

const columns = "site_id, queue_id, enqueued_at, outcome, wait_ms, agent_id, handle_ms, wrap_up_ms"

// replace removes what the log does not say, puts in what is missing, and counts
// each visit that was wrong once.
func (r *rebuild) replace(ctx context.Context, tx pgx.Tx) error {
	for _, step := range []struct {
		counts bool
		sql    string
		args   []any
	}{
		{false, "ANALYZE rebuilt, rebuilt_calls", nil},
		// Of a call the log knows, a visit it does not.
		{true, `DELETE FROM queue_visits v USING rebuilt_calls c WHERE v.tenant_id = $1 AND c.id = v.call_id AND c.due
			AND NOT EXISTS (SELECT FROM rebuilt b WHERE b.call_id = v.call_id AND b.n = v.n)`, []any{r.tenant}},
		// Of a call the log knows nothing of.
		{true, `DELETE FROM queue_visits v WHERE v.tenant_id = $1 AND v.enqueued_at >= $2 AND v.enqueued_at < $3
			AND NOT EXISTS (SELECT FROM rebuilt_calls c WHERE c.id = v.call_id)`, []any{r.tenant, r.from, r.to}},
		// Another than the log has; it counts where it is put in again.
		{false, `DELETE FROM queue_visits v USING rebuilt b WHERE v.tenant_id = $1 AND b.call_id = v.call_id AND b.n = v.n
			AND (v.site_id, v.queue_id, v.enqueued_at, v.outcome, v.wait_ms, v.agent_id, v.handle_ms, v.wrap_up_ms)
				IS DISTINCT FROM (b.site_id, b.queue_id, b.enqueued_at, b.outcome, b.wait_ms, b.agent_id, b.handle_ms, b.wrap_up_ms)`, []any{r.tenant}},
		{true, "INSERT INTO queue_visits (tenant_id, call_id, n, " + columns + ") SELECT tenant_id, call_id, n, " + columns +
			" FROM rebuilt ON CONFLICT DO NOTHING", nil},
	} {
		tag, err := tx.Exec(ctx, step.sql, step.args...)
		if err != nil {
			return err
		}
		if step.counts {
			r.out.Differences += uint64(tag.RowsAffected())
		}
	}
	return nil
}
