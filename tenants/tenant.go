package tenants

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"trunkline/internal/fault"
	"trunkline/tenants/tenantdb"
)

// Tenant is one customer of the platform.
type Tenant struct {
	ID            int64 `db:"tenant_id"`
	Slug          string
	Name          string
	Language      string // "en" or "zh-Hans"
	TimeZone      string // IANA name
	SuspendAt     *time.Time
	SuspendReason *string
	DeleteAt      *time.Time
	CreatedAt     time.Time
}

// Columns of a Tenant, for SELECT.
const Columns = "tenant_id, slug, name, language, time_zone, suspend_at, suspend_reason, delete_at, created_at"

// Status at a moment: "active", "suspending", "suspended" or "deleting".
func (t Tenant) Status(now time.Time) string {
	switch {
	case t.DeleteAt != nil:
		return "deleting"
	case t.SuspendAt == nil:
		return "active"
	case t.SuspendAt.After(now):
		return "suspending"
	}
	return "suspended"
}

// Closed says whether the tenant's people may not work at a moment.
func (t Tenant) Closed(now time.Time) bool {
	s := t.Status(now)
	return s == "suspended" || s == "deleting"
}

// Provisioner gives a new tenant what it needs from the first minute: a queue, a
// flow, a site. It runs in the transaction that makes the tenant, narrowed to
// it; an error undoes the sign-up.
type Provisioner interface {
	Provision(ctx context.Context, tx pgx.Tx, t Tenant) error
}

// MemberQueues is what routing knows of the queues a member serves. All run in
// a transaction of the tenant; ids are membership and queue ids.
type MemberQueues interface {
	QueuesOf(ctx context.Context, tx pgx.Tx, tenant int64, memberships []string) (map[string][]string, error)
	// CheckQueues gives a NotFound fault if the tenant has not all of the queues.
	CheckQueues(ctx context.Context, tx pgx.Tx, tenant int64, queues []string) error
	// SetQueues replaces the member's queues; an unknown queue is a NotFound fault.
	SetQueues(ctx context.Context, tx pgx.Tx, tenant int64, membership string, queues []string) error
}

// Get reads a tenant by itself.
func Get(ctx context.Context, db *tenantdb.DB, id int64) (Tenant, error) {
	t, err := tenantdb.One[Tenant](ctx, db, id, "SELECT "+Columns+" FROM tenants WHERE tenant_id = $1", id)
	if errors.Is(err, tenantdb.ErrNoRows) {
		return t, ErrNoTenant
	}
	return t, err
}

// ErrNoTenant is the answer for a tenant that is not there, or not yours.
var ErrNoTenant = fault.New(fault.NotFound, "fault.tenant.not_found")

// Create makes a tenant and what the provisioners give it, inside a Platform
// transaction. The slug comes from the name; a taken one gets a number.
func Create(ctx context.Context, tx pgx.Tx, name, language, timeZone string, provision []Provisioner) (Tenant, error) {
	if _, err := time.LoadLocation(timeZone); err != nil || timeZone == "" || timeZone == "Local" {
		timeZone = "UTC"
	}
	base := Slug(name)
	var t Tenant
	for n := 1; t.ID == 0; n++ {
		if n > 1000 {
			return t, fmt.Errorf("no free slug for %q", base)
		}
		var err error
		t, err = tenantdb.TxOne[Tenant](ctx, tx, `INSERT INTO tenants (slug, name, language, time_zone) VALUES ($1, $2, $3, $4)
			ON CONFLICT (slug) DO NOTHING RETURNING `+Columns, numbered(base, n), name, language, timeZone)
		if err != nil && !errors.Is(err, tenantdb.ErrNoRows) {
			return t, err
		}
	}
	return t, provisionAll(ctx, tx, t, provision)
}

func provisionAll(ctx context.Context, tx pgx.Tx, t Tenant, provision []Provisioner) error {
	if err := tenantdb.EnterTenant(ctx, tx, t.ID); err != nil {
		return err
	}
	for _, p := range provision {
		if err := p.Provision(ctx, tx, t); err != nil {
			return fmt.Errorf("provision tenant %d: %w", t.ID, err)
		}
	}
	return tenantdb.LeaveTenant(ctx, tx)
}

// DefaultPage is the page size when none is asked for; requests are bounded by
// their rules.
const DefaultPage = 50

// PageSize gives the number of rows of a page.
func PageSize(asked uint32) int {
	if asked == 0 {
		return DefaultPage
	}
	return int(min(asked, 200))
}
