// Package members is the administration of a tenant's people: list, roles,
// disabling, and the way back for who lost their second factor.
package members

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/types/known/timestamppb"

	"trunkline/internal/fault"
	"trunkline/internal/grant"
	"trunkline/internal/rpcx"
	accessv1 "trunkline/proto/gen/trunkline/access/v1"
	"trunkline/tenants"
	"trunkline/tenants/access"
	"trunkline/tenants/mailer"
	"trunkline/tenants/signup"
	"trunkline/tenants/tenantdb"
)

// Config is what others give.
type Config struct {
	DB     *tenantdb.DB
	Access *access.Service
	Mail   *mailer.Mailer
	// Queues knows which queues members serve; nil result = none.
	Queues func() tenants.MemberQueues
	// MembersChanged tells the sites; may be nil.
	MembersChanged func(ctx context.Context, tenant int64)
}

// Service implements the RPCs of this package.
type Service struct{ Config }

// New makes the service.
func New(cfg Config) *Service { return &Service{cfg} }

type member struct {
	ID           string
	AccountID    string
	Email        string
	DisplayName  string
	Roles        []string
	Disabled     bool
	CreatedAt    time.Time
	LastSeenAt   *time.Time
	SecondFactor bool
}

const memberColumns = `m.id, m.account_id, a.email, a.display_name, m.roles, m.disabled, m.created_at, m.last_seen_at, a.second_factor
	FROM memberships m JOIN accounts a ON a.id = m.account_id`

func (m member) proto(queues []string) *accessv1.Member {
	out := &accessv1.Member{
		Id: m.ID, AccountId: m.AccountID, Email: m.Email, DisplayName: m.DisplayName, Roles: m.Roles, Disabled: m.Disabled,
		CreatedAt: timestamppb.New(m.CreatedAt), QueueIds: queues, SecondFactor: m.SecondFactor,
	}
	if m.LastSeenAt != nil {
		out.LastSeenAt = timestamppb.New(*m.LastSeenAt)
	}
	return out
}

// ListMembers lists the caller's tenant's members in the order they joined;
// search looks in address and name.
func (s *Service) ListMembers(ctx context.Context, req *accessv1.ListMembersRequest) (*accessv1.ListMembersResponse, error) {
	tenant, size := rpcx.TenantFrom(ctx), tenants.PageSize(req.PageSize)
	out := &accessv1.ListMembersResponse{}
	err := s.DB.InTenant(ctx, tenant, func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tenantdb.TxMany[member](ctx, tx, "SELECT "+memberColumns+`
			WHERE m.tenant_id = $1 AND m.id > $2 AND ($3 = '%%' OR a.email ILIKE $3 OR a.display_name ILIKE $3)
			ORDER BY m.id LIMIT $4`, tenant, req.PageToken, "%"+likeText(req.Search)+"%", size+1)
		if err != nil {
			return err
		}
		if len(rows) > size {
			rows = rows[:size]
			out.NextPageToken = rows[size-1].ID
		}
		queues, err := s.queuesOf(ctx, tx, tenant, rows)
		for _, m := range rows {
			out.Members = append(out.Members, m.proto(queues[m.ID]))
		}
		return err
	})
	return out, err
}

// likeText takes the meaning out of LIKE's own signs.
func likeText(s string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(strings.TrimSpace(s))
}

func (s *Service) queuesOf(ctx context.Context, tx pgx.Tx, tenant int64, rows []member) (map[string][]string, error) {
	q := s.Queues()
	if q == nil || len(rows) == 0 {
		return nil, nil
	}
	ids := make([]string, len(rows))
	for i, m := range rows {
		ids[i] = m.ID
	}
	return q.QueuesOf(ctx, tx, tenant, ids)
}

// get reads a member and locks the membership.
func get(ctx context.Context, tx pgx.Tx, tenant int64, id string) (member, error) {
	m, err := tenantdb.TxOne[member](ctx, tx, "SELECT "+memberColumns+" WHERE m.tenant_id = $1 AND m.id = $2 FOR UPDATE OF m", tenant, id)
	if errors.Is(err, tenantdb.ErrNoRows) {
		return m, fault.New(fault.NotFound, "fault.member.not_found")
	}
	return m, err
}

// UpdateMember sets roles (none = as they are), disables or enables, and sets
// the queues. The member's tokens are renewed, or refused, within seconds.
func (s *Service) UpdateMember(ctx context.Context, req *accessv1.UpdateMemberRequest) (*accessv1.Member, error) {
	if err := signup.CheckRoles(ctx, req.Roles); err != nil {
		return nil, err
	}
	tenant := rpcx.TenantFrom(ctx)
	var m member
	err := s.DB.Platform(ctx, "update member", func(ctx context.Context, tx pgx.Tx) (err error) {
		if m, err = get(ctx, tx, tenant, req.Id); err != nil {
			return err
		}
		before := m
		if len(req.Roles) > 0 {
			m.Roles = normal(req.Roles)
		}
		m.Disabled = req.Disabled
		if err := s.checkChange(ctx, tx, tenant, before, m); err != nil {
			return err
		}
		if err := s.save(ctx, tx, tenant, before, m); err != nil {
			return err
		}
		return s.setQueues(ctx, tx, tenant, m.ID, req.QueueIds)
	})
	if err != nil {
		return nil, err
	}
	if s.MembersChanged != nil {
		s.MembersChanged(ctx, tenant)
	}
	return m.proto(req.QueueIds), nil
}

// normal orders roles and drops doubles.
func normal(roles []string) []string {
	var out []string
	for _, r := range grant.Roles {
		if slices.Contains(roles, r) {
			out = append(out, r)
		}
	}
	return out
}

// checkChange keeps owners to owners, people from locking themselves out, and a
// tenant from losing its last owner.
func (s *Service) checkChange(ctx context.Context, tx pgx.Tx, tenant int64, before, after member) error {
	c, _ := rpcx.CallerFrom(ctx)
	wasOwner, isOwner := slices.Contains(before.Roles, grant.Owner), slices.Contains(after.Roles, grant.Owner)
	touched := !slices.Equal(before.Roles, after.Roles) || before.Disabled != after.Disabled
	if !touched {
		return nil
	}
	if wasOwner && !slices.Contains(c.Claims.Roles, grant.Owner) {
		return fault.New(fault.Forbidden, "fault.role.owner_only")
	}
	if before.AccountID == c.Claims.Account && after.Disabled {
		return fault.New(fault.Conflict, "fault.member.self")
	}
	if !wasOwner || (isOwner && !after.Disabled) {
		return nil
	}
	// Of two owners who demote each other at once, one waits here for the other.
	owners, err := tenantdb.TxMany[string](ctx, tx, `SELECT id FROM memberships
		WHERE tenant_id = $1 AND 'owner' = ANY (roles) AND NOT disabled ORDER BY id FOR UPDATE`, tenant)
	if err != nil {
		return err
	}
	if slices.Equal(owners, []string{before.ID}) {
		return fault.New(fault.Conflict, "fault.member.last_owner")
	}
	return nil
}

func (s *Service) save(ctx context.Context, tx pgx.Tx, tenant int64, before, after member) error {
	if slices.Equal(before.Roles, after.Roles) && before.Disabled == after.Disabled {
		return nil
	}
	_, err := tx.Exec(ctx, `UPDATE memberships SET roles = $3, disabled = $4, revoked_before = clock_timestamp()
		WHERE tenant_id = $1 AND id = $2`, tenant, after.ID, after.Roles, after.Disabled)
	if err != nil {
		return err
	}
	if err := access.Revoke(ctx, tx, "membership:"+after.ID); err != nil {
		return err
	}
	action := "member.roles_changed"
	switch {
	case after.Disabled && !before.Disabled:
		action = "member.disabled"
	case !after.Disabled && before.Disabled:
		action = "member.enabled"
	}
	return tenants.Audit(ctx, tx, tenants.Entry{
		Tenant: tenant, Action: action, Subject: after.ID,
		Details: map[string]string{"email": after.Email, "from": strings.Join(before.Roles, ","), "to": strings.Join(after.Roles, ",")},
	})
}

func (s *Service) setQueues(ctx context.Context, tx pgx.Tx, tenant int64, id string, queues []string) error {
	q := s.Queues()
	if q == nil {
		return nil
	}
	if err := tenantdb.EnterTenant(ctx, tx, tenant); err != nil {
		return err
	}
	if err := q.SetQueues(ctx, tx, tenant, id, queues); err != nil {
		return err
	}
	return tenantdb.LeaveTenant(ctx, tx)
}

// ResetMemberFactors removes every second factor of a member and signs them out
// everywhere. The account must be this tenant's alone: an administrator of one
// company has no say over a sign-in that opens another.
func (s *Service) ResetMemberFactors(ctx context.Context, req *accessv1.ResetMemberFactorsRequest) (*accessv1.Done, error) {
	c, _ := rpcx.CallerFrom(ctx)
	tenant := c.Claims.Tenant
	var changed []int64
	err := s.DB.Platform(ctx, "reset member's factors", func(ctx context.Context, tx pgx.Tx) error {
		m, err := get(ctx, tx, tenant, req.Id)
		if err != nil {
			return err
		}
		if slices.Contains(m.Roles, grant.Owner) && !slices.Contains(c.Claims.Roles, grant.Owner) {
			return fault.New(fault.Forbidden, "fault.role.owner_only")
		}
		elsewhere, err := tenantdb.TxOne[bool](ctx, tx, `SELECT EXISTS (SELECT FROM memberships WHERE account_id = $1 AND tenant_id <> $2)
			OR (SELECT platform_admin FROM accounts WHERE id = $1)`, m.AccountID, tenant)
		if err != nil {
			return err
		}
		if elsewhere {
			return fault.New(fault.Forbidden, "fault.member.elsewhere").WithAction("action.ask_platform")
		}
		return s.resetFactors(ctx, tx, tenant, m, &changed)
	})
	if err != nil {
		return nil, err
	}
	for _, t := range changed {
		if s.MembersChanged != nil {
			s.MembersChanged(ctx, t)
		}
	}
	return &accessv1.Done{}, nil
}

func (s *Service) resetFactors(ctx context.Context, tx pgx.Tx, tenant int64, m member, changed *[]int64) (err error) {
	if err := access.ResetFactors(ctx, tx, m.AccountID); err != nil {
		return err
	}
	if *changed, err = access.EndAll(ctx, tx, m.AccountID, "", "factors_reset"); err != nil {
		return err
	}
	if err := tenants.Audit(ctx, tx, tenants.Entry{Tenant: tenant, Action: "member.factors_reset", Subject: m.ID}); err != nil {
		return err
	}
	type names struct{ Company, Language string }
	n, err := tenantdb.TxOne[names](ctx, tx, `SELECT t.name AS company, a.language FROM tenants t, accounts a
		WHERE t.tenant_id = $1 AND a.id = $2`, tenant, m.AccountID)
	if err != nil {
		return err
	}
	return s.Mail.Queue(ctx, tx, tenant, m.Email, n.Language, mailer.FactorsReset,
		mailer.Params{"company": n.Company, "link": s.Access.Link("/account", "")})
}
