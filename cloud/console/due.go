package console

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"trunkline/tenants"
	"trunkline/tenants/jobs"
	"trunkline/tenants/tenantdb"
)

// dueEvery bounds how late a suspension takes effect; people are signed out
// within a minute of it.
const dueEvery = 10 * time.Second

// Loop does what has become due until ctx ends: suspensions whose grace has
// passed at once, tenants to erase as jobs. Replicas may all run it.
func (s *Service) Loop(ctx context.Context) error {
	tick := time.NewTicker(dueEvery)
	defer tick.Stop()
	for {
		if err := errors.Join(s.suspendDue(ctx), s.eraseDue(ctx)); err != nil && ctx.Err() == nil {
			slog.ErrorContext(ctx, "console: what is due", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func (s *Service) suspendDue(ctx context.Context) error {
	var due []int64
	err := s.DB.Platform(ctx, "console: suspensions due", func(ctx context.Context, tx pgx.Tx) (err error) {
		due, err = tenantdb.TxMany[int64](ctx, tx, `SELECT tenant_id FROM tenants
			WHERE suspend_at <= now() AND NOT suspend_told LIMIT 100 FOR UPDATE SKIP LOCKED`)
		if err != nil {
			return err
		}
		for _, id := range due {
			if err := closeTenant(ctx, tx, id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, id := range due {
		s.changed(ctx, id)
	}
	return nil
}

// erasure is the job of erasing one tenant: one that fails keeps no other waiting.
type erasure struct {
	Tenant int64 `json:"tenant"`
}

// Kind implements jobs.Args.
func (erasure) Kind() string { return "tenant_erasure" }

// eraseLimit bounds one attempt. One that is cut short is made again and goes on
// with what is left.
const eraseLimit = 15 * time.Minute

// AddJobs has tenants erased whose time has come.
func (s *Service) AddJobs(j *jobs.Jobs) {
	jobs.Add(j, jobs.Worker[erasure]{Limit: eraseLimit, Work: func(ctx context.Context, job *jobs.Job[erasure]) error {
		return s.erase(ctx, job.Args.Tenant)
	}})
}

// eraseBatch bounds one look; far more than are ever due.
const eraseBatch = 1000

func (s *Service) eraseDue(ctx context.Context) error {
	return s.DB.Platform(ctx, "console: removals due", func(ctx context.Context, tx pgx.Tx) error {
		return jobs.InsertDue(ctx, tx, func(tenant int64) jobs.Args { return erasure{tenant} },
			"SELECT tenant_id FROM tenants WHERE delete_at <= now() ORDER BY delete_at LIMIT $1", eraseBatch)
	})
}

// erase removes a tenant for good: what features keep elsewhere first, so that a
// failure there leaves the tenant to be tried again; then every row; then the
// accounts nobody else knows.
func (s *Service) erase(ctx context.Context, id int64) error {
	if s.Erasers != nil {
		for _, e := range s.Erasers() {
			if err := e.Erase(ctx, id); err != nil {
				return err
			}
		}
	}
	err := s.DB.Platform(ctx, "console: erase tenant", func(ctx context.Context, tx pgx.Tx) error {
		t, err := tenantdb.TxOne[tenants.Tenant](ctx, tx, "SELECT "+tenants.Columns+` FROM tenants
			WHERE tenant_id = $1 AND delete_at <= now() FOR UPDATE SKIP LOCKED`, id)
		if errors.Is(err, tenantdb.ErrNoRows) {
			return nil // another replica has it, or it was resumed
		}
		if err != nil {
			return err
		}
		accounts, err := tenantdb.TxMany[string](ctx, tx, "SELECT account_id FROM memberships WHERE tenant_id = $1", id)
		if err != nil {
			return err
		}
		if err := jobs.Forget(ctx, tx, id); err != nil {
			return err
		}
		if err := eraseRows(ctx, tx, id); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `DELETE FROM accounts a WHERE id = ANY ($1) AND NOT platform_admin
			AND NOT EXISTS (SELECT FROM memberships m WHERE m.account_id = a.id)`, accounts)
		if err != nil {
			return err
		}
		return tenants.Audit(ctx, tx, tenants.Entry{
			Action: "tenant.erased", Subject: t.Slug, Reason: deref(t.SuspendReason), Details: map[string]string{"tenant": fmt.Sprint(id)},
		})
	})
	if err == nil {
		s.changed(ctx, id)
	}
	return err
}

// tenantTables are all tables with rows of tenants; partitions are reached
// through their parents.
const tenantTables = `SELECT c.relname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
	WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
		AND c.relrowsecurity AND has_table_privilege(c.oid, 'SELECT') ORDER BY 1`

const foreignKeyViolation = "23503"

// eraseRows deletes from every table; one that others still point to waits for
// the next round.
func eraseRows(ctx context.Context, tx pgx.Tx, id int64) error {
	left, err := tenantdb.TxMany[string](ctx, tx, tenantTables)
	if err != nil {
		return err
	}
	for len(left) > 0 {
		var blocked []string
		for _, name := range left {
			err := pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
				_, err := tx.Exec(ctx, "DELETE FROM "+pgx.Identifier{name}.Sanitize()+" WHERE tenant_id = $1", id)
				return err
			})
			if pe, ok := errors.AsType[*pgconn.PgError](err); ok && pe.Code == foreignKeyViolation {
				blocked = append(blocked, name)
				continue
			}
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		if len(blocked) == len(left) {
			return fmt.Errorf("tables %v hold each other", blocked)
		}
		left = blocked
	}
	return nil
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
