package access

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"trunkline/internal/grant"
	"trunkline/internal/life"
	"trunkline/internal/pg"
	"trunkline/tenants/tenantdb"
)

// Channel is the NOTIFY channel revocations travel on: "<key> <unix us>".
const Channel = "trunkline_access"

// Revocations knows which access tokens no longer hold before they run out. It
// is in memory, filled from the table at the start and whenever the connection
// broke, and by NOTIFY in between.
type Revocations struct {
	db       *tenantdb.DB
	listener *pg.Listener
	loop     life.Service

	mu sync.RWMutex
	at map[string]time.Time // key -> tokens issued before are void
	// watchers are told each key as it comes.
	watchers []func(key string)
}

// NewRevocations makes it; Start fills it.
func NewRevocations(db *tenantdb.DB, listener *pg.Listener) *Revocations {
	r := &Revocations{db: db, listener: listener, at: map[string]time.Time{}}
	r.loop = life.Loop("revocations", r.run)
	return r
}

// OnRevoke registers what to do when something is revoked, e.g. ending streams;
// key is "session:", "membership:", "account:" or "tenant:" and the id. Before
// Start; must not block.
func (r *Revocations) OnRevoke(f func(key string)) { r.watchers = append(r.watchers, f) }

// Start reads what is revoked and begins to listen.
func (r *Revocations) Start(ctx context.Context) error {
	if err := r.load(ctx); err != nil {
		return err
	}
	return r.loop.Start(ctx)
}

// Stop ends that.
func (r *Revocations) Stop(ctx context.Context) error { return r.loop.Stop(ctx) }

// Revoked says whether a token with these claims no longer holds.
func (r *Revocations) Revoked(c grant.Claims) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, key := range [...]string{
		"session:" + c.Session, "membership:" + c.Membership, "account:" + c.Account, "tenant:" + strconv.FormatInt(c.Tenant, 10),
	} {
		if at, ok := r.at[key]; ok && !c.Issued.After(at) {
			// Platform staff acting as a closed tenant may still look at it.
			if strings.HasPrefix(key, "tenant:") && c.ActingAdmin != "" {
				continue
			}
			return true
		}
	}
	return false
}

// Revoke makes tokens issued until now void, from the commit of the Platform
// transaction on.
func Revoke(ctx context.Context, tx pgx.Tx, key string) error {
	at, err := tenantdb.TxOne[time.Time](ctx, tx, `INSERT INTO revocations (key, at) VALUES ($1, clock_timestamp())
		ON CONFLICT (key) DO UPDATE SET at = excluded.at RETURNING at`, key)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "SELECT pg_notify($1, $2)", Channel, key+" "+strconv.FormatInt(at.UnixMicro(), 10))
	return err
}

func (r *Revocations) run(ctx context.Context) error {
	news, cancel := r.listener.Subscribe(Channel)
	defer cancel()
	prune := time.NewTicker(time.Minute)
	defer prune.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-prune.C:
			r.prune()
		case n := <-news:
			if n.Lost {
				if err := r.load(ctx); err != nil && ctx.Err() == nil {
					slog.WarnContext(ctx, "revocations not read", "error", err)
				}
				continue
			}
			if key, at, err := parse(n.Payload); err == nil {
				r.note(key, at)
			}
		}
	}
}

func parse(payload string) (key string, at time.Time, err error) {
	key, us, ok := strings.Cut(payload, " ")
	if !ok {
		return "", at, errors.New("not a revocation")
	}
	n, err := strconv.ParseInt(us, 10, 64)
	return key, time.UnixMicro(n), err
}

func (r *Revocations) note(key string, at time.Time) {
	r.mu.Lock()
	known, ok := r.at[key]
	news := !ok || at.After(known)
	if news {
		r.at[key] = at
	}
	r.mu.Unlock()
	if news {
		for _, f := range r.watchers {
			f(key)
		}
	}
}

func (r *Revocations) load(ctx context.Context) error {
	type row struct {
		Key string
		At  time.Time
	}
	var rows []row
	err := r.db.Platform(ctx, "revocations", func(ctx context.Context, tx pgx.Tx) (err error) {
		rows, err = tenantdb.TxMany[row](ctx, tx, "SELECT key, at FROM revocations WHERE at > now() - interval '15 minutes'")
		return err
	})
	for _, x := range rows {
		r.note(x.Key, x.At)
	}
	return err
}

// prune forgets what no living token can be about.
func (r *Revocations) prune() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, at := range r.at {
		if time.Since(at) > grant.MaxLife+time.Minute {
			delete(r.at, key)
		}
	}
}

// RevokeTenant makes the tokens of all of a tenant's people void; at the sites
// their sessions end with the configuration that says so.
func RevokeTenant(ctx context.Context, tx pgx.Tx, tenant int64) error {
	return Revoke(ctx, tx, "tenant:"+strconv.FormatInt(tenant, 10))
}
