package signup

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"trunkline/internal/fault"
	"trunkline/internal/rpcx"
	accessv1 "trunkline/proto/gen/trunkline/access/v1"
	"trunkline/tenants"
	"trunkline/tenants/access"
	"trunkline/tenants/mailer"
	"trunkline/tenants/tenantdb"
)

// RequestPasswordReset mails a link, if the address is known.
func (s *Service) RequestPasswordReset(ctx context.Context, req *accessv1.RequestPasswordResetRequest) (*accessv1.Done, error) {
	email := tenants.NormalEmail(req.Email)
	if err := s.limit(ctx, email); err != nil {
		return nil, err
	}
	err := s.DB.Platform(ctx, "password reset", func(ctx context.Context, tx pgx.Tx) error {
		a, known, err := tenants.AccountByEmail(ctx, tx, email)
		if err != nil || !known {
			return err
		}
		secret, _, err := s.Access.Promise(ctx, tx, access.PromiseReset, "", a.ID, struct{}{}, resetLife)
		if err != nil {
			return err
		}
		if err := tenants.Audit(ctx, tx, tenants.Entry{Actor: a.ID, Action: "password.reset_requested", Subject: a.ID}); err != nil {
			return err
		}
		return s.Mail.Queue(ctx, tx, 0, a.Email, a.Language, mailer.ResetPassword, mailer.Params{"link": s.Access.Link("/reset", secret)})
	})
	return &accessv1.Done{}, err
}

// ResetPassword sets a new password, ends every session and signs in; a second
// factor is still asked for.
func (s *Service) ResetPassword(ctx context.Context, req *accessv1.ResetPasswordRequest) (*accessv1.SessionResponse, error) {
	if err := s.Access.Take(ctx, access.PerAddress, rpcx.RemoteIP(ctx)); err != nil {
		return nil, err
	}
	var account string
	err := s.DB.Platform(ctx, "password reset", func(ctx context.Context, tx pgx.Tx) error {
		p, err := openReset(ctx, tx, req.Token)
		if err == nil {
			account = *p.AccountID
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	var changed []int64
	var out *accessv1.SessionResponse
	err = s.Access.SetPassword(ctx, account, req.Password, func(ctx context.Context, tx pgx.Tx) error {
		p, err := openReset(ctx, tx, req.Token) // again: another tab may have been quicker
		if err != nil {
			return err
		}
		if err := p.Use(ctx, tx); err != nil {
			return err
		}
		if changed, err = access.EndAll(ctx, tx, account, "", "password_reset"); err != nil {
			return err
		}
		out, err = s.Access.BeginOrAsk(ctx, tx, account, 0, "password_reset")
		if fault.KindOf(err) == fault.Forbidden {
			// Nowhere to go, e.g. the tenant is suspended. The password is set all
			// the same, and signing in says why.
			out, err = &accessv1.SessionResponse{}, nil
		}
		return err
	})
	for _, tenant := range changed {
		s.changed(ctx, tenant)
	}
	return out, err
}

func openReset(ctx context.Context, tx pgx.Tx, token string) (access.Promise, error) {
	p, ok, err := access.PromiseBySecret(ctx, tx, access.PromiseReset, token)
	switch {
	case err != nil:
		return p, err
	case !ok || p.AccountID == nil:
		return p, errLink
	case p.UsedAt != nil:
		return p, fault.New(fault.Conflict, "fault.link.used").WithAction("action.sign_in")
	case p.ExpiresAt.Before(time.Now()):
		return p, errExpired
	}
	return p, nil
}

// ChangeEmail mails a confirmation to the new address; until it is kept the old
// one stays. A taken address gets no mail and the caller the same answer.
func (s *Service) ChangeEmail(ctx context.Context, req *accessv1.ChangeEmailRequest) (*accessv1.Done, error) {
	c, _ := rpcx.CallerFrom(ctx)
	email := tenants.NormalEmail(req.Email)
	if err := s.limit(ctx, email); err != nil {
		return nil, err
	}
	if err := s.Access.CheckOwn(ctx, c.Claims.Account, req.Password, "password"); err != nil {
		return nil, err
	}
	err := s.DB.Platform(ctx, "change address", func(ctx context.Context, tx pgx.Tx) error {
		_, taken, err := tenants.AccountByEmail(ctx, tx, email)
		if err != nil || taken {
			return err
		}
		a, ok, err := tenants.AccountByID(ctx, tx, c.Claims.Account)
		if err != nil || !ok {
			return err
		}
		secret, code, err := s.Access.Promise(ctx, tx, access.PromiseEmail, email, a.ID, struct{}{}, confirmLife)
		if err != nil {
			return err
		}
		return s.Mail.Queue(ctx, tx, 0, email, a.Language, mailer.ConfirmNewEmail,
			mailer.Params{"link": s.Access.Link("/confirm-email", secret), "code": code})
	})
	return &accessv1.Done{}, err
}

// ConfirmEmailChange makes the new address the account's, and tells the old one.
func (s *Service) ConfirmEmailChange(ctx context.Context, req *accessv1.ConfirmEmailRequest) (*accessv1.Done, error) {
	var changed []int64
	err := s.keep(ctx, access.PromiseEmail, req, func(ctx context.Context, tx pgx.Tx, p access.Promise) error {
		if p.AccountID == nil {
			return errLink
		}
		a, ok, err := tenants.AccountByID(ctx, tx, *p.AccountID)
		if err != nil || !ok {
			return errLink.WithCause(err)
		}
		_, err = tx.Exec(ctx, "UPDATE accounts SET email = $2 WHERE id = $1", a.ID, p.Email)
		if tenantdb.IsUnique(err, "accounts_email") {
			return fault.New(fault.Conflict, "fault.email.taken")
		}
		if err != nil {
			return err
		}
		// Whoever held the old address may have asked for a reset with it.
		_, err = tx.Exec(ctx, "UPDATE promises SET used_at = now() WHERE account_id = $1 AND used_at IS NULL", a.ID)
		if err != nil {
			return err
		}
		changed, err = tenantdb.TxMany[int64](ctx, tx, "SELECT tenant_id FROM memberships WHERE account_id = $1", a.ID)
		if err != nil {
			return err
		}
		e := tenants.Entry{Actor: a.ID, Action: "account.email_changed", Subject: a.ID, Details: map[string]string{"from": a.Email, "to": p.Email}}
		if err := tenants.Audit(ctx, tx, e); err != nil {
			return err
		}
		return s.Mail.Queue(ctx, tx, 0, a.Email, a.Language, mailer.EmailChanged, mailer.Params{"email": p.Email})
	})
	if err != nil {
		return nil, err
	}
	for _, tenant := range changed {
		s.changed(ctx, tenant)
	}
	return &accessv1.Done{}, nil
}
