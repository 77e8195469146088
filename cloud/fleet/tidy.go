package fleet

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
	"trunkline/tenants/jobs"
	"trunkline/tenants/tenantdb"
)

const (
	tidyEvery  = time.Minute
	retryPage  = 200
	retryLimit = 5 * time.Minute
)

// AddJobs removes what has served its time and tries quarantined facts again,
// which a newer version of an applier may take.
func (s *Service) AddJobs(j *jobs.Jobs) {
	jobs.Add(j, jobs.Worker[quarantineRetry]{Limit: retryLimit, Work: func(ctx context.Context, job *jobs.Job[quarantineRetry]) error {
		_, err := s.RetryQuarantine(ctx, job.Args.Tenant)
		return err
	}})
	j.Every(tidyEvery, "inbox_sweep", time.Minute, s.sweep)
	j.Every(tidyEvery, "quarantine_due", time.Minute, s.retryDue)
}

// quarantineRetry is the job of trying one tenant's quarantined facts again.
type quarantineRetry struct {
	Tenant int64 `json:"tenant"`
}

// Kind implements jobs.Args.
func (quarantineRetry) Kind() string { return "quarantine_retry" }

func (s *Service) sweep(ctx context.Context) error {
	return s.db.Platform(ctx, "fleet: remove what has expired", func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "DELETE FROM inbox WHERE expires_at < now() - interval '1 day' OR acked_at < now() - interval '1 day'")
		return err
	})
}

// due picks tenants with facts whose next attempt has come: after 1, 2, 4 ...
// minutes, at most a day.
const due = `SELECT DISTINCT tenant_id FROM quarantine WHERE retry
	AND last_at < now() - least(interval '1 minute' * power(2, least(attempts, 11) - 1), interval '1 day') LIMIT 100`

func (s *Service) retryDue(ctx context.Context) error {
	return s.db.Platform(ctx, "fleet: find quarantined facts", func(ctx context.Context, tx pgx.Tx) error {
		return jobs.InsertDue(ctx, tx, func(tenant int64) jobs.Args { return quarantineRetry{tenant} }, due)
	})
}

type heldFact struct {
	SiteID string
	Epoch  int64
	Seq    int64
	Kind   string
	AtUs   int64
	Hash   []byte
	Body   []byte
}

// RetryQuarantine tries a tenant's quarantined facts again, oldest first, a page
// at a time, and says how many were applied.
func (s *Service) RetryQuarantine(ctx context.Context, tenant int64) (applied int, err error) {
	err = s.db.InTenant(ctx, tenant, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tenantdb.TxMany[heldFact](ctx, tx, `SELECT f.site_id, f.epoch, f.seq, f.kind, f.at_us, f.hash, f.body
			FROM quarantine q JOIN facts f USING (tenant_id, site_id, epoch, seq)
			WHERE q.tenant_id = $1 AND q.retry ORDER BY q.attempts, f.site_id, f.epoch, f.seq LIMIT $2 FOR UPDATE OF q SKIP LOCKED`, tenant, retryPage)
		if err != nil {
			return err
		}
		for _, r := range rows {
			f := &edgev1.Fact{TenantId: tenant, Epoch: uint64(r.Epoch), Seq: uint64(r.Seq), Hash: r.Hash, Kind: r.Kind, At: r.AtUs, Body: r.Body}
			cause, err := s.apply(ctx, tx, r.SiteID, f)
			if err != nil {
				return err
			}
			if cause == nil {
				applied++
				_, err = tx.Exec(ctx, "DELETE FROM quarantine WHERE tenant_id = $1 AND site_id = $2 AND epoch = $3 AND seq = $4",
					tenant, r.SiteID, r.Epoch, r.Seq)
			} else {
				_, err = tx.Exec(ctx, `UPDATE quarantine SET attempts = attempts + 1, last_at = now(), error = $5
					WHERE tenant_id = $1 AND site_id = $2 AND epoch = $3 AND seq = $4`, tenant, r.SiteID, r.Epoch, r.Seq, shorten(cause.Error()))
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	factsTotal.WithLabelValues("recovered").Add(float64(applied))
	return applied, nil
}
