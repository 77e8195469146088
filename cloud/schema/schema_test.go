package schema_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"trunkline/cloud/schema"
	"trunkline/internal/pg/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

type table struct {
	Name      string
	FirstKey  *string // first column of the primary key
	RLS       bool
	Forced    bool
	Owner     string
	TenantPol bool // a policy for trunkline_app that names app.tenant, for reading and writing
	AnyApp    bool // trunkline_app holds some right
	AnyJobs   bool // trunkline_jobs holds some right
	Partition bool
}

const walk = `
SELECT c.oid::regclass::text AS name, c.relrowsecurity AS rls, c.relforcerowsecurity AS forced, pg_get_userbyid(c.relowner) AS owner,
	c.relispartition AS partition,
	(SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
		WHERE i.indrelid = c.oid AND i.indisprimary) AS first_key,
	EXISTS (SELECT FROM pg_policies p WHERE p.schemaname = n.nspname AND p.tablename = c.relname AND p.cmd = 'ALL'
		AND p.roles = '{trunkline_app}' AND p.qual LIKE '%tenant_id = %app.tenant%' AND p.with_check LIKE '%tenant_id = %app.tenant%') AS tenant_pol,
	has_table_privilege('trunkline_app', c.oid, 'SELECT, INSERT, UPDATE, DELETE') AS any_app,
	has_table_privilege('trunkline_jobs', c.oid, 'SELECT, INSERT, UPDATE, DELETE') AS any_jobs
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND c.relkind IN ('r', 'p') ORDER BY 1`

// Every table either keeps tenants apart or stands in PlatformTables.
func TestEveryTableKeepsTenantsApart(t *testing.T) {
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, pgtest.New(t, schema.Migrate).Super)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, walk)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowToStructByNameLax[table])
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, x := range tables {
		found[x.Name] = true
		if own := strings.HasPrefix(x.Name, "river."); x.AnyJobs != own {
			t.Errorf("trunkline_jobs may reach %s: %t, want %t", x.Name, x.AnyJobs, own)
		}
		if reason, ok := schema.PlatformTables[x.Name]; ok {
			if reason == "" {
				t.Errorf("%s is listed without a reason", x.Name)
			}
			if x.AnyApp {
				t.Errorf("%s is a platform table, and yet trunkline_app holds rights on all of it", x.Name)
			}
			continue
		}
		switch {
		case x.FirstKey == nil || *x.FirstKey != "tenant_id":
			t.Errorf("%s: tenant_id is not the first column of its primary key", x.Name)
		case !x.RLS || !x.Forced:
			t.Errorf("%s: row-level security is not forced", x.Name)
		case !x.TenantPol:
			t.Errorf("%s: the tenant policy is missing", x.Name)
		case x.Owner != "trunkline_owner":
			t.Errorf("%s belongs to %s", x.Name, x.Owner)
		}
	}
	for name := range schema.PlatformTables {
		if !found[name] {
			t.Errorf("%s is in PlatformTables and nowhere else", name)
		}
	}
	if len(tables) < 10 {
		t.Errorf("only %d tables: the walk is broken", len(tables))
	}
}

// A hosted database gives no superuser: a role that may make roles migrates, and
// may run the programs too.
func TestMigratingWithoutASuperuser(t *testing.T) {
	ctx := t.Context()
	db := pgtest.New(t, schema.Migrate)
	super, err := pgx.Connect(ctx, db.Super)
	if err != nil {
		t.Fatal(err)
	}
	defer super.Close(ctx)
	for _, sql := range []string{"CREATE ROLE migrator LOGIN CREATEROLE", "CREATE DATABASE hosted OWNER migrator"} {
		if _, err := super.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	u, err := url.Parse(db.Super)
	if err != nil {
		t.Fatal(err)
	}
	u.User, u.Path = url.User("migrator"), "/hosted"
	for range 2 { // the second time there is nothing to do
		if err := schema.Migrate(ctx, u.String()); err != nil {
			t.Fatal(err)
		}
	}
	conn, err := pgx.Connect(ctx, u.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	var tenants int
	if _, err := conn.Exec(ctx, "SET ROLE trunkline_platform"); err != nil {
		t.Fatal(err)
	}
	if err := conn.QueryRow(ctx, "SELECT count(*) FROM tenants").Scan(&tenants); err != nil {
		t.Fatal(err)
	}
}

// A foreign key between tenants' tables carries the tenant, because the check
// itself does not see row-level security.
func TestForeignKeysCarryTheTenant(t *testing.T) {
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, pgtest.New(t, schema.Migrate).Super)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, `
		SELECT f.conname || ' on ' || f.conrelid::regclass::text FROM pg_constraint f
		WHERE f.contype = 'f' AND f.connamespace = 'public'::regnamespace
			AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = f.confrelid AND a.attname = 'tenant_id' AND NOT a.attisdropped)
			AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = f.conrelid AND a.attname = 'tenant_id' AND NOT a.attisdropped)
			AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = f.conrelid AND a.attnum = ANY (f.conkey) AND a.attname = 'tenant_id')`)
	if err != nil {
		t.Fatal(err)
	}
	bad, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range bad {
		t.Errorf("foreign key %s leaves the tenant out", b)
	}
}
