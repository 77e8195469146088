package sites

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"trunkline/internal/fault"
	"trunkline/internal/join"
	"trunkline/tenants"
	"trunkline/tenants/tenantdb"
)

// Admin is what the platform's operator does, from the command line.
type Admin struct {
	db    *tenantdb.DB
	flows Flows
}

// NewAdmin makes it.
func NewAdmin(db *tenantdb.DB, flows Flows) *Admin { return &Admin{db, flows} }

// CreateHosted makes a hosted site and gives its id.
func (a *Admin) CreateHosted(ctx context.Context, name string) (string, error) {
	x := site{ID: tenants.NewID(), Name: strings.TrimSpace(name)}
	if x.Name == "" || len(x.Name) > 63 {
		return "", fault.New(fault.Invalid, "fault.field.required").WithField("name")
	}
	err := a.db.Platform(ctx, "operator: create a hosted site", func(ctx context.Context, tx pgx.Tx) error {
		if _, err := insertSite(ctx, tx, x); err != nil {
			return err
		}
		return tenants.Audit(ctx, tx, tenants.Entry{Action: "site.created", Subject: x.ID, Details: map[string]string{"name": x.Name}})
	})
	return x.ID, err
}

// hosted finds a hosted site by its name.
func hosted(ctx context.Context, tx pgx.Tx, name string) (site, error) {
	x, err := tenantdb.TxOne[site](ctx, tx, "SELECT "+siteColumns+" FROM sites WHERE tenant_id = 0 AND name = $1", name)
	if errors.Is(err, tenantdb.ErrNoRows) {
		return x, errNoSite
	}
	return x, err
}

// Token makes a join token for a hosted site; ca is the DER of the internal CA.
func (a *Admin) Token(ctx context.Context, siteName string, ca []byte) (text string, expires time.Time, err error) {
	t := join.NewToken(ca)
	err = a.db.Platform(ctx, "operator: create a join token", func(ctx context.Context, tx pgx.Tx) error {
		x, err := hosted(ctx, tx, siteName)
		if err != nil {
			return err
		}
		if expires, err = insertToken(ctx, tx, x, t, "operator"); err != nil {
			return err
		}
		return tenants.Audit(ctx, tx, tenants.Entry{Action: "site.token_created", Subject: x.ID})
	})
	return t.String(), expires, err
}

// PlatformTrunk describes a trunk shared by the tenants of a hosted site.
type PlatformTrunk struct {
	Site, Name, Target, Transport, Takeover string
	Allowed                                 []string
	MaxCalls                                int
}

// AddTrunk makes a platform trunk, or changes the one of that name.
func (a *Admin) AddTrunk(ctx context.Context, in PlatformTrunk) (id string, err error) {
	t := trunk{
		ID: tenants.NewID(), Name: in.Name, Allowed: in.Allowed, Target: in.Target, Transport: in.Transport, Takeover: in.Takeover,
		MaxCalls: int32(max(0, min(in.MaxCalls, 1_000_000))),
	}
	if err := t.check(); err != nil {
		return "", err
	}
	err = a.db.Platform(ctx, "operator: add a trunk", func(ctx context.Context, tx pgx.Tx) error {
		x, err := hosted(ctx, tx, in.Site)
		if err != nil {
			return err
		}
		t.SiteID = x.ID
		old, err := tenantdb.TxMany[string](ctx, tx, "SELECT id FROM trunks WHERE tenant_id = 0 AND site_id = $1 AND name = $2", x.ID, t.Name)
		if err != nil {
			return err
		}
		if len(old) > 0 {
			t.ID = old[0]
			err = updateTrunk(ctx, tx, t)
		} else {
			err = insertTrunk(ctx, tx, t)
		}
		if err != nil {
			return err
		}
		return tenants.Audit(ctx, tx, tenants.Entry{
			Action: "trunk.created", Subject: t.ID, Details: map[string]string{"site": x.ID, "name": t.Name},
		})
	})
	return t.ID, err
}

// PlatformNumber is a number the platform gives a tenant.
type PlatformNumber struct {
	Tenant string // slug
	E164   string
	// Trunk names a platform trunk; may be left out when the tenant's hosted site
	// has one only.
	Trunk string
	Flow  string // id; the tenant's first when empty
}

// AddNumber gives a number on a platform trunk to a tenant. Giving it again to
// the same tenant changes nothing.
func (a *Admin) AddNumber(ctx context.Context, in PlatformNumber) (id string, err error) {
	if !e164.MatchString(in.E164) {
		return "", fault.New(fault.Invalid, "fault.field.e164").WithField("e164")
	}
	err = a.db.Platform(ctx, "operator: give a number", func(ctx context.Context, tx pgx.Tx) error {
		tenant, err := tenantdb.TxOne[int64](ctx, tx, "SELECT tenant_id FROM tenants WHERE slug = $1", in.Tenant)
		if errors.Is(err, tenantdb.ErrNoRows) {
			return fault.New(fault.NotFound, "fault.tenant.not_found")
		}
		if err != nil {
			return err
		}
		has, err := tenantdb.TxMany[string](ctx, tx, "SELECT id FROM numbers WHERE e164 = $1 AND tenant_id = $2 AND platform", in.E164, tenant)
		if err != nil {
			return err
		}
		if len(has) > 0 {
			id = has[0]
			return nil
		}
		n := number{ID: tenants.NewID(), E164: in.E164, FlowID: in.Flow, Platform: true}
		if n.TrunkID, n.SiteIDs, err = sharedTrunk(ctx, tx, tenant, in.Trunk); err != nil {
			return err
		}
		if n.FlowID == "" {
			if n.FlowID, err = a.flows.DefaultFlow(ctx, tx, tenant); err != nil {
				return err
			}
		}
		id = n.ID
		if err := insertNumber(ctx, tx, tenant, n); err != nil {
			return err
		}
		return tenants.Audit(ctx, tx, tenants.Entry{
			Tenant: tenant, Action: "number.given", Subject: n.ID, Details: map[string]string{"e164": n.E164},
		})
	})
	return id, err
}

// sharedTrunk finds the platform trunk by name, or the only one where the tenant
// is. A tenant that is at no hosted site yet gets a number that works once it is.
func sharedTrunk(ctx context.Context, tx pgx.Tx, tenant int64, name string) (id string, sites []string, err error) {
	type place struct{ ID, SiteID string }
	found, err := tenantdb.TxMany[place](ctx, tx, `SELECT t.id, t.site_id FROM trunks t WHERE t.tenant_id = 0 AND ($2 = '' OR t.name = $2)
		ORDER BY EXISTS (SELECT FROM site_tenants s WHERE s.tenant_id = $1 AND s.site_id = t.site_id AND s.ended_at IS NULL) DESC, t.id`,
		tenant, name)
	if err != nil {
		return "", nil, err
	}
	serving, err := tenantdb.TxMany[string](ctx, tx, `SELECT s.site_id FROM site_tenants s JOIN sites x ON x.id = s.site_id
		WHERE s.tenant_id = $1 AND s.ended_at IS NULL AND x.tenant_id = 0`, tenant)
	if err != nil {
		return "", nil, err
	}
	if len(serving) > 0 {
		found = keep(found, func(p place) bool { return p.SiteID == serving[0] })
	}
	switch {
	case len(found) == 0:
		return "", nil, errNoTrunk
	case len(found) > 1:
		return "", nil, fault.New(fault.Invalid, "fault.trunk.ambiguous").WithField("trunk")
	}
	return found[0].ID, []string{found[0].SiteID}, nil
}

func keep[T any](list []T, f func(T) bool) []T {
	var out []T
	for _, x := range list {
		if f(x) {
			out = append(out, x)
		}
	}
	return out
}
