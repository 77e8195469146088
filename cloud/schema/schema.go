// Package schema is the one ordered list of the cloud's migrations and their
// runner.
//
// A table that belongs to tenants starts its primary key with tenant_id and ends
// its migration with
//
//	SELECT trunkline_tenant_table('name');
//
// which gives it to the owning role, forces row-level security and grants it to
// the programs. A table without a tenant ends with trunkline_platform_table and
// stands in platform_tables.go with its reason. A new migration has the next
// number after the highest: one below what a database has already is refused.
// River's, 26, is in Go.
package schema

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"log/slog"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver goose migrates through
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed *.sql
var files embed.FS

// Migrate brings the database at url to this program's schema. The role of the
// URL must be allowed to make roles and tables. Replicas that start at once wait
// for each other.
func Migrate(ctx context.Context, url string) error {
	db, err := sql.Open("pgx", url)
	if err != nil {
		return err
	}
	defer db.Close()
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 60))
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectPostgres, db, files, goose.WithSessionLocker(locker), goose.WithSlog(slog.Default()),
		goose.WithGoMigrations(river(url)))
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	results, err := p.Up(ctx)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	for _, r := range results {
		slog.DebugContext(ctx, "migrated", "file", r.Source.Path, "took", r.Duration)
	}
	return nil
}
