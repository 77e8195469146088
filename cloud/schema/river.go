package schema

import (
	"context"
	"database/sql"
	"log/slog"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

const (
	// riverMigration is this migration's number in our list.
	riverMigration = 26
	// riverVersion is that of River's own tables; a River that wants a higher one
	// gets a migration of its own here.
	riverVersion = 8
)

// river makes the tables of the job runner in a schema of their own. River has its
// steps in its module and counts them itself, so one that was cut short goes on.
func river(url string) *goose.Migration {
	up := func(ctx context.Context, _ *sql.DB) error {
		pool, err := pgxpool.New(ctx, url)
		if err != nil {
			return err
		}
		defer pool.Close()
		if _, err := pool.Exec(ctx, "CREATE SCHEMA IF NOT EXISTS river"); err != nil {
			return err
		}
		m, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Schema: "river", Logger: slog.Default()})
		if err != nil {
			return err
		}
		if _, err := m.Migrate(ctx, rivermigrate.DirectionUp, &rivermigrate.MigrateOpts{TargetVersion: riverVersion}); err != nil {
			return err
		}
		_, err = pool.Exec(ctx, giveRiver)
		return err
	}
	return goose.NewGoMigration(riverMigration, &goose.GoFunc{RunDB: up}, nil)
}

// giveRiver makes a role that reaches River's tables and no others: the runner has
// connections of its own, which are no way round tenantdb. The platform's role
// inserts jobs in its transactions. May be run again.
const giveRiver = `
DO $$
DECLARE
	name regclass;
BEGIN
	IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'trunkline_jobs') THEN
		CREATE ROLE trunkline_jobs NOLOGIN NOBYPASSRLS;
	END IF;
	GRANT trunkline_jobs TO trunkline;
	IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
		EXECUTE format('GRANT trunkline_jobs TO %I', current_user);
	END IF;
	GRANT USAGE, CREATE ON SCHEMA river TO trunkline_owner;
	GRANT USAGE ON SCHEMA river TO trunkline_platform, trunkline_jobs;
	FOR name IN SELECT oid FROM pg_class WHERE relnamespace = 'river'::regnamespace AND relkind IN ('r', 'p') LOOP
		PERFORM trunkline_platform_table(name);
		EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO trunkline_jobs', name);
	END LOOP;
	GRANT USAGE ON ALL SEQUENCES IN SCHEMA river TO trunkline_platform, trunkline_jobs;
END $$;`
