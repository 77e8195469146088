package server

import (
	"context"

	"trunkline/cloud/console"
	"trunkline/cloud/fleet"
	"trunkline/cloud/sites"
	"trunkline/internal/seal"
	"trunkline/proto/gen/trunkline/cloud/v1/cloudv1connect"
	"trunkline/tenants"
	"trunkline/tenants/tenantdb"
)

// mountSites opens the register of places and the internal CA, and serves
// SiteService.
func (s *Server) mountSites(ctx context.Context) (err error) {
	f := &s.features.fleet
	if f.authority, err = openAuthority(ctx, s.db, s.box); err != nil {
		return err
	}
	f.registry = sites.NewRegistry(s.db)
	f.inbox = fleet.NewInbox(s.db, f.registry)
	s.features.calls.inbox = f.inbox
	f.keys = fleet.NewKeys(s.db, s.box)
	s.features.access.provision = append(s.features.access.provision, f.keys)
	s.features.console.fleet = siteOverview{f.registry}

	origins := sites.NewOrigins(f.registry, s.listener, fleet.ConfigChannel)
	s.background.Add("web origins of nodes", origins)
	s.features.nodeOrigins = func(context.Context) []string { return origins.List() }

	svc := sites.NewService(s.db, s.features.routing, s.listener, sites.Config{
		PublicURL: s.publicURL.String(), CA: f.authority.Certificate(),
	})
	s.web.Handle(cloudv1connect.NewSiteServiceHandler(svc, s.options()...))
	return nil
}

// openAuthority opens the internal CA, making it the first time.
func openAuthority(ctx context.Context, db *tenantdb.DB, box *seal.Box) (*fleet.Authority, error) {
	secret, err := tenants.PlatformSecret(ctx, db, box, "internal_ca", fleet.NewAuthoritySecret)
	if err != nil {
		return nil, err
	}
	return fleet.OpenAuthority(secret)
}

// siteOverview is what the console asks of the sites.
type siteOverview struct{ *sites.Registry }

// Health counts the sites and nodes that serve each tenant.
func (o siteOverview) Health(ctx context.Context, list []int64) (map[int64]console.Health, error) {
	rows, err := o.Registry.Health(ctx, list)
	out := make(map[int64]console.Health, len(rows))
	for _, r := range rows {
		out[r.TenantID] = console.Health{Sites: r.Sites, Nodes: r.Nodes, NodesUp: r.NodesUp}
	}
	return out, err
}
