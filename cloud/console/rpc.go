package console

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/types/known/timestamppb"

	"trunkline/internal/fault"
	"trunkline/internal/rpcx"
	accessv1 "trunkline/proto/gen/trunkline/access/v1"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
	"trunkline/tenants"
	"trunkline/tenants/tenantdb"
)

// ListTenants lists tenants, newest first; search looks in name, slug and the
// members' addresses.
func (s *Service) ListTenants(ctx context.Context, req *cloudv1.ListTenantsRequest) (*cloudv1.ListTenantsResponse, error) {
	var before int64
	if req.PageToken != "" {
		n, err := strconv.ParseInt(req.PageToken, 10, 64)
		if err != nil {
			return nil, fault.New(fault.Invalid, "fault.page_token").WithField("page_token")
		}
		before = n
	}
	size := tenants.PageSize(req.PageSize)
	search := "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(strings.TrimSpace(req.Search)) + "%"
	var rows []tenant
	err := s.DB.Platform(ctx, "console: list tenants", func(ctx context.Context, tx pgx.Tx) (err error) {
		rows, err = tenantdb.TxMany[tenant](ctx, tx, "SELECT "+tenantColumns+` FROM tenants t
			WHERE ($1 = 0 OR tenant_id < $1) AND ($2 = '%%' OR name ILIKE $2 OR slug ILIKE $2 OR EXISTS (
				SELECT FROM memberships m JOIN accounts a ON a.id = m.account_id WHERE m.tenant_id = t.tenant_id AND a.email ILIKE $2))
			ORDER BY tenant_id DESC LIMIT $3`, before, search, size+1)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &cloudv1.ListTenantsResponse{}
	if len(rows) > size {
		rows = rows[:size]
		out.NextPageToken = strconv.FormatInt(rows[size-1].ID, 10)
	}
	out.Tenants, err = s.summaries(ctx, rows)
	return out, err
}

// summaries adds what the fleet and the calls know.
func (s *Service) summaries(ctx context.Context, rows []tenant) ([]*cloudv1.TenantSummary, error) {
	ids := make([]int64, len(rows))
	for i, t := range rows {
		ids[i] = t.ID
	}
	var health map[int64]Health
	var calls map[int64]uint64
	var err error
	if f := s.Fleet(); f != nil && len(ids) > 0 {
		if health, err = f.Health(ctx, ids); err != nil {
			return nil, err
		}
	}
	if c := s.Calls(); c != nil && len(ids) > 0 {
		if calls, err = c.CallsToday(ctx, ids); err != nil {
			return nil, err
		}
	}
	var out []*cloudv1.TenantSummary
	for _, t := range rows {
		h := health[t.ID]
		x := &cloudv1.TenantSummary{
			Id: t.ID, Name: t.Name, Slug: t.Slug, Status: t.Status(time.Now()), Users: uint32(t.Users), OwnerEmail: deref(t.OwnerEmail),
			Sites: uint32(h.Sites), Nodes: uint32(h.Nodes), NodesUp: uint32(h.NodesUp), CallsToday: calls[t.ID],
			CreatedAt: timestamppb.New(t.CreatedAt),
		}
		if t.SuspendAt != nil {
			x.SuspendedAt = timestamppb.New(*t.SuspendAt)
		}
		out = append(out, x)
	}
	return out, nil
}

func (s *Service) summary(ctx context.Context, t tenant) (*cloudv1.TenantSummary, error) {
	all, err := s.summaries(ctx, []tenant{t})
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// GetTenant gives one tenant with its sites and the latest of its audit.
func (s *Service) GetTenant(ctx context.Context, req *cloudv1.GetTenantRequest) (*cloudv1.TenantDetail, error) {
	var t tenant
	out := &cloudv1.TenantDetail{}
	err := s.DB.Platform(ctx, "console: get tenant", func(ctx context.Context, tx pgx.Tx) (err error) {
		if t, err = get(ctx, tx, req.Id); err != nil {
			return err
		}
		out.Audit, _, err = audit(ctx, tx, req.Id, "", tenants.DefaultPage)
		return err
	})
	if err != nil {
		return nil, err
	}
	if out.Summary, err = s.summary(ctx, t); err != nil {
		return nil, err
	}
	if f := s.Fleet(); f != nil {
		out.Sites, err = f.TenantSites(ctx, req.Id)
	}
	return out, err
}

// SuspendTenant closes a tenant after the grace period.
func (s *Service) SuspendTenant(ctx context.Context, req *cloudv1.SuspendTenantRequest) (*cloudv1.TenantSummary, error) {
	t, err := s.suspend(ctx, req.Id, req.Reason, time.Duration(req.GraceS)*time.Second)
	if err != nil {
		return nil, err
	}
	return s.summary(ctx, t)
}

// ResumeTenant opens it again.
func (s *Service) ResumeTenant(ctx context.Context, req *cloudv1.GetTenantRequest) (*cloudv1.TenantSummary, error) {
	t, err := s.resume(ctx, req.Id)
	if err != nil {
		return nil, err
	}
	return s.summary(ctx, t)
}

// DeleteTenant closes it now and erases it a week later.
func (s *Service) DeleteTenant(ctx context.Context, req *cloudv1.DeleteTenantRequest) (*cloudv1.Done, error) {
	return &cloudv1.Done{}, s.remove(ctx, req.Id, req.Slug, req.Reason)
}

// Minutes of acting as a tenant.
const (
	leastActing   = 5
	defaultActing = 30
)

// ActAs gives a token for the tenant that ends by itself.
func (s *Service) ActAs(ctx context.Context, req *cloudv1.ActAsRequest) (*accessv1.SessionResponse, error) {
	minutes := req.Minutes
	if minutes == 0 {
		minutes = defaultActing
	}
	if minutes < leastActing {
		return nil, fault.New(fault.Invalid, "fault.field.too_small", "min", strconv.Itoa(leastActing)).WithField("minutes")
	}
	var out *accessv1.SessionResponse
	err := s.DB.Platform(ctx, "console: act as tenant", func(ctx context.Context, tx pgx.Tx) error {
		t, err := get(ctx, tx, req.Id)
		if err != nil {
			return err
		}
		e := tenants.Entry{
			Tenant: t.ID, Action: "acting.begun", Subject: t.Slug, Reason: req.Reason,
			Details: map[string]string{"minutes": strconv.Itoa(int(minutes))},
		}
		if err := tenants.Audit(ctx, tx, e); err != nil {
			return err
		}
		out, err = s.Sessions.ActAs(ctx, tx, t.ID, req.Reason, time.Now().Add(time.Duration(minutes)*time.Minute))
		return err
	})
	return out, err
}

// StopActing gives staff their own token back.
func (s *Service) StopActing(ctx context.Context, _ *cloudv1.StopActingRequest) (*accessv1.SessionResponse, error) {
	var out *accessv1.SessionResponse
	err := s.DB.Platform(ctx, "console: stop acting", func(ctx context.Context, tx pgx.Tx) (err error) {
		if out, err = s.Sessions.StopActing(ctx, tx); err != nil {
			return err
		}
		return tenants.Audit(ctx, tx, tenants.Entry{Tenant: rpcx.TenantFrom(ctx), Action: "acting.ended"})
	})
	return out, err
}

// ListPlatformSites lists the sites of all tenants.
func (s *Service) ListPlatformSites(ctx context.Context, req *cloudv1.ListPlatformSitesRequest) (*cloudv1.ListSitesResponse, error) {
	out := &cloudv1.ListSitesResponse{}
	f := s.Fleet()
	if f == nil {
		return out, nil
	}
	var err error
	out.Sites, out.NextPageToken, err = f.AllSites(ctx, req.PageToken, tenants.PageSize(req.PageSize))
	return out, err
}
