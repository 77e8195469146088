package tenants

import (
	"context"
	"encoding/json"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"trunkline/internal/rpcx"
)

// Entry is one line of the audit: who did what to what.
type Entry struct {
	Tenant  int64  // 0 = the platform itself
	Actor   string // "" = the caller of the request, or "system"
	Action  string // noun.verb, e.g. "member.invited"
	Subject string // what it was done to: an id or an address
	Reason  string // what the person gave as the reason
	Details map[string]string
}

// Audit writes a line in the transaction of what it tells about. The transaction
// is the tenant's own or a Platform one.
func Audit(ctx context.Context, tx pgx.Tx, e Entry) error {
	caller, _ := rpcx.CallerFrom(ctx)
	if e.Actor == "" {
		e.Actor = caller.Actor()
	}
	if e.Actor == "" {
		e.Actor = "system"
	}
	details := []byte("{}")
	if len(e.Details) > 0 {
		details, _ = json.Marshal(e.Details) // a map of strings always marshals
	}
	if e.Reason == "" {
		e.Reason = caller.Claims.ActingReason
	}
	_, err := tx.Exec(ctx, `INSERT INTO audit (tenant_id, id, actor, action, subject, reason, ip, details)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		e.Tenant, NewID(), e.Actor, e.Action, e.Subject, e.Reason, caller.IP, details)
	return err
}

// NewID makes a UUIDv7 in text, which sorts by time.
func NewID() string { return uuid.Must(uuid.NewV7()).String() }
