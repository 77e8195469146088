package access

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/types/known/timestamppb"

	"trunkline/internal/fault"
	"trunkline/internal/grant"
	accessv1 "trunkline/proto/gen/trunkline/access/v1"
	"trunkline/tenants"
	"trunkline/tenants/tenantdb"
)

// person is an account with all a token or the own page says of it.
type person struct {
	tenants.Account
	secrets
	Memberships []membership
}

type secrets struct {
	PasswordHash string
	TOTP         bool
	RecoveryLeft int
}

type membership struct {
	ID       string
	TenantID int64
	Name     string
	Slug     string
	Roles    []string
	Disabled bool
	Closed   bool // the tenant is suspended or about to be removed
}

// maxMemberships bounds what is shown to one person.
const maxMemberships = 200

// load reads a person in a Platform transaction, in one round trip.
func load(ctx context.Context, tx pgx.Tx, account string) (p person, ok bool, err error) {
	p.Account, ok, err = tenants.AccountByID(ctx, tx, account)
	if err != nil || !ok {
		return p, ok, err
	}
	batch := &pgx.Batch{}
	batch.Queue(`SELECT password_hash, totp_confirmed_at IS NOT NULL AS totp,
			(SELECT count(*) FROM recovery_codes c WHERE c.account_id = s.account_id AND c.used_at IS NULL)::int AS recovery_left
		FROM account_secrets s WHERE account_id = $1`, account).Query(func(rows pgx.Rows) error {
		p.secrets, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[secrets])
		return err
	})
	batch.Queue(`SELECT m.id, m.tenant_id, t.name, t.slug, m.roles, m.disabled,
			(t.delete_at IS NOT NULL OR coalesce(t.suspend_at <= now(), false)) AS closed
		FROM memberships m JOIN tenants t USING (tenant_id) WHERE m.account_id = $1 ORDER BY t.name, t.tenant_id LIMIT $2`,
		account, maxMemberships).Query(func(rows pgx.Rows) error {
		p.Memberships, err = pgx.CollectRows(rows, pgx.RowToStructByName[membership])
		return err
	})
	return p, true, tx.SendBatch(ctx, batch).Close()
}

// choose picks the membership of a token: the wanted tenant's, else the last
// used, else the first that is open. nil for platform staff without one.
func (p person) choose(wanted int64) (*membership, error) {
	var pick *membership
	var refused error
	for i := range p.Memberships {
		m := &p.Memberships[i]
		if wanted != 0 && m.TenantID != wanted {
			continue
		}
		switch {
		case m.Disabled:
			refused = fault.New(fault.Forbidden, "fault.membership.disabled", "tenant", m.Name).WithAction("action.ask_admin")
		case m.Closed:
			refused = fault.New(fault.Forbidden, "fault.tenant.suspended", "tenant", m.Name).WithAction("action.ask_owner")
		case pick == nil || m.TenantID == p.LastTenant:
			pick = m
		}
	}
	switch {
	case pick != nil:
		return pick, nil
	case wanted != 0 && refused == nil:
		return nil, tenants.ErrNoTenant
	case wanted == 0 && p.PlatformAdmin:
		return nil, nil
	case refused != nil:
		return nil, refused
	}
	return nil, fault.New(fault.Forbidden, "fault.membership.none").WithAction("action.ask_admin")
}

// acting is a platform admin's stay in a tenant.
type acting struct {
	Tenant tenants.Tenant
	Reason string
	Until  time.Time
}

// claims says what a token of this person is for.
func (p person) claims(session string, m *membership, a *acting) grant.Claims {
	c := grant.Claims{Account: p.ID, Session: session, Name: p.DisplayName, Platform: p.PlatformAdmin}
	switch {
	case a != nil:
		c.Platform = false
		c.Tenant, c.Slug, c.Roles = a.Tenant.ID, a.Tenant.Slug, []string{grant.Owner}
		c.ActingReason, c.ActingAdmin, c.Expires = a.Reason, p.Email, a.Until
	case m != nil:
		c.Membership, c.Tenant, c.Slug, c.Roles = m.ID, m.TenantID, m.Slug, m.Roles
	}
	return c
}

// me is what the web app shows of this person.
func (p person) me(m *membership, a *acting) *accessv1.MeResponse {
	out := &accessv1.MeResponse{
		AccountId: p.ID, Email: p.Email, DisplayName: p.DisplayName, Language: p.Language, TimeZone: p.TimeZone,
		PlatformAdmin: p.PlatformAdmin, TotpEnabled: p.TOTP, RecoveryCodesLeft: uint32(p.RecoveryLeft),
	}
	for _, x := range p.Memberships {
		if !x.Disabled {
			out.Memberships = append(out.Memberships, x.proto())
		}
	}
	switch {
	case a != nil:
		out.ActingAs = &accessv1.ActingAs{Reason: a.Reason, EndsAt: timestamppb.New(a.Until), AdminEmail: p.Email}
		out.Membership = &accessv1.Membership{
			TenantId: a.Tenant.ID, TenantName: a.Tenant.Name, Slug: a.Tenant.Slug, Roles: []string{grant.Owner},
			Suspended: a.Tenant.Closed(time.Now()),
		}
	case m != nil:
		out.Membership = m.proto()
	}
	return out
}

func (m membership) proto() *accessv1.Membership {
	return &accessv1.Membership{
		Id: m.ID, TenantId: m.TenantID, TenantName: m.Name, Slug: m.Slug, Roles: m.Roles, Suspended: m.Closed,
	}
}

// tenantOf reads a tenant in a Platform transaction.
func tenantOf(ctx context.Context, tx pgx.Tx, id int64) (tenants.Tenant, bool, error) {
	t, err := tenantdb.TxOne[tenants.Tenant](ctx, tx, "SELECT "+tenants.Columns+" FROM tenants WHERE tenant_id = $1", id)
	return found(t, err)
}
