package tenantdb

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"trunkline/internal/rpcx"
)

// consolePrefix starts the reasons of what platform staff do as persons.
const consolePrefix = "console: "

// glanceEvery is how often the same look by the same person is noted: a page
// that asks again each few seconds is one look.
const glanceEvery = 10 * time.Minute

// glances notes in the audit that staff looked across tenants.
type glances struct {
	mu sync.Mutex
	at map[string]time.Time // actor and reason -> last noted
}

func (g *glances) audit(ctx context.Context, tx pgx.Tx, reason string) error {
	caller, ok := rpcx.CallerFrom(ctx)
	if !ok || caller.Actor() == "" || !strings.HasPrefix(reason, consolePrefix) || !g.due(caller.Actor()+" "+reason) {
		return nil
	}
	_, err := tx.Exec(ctx, "INSERT INTO audit (tenant_id, id, actor, action, reason, ip) VALUES (0, $1, $2, 'platform.looked', $3, $4)",
		uuid.Must(uuid.NewV7()).String(), caller.Actor(), strings.TrimPrefix(reason, consolePrefix), caller.IP)
	return err
}

func (g *glances) due(key string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if now.Sub(g.at[key]) < glanceEvery {
		return false
	}
	for k, at := range g.at {
		if now.Sub(at) > glanceEvery {
			delete(g.at, k)
		}
	}
	g.at[key] = now
	return true
}
