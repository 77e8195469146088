package access

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/types/known/timestamppb"

	"trunkline/internal/fault"
	"trunkline/internal/grant"
	"trunkline/internal/rpcx"
	accessv1 "trunkline/proto/gen/trunkline/access/v1"
	"trunkline/tenants"
	"trunkline/tenants/mailer"
	"trunkline/tenants/tenantdb"
)

const (
	// sessionIdle is how long a session lives without use, sessionLife at most.
	sessionIdle = 14 * 24 * time.Hour
	sessionLife = 90 * 24 * time.Hour
	// cookieGrace is how long the cookie before the current one is still good.
	cookieGrace = 30 * time.Second
)

type session struct {
	ID           string
	AccountID    string
	TenantID     int64
	Generation   int64
	RotatedAt    time.Time
	ActingTenant *int64
	ActingReason *string
	ActingUntil  *time.Time
	CreatedAt    time.Time
	ExpiresAt    time.Time
	EndedAt      *time.Time
}

const sessionColumns = `id, account_id, tenant_id, generation, rotated_at, acting_tenant, acting_reason, acting_until,
	created_at, expires_at, ended_at`

// Begin begins a session in a Platform transaction, sets its cookie and gives
// its first token. how is noted in the audit ("password", "passkey", ...).
func (s *Service) Begin(ctx context.Context, tx pgx.Tx, account string, wanted int64, how string) (*accessv1.SessionResponse, error) {
	p, ok, err := load(ctx, tx, account)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, errWrong
	}
	m, err := p.choose(wanted)
	if err != nil {
		return nil, err
	}
	var tenant int64
	if m != nil {
		tenant = m.TenantID
	}
	row, err := tenantdb.TxOne[session](ctx, tx, `INSERT INTO sessions (id, account_id, tenant_id, ip, user_agent, expires_at)
		VALUES ($1, $2, $3, $4, $5, now() + $6::interval) RETURNING `+sessionColumns,
		tenants.NewID(), account, tenant, rpcx.RemoteIP(ctx), userAgent(ctx), sessionIdle)
	if err != nil {
		return nil, err
	}
	if err := seen(ctx, tx, p, m); err != nil {
		return nil, err
	}
	err = tenants.Audit(ctx, tx, tenants.Entry{
		Tenant: tenant, Actor: account, Action: "session.begun", Subject: account, Details: map[string]string{"how": how},
	})
	if err != nil {
		return nil, err
	}
	s.setCookie(ctx, ticket{row.ID, row.Generation}, row.ExpiresAt)
	return s.token(p, row.ID, m, nil)
}

// BeginOrAsk begins a session, or asks for the second factor if the account has
// one and only a password was given.
func (s *Service) BeginOrAsk(ctx context.Context, tx pgx.Tx, account string, wanted int64, how string) (*accessv1.SessionResponse, error) {
	totp, err := tenantdb.TxOne[bool](ctx, tx, "SELECT totp_confirmed_at IS NOT NULL FROM account_secrets WHERE account_id = $1", account)
	if err != nil {
		return nil, err
	}
	if !totp {
		return s.Begin(ctx, tx, account, wanted, how)
	}
	secret, _, err := s.Promise(ctx, tx, promiseSecondFactor, "", account, halfway{Tenant: wanted, How: how}, ceremonyLife)
	return &accessv1.SessionResponse{SecondFactorChallenge: secret}, err
}

// halfway is what a sign-in remembers while it waits for the second factor.
type halfway struct {
	Tenant int64  `json:"tenant"`
	How    string `json:"how"`
}

func seen(ctx context.Context, tx pgx.Tx, p person, m *membership) error {
	var tenant int64
	if m != nil {
		tenant = m.TenantID
		if _, err := tx.Exec(ctx, "UPDATE memberships SET last_seen_at = now() WHERE tenant_id = $1 AND id = $2", tenant, m.ID); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, "UPDATE accounts SET last_seen_at = now(), last_tenant = coalesce(nullif($2::bigint, 0), last_tenant) WHERE id = $1",
		p.ID, tenant)
	return err
}

func (s *Service) token(p person, session string, m *membership, a *acting) (*accessv1.SessionResponse, error) {
	claims := p.claims(session, m, a)
	if latest := time.Now().Add(grant.MaxLife); claims.Expires.IsZero() || claims.Expires.After(latest) {
		claims.Expires = latest
	}
	token, err := s.keys.Signer().Sign(claims)
	if err != nil {
		return nil, err
	}
	return &accessv1.SessionResponse{AccessToken: token, ExpiresAt: timestamppb.New(claims.Expires), Me: p.me(m, a)}, nil
}

// Refresh exchanges the cookie for a new token and a new cookie.
func (s *Service) Refresh(ctx context.Context, req *accessv1.RefreshRequest) (*accessv1.SessionResponse, error) {
	t, ok := s.readCookie(ctx)
	if !ok {
		return nil, errNoSession
	}
	var out *accessv1.SessionResponse
	var refused error // told after the commit: what led to it must stay
	err := s.db.Platform(ctx, "refresh session", func(ctx context.Context, tx pgx.Tx) error {
		row, err := tenantdb.TxOne[session](ctx, tx, "SELECT "+sessionColumns+" FROM sessions WHERE id = $1 FOR UPDATE", t.session)
		row, ok, err := found(row, err)
		if err != nil {
			return err
		}
		if !ok || row.EndedAt != nil || row.ExpiresAt.Before(time.Now()) {
			s.clearCookie(ctx)
			refused = errNoSession
			return nil
		}
		if t.generation < row.Generation && !(t.generation == row.Generation-1 && time.Since(row.RotatedAt) < cookieGrace) {
			s.clearCookie(ctx)
			refused = errNoSession
			return s.reused(ctx, tx, row)
		}
		out, err = s.refresh(ctx, tx, row, t, req.TenantId)
		return err
	})
	if err == nil {
		err = refused
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// reused ends a session whose old cookie was sent: two have it, and one of them
// should not.
func (s *Service) reused(ctx context.Context, tx pgx.Tx, row session) error {
	if err := endSession(ctx, tx, row, "cookie_reused"); err != nil {
		return err
	}
	a, ok, err := tenants.AccountByID(ctx, tx, row.AccountID)
	if err != nil || !ok {
		return err
	}
	return s.mail.Queue(ctx, tx, 0, a.Email, a.Language, mailer.CookieReused, mailer.Params{"link": s.Link("/account", "")})
}

func (s *Service) refresh(ctx context.Context, tx pgx.Tx, row session, t ticket, wanted int64) (*accessv1.SessionResponse, error) {
	p, ok, err := load(ctx, tx, row.AccountID)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, errNoSession
	}
	a, err := row.acting(ctx, tx)
	if err != nil {
		return nil, err
	}
	var m *membership
	if a == nil || wanted != 0 {
		a = nil
		stay := wanted
		if stay == 0 {
			stay = row.TenantID
		}
		if m, err = p.choose(stay); err != nil {
			return nil, err
		}
	}
	next := ticket{row.ID, row.Generation}
	if t.generation == row.Generation {
		next.generation++
	}
	tenant := row.TenantID
	if m != nil {
		tenant = m.TenantID
	}
	expires, err := tenantdb.TxOne[time.Time](ctx, tx, `UPDATE sessions SET generation = $2, tenant_id = $3,
		rotated_at = CASE WHEN generation = $2 THEN rotated_at ELSE now() END,
		acting_tenant = CASE WHEN $4 THEN acting_tenant END, acting_reason = CASE WHEN $4 THEN acting_reason END,
		acting_until = CASE WHEN $4 THEN acting_until END,
		expires_at = least(now() + $5::interval, created_at + $6::interval) WHERE id = $1 RETURNING expires_at`,
		row.ID, next.generation, tenant, a != nil, sessionIdle, sessionLife)
	if err != nil {
		return nil, err
	}
	if a == nil {
		if err := seen(ctx, tx, p, m); err != nil {
			return nil, err
		}
	}
	s.setCookie(ctx, next, expires)
	return s.token(p, row.ID, m, a)
}

// acting gives the tenant this session acts as now, nil if none any more.
func (row session) acting(ctx context.Context, tx pgx.Tx) (*acting, error) {
	if row.ActingTenant == nil || row.ActingUntil == nil || !row.ActingUntil.After(time.Now()) {
		return nil, nil
	}
	t, ok, err := tenantOf(ctx, tx, *row.ActingTenant)
	if err != nil || !ok {
		return nil, err
	}
	return &acting{Tenant: t, Reason: *row.ActingReason, Until: *row.ActingUntil}, nil
}

// SignOut ends the session of the cookie or the token, or all of the account.
func (s *Service) SignOut(ctx context.Context, req *accessv1.SignOutRequest) (*accessv1.Done, error) {
	caller, _ := rpcx.CallerFrom(ctx)
	id := caller.Claims.Session
	if t, ok := s.readCookie(ctx); ok {
		id = t.session
	}
	s.clearCookie(ctx)
	if id == "" {
		return &accessv1.Done{}, nil
	}
	var changed []int64
	err := s.db.Platform(ctx, "sign out", func(ctx context.Context, tx pgx.Tx) error {
		row, err := tenantdb.TxOne[session](ctx, tx, "SELECT "+sessionColumns+" FROM sessions WHERE id = $1 FOR UPDATE", id)
		row, ok, err := found(row, err)
		if err != nil || !ok || row.EndedAt != nil {
			return err
		}
		if req.Everywhere {
			changed, err = EndAll(ctx, tx, row.AccountID, "", "signed_out_everywhere")
			return err
		}
		return endSession(ctx, tx, row, "signed_out")
	})
	s.tellSites(ctx, changed)
	return &accessv1.Done{}, err
}

func endSession(ctx context.Context, tx pgx.Tx, row session, why string) error {
	if _, err := tx.Exec(ctx, "UPDATE sessions SET ended_at = now(), ended_why = $2 WHERE id = $1", row.ID, why); err != nil {
		return err
	}
	if err := Revoke(ctx, tx, "session:"+row.ID); err != nil {
		return err
	}
	return tenants.Audit(ctx, tx, tenants.Entry{
		Tenant: row.TenantID, Actor: row.AccountID, Action: "session.ended", Subject: row.AccountID, Details: map[string]string{"why": why},
	})
}

// EndAll ends every session of an account but one ("" = none spared), at the
// sites too, in a Platform transaction. It gives the tenants whose sites must
// hear of it.
func EndAll(ctx context.Context, tx pgx.Tx, account, spare, why string) (changed []int64, err error) {
	_, err = tx.Exec(ctx, `UPDATE sessions SET ended_at = now(), ended_why = $3
		WHERE account_id = $1 AND id <> $2 AND ended_at IS NULL`, account, spare, why)
	if err != nil {
		return nil, err
	}
	changed, err = tenantdb.TxMany[int64](ctx, tx,
		"UPDATE memberships SET revoked_before = clock_timestamp() WHERE account_id = $1 RETURNING tenant_id", account)
	if err != nil {
		return nil, err
	}
	if err := Revoke(ctx, tx, "account:"+account); err != nil {
		return nil, err
	}
	for _, tenant := range append(changed, 0) {
		if tenant == 0 && len(changed) > 0 {
			break
		}
		e := tenants.Entry{Tenant: tenant, Actor: account, Action: "session.ended_all", Subject: account, Details: map[string]string{"why": why}}
		if err := tenants.Audit(ctx, tx, e); err != nil {
			return nil, err
		}
	}
	return changed, nil
}

// Acting by platform staff.

// errActing is the answer when there is no session to act in.
var errActing = fault.New(fault.Conflict, "fault.acting.no_session").WithAction("action.sign_in")

// ActAs lets the caller's session act as a tenant until a moment; the caller is
// platform staff. Every token until then is for that tenant.
func (s *Service) ActAs(ctx context.Context, tx pgx.Tx, tenant int64, reason string, until time.Time) (*accessv1.SessionResponse, error) {
	caller, _ := rpcx.CallerFrom(ctx)
	tag, err := tx.Exec(ctx, `UPDATE sessions SET acting_tenant = $2, acting_reason = $3, acting_until = $4
		WHERE id = $1 AND account_id = $5 AND ended_at IS NULL`, caller.Claims.Session, tenant, reason, until, caller.Claims.Account)
	if err != nil {
		return nil, err
	}
	if tag.RowsAffected() == 0 {
		return nil, errActing
	}
	return s.current(ctx, tx, caller.Claims.Session)
}

// StopActing ends acting at once: the tokens given for it no longer hold.
func (s *Service) StopActing(ctx context.Context, tx pgx.Tx) (*accessv1.SessionResponse, error) {
	caller, _ := rpcx.CallerFrom(ctx)
	tag, err := tx.Exec(ctx, `UPDATE sessions SET acting_tenant = NULL, acting_reason = NULL, acting_until = NULL
		WHERE id = $1 AND account_id = $2 AND acting_tenant IS NOT NULL AND ended_at IS NULL`, caller.Claims.Session, caller.Claims.Account)
	if err != nil {
		return nil, err
	}
	if tag.RowsAffected() == 0 {
		return nil, errActing
	}
	if err := Revoke(ctx, tx, "session:"+caller.Claims.Session); err != nil {
		return nil, err
	}
	return s.current(ctx, tx, caller.Claims.Session)
}

// current makes a token for a session as it stands.
func (s *Service) current(ctx context.Context, tx pgx.Tx, id string) (*accessv1.SessionResponse, error) {
	row, err := tenantdb.TxOne[session](ctx, tx, "SELECT "+sessionColumns+" FROM sessions WHERE id = $1", id)
	if err != nil {
		return nil, err
	}
	p, ok, err := load(ctx, tx, row.AccountID)
	if err != nil || !ok {
		return nil, errNoSession.WithCause(err)
	}
	a, err := row.acting(ctx, tx)
	if err != nil {
		return nil, err
	}
	var m *membership
	if a == nil {
		if m, err = p.choose(row.TenantID); err != nil {
			return nil, err
		}
	}
	return s.token(p, id, m, a)
}
