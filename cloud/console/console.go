// Package console is the platform staff's view of its tenants: list, suspend,
// export, remove, and act as one of them.
//
// Suspending and removing are dates: the grace period runs by itself, and the
// loop here does what is due when it has passed. Whatever staff do to a tenant
// stands in that tenant's audit with the reason they gave.
package console

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"trunkline/internal/fault"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
	"trunkline/tenants"
	"trunkline/tenants/access"
	"trunkline/tenants/tenantdb"
)

// Fleet is what the console asks of whoever knows sites and nodes.
type Fleet interface {
	// Health counts the sites and nodes that serve each tenant.
	Health(ctx context.Context, tenants []int64) (map[int64]Health, error)
	// TenantSites lists the sites that serve a tenant.
	TenantSites(ctx context.Context, tenant int64) ([]*cloudv1.Site, error)
	// AllSites lists all sites, in pages.
	AllSites(ctx context.Context, pageToken string, size int) (sites []*cloudv1.Site, next string, err error)
}

// Health is a tenant's share of the fleet.
type Health struct{ Sites, Nodes, NodesUp int }

// Calls is what the console asks of whoever keeps call records.
type Calls interface {
	// CallsToday counts each tenant's calls since its midnight.
	CallsToday(ctx context.Context, tenants []int64) (map[int64]uint64, error)
}

// Eraser removes what a feature keeps of a tenant outside of the database
// (recordings, blobs). It must bear being asked twice.
type Eraser interface {
	Erase(ctx context.Context, tenant int64) error
}

// Config is what others give. The functions are asked at each use.
type Config struct {
	DB       *tenantdb.DB
	Sessions *access.Service
	Fleet    func() Fleet // nil result = no sites known
	Calls    func() Calls // nil result = no calls known
	Erasers  func() []Eraser
	// Changed tells the sites' configuration that a tenant was suspended, resumed
	// or removed; may be nil.
	Changed func(ctx context.Context, tenant int64)
}

// Service implements ConsoleService.
type Service struct{ Config }

// New makes the service; run Loop beside it, and the jobs of AddJobs.
func New(cfg Config) *Service { return &Service{cfg} }

// deleteGrace is how long a removed tenant can still be brought back.
const deleteGrace = 7 * 24 * time.Hour

func (s *Service) changed(ctx context.Context, tenant int64) {
	if s.Changed != nil {
		s.Changed(ctx, tenant)
	}
}

type tenant struct {
	tenants.Tenant
	Users      int
	OwnerEmail *string
}

const tenantColumns = `tenant_id, slug, name, language, time_zone, suspend_at, suspend_reason, delete_at, created_at,
	(SELECT count(*) FROM memberships m WHERE m.tenant_id = t.tenant_id AND NOT m.disabled)::int AS users,
	(SELECT a.email FROM memberships m JOIN accounts a ON a.id = m.account_id
		WHERE m.tenant_id = t.tenant_id AND 'owner' = ANY (m.roles) AND NOT m.disabled ORDER BY m.id LIMIT 1) AS owner_email`

func get(ctx context.Context, tx pgx.Tx, id int64) (tenant, error) {
	t, err := tenantdb.TxOne[tenant](ctx, tx, "SELECT "+tenantColumns+" FROM tenants t WHERE tenant_id = $1", id)
	if errors.Is(err, tenantdb.ErrNoRows) {
		return t, tenants.ErrNoTenant
	}
	return t, err
}

// suspend sets the date; the loop does the rest when it has come, at once if
// there is no grace.
func (s *Service) suspend(ctx context.Context, id int64, reason string, grace time.Duration) (tenant, error) {
	var t tenant
	err := s.DB.Platform(ctx, "console: suspend tenant", func(ctx context.Context, tx pgx.Tx) (err error) {
		if t, err = get(ctx, tx, id); err != nil {
			return err
		}
		if t.DeleteAt != nil {
			return fault.New(fault.Conflict, "fault.console.deleting", "tenant", t.Name)
		}
		_, err = tx.Exec(ctx, `UPDATE tenants SET suspend_at = now() + $2::interval, suspend_reason = $3, suspend_told = false
			WHERE tenant_id = $1`, id, grace, reason)
		if err != nil {
			return err
		}
		e := tenants.Entry{Tenant: id, Action: "tenant.suspended", Subject: t.Slug, Reason: reason, Details: map[string]string{"grace": grace.String()}}
		if err := tenants.Audit(ctx, tx, e); err != nil {
			return err
		}
		if grace == 0 {
			if err := closeTenant(ctx, tx, id); err != nil {
				return err
			}
		}
		t, err = get(ctx, tx, id)
		return err
	})
	if err == nil {
		s.changed(ctx, id) // the sites learn the date beforehand
	}
	return t, err
}

// closeTenant makes the tokens of a tenant's people void.
func closeTenant(ctx context.Context, tx pgx.Tx, id int64) error {
	_, err := tx.Exec(ctx, "UPDATE tenants SET suspend_told = true WHERE tenant_id = $1", id)
	if err != nil {
		return err
	}
	return access.RevokeTenant(ctx, tx, id)
}

// resume takes back a suspension and a removal that is not final yet.
func (s *Service) resume(ctx context.Context, id int64) (tenant, error) {
	var t tenant
	err := s.DB.Platform(ctx, "console: resume tenant", func(ctx context.Context, tx pgx.Tx) (err error) {
		tag, err := tx.Exec(ctx, `UPDATE tenants SET suspend_at = NULL, suspend_reason = NULL, suspend_told = false, delete_at = NULL
			WHERE tenant_id = $1`, id)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return tenants.ErrNoTenant
		}
		if t, err = get(ctx, tx, id); err != nil {
			return err
		}
		return tenants.Audit(ctx, tx, tenants.Entry{Tenant: id, Action: "tenant.resumed", Subject: t.Slug})
	})
	if err == nil {
		s.changed(ctx, id)
	}
	return t, err
}

// remove closes the tenant at once and has it erased when the grace has passed.
func (s *Service) remove(ctx context.Context, id int64, slug, reason string) error {
	err := s.DB.Platform(ctx, "console: delete tenant", func(ctx context.Context, tx pgx.Tx) error {
		t, err := get(ctx, tx, id)
		if err != nil {
			return err
		}
		if t.Slug != slug {
			return fault.New(fault.Invalid, "fault.console.slug_differs", "slug", t.Slug).WithField("slug")
		}
		if t.DeleteAt != nil {
			return fault.New(fault.Conflict, "fault.console.deleting", "tenant", t.Name)
		}
		_, err = tx.Exec(ctx, `UPDATE tenants SET delete_at = now() + $2::interval, suspend_at = coalesce(suspend_at, now()),
			suspend_reason = $3 WHERE tenant_id = $1`, id, deleteGrace, reason)
		if err != nil {
			return err
		}
		if err := tenants.Audit(ctx, tx, tenants.Entry{Tenant: id, Action: "tenant.deleted", Subject: slug, Reason: reason}); err != nil {
			return err
		}
		return closeTenant(ctx, tx, id)
	})
	if err == nil {
		s.changed(ctx, id)
	}
	return err
}
