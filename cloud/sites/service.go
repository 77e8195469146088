package sites

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/types/known/timestamppb"

	"trunkline/internal/fault"
	"trunkline/internal/join"
	"trunkline/internal/pg"
	"trunkline/internal/rpcx"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
	"trunkline/tenants"
	"trunkline/tenants/tenantdb"
)

// Flows is what this package asks of routing, inside a tenant's transaction.
type Flows interface {
	// FlowExists says whether the tenant has the flow.
	FlowExists(ctx context.Context, tx pgx.Tx, tenant int64, id string) (bool, error)
	// DefaultFlow is the tenant's first one, "" without any.
	DefaultFlow(ctx context.Context, tx pgx.Tx, tenant int64) (string, error)
}

// Notices brings what NOTIFY sends on Channel; *pg.Listener is one.
type Notices interface {
	Subscribe(channel string) (<-chan pg.Notification, func())
}

// Channel carries a site's id when its join log or refused calls grew.
const Channel = "trunkline_sites"

// Config is what the service is told of its surroundings.
type Config struct {
	// PublicURL is the cloud's web address, named in the join command.
	PublicURL string
	// CA is the DER of the internal CA's certificate, bound into join tokens.
	CA []byte
}

// Service is SiteService: what a tenant sees and does.
type Service struct {
	db      *tenantdb.DB
	flows   Flows
	notices Notices
	cfg     Config
	now     func() time.Time
}

// NewService makes the service.
func NewService(db *tenantdb.DB, flows Flows, notices Notices, cfg Config) *Service {
	return &Service{db: db, flows: flows, notices: notices, cfg: cfg, now: time.Now}
}

// ListSites pages through the tenant's sites, oldest first.
func (s *Service) ListSites(ctx context.Context, req *cloudv1.ListSitesRequest) (*cloudv1.ListSitesResponse, error) {
	tenant, size := rpcx.TenantFrom(ctx), tenants.PageSize(req.PageSize)
	out := &cloudv1.ListSitesResponse{}
	err := s.db.InTenant(ctx, tenant, func(ctx context.Context, tx pgx.Tx) error {
		list, err := tenantdb.TxMany[site](ctx, tx, listSites, req.PageToken, size+1)
		if err != nil {
			return err
		}
		if len(list) > size {
			list = list[:size]
			out.NextPageToken = list[size-1].ID
		}
		nodes, err := withNodes(ctx, tx, list)
		for _, x := range list {
			out.Sites = append(out.Sites, siteView(x, nodes[x.ID], x.TenantID == tenant, s.now()))
		}
		return err
	})
	return out, err
}

// GetSite gives one site.
func (s *Service) GetSite(ctx context.Context, req *cloudv1.GetSiteRequest) (*cloudv1.Site, error) {
	return s.view(ctx, rpcx.TenantFrom(ctx), req.Id)
}

func (s *Service) view(ctx context.Context, tenant int64, id string) (out *cloudv1.Site, err error) {
	err = s.db.InTenant(ctx, tenant, func(ctx context.Context, tx pgx.Tx) error {
		x, nodes, err := visible(ctx, tx, id)
		if err == nil {
			out = siteView(x, nodes, x.TenantID == tenant, s.now())
		}
		return err
	})
	return out, err
}

// CreateSite makes a site on the tenant's own hardware and assigns the tenant.
func (s *Service) CreateSite(ctx context.Context, req *cloudv1.CreateSiteRequest) (*cloudv1.Site, error) {
	tenant := rpcx.TenantFrom(ctx)
	x := site{TenantID: tenant, ID: tenants.NewID(), Name: strings.TrimSpace(req.Name)}
	if x.Name == "" {
		return nil, fault.New(fault.Invalid, "fault.field.required").WithField("name")
	}
	err := s.db.InTenant(ctx, tenant, func(ctx context.Context, tx pgx.Tx) error {
		n, err := tenantdb.TxOne[int](ctx, tx, "SELECT count(*) FROM sites WHERE tenant_id = $1", tenant)
		if err != nil {
			return err
		}
		if n >= maxSites {
			return fault.New(fault.Exhausted, "fault.site.too_many", "max", fmt.Sprint(maxSites))
		}
		if x.CreatedAt, err = insertSite(ctx, tx, x); err != nil {
			return err
		}
		if err := assign(ctx, tx, tenant, x.ID); err != nil {
			return err
		}
		return tenants.Audit(ctx, tx, tenants.Entry{
			Tenant: tenant, Action: "site.created", Subject: x.ID, Details: map[string]string{"name": x.Name},
		})
	})
	if err != nil {
		return nil, err
	}
	return siteView(x, nil, true, s.now()), nil
}

func insertSite(ctx context.Context, tx pgx.Tx, x site) (time.Time, error) {
	at, err := tenantdb.TxOne[time.Time](ctx, tx, "INSERT INTO sites (tenant_id, id, name) VALUES ($1, $2, $3) RETURNING created_at",
		x.TenantID, x.ID, x.Name)
	if tenantdb.IsUnique(err, "sites_name") {
		return at, errSiteName
	}
	return at, err
}

// UseHostedSite assigns the tenant to a hosted site: the one it has, else the one
// with nodes that serves the fewest.
func (s *Service) UseHostedSite(ctx context.Context, _ *cloudv1.UseHostedSiteRequest) (*cloudv1.Site, error) {
	tenant := rpcx.TenantFrom(ctx)
	var id string
	err := s.db.Platform(ctx, "site: assign a tenant to a hosted site", func(ctx context.Context, tx pgx.Tx) error {
		found, err := tenantdb.TxMany[string](ctx, tx, `SELECT s.id FROM sites s WHERE s.tenant_id = 0 ORDER BY
			EXISTS (SELECT FROM site_tenants t WHERE t.tenant_id = $1 AND t.site_id = s.id AND t.ended_at IS NULL) DESC,
			EXISTS (SELECT FROM nodes n WHERE n.tenant_id = 0 AND n.site_id = s.id AND n.seen_at IS NOT NULL) DESC,
			(SELECT count(*) FROM site_tenants t WHERE t.site_id = s.id AND t.ended_at IS NULL), s.id LIMIT 1`, tenant)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return errNoHosted
		}
		id = found[0]
		if err := assign(ctx, tx, tenant, id); err != nil {
			return err
		}
		return tenants.Audit(ctx, tx, tenants.Entry{Tenant: tenant, Action: "site.hosted_used", Subject: id})
	})
	if err != nil {
		return nil, err
	}
	return s.view(ctx, tenant, id)
}

// CreateJoinToken makes a token for a site of the tenant's own.
func (s *Service) CreateJoinToken(ctx context.Context, req *cloudv1.CreateJoinTokenRequest) (*cloudv1.CreateJoinTokenResponse, error) {
	tenant := rpcx.TenantFrom(ctx)
	caller, _ := rpcx.CallerFrom(ctx)
	token := join.NewToken(s.cfg.CA)
	var expires time.Time
	err := s.db.InTenant(ctx, tenant, func(ctx context.Context, tx pgx.Tx) error {
		x, err := own(ctx, tx, tenant, req.SiteId)
		if err != nil {
			return err
		}
		if expires, err = insertToken(ctx, tx, x, token, caller.Actor()); err != nil {
			return err
		}
		return tenants.Audit(ctx, tx, tenants.Entry{Tenant: tenant, Action: "site.token_created", Subject: x.ID})
	})
	if err != nil {
		return nil, err
	}
	return &cloudv1.CreateJoinTokenResponse{
		Token: token.String(), ExpiresAt: timestamppb.New(expires),
		Command: fmt.Sprintf("trunkline-edge join --cloud %s --token %s", s.cfg.PublicURL, token),
	}, nil
}

func insertToken(ctx context.Context, tx pgx.Tx, x site, token join.Token, by string) (expires time.Time, err error) {
	open, err := tenantdb.TxOne[int](ctx, tx, `SELECT count(*) FROM join_tokens WHERE tenant_id = $1 AND site_id = $2
		AND spent_at IS NULL AND expires_at > now()`, x.TenantID, x.ID)
	if err != nil {
		return expires, err
	}
	if open >= maxOpenTokens {
		return expires, fault.New(fault.Exhausted, "fault.join.too_many_tokens", "max", fmt.Sprint(maxOpenTokens)).WithRetry(tokenLife)
	}
	// Tokens long gone have told their story in the join log.
	if _, err := tx.Exec(ctx, `DELETE FROM join_tokens WHERE tenant_id = $1 AND site_id = $2 AND expires_at < now() - interval '1 day'`,
		x.TenantID, x.ID); err != nil {
		return expires, err
	}
	return tenantdb.TxOne[time.Time](ctx, tx, `INSERT INTO join_tokens (tenant_id, hash, site_id, created_by, expires_at)
		VALUES ($1, $2, $3, $4, now() + $5::interval) RETURNING expires_at`, x.TenantID, token.Hash(), x.ID, by, tokenLife)
}
