package tenants_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"trunkline/cloud/schema"
	"trunkline/internal/grant"
	"trunkline/internal/pg/pgtest"
	"trunkline/internal/seal"
	"trunkline/tenants"
	"trunkline/tenants/tenantdb"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func open(t *testing.T) *tenantdb.DB {
	t.Helper()
	db, err := tenantdb.Open(t.Context(), pgtest.New(t, schema.Migrate).App)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return db
}

func TestSlug(t *testing.T) {
	for name, want := range map[string]string{
		"Acme Café GmbH": "acme-cafe-gmbh", "北京客服中心": "tenant", "中国 Telecom 10086": "telecom-10086", "--x--": "x", "": "tenant", "Ünal & Söhne": "unal-sohne",
		"Admin": "admin-1", strings.Repeat("long ", 20): "long-long-long-long-long-long-lo",
	} {
		if got := tenants.Slug(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

type provision func(ctx context.Context, tx pgx.Tx, t tenants.Tenant) error

func (p provision) Provision(ctx context.Context, tx pgx.Tx, t tenants.Tenant) error {
	return p(ctx, tx, t)
}

func TestCreate(t *testing.T) {
	db, ctx := open(t), t.Context()
	create := func(p ...tenants.Provisioner) (made tenants.Tenant, err error) {
		err = db.Platform(ctx, "test", func(ctx context.Context, tx pgx.Tx) (err error) {
			made, err = tenants.Create(ctx, tx, "Acme", "en", "Nowhere/City", p)
			return err
		})
		return made, err
	}
	a, err := create()
	if err != nil {
		t.Fatal(err)
	}
	saw := int64(0)
	b, err := create(provision(func(ctx context.Context, tx pgx.Tx, made tenants.Tenant) error {
		visible, err := tenantdb.TxMany[int64](ctx, tx, "SELECT tenant_id FROM tenants")
		if !slices.Equal(visible, []int64{made.ID}) {
			t.Errorf("a provisioner of tenant %d sees %v", made.ID, visible)
		}
		saw = made.ID
		return err
	}))
	if err != nil {
		t.Fatal(err)
	}
	if a.Slug != "acme" || b.Slug != "acme-2" || a.TimeZone != "UTC" || saw != b.ID {
		t.Errorf("%+v, %+v, %d", a, b, saw)
	}
	boom := errors.New("boom")
	if _, err := create(provision(func(context.Context, pgx.Tx, tenants.Tenant) error { return boom })); !errors.Is(err, boom) {
		t.Error(err)
	}
	c, err := create()
	if err != nil || c.Slug != "acme-3" {
		t.Errorf("%+v, %v: a failed sign-up leaves nothing", c, err)
	}
	if _, err := tenants.Get(ctx, db, 99); !errors.Is(err, tenants.ErrNoTenant) {
		t.Error(err)
	}
}

func TestStatus(t *testing.T) {
	now := time.Now()
	past, ahead := now.Add(-time.Minute), now.Add(time.Minute)
	for want, x := range map[string]tenants.Tenant{
		"active": {}, "suspending": {SuspendAt: &ahead}, "suspended": {SuspendAt: &past}, "deleting": {SuspendAt: &past, DeleteAt: &ahead},
	} {
		if got := x.Status(now); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestReplicasShareKeysAndRotateThem(t *testing.T) {
	db, ctx := open(t), t.Context()
	box, err := seal.Load(filepath.Join(t.TempDir(), "secret.key"))
	if err != nil {
		t.Fatal(err)
	}
	ring := func() *tenants.Keyring {
		t.Helper()
		k, err := tenants.OpenKeyring(ctx, db, box)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	first, second := ring(), ring()
	token, err := first.Signer().Sign(grant.Claims{Account: "a"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := grant.NewVerifier(second.PublicKeys).Verify(token); err != nil {
		t.Error("a replica refuses the other's token:", err)
	}
	age := func(by string) {
		t.Helper()
		err := db.Platform(ctx, "test", func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "UPDATE token_keys SET created_at = created_at - $1::interval", by)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	kids := func(k *tenants.Keyring) map[string]ed25519.PublicKey { return k.PublicKeys() }
	age("31 days")
	third := ring() // makes the next key, and does not sign with it yet
	if len(kids(third)) != 2 {
		t.Fatalf("%d keys", len(kids(third)))
	}
	token, _ = third.Signer().Sign(grant.Claims{Account: "a"})
	if _, err := grant.NewVerifier(second.PublicKeys).Verify(token); err != nil {
		t.Error("signed with a key nobody has heard of:", err)
	}
	age("10 days")
	if fourth := ring(); len(kids(fourth)) != 1 {
		t.Errorf("%d keys: the old one is gone", len(kids(fourth)))
	}
	other, _ := seal.New(make([]byte, 32))
	if _, err := tenants.OpenKeyring(ctx, db, other); err == nil {
		t.Error("opened the keys with another data directory's secret")
	}
}

func TestPlatformSecretIsMadeOnce(t *testing.T) {
	db, ctx := open(t), t.Context()
	box, err := seal.New(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	made := 0
	for range 2 {
		got, err := tenants.PlatformSecret(ctx, db, box, "ca", func() ([]byte, error) { made++; return []byte("key"), nil })
		if err != nil || string(got) != "key" {
			t.Fatalf("%q, %v", got, err)
		}
	}
	if made != 1 {
		t.Errorf("made %d times", made)
	}
}
