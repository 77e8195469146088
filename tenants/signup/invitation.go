package signup

import (
	"context"
	"errors"
	"slices"
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
	"trunkline/tenants/tenantdb"
)

type invitation struct {
	TenantID   int64
	ID         string
	Email      string
	Roles      []string
	QueueIDs   []string `db:"queue_ids"`
	ExpiresAt  time.Time
	AcceptedAt *time.Time
	RevokedAt  *time.Time
	TenantName string
	Known      bool // there is an account with this address
	Closed     bool
}

const invitationColumns = `i.tenant_id, i.id, i.email, i.roles, i.queue_ids, i.expires_at, i.accepted_at, i.revoked_at,
	t.name AS tenant_name, (t.delete_at IS NOT NULL OR coalesce(t.suspend_at <= now(), false)) AS closed`

func (i invitation) status(now time.Time) string {
	switch {
	case i.AcceptedAt != nil:
		return "accepted"
	case i.RevokedAt != nil:
		return "revoked"
	case i.ExpiresAt.Before(now):
		return "expired"
	}
	return "pending"
}

func (i invitation) proto() *accessv1.Invitation {
	return &accessv1.Invitation{
		Id: i.ID, Email: i.Email, Roles: i.Roles, TenantName: i.TenantName, ExpiresAt: timestamppb.New(i.ExpiresAt),
		Status: i.status(time.Now()), AccountExists: i.Known,
	}
}

// CheckRoles refuses roles nobody knows, and the owner's from who is none.
func CheckRoles(ctx context.Context, roles []string) error {
	for _, r := range roles {
		if !slices.Contains(grant.Roles, r) {
			return fault.New(fault.Invalid, "fault.role.unknown", "role", r).WithField("roles")
		}
	}
	c, _ := rpcx.CallerFrom(ctx)
	if slices.Contains(roles, grant.Owner) && !slices.Contains(c.Claims.Roles, grant.Owner) {
		return fault.New(fault.Forbidden, "fault.role.owner_only").WithField("roles")
	}
	return nil
}

// InviteMember mails an invitation. One that is pending for the address is
// replaced.
func (s *Service) InviteMember(ctx context.Context, req *accessv1.InviteMemberRequest) (*accessv1.Invitation, error) {
	if err := CheckRoles(ctx, req.Roles); err != nil {
		return nil, err
	}
	c, _ := rpcx.CallerFrom(ctx)
	tenant, email := c.Claims.Tenant, tenants.NormalEmail(req.Email)
	if err := s.Access.Take(ctx, access.PerMailbox, email); err != nil {
		return nil, err
	}
	var inv invitation
	secret := access.NewSecret()
	err := s.DB.Platform(ctx, "invite member", func(ctx context.Context, tx pgx.Tx) error {
		member, err := tenantdb.TxOne[bool](ctx, tx, `SELECT EXISTS (SELECT FROM memberships m JOIN accounts a ON a.id = m.account_id
			WHERE m.tenant_id = $1 AND a.email = $2)`, tenant, email)
		if err != nil {
			return err
		}
		if member {
			return fault.New(fault.Conflict, "fault.member.already", "email", email).WithField("email")
		}
		if err := s.checkQueues(ctx, tx, tenant, req.QueueIds); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE invitations SET revoked_at = now()
			WHERE tenant_id = $1 AND email = $2 AND accepted_at IS NULL AND revoked_at IS NULL`, tenant, email)
		if err != nil {
			return err
		}
		inv, err = tenantdb.TxOne[invitation](ctx, tx, `WITH i AS (
			INSERT INTO invitations (tenant_id, id, email, roles, queue_ids, token_hash, invited_by, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, now() + $8::interval) RETURNING *)
			SELECT `+invitationColumns+`, false AS known FROM i JOIN tenants t USING (tenant_id)`,
			tenant, tenants.NewID(), email, req.Roles, notNil(req.QueueIds), access.HashSecret(secret), c.Actor(), inviteLife)
		if err != nil {
			return err
		}
		if err := tenants.Audit(ctx, tx, tenants.Entry{Tenant: tenant, Action: "member.invited", Subject: email}); err != nil {
			return err
		}
		return s.mailInvitation(ctx, tx, inv, secret)
	})
	if err != nil {
		return nil, err
	}
	return inv.proto(), nil
}

func notNil(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// checkQueues refuses queues the tenant has not, by setting none for nobody.
func (s *Service) checkQueues(ctx context.Context, tx pgx.Tx, tenant int64, ids []string) error {
	q := s.Queues()
	if len(ids) == 0 || q == nil {
		return nil
	}
	if err := tenantdb.EnterTenant(ctx, tx, tenant); err != nil {
		return err
	}
	if err := q.CheckQueues(ctx, tx, tenant, ids); err != nil {
		return err
	}
	return tenantdb.LeaveTenant(ctx, tx)
}

// mailInvitation writes in the invited person's language if they have an
// account, else in the tenant's.
func (s *Service) mailInvitation(ctx context.Context, tx pgx.Tx, inv invitation, secret string) error {
	c, _ := rpcx.CallerFrom(ctx)
	inviter, ok, err := tenants.AccountByID(ctx, tx, c.Claims.Account)
	if err != nil || !ok {
		return err
	}
	name := inviter.DisplayName
	if name == "" {
		name = inviter.Email
	}
	language, err := tenantdb.TxOne[string](ctx, tx, `SELECT coalesce((SELECT language FROM accounts WHERE email = $1), language)
		FROM tenants WHERE tenant_id = $2`, inv.Email, inv.TenantID)
	if err != nil {
		return err
	}
	return s.Mail.Queue(ctx, tx, inv.TenantID, inv.Email, language, mailer.Invitation,
		mailer.Params{"company": inv.TenantName, "inviter": name, "link": s.Access.Link("/invitation", secret)})
}

// byToken finds an invitation and locks it.
func byToken(ctx context.Context, tx pgx.Tx, token string) (invitation, error) {
	inv, err := tenantdb.TxOne[invitation](ctx, tx, `SELECT `+invitationColumns+`,
			EXISTS (SELECT FROM accounts a WHERE a.email = i.email) AS known
		FROM invitations i JOIN tenants t USING (tenant_id) WHERE i.token_hash = $1 FOR UPDATE OF i`, access.HashSecret(token))
	if errors.Is(err, tenantdb.ErrNoRows) {
		return inv, fault.New(fault.NotFound, "fault.invitation.unknown").WithAction("action.ask_admin")
	}
	return inv, err
}

// GetInvitation tells the holder of the link what it is, also when it is too
// late.
func (s *Service) GetInvitation(ctx context.Context, req *accessv1.GetInvitationRequest) (*accessv1.Invitation, error) {
	if err := s.Access.Take(ctx, access.PerAddress, rpcx.RemoteIP(ctx)); err != nil {
		return nil, err
	}
	var inv invitation
	err := s.DB.Platform(ctx, "invitation", func(ctx context.Context, tx pgx.Tx) (err error) {
		inv, err = byToken(ctx, tx, req.Token)
		return err
	})
	if err != nil {
		return nil, err
	}
	return inv.proto(), nil
}

// AcceptInvitation makes the account if the address has none, else checks its
// password, adds the membership and signs in.
func (s *Service) AcceptInvitation(ctx context.Context, req *accessv1.AcceptInvitationRequest) (*accessv1.SessionResponse, error) {
	var inv invitation
	err := s.DB.Platform(ctx, "invitation", func(ctx context.Context, tx pgx.Tx) (err error) {
		inv, err = s.open(ctx, tx, req.Token)
		return err
	})
	if err != nil {
		return nil, err
	}
	var account, hash string
	if inv.Known {
		if account, err = s.Access.Authenticate(ctx, inv.Email, req.Password); err != nil {
			return nil, err
		}
	} else {
		if len([]rune(req.Password)) < 10 {
			return nil, fault.New(fault.Invalid, "fault.field.too_short", "min", "10").WithField("password")
		}
		if err := access.GoodPassword(req.Password, inv.Email); err != nil {
			return nil, err
		}
		if hash, err = access.HashPassword(ctx, req.Password); err != nil {
			return nil, err
		}
	}
	var out *accessv1.SessionResponse
	err = s.DB.Platform(ctx, "accept invitation", func(ctx context.Context, tx pgx.Tx) error {
		out, err = s.accept(ctx, tx, req, account, hash)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.changed(ctx, inv.TenantID)
	return out, nil
}

// open gives an invitation that can be accepted, else the reason why not.
func (s *Service) open(ctx context.Context, tx pgx.Tx, token string) (invitation, error) {
	inv, err := byToken(ctx, tx, token)
	if err != nil {
		return inv, err
	}
	if inv.Closed {
		return inv, fault.New(fault.Forbidden, "fault.tenant.suspended", "tenant", inv.TenantName).WithAction("action.ask_owner")
	}
	if status := inv.status(time.Now()); status != "pending" {
		return inv, fault.New(fault.Conflict, "fault.invitation."+status, "tenant", inv.TenantName).WithAction(
			map[string]string{"accepted": "action.sign_in", "revoked": "action.ask_admin", "expired": "action.ask_admin"}[status])
	}
	return inv, nil
}

func (s *Service) accept(ctx context.Context, tx pgx.Tx, req *accessv1.AcceptInvitationRequest, account, hash string) (*accessv1.SessionResponse, error) {
	inv, err := s.open(ctx, tx, req.Token)
	if err != nil {
		return nil, err
	}
	if account == "" {
		t, err := tenantdb.TxOne[tenants.Tenant](ctx, tx, "SELECT "+tenants.Columns+" FROM tenants WHERE tenant_id = $1", inv.TenantID)
		if err != nil {
			return nil, err
		}
		a, err := tenants.CreateAccount(ctx, tx, tenants.Account{
			Email: inv.Email, DisplayName: req.DisplayName, Language: t.Language, TimeZone: t.TimeZone,
		}, hash)
		if tenantdb.IsUnique(err, "accounts_email") { // signed up meanwhile
			return nil, fault.New(fault.Conflict, "fault.invitation.account_exists").WithAction("action.reload")
		}
		if err != nil {
			return nil, err
		}
		account = a.ID
	}
	membership, err := tenants.AddMembership(ctx, tx, inv.TenantID, account, inv.Roles)
	if err != nil {
		return nil, err
	}
	if err := s.setQueues(ctx, tx, inv, membership); err != nil {
		return nil, err
	}
	_, err = tx.Exec(ctx, "UPDATE invitations SET accepted_at = now() WHERE tenant_id = $1 AND id = $2", inv.TenantID, inv.ID)
	if err != nil {
		return nil, err
	}
	e := tenants.Entry{Tenant: inv.TenantID, Actor: account, Action: "member.joined", Subject: membership}
	if err := tenants.Audit(ctx, tx, e); err != nil {
		return nil, err
	}
	return s.Access.BeginOrAsk(ctx, tx, account, inv.TenantID, "invitation")
}

// setQueues gives the new member the queues of the invitation that still exist.
func (s *Service) setQueues(ctx context.Context, tx pgx.Tx, inv invitation, membership string) error {
	q := s.Queues()
	if q == nil || len(inv.QueueIDs) == 0 {
		return nil
	}
	if err := tenantdb.EnterTenant(ctx, tx, inv.TenantID); err != nil {
		return err
	}
	var keep []string
	for _, id := range inv.QueueIDs {
		err := q.CheckQueues(ctx, tx, inv.TenantID, []string{id})
		if err != nil && fault.KindOf(err) != fault.NotFound {
			return err
		}
		if err == nil {
			keep = append(keep, id)
		}
	}
	if err := q.SetQueues(ctx, tx, inv.TenantID, membership, keep); err != nil {
		return err
	}
	return tenantdb.LeaveTenant(ctx, tx)
}

// ListInvitations lists those of the caller's tenant, newest first.
func (s *Service) ListInvitations(ctx context.Context, req *accessv1.ListInvitationsRequest) (*accessv1.ListInvitationsResponse, error) {
	tenant := rpcx.TenantFrom(ctx)
	size := tenants.PageSize(req.PageSize)
	rows, err := tenantdb.Many[invitation](ctx, s.DB, tenant, `SELECT `+invitationColumns+`, false AS known
		FROM invitations i JOIN tenants t USING (tenant_id)
		WHERE i.tenant_id = $1 AND ($2 = '' OR i.id < $2) ORDER BY i.id DESC LIMIT $3`, tenant, req.PageToken, size+1)
	if err != nil {
		return nil, err
	}
	out := &accessv1.ListInvitationsResponse{}
	if len(rows) > size {
		rows = rows[:size]
		out.NextPageToken = rows[size-1].ID
	}
	for _, r := range rows {
		out.Invitations = append(out.Invitations, r.proto())
	}
	return out, nil
}

// RevokeInvitation makes the link of a pending invitation useless.
func (s *Service) RevokeInvitation(ctx context.Context, req *accessv1.RevokeInvitationRequest) (*accessv1.Done, error) {
	tenant := rpcx.TenantFrom(ctx)
	err := s.DB.InTenant(ctx, tenant, func(ctx context.Context, tx pgx.Tx) error {
		accepted, err := tenantdb.TxOne[bool](ctx, tx, `UPDATE invitations SET revoked_at = coalesce(revoked_at, now())
			WHERE tenant_id = $1 AND id = $2 RETURNING accepted_at IS NOT NULL`, tenant, req.Id)
		if errors.Is(err, tenantdb.ErrNoRows) {
			return fault.New(fault.NotFound, "fault.invitation.unknown")
		}
		if err != nil {
			return err
		}
		if accepted {
			return fault.New(fault.Conflict, "fault.invitation.accepted")
		}
		return tenants.Audit(ctx, tx, tenants.Entry{Tenant: tenant, Action: "invitation.revoked", Subject: req.Id})
	})
	return &accessv1.Done{}, err
}
