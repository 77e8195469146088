package access

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"trunkline/internal/fault"
	"trunkline/internal/rpcx"
	accessv1 "trunkline/proto/gen/trunkline/access/v1"
	"trunkline/tenants"
	"trunkline/tenants/mailer"
	"trunkline/tenants/tenantdb"
)

func accountOf(ctx context.Context) string {
	c, _ := rpcx.CallerFrom(ctx)
	return c.Claims.Account
}

// Me tells the caller who they are, here and elsewhere.
func (s *Service) Me(ctx context.Context, _ *accessv1.MeRequest) (*accessv1.MeResponse, error) {
	var out *accessv1.MeResponse
	err := s.db.Platform(ctx, "own account", func(ctx context.Context, tx pgx.Tx) (err error) {
		out, err = s.meOf(ctx, tx)
		return err
	})
	return out, err
}

func (s *Service) meOf(ctx context.Context, tx pgx.Tx) (*accessv1.MeResponse, error) {
	c, _ := rpcx.CallerFrom(ctx)
	p, ok, err := load(ctx, tx, c.Claims.Account)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, errNoSession
	}
	if c.Claims.ActingAdmin != "" {
		row, err := tenantdb.TxOne[session](ctx, tx, "SELECT "+sessionColumns+" FROM sessions WHERE id = $1", c.Claims.Session)
		if err != nil {
			return nil, err
		}
		a, err := row.acting(ctx, tx)
		if err != nil {
			return nil, err
		}
		if a == nil {
			return nil, fault.New(fault.Unauthenticated, "fault.acting.ended")
		}
		return p.me(nil, a), nil
	}
	for i := range p.Memberships {
		if p.Memberships[i].TenantID == c.Claims.Tenant {
			return p.me(&p.Memberships[i], nil), nil
		}
	}
	return p.me(nil, nil), nil
}

// UpdateProfile changes what is given; "" leaves a value as it is.
func (s *Service) UpdateProfile(ctx context.Context, req *accessv1.UpdateProfileRequest) (*accessv1.MeResponse, error) {
	if req.TimeZone != "" {
		if _, err := time.LoadLocation(req.TimeZone); err != nil || req.TimeZone == "Local" {
			return nil, fault.New(fault.Invalid, "fault.field.time_zone").WithField("time_zone")
		}
	}
	var out *accessv1.MeResponse
	var changed []int64
	err := s.db.Platform(ctx, "own account", func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE accounts SET display_name = coalesce(nullif($2, ''), display_name),
			language = coalesce(nullif($3, ''), language), time_zone = coalesce(nullif($4, ''), time_zone) WHERE id = $1`,
			accountOf(ctx), req.DisplayName, req.Language, req.TimeZone)
		if err != nil {
			return err
		}
		if out, err = s.meOf(ctx, tx); err != nil {
			return err
		}
		for _, m := range out.Memberships {
			changed = append(changed, m.TenantId)
		}
		return nil
	})
	s.tellSites(ctx, changed) // sites show agents' names
	return out, err
}

// ChangePassword ends every other session of the account.
func (s *Service) ChangePassword(ctx context.Context, req *accessv1.ChangePasswordRequest) (*accessv1.Done, error) {
	c, _ := rpcx.CallerFrom(ctx)
	if err := s.CheckOwn(ctx, c.Claims.Account, req.Current, "current"); err != nil {
		return nil, err
	}
	var changed []int64
	err := s.SetPassword(ctx, c.Claims.Account, req.Password, func(ctx context.Context, tx pgx.Tx) (err error) {
		changed, err = EndAll(ctx, tx, c.Claims.Account, c.Claims.Session, "password_changed")
		return err
	})
	if err != nil {
		return nil, err
	}
	s.tellSites(ctx, changed)
	return &accessv1.Done{}, nil
}

// SetPassword stores a new password, mails its owner, and runs also in the same
// transaction.
func (s *Service) SetPassword(ctx context.Context, account, password string, also func(context.Context, pgx.Tx) error) error {
	hash, err := HashPassword(ctx, password)
	if err != nil {
		return err
	}
	return s.db.Platform(ctx, "set password", func(ctx context.Context, tx pgx.Tx) error {
		a, ok, err := tenants.AccountByID(ctx, tx, account)
		if err != nil || !ok {
			return errNoSession.WithCause(err)
		}
		if err := GoodPassword(password, a.Email); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "UPDATE account_secrets SET password_hash = $2, changed_at = now() WHERE account_id = $1", account, hash)
		if err != nil {
			return err
		}
		if err := tenants.Audit(ctx, tx, tenants.Entry{Actor: account, Action: "password.changed", Subject: account}); err != nil {
			return err
		}
		if err := s.mail.Queue(ctx, tx, 0, a.Email, a.Language, mailer.PasswordChanged, mailer.Params{"reset": s.Link("/forgot", "")}); err != nil {
			return err
		}
		return also(ctx, tx)
	})
}

// CheckOwn asks a signed-in person for their password again. A wrong one is
// Invalid, not Unauthenticated: the session is fine.
func (s *Service) CheckOwn(ctx context.Context, account, password, field string) error {
	if err := s.Take(ctx, PerAccount, account); err != nil {
		return err
	}
	var hash string
	err := s.db.Platform(ctx, "own account", func(ctx context.Context, tx pgx.Tx) (err error) {
		hash, err = tenantdb.TxOne[string](ctx, tx, "SELECT password_hash FROM account_secrets WHERE account_id = $1", account)
		return err
	})
	if err != nil {
		return err
	}
	fits, err := CheckPassword(ctx, password, hash)
	if err != nil {
		return err
	}
	if !fits {
		return errPassword.WithField(field)
	}
	return s.db.Platform(ctx, "own account", func(ctx context.Context, tx pgx.Tx) error {
		return s.Forgive(ctx, tx, PerAccount, account)
	})
}
