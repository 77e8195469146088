// Package tenantdb is the only door to PostgreSQL. It keeps tenants apart twice
// over: every statement names its tenant here, and row-level security in the
// database, under a role that owns nothing, shows that tenant's rows only.
//
// The tenant is set by set_config in the same round trip as the query, local to
// the transaction, so a connection that goes back to the pool carries nobody's.
//
//	site, err := tenantdb.One[Site](ctx, db, tenant, `SELECT ... WHERE tenant_id = $1 AND id = $2`, tenant, id)
//	err := db.InTenant(ctx, tenant, func(ctx context.Context, tx pgx.Tx) error { ... })
//	err := db.Platform(ctx, "console: list tenants", func(ctx context.Context, tx pgx.Tx) error { ... })
package tenantdb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// ErrNoRows is what One returns when there is no such row for the tenant.
var ErrNoRows = pgx.ErrNoRows

// DB is the door.
type DB struct {
	pool *pgxpool.Pool
	seen *glances
}

// Roles the programs act under. The role of the URL logs in and owns nothing;
// each connection becomes appRole, and platformRole within Platform only. Those
// of OpenJobs are jobsRole.
const (
	appRole      = "trunkline_app"
	platformRole = "trunkline_platform"
	jobsRole     = "trunkline_jobs"
)

// idle is how long a connection nobody uses is kept.
const idle = 5 * time.Minute

// Open connects to the database; the schema must be there already.
func Open(ctx context.Context, url string) (*DB, error) {
	pool, err := open(ctx, url, appRole, func(cfg *pgxpool.Config) { cfg.MaxConns = max(cfg.MaxConns, 16) })
	if err != nil {
		return nil, err
	}
	return &DB{pool, &glances{at: map[string]time.Time{}}}, nil
}

// OpenJobs opens connections for tenants/jobs: their role reaches the job runner's
// tables and no others.
func OpenJobs(ctx context.Context, url string) (*pgxpool.Pool, error) {
	return open(ctx, url, jobsRole, func(cfg *pgxpool.Config) { cfg.MaxConns = 6 })
}

func open(ctx context.Context, url, role string, change func(*pgxpool.Config)) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("database URL: %w", err)
	}
	change(cfg)
	cfg.MaxConnIdleTime = idle
	cfg.ConnConfig.RuntimeParams["timezone"] = "UTC"
	cfg.ConnConfig.RuntimeParams["application_name"] = "trunkline"
	cfg.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, "SET ROLE "+role)
		return err
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("database: %w", err)
	}
	return pool, nil
}

// Close waits for the connections in use and closes all.
func (db *DB) Close() { db.pool.Close() }

// Ping says whether the database answers.
func (db *DB) Ping(ctx context.Context) error { return db.pool.Ping(ctx) }

const setTenant = "SELECT set_config('app.tenant', $1, true)"

var errNoTenant = errors.New("tenantdb: no tenant")

// Read sends the batch's queries with the tenant in one round trip, as one
// transaction. Results are taken by the callbacks of batch.Queue(...).Query and
// the like; the first error of any ends it.
func (db *DB) Read(ctx context.Context, tenant int64, batch *pgx.Batch) error {
	if tenant <= 0 {
		return errNoTenant
	}
	first := &pgx.QueuedQuery{SQL: setTenant, Arguments: []any{strconv.FormatInt(tenant, 10)}}
	first.Exec(func(pgconn.CommandTag) error { return nil })
	batch.QueuedQueries = append([]*pgx.QueuedQuery{first}, batch.QueuedQueries...)
	return db.pool.SendBatch(ctx, batch).Close()
}

// InTenant runs fn in one transaction of the tenant. It commits when fn returns
// nil, else rolls back.
func (db *DB) InTenant(ctx context.Context, tenant int64, fn func(ctx context.Context, tx pgx.Tx) error) error {
	if tenant <= 0 {
		return errNoTenant
	}
	return db.tx(ctx, fmt.Sprintf("BEGIN; SET LOCAL app.tenant = '%d'", tenant), fn)
}

var crossings = promauto.NewCounterVec(prometheus.CounterOpts{
	Name: "trunkline_platform_transactions_total", Help: "Transactions that may cross tenants, by reason.",
}, []string{"reason"})

// Platform runs fn in one transaction that sees all tenants. The reason is a
// fixed text of ours ("sign in", "console: list tenants"); it is counted and
// logged, and what staff look at through the console is audited. What a person
// changes through it writes its own row with tenants.Audit.
func (db *DB) Platform(ctx context.Context, reason string, fn func(ctx context.Context, tx pgx.Tx) error) error {
	if reason == "" {
		return errors.New("tenantdb: a platform transaction needs a reason")
	}
	crossings.WithLabelValues(reason).Inc()
	slog.DebugContext(ctx, "platform transaction", "reason", reason)
	return db.tx(ctx, "BEGIN; SET LOCAL ROLE "+platformRole, func(ctx context.Context, tx pgx.Tx) error {
		if err := db.seen.audit(ctx, tx, reason); err != nil {
			return err
		}
		return fn(ctx, tx)
	})
}

// EnterTenant narrows a Platform transaction to one tenant from here on, so that
// row-level security holds for what follows (provisioning a new tenant).
func EnterTenant(ctx context.Context, tx pgx.Tx, tenant int64) error {
	_, err := tx.Exec(ctx, fmt.Sprintf("SET LOCAL ROLE %s; SET LOCAL app.tenant = '%d'", appRole, tenant))
	return err
}

// LeaveTenant makes it a Platform transaction again.
func LeaveTenant(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, fmt.Sprintf("SET LOCAL ROLE %s; SET LOCAL app.tenant = ''", platformRole))
	return err
}

func (db *DB) tx(ctx context.Context, begin string, fn func(ctx context.Context, tx pgx.Tx) error) error {
	tx, err := db.pool.BeginTx(ctx, pgx.TxOptions{BeginQuery: begin})
	if err != nil {
		return err
	}
	defer func() {
		// After a commit this does nothing; after an error or a panic it frees the
		// connection even when ctx has ended.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = tx.Rollback(ctx)
	}()
	if err := fn(ctx, tx); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

// One gives the one row the query finds for the tenant, ErrNoRows if none, in
// one round trip. T is a struct whose fields are matched by name or `db` tag,
// or a single value (int64, string, time.Time ...).
func One[T any](ctx context.Context, db *DB, tenant int64, sql string, args ...any) (T, error) {
	var out T
	batch := &pgx.Batch{}
	batch.Queue(sql, args...).Query(func(rows pgx.Rows) (err error) {
		out, err = pgx.CollectExactlyOneRow(rows, rowTo[T]())
		return err
	})
	err := db.Read(ctx, tenant, batch)
	return out, err
}

// Many gives all rows the query finds for the tenant, in one round trip. The
// query bounds their number.
func Many[T any](ctx context.Context, db *DB, tenant int64, sql string, args ...any) ([]T, error) {
	var out []T
	batch := &pgx.Batch{}
	batch.Queue(sql, args...).Query(func(rows pgx.Rows) (err error) {
		out, err = pgx.CollectRows(rows, rowTo[T]())
		return err
	})
	err := db.Read(ctx, tenant, batch)
	return out, err
}

// Exec runs one statement for the tenant in one round trip and gives the number
// of rows it changed.
func Exec(ctx context.Context, db *DB, tenant int64, sql string, args ...any) (int64, error) {
	var n int64
	batch := &pgx.Batch{}
	batch.Queue(sql, args...).Exec(func(tag pgconn.CommandTag) error {
		n = tag.RowsAffected()
		return nil
	})
	err := db.Read(ctx, tenant, batch)
	return n, err
}

// TxOne and TxMany are One and Many inside a transaction.
func TxOne[T any](ctx context.Context, tx pgx.Tx, sql string, args ...any) (T, error) {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		var zero T
		return zero, err
	}
	return pgx.CollectExactlyOneRow(rows, rowTo[T]())
}

// TxMany gives all rows the query finds.
func TxMany[T any](ctx context.Context, tx pgx.Tx, sql string, args ...any) ([]T, error) {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, rowTo[T]())
}

func rowTo[T any]() pgx.RowToFunc[T] {
	t := reflect.TypeFor[T]()
	if t.Kind() == reflect.Struct && t != reflect.TypeFor[time.Time]() {
		return pgx.RowToStructByName[T]
	}
	return pgx.RowTo[T]
}

// IsUnique says whether err is a breach of the unique constraint, any if name
// is "".
func IsUnique(err error, name string) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pgErr.Code == "23505" && (name == "" || pgErr.ConstraintName == name)
}
