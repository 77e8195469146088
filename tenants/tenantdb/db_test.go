package tenantdb_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"

	"trunkline/cloud/schema"
	"trunkline/internal/pg/pgtest"
	"trunkline/tenants/tenantdb"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// open gives a database with two tenants.
func open(t *testing.T) (db *tenantdb.DB, one, two int64) {
	t.Helper()
	db, err := tenantdb.Open(t.Context(), pgtest.New(t, schema.Migrate).App)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	err = db.Platform(t.Context(), "test", func(ctx context.Context, tx pgx.Tx) error {
		for i, id := range []*int64{&one, &two} {
			slug := string(rune('a' + i))
			*id, err = tenantdb.TxOne[int64](ctx, tx, "INSERT INTO tenants (slug, name, language) VALUES ($1, $1, 'en') RETURNING tenant_id", slug)
			if err != nil {
				return err
			}
			_, err := tx.Exec(ctx, "INSERT INTO accounts (id, email) VALUES ($1, $1 || '@x.example')", slug)
			if err != nil {
				return err
			}
			_, err = tx.Exec(ctx, "INSERT INTO memberships (tenant_id, id, account_id, roles) VALUES ($1, $2, $2, '{owner}')", *id, slug)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return db, one, two
}

// A query that forgets its tenant still sees one tenant's rows only.
func TestRowLevelSecurity(t *testing.T) {
	db, one, two := open(t)
	ctx := t.Context()
	for tenant, want := range map[int64]string{one: "a", two: "b"} {
		got, err := tenantdb.Many[string](ctx, db, tenant, "SELECT slug FROM tenants")
		if err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("tenant %d sees %v, %v", tenant, got, err)
		}
		got, err = tenantdb.Many[string](ctx, db, tenant, "SELECT email FROM accounts")
		if err != nil || len(got) != 1 || got[0] != want+"@x.example" {
			t.Errorf("tenant %d sees the accounts %v, %v", tenant, got, err)
		}
	}
	n, err := tenantdb.Exec(ctx, db, one, "UPDATE memberships SET disabled = true WHERE tenant_id = $1", two)
	if err != nil || n != 0 {
		t.Errorf("changed %d rows of another tenant, %v", n, err)
	}
	_, err = tenantdb.Exec(ctx, db, one, "INSERT INTO memberships (tenant_id, id, account_id, roles) VALUES ($1, 'x', 'a', '{owner}')", two)
	if err == nil {
		t.Error("wrote a row for another tenant")
	}
	_, err = tenantdb.One[string](ctx, db, one, "SELECT id FROM memberships WHERE tenant_id = $1", two)
	if !errors.Is(err, tenantdb.ErrNoRows) {
		t.Errorf("%v", err)
	}
}

func TestATenantReachesNoSecrets(t *testing.T) {
	db, one, _ := open(t)
	for _, sql := range []string{
		"SELECT account_id FROM account_secrets", "SELECT last_tenant::text FROM accounts", "SELECT kid FROM token_keys",
		"SELECT id FROM sessions", "SELECT id FROM promises", "SELECT id FROM mail_outbox",
		"SELECT args::text FROM river.river_job",
	} {
		if got, err := tenantdb.Many[string](t.Context(), db, one, sql); err == nil {
			t.Errorf("%s: %v", sql, got)
		}
	}
	if _, err := tenantdb.Exec(t.Context(), db, one, "UPDATE audit SET action = 'x'"); err == nil {
		t.Error("changed the audit")
	}
}

// What a connection did for one tenant is gone when the next has it.
func TestConnectionsForgetTheirTenant(t *testing.T) {
	db, one, _ := open(t)
	ctx := t.Context()
	for range 50 {
		if _, err := tenantdb.One[string](ctx, db, one, "SELECT slug FROM tenants"); err != nil {
			t.Fatal(err)
		}
		if _, err := tenantdb.One[string](ctx, db, one, "SELECT no_such_column FROM tenants"); err == nil {
			t.Fatal("no error")
		}
		_ = db.InTenant(ctx, one, func(context.Context, pgx.Tx) error { return errors.New("rolled back") })
	}
	err := db.Platform(ctx, "test", func(ctx context.Context, tx pgx.Tx) error {
		left, err := tenantdb.TxOne[string](ctx, tx, "SELECT coalesce(current_setting('app.tenant', true), '')")
		if left != "" {
			t.Errorf("a connection kept tenant %q", left)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestTransactionsCommitOrRollBack(t *testing.T) {
	db, one, _ := open(t)
	ctx := t.Context()
	rename := func(name string, after error) error {
		return db.InTenant(ctx, one, func(ctx context.Context, tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, "UPDATE tenants SET name = $1 WHERE tenant_id = $2", name, one); err != nil {
				return err
			}
			return after
		})
	}
	boom := errors.New("boom")
	if err := rename("undone", boom); !errors.Is(err, boom) {
		t.Fatal(err)
	}
	func() {
		defer func() { _ = recover() }()
		_ = db.InTenant(ctx, one, func(ctx context.Context, tx pgx.Tx) error {
			_, _ = tx.Exec(ctx, "UPDATE tenants SET name = 'undone' WHERE tenant_id = $1", one)
			panic("boom")
		})
	}()
	if name, _ := tenantdb.One[string](ctx, db, one, "SELECT name FROM tenants"); name != "a" {
		t.Fatal(name)
	}
	if err := rename("done", nil); err != nil {
		t.Fatal(err)
	}
	if name, _ := tenantdb.One[string](ctx, db, one, "SELECT name FROM tenants"); name != "done" {
		t.Fatal(name)
	}
}

func TestEnterTenantNarrowsAPlatformTransaction(t *testing.T) {
	db, one, two := open(t)
	count := "SELECT count(*) FROM tenants"
	err := db.Platform(t.Context(), "test", func(ctx context.Context, tx pgx.Tx) error {
		for _, step := range []struct {
			do   func() error
			want int64
		}{
			{func() error { return nil }, 2},
			{func() error { return tenantdb.EnterTenant(ctx, tx, one) }, 1},
			{func() error { return tenantdb.EnterTenant(ctx, tx, two) }, 1},
			{func() error { return tenantdb.LeaveTenant(ctx, tx) }, 2},
		} {
			if err := step.do(); err != nil {
				return err
			}
			if n, err := tenantdb.TxOne[int64](ctx, tx, count); err != nil || n != step.want {
				t.Errorf("sees %d, want %d, %v", n, step.want, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestNoTenantNoQuery(t *testing.T) {
	db, _, _ := open(t)
	for _, tenant := range []int64{0, -1} {
		if _, err := tenantdb.One[int](t.Context(), db, tenant, "SELECT 1"); err == nil {
			t.Errorf("a query for tenant %d", tenant)
		}
		if err := db.InTenant(t.Context(), tenant, func(context.Context, pgx.Tx) error { return nil }); err == nil {
			t.Errorf("a transaction for tenant %d", tenant)
		}
	}
	if err := db.Platform(t.Context(), "", func(context.Context, pgx.Tx) error { return nil }); err == nil {
		t.Error("a platform transaction without a reason")
	}
}
