package sites

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"trunkline/tenants/tenantdb"
)

// Reachable gives the site that serves the tenant with the most living nodes and
// the addresses browsers reach these by, leader first; "" without any site.
func (r *Registry) Reachable(ctx context.Context, tx pgx.Tx, tenant int64) (siteID string, urls []string, err error) {
	serving, err := r.SitesOf(ctx, tx, tenant)
	if err != nil || len(serving) == 0 {
		return "", nil, err
	}
	nodes, err := tenantdb.TxMany[node](ctx, tx, "SELECT "+nodeColumns+" FROM nodes WHERE site_id = ANY ($1) AND web_url <> '' ORDER BY leader DESC, name", serving)
	if err != nil {
		return "", nil, err
	}
	siteID = serving[0]
	living := map[string][]string{}
	for _, n := range nodes {
		if n.status(r.now()) == "up" {
			living[n.SiteID] = append(living[n.SiteID], n.WebURL)
		}
	}
	for _, id := range serving {
		if len(living[id]) > len(living[siteID]) {
			siteID = id
		}
	}
	return siteID, living[siteID], nil
}

// SiteSince is when a site with a node first served the tenant, nil if none does.
func (r *Registry) SiteSince(ctx context.Context, tx pgx.Tx, tenant int64) (*time.Time, error) {
	return tenantdb.TxOne[*time.Time](ctx, tx, `SELECT min(greatest(t.assigned_at, n.joined_at)) FROM site_tenants t
		JOIN nodes n ON n.site_id = t.site_id AND n.seen_at IS NOT NULL WHERE t.tenant_id = $1 AND t.ended_at IS NULL`, tenant)
}

// NumberSince is when the tenant got its first number, nil without any.
func (r *Registry) NumberSince(ctx context.Context, tx pgx.Tx, tenant int64) (*time.Time, error) {
	return tenantdb.TxOne[*time.Time](ctx, tx, "SELECT min(created_at) FROM numbers WHERE tenant_id = $1", tenant)
}

// SiteNames gives the names of the sites that serve the tenant or did, by id.
func (r *Registry) SiteNames(ctx context.Context, tenant int64) (map[string]string, error) {
	type row struct{ ID, Name string }
	out := map[string]string{}
	err := r.db.Platform(ctx, "sites: names of a tenant's sites, also former ones", func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tenantdb.TxMany[row](ctx, tx, `SELECT DISTINCT s.id, s.name FROM sites s JOIN site_tenants t ON t.site_id = s.id
			WHERE t.tenant_id = $1`, tenant)
		for _, x := range rows {
			out[x.ID] = x.Name
		}
		return err
	})
	return out, err
}

// Origins gives the web origins of all nodes, each once, in order.
func (r *Registry) Origins(ctx context.Context) (out []string, err error) {
	err = r.db.Platform(ctx, "sites: web origins of nodes", func(ctx context.Context, tx pgx.Tx) error {
		urls, err := tenantdb.TxMany[string](ctx, tx, "SELECT DISTINCT web_url FROM nodes WHERE web_url <> '' ORDER BY web_url LIMIT 10000")
		for _, text := range urls {
			if u, err := url.Parse(text); err == nil && u.Host != "" {
				out = append(out, u.Scheme+"://"+strings.ToLower(u.Host))
			}
		}
		slices.Sort(out)
		out = slices.Compact(out)
		return err
	})
	return out, err
}
