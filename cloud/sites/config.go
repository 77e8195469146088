package sites

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
	"trunkline/tenants/tenantdb"
)

// SiteConfig gives what a site must know of itself: nodes, trunks, and the
// tenants it serves, without their manifests. The transaction is a Platform one.
func (r *Registry) SiteConfig(ctx context.Context, tx pgx.Tx, siteID string) (*edgev1.SiteConfig, error) {
	x, err := tenantdb.TxOne[site](ctx, tx, getSite, siteID)
	if errors.Is(err, tenantdb.ErrNoRows) {
		return nil, errNoSite
	}
	if err != nil {
		return nil, err
	}
	out := &edgev1.SiteConfig{SiteId: x.ID, SiteName: x.Name, Hosted: x.hosted()}
	nodes, err := tenantdb.TxMany[node](ctx, tx, nodesOfSite+" ORDER BY name", siteID)
	if err != nil {
		return nil, err
	}
	for _, n := range nodes {
		out.Nodes = append(out.Nodes, &edgev1.SiteNode{Name: n.Name, NodeAddr: n.NodeAddr, WebUrl: n.WebURL})
	}
	trunks, err := tenantdb.TxMany[trunk](ctx, tx, "SELECT "+trunkColumns+" FROM trunks WHERE site_id = $1 ORDER BY tenant_id, id", siteID)
	if err != nil {
		return nil, err
	}
	for _, t := range trunks {
		out.Trunks = append(out.Trunks, t.config())
	}
	out.Tenants, err = r.assignments(ctx, tx, siteID)
	return out, err
}

type assignment struct {
	TenantID  int64
	Slug      string
	SuspendAt *time.Time
	DeleteAt  *time.Time
}

func (r *Registry) assignments(ctx context.Context, tx pgx.Tx, siteID string) ([]*edgev1.TenantAssignment, error) {
	rows, err := tenantdb.TxMany[assignment](ctx, tx, `SELECT t.tenant_id, t.slug, t.suspend_at, t.delete_at
		FROM site_tenants s JOIN tenants t ON t.tenant_id = s.tenant_id
		WHERE s.site_id = $1 AND s.ended_at IS NULL ORDER BY t.tenant_id`, siteID)
	var out []*edgev1.TenantAssignment
	for _, a := range rows {
		v := &edgev1.TenantAssignment{TenantId: a.TenantID, Slug: a.Slug}
		// A tenant about to be deleted is closed from the moment of the decision.
		if a.SuspendAt != nil {
			v.SuspendedAt, v.Suspended = a.SuspendAt.UnixMicro(), !a.SuspendAt.After(r.now())
		}
		if a.DeleteAt != nil {
			v.Suspended = true
		}
		out = append(out, v)
	}
	return out, err
}

// Contribute adds the numbers this site answers for the tenant.
func (r *Registry) Contribute(ctx context.Context, tx pgx.Tx, tenant int64, siteID string, c *edgev1.TenantConfig) error {
	rows, err := tenantdb.TxMany[number](ctx, tx, "SELECT "+numberColumns+` FROM numbers
		WHERE tenant_id = $1 AND (site_ids = '{}' OR $2 = ANY (site_ids)) ORDER BY e164`, tenant, siteID)
	for _, n := range rows {
		c.Numbers = append(c.Numbers, &edgev1.Number{E164: n.E164, FlowId: n.FlowID, TrunkId: n.TrunkID})
	}
	return err
}

// Assigned says whether the site serves the tenant now, and when it last ceased
// to. The transaction is the tenant's own.
func (r *Registry) Assigned(ctx context.Context, tx pgx.Tx, tenant int64, siteID string) (now bool, ended *time.Time, err error) {
	rows, err := tenantdb.TxMany[*time.Time](ctx, tx, `SELECT ended_at FROM site_tenants WHERE tenant_id = $1 AND site_id = $2
		ORDER BY ended_at DESC NULLS FIRST LIMIT 1`, tenant, siteID)
	if err != nil || len(rows) == 0 {
		return false, nil, err
	}
	return rows[0] == nil, rows[0], nil
}

// SitesOf lists the sites that serve the tenant now, oldest assignment first.
func (r *Registry) SitesOf(ctx context.Context, tx pgx.Tx, tenant int64) ([]string, error) {
	return tenantdb.TxMany[string](ctx, tx, `SELECT site_id FROM site_tenants WHERE tenant_id = $1 AND ended_at IS NULL
		ORDER BY assigned_at, site_id`, tenant)
}
