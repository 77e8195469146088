package tenants

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"trunkline/internal/grant"
	"trunkline/internal/life"
	"trunkline/internal/seal"
	"trunkline/tenants/tenantdb"
)

// A key signs for keyLife; verifiers keep it for keyOverlap longer, far beyond
// the life of a token, so that edges with an old configuration keep up.
const (
	keyLife    = 30 * 24 * time.Hour
	keyOverlap = 7 * 24 * time.Hour
	keyRefresh = time.Minute
)

// Keyring holds the keys that sign access tokens. All replicas share them
// through the database; each looks again every minute, so a new key is published
// for a while before anybody signs with it.
type Keyring struct {
	db   *tenantdb.DB
	box  *seal.Box
	loop life.Service

	mu     sync.Mutex
	public map[string]ed25519.PublicKey
	signer grant.Signer
	notify []func(context.Context)
}

// OpenKeyring reads the keys, and makes the first one.
func OpenKeyring(ctx context.Context, db *tenantdb.DB, box *seal.Box) (*Keyring, error) {
	k := &Keyring{db: db, box: box}
	k.loop = life.Loop("token keys", k.run)
	if _, err := k.refresh(ctx); err != nil {
		return nil, fmt.Errorf("token keys: %w", err)
	}
	return k, nil
}

// Start begins to look for new keys.
func (k *Keyring) Start(ctx context.Context) error { return k.loop.Start(ctx) }

// Stop ends that.
func (k *Keyring) Stop(ctx context.Context) error { return k.loop.Stop(ctx) }

// PublicKeys gives the keys that verify tokens, by key id.
func (k *Keyring) PublicKeys() map[string]ed25519.PublicKey {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.public // replaced, never changed
}

// Signer signs with the newest key everybody has heard of.
func (k *Keyring) Signer() grant.Signer {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.signer
}

// OnChange registers what to do when the public keys change. Before Start.
func (k *Keyring) OnChange(f func(context.Context)) { k.notify = append(k.notify, f) }

func (k *Keyring) run(ctx context.Context) error {
	tick := time.NewTicker(keyRefresh)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		changed, err := k.refresh(ctx)
		if err != nil {
			slog.WarnContext(ctx, "token keys not refreshed", "error", err)
			continue
		}
		if changed {
			for _, f := range k.notify {
				f(ctx)
			}
		}
	}
}

type tokenKey struct {
	KID       string `db:"kid"`
	PublicKey []byte
	SealedKey []byte
	Age       time.Duration
}

func (k *Keyring) refresh(ctx context.Context) (changed bool, err error) {
	var rows []tokenKey
	err = k.db.Platform(ctx, "token keys", func(ctx context.Context, tx pgx.Tx) error {
		// One replica at a time, so that two do not both make a new key.
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(7370101)"); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "DELETE FROM token_keys WHERE created_at < now() - $1::interval", keyLife+keyOverlap)
		if err != nil {
			return err
		}
		const list = "SELECT kid, public_key, sealed_key, now() - created_at AS age FROM token_keys ORDER BY created_at DESC"
		if rows, err = tenantdb.TxMany[tokenKey](ctx, tx, list); err != nil {
			return err
		}
		if len(rows) > 0 && rows[0].Age < keyLife {
			return nil
		}
		if err := k.create(ctx, tx); err != nil {
			return err
		}
		rows, err = tenantdb.TxMany[tokenKey](ctx, tx, list)
		return err
	})
	if err != nil {
		return false, err
	}
	return k.take(rows)
}

func (k *Keyring) create(ctx context.Context, tx pgx.Tx) error {
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(pub)
	kid := hex.EncodeToString(sum[:8])
	_, err = tx.Exec(ctx, "INSERT INTO token_keys (kid, public_key, sealed_key) VALUES ($1, $2, $3)",
		kid, []byte(pub), k.box.Seal(priv.Seed(), "token_key:"+kid))
	return err
}

// take uses the newest key that is old enough for every replica and edge to
// know it, or the only one there is.
func (k *Keyring) take(rows []tokenKey) (changed bool, err error) {
	use := rows[0]
	if len(rows) > 1 && use.Age < 10*time.Minute {
		use = rows[1]
	}
	seed, err := k.box.Open(use.SealedKey, "token_key:"+use.KID)
	if err != nil {
		return false, err
	}
	public := make(map[string]ed25519.PublicKey, len(rows))
	for _, r := range rows {
		public[r.KID] = r.PublicKey
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	changed = !maps.EqualFunc(public, k.public, func(a, b ed25519.PublicKey) bool { return a.Equal(b) })
	k.public, k.signer = public, grant.NewSigner(use.KID, ed25519.NewKeyFromSeed(seed))
	return changed, nil
}

// PlatformSecret gives a secret of the platform by name, making it the first
// time. Replicas that ask at once get the same.
func PlatformSecret(ctx context.Context, db *tenantdb.DB, box *seal.Box, name string, create func() ([]byte, error)) ([]byte, error) {
	var sealed []byte
	err := db.Platform(ctx, "platform secret", func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(7370102)"); err != nil {
			return err
		}
		found, err := tenantdb.TxMany[[]byte](ctx, tx, "SELECT sealed FROM platform_secrets WHERE name = $1", name)
		if err != nil {
			return err
		}
		if len(found) > 0 {
			sealed = found[0]
			return nil
		}
		plain, err := create()
		if err != nil {
			return err
		}
		sealed = box.Seal(plain, "platform:"+name)
		_, err = tx.Exec(ctx, "INSERT INTO platform_secrets (name, sealed) VALUES ($1, $2)", name, sealed)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("secret %s: %w", name, err)
	}
	return box.Open(sealed, "platform:"+name)
}
