package sites

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
	"trunkline/tenants/tenantdb"
)

// Health is a tenant's share of the fleet: the sites that serve it and their nodes.
type Health struct {
	TenantID int64
	Sites    int
	Nodes    int
	NodesUp  int
}

// Health counts for each of the tenants that any site serves.
func (r *Registry) Health(ctx context.Context, tenants []int64) (out []Health, err error) {
	err = r.db.Platform(ctx, "console: health of tenants", func(ctx context.Context, tx pgx.Tx) error {
		out, err = tenantdb.TxMany[Health](ctx, tx, `SELECT t.tenant_id, count(DISTINCT t.site_id)::int AS sites, count(n.name)::int AS nodes,
			count(n.name) FILTER (WHERE n.seen_at > now() - $2::interval)::int AS nodes_up
			FROM site_tenants t LEFT JOIN nodes n ON n.site_id = t.site_id
			WHERE t.tenant_id = ANY ($1) AND t.ended_at IS NULL GROUP BY t.tenant_id`, tenants, upFor)
		return err
	})
	return out, err
}

// TenantSites lists the sites that serve a tenant, whole.
func (r *Registry) TenantSites(ctx context.Context, tenant int64) ([]*cloudv1.Site, error) {
	return r.views(ctx, "console: sites of a tenant", "SELECT "+siteColumns+` FROM sites WHERE id IN
		(SELECT site_id FROM site_tenants WHERE tenant_id = $1 AND ended_at IS NULL) ORDER BY id LIMIT $2`, tenant, maxSites)
}

// AllSites pages through all sites, whole.
func (r *Registry) AllSites(ctx context.Context, pageToken string, size int) (list []*cloudv1.Site, next string, err error) {
	list, err = r.views(ctx, "console: list sites", listSites, pageToken, size+1)
	if len(list) > size {
		list = list[:size]
		next = list[size-1].Id
	}
	return list, next, err
}

func (r *Registry) views(ctx context.Context, reason, sql string, args ...any) (out []*cloudv1.Site, err error) {
	err = r.db.Platform(ctx, reason, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tenantdb.TxMany[site](ctx, tx, sql, args...)
		if err != nil {
			return err
		}
		nodes, err := withNodes(ctx, tx, rows)
		now := time.Now()
		for _, x := range rows {
			out = append(out, siteView(x, nodes[x.ID], true, now))
		}
		return err
	})
	return out, err
}
