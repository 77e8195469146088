package access

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"trunkline/internal/fault"
	"trunkline/internal/rpcx"
	accessv1 "trunkline/proto/gen/trunkline/access/v1"
	"trunkline/tenants"
	"trunkline/tenants/tenantdb"
)

// SignIn checks a password. The answer for an unknown address is that for a
// wrong password, in words and in time.
func (s *Service) SignIn(ctx context.Context, req *accessv1.SignInRequest) (*accessv1.SessionResponse, error) {
	email := tenants.NormalEmail(req.Email)
	account, err := s.Authenticate(ctx, email, req.Password)
	if err != nil {
		return nil, err
	}
	var out *accessv1.SessionResponse
	err = s.db.Platform(ctx, "sign in", func(ctx context.Context, tx pgx.Tx) (err error) {
		out, err = s.BeginOrAsk(ctx, tx, account, req.TenantId, "password")
		return err
	})
	return out, err
}

// Authenticate checks address and password within the limits and gives the
// account's id, else the fault to answer with.
func (s *Service) Authenticate(ctx context.Context, email, password string) (account string, err error) {
	if err := s.Take(ctx, PerAddress, rpcx.RemoteIP(ctx)); err != nil {
		return "", err
	}
	if err := s.Take(ctx, PerAccount, email); err != nil {
		return "", err
	}
	var hash, pending string
	err = s.db.Platform(ctx, "sign in", func(ctx context.Context, tx pgx.Tx) error {
		a, ok, err := tenants.AccountByEmail(ctx, tx, email)
		if err != nil {
			return err
		}
		if ok {
			account = a.ID
			hash, err = tenantdb.TxOne[string](ctx, tx, "SELECT password_hash FROM account_secrets WHERE account_id = $1", a.ID)
			return err
		}
		pending, err = pendingHash(ctx, tx, email)
		return err
	})
	if err != nil {
		return "", err
	}
	fits, err := CheckPassword(ctx, password, hash+pending)
	switch {
	case err != nil:
		return "", err
	case fits && pending != "":
		return "", fault.New(fault.Conflict, "fault.sign_in.unconfirmed").WithAction("action.confirm_email")
	case !fits:
		return "", s.failed(ctx, account)
	}
	return account, s.db.Platform(ctx, "sign in", func(ctx context.Context, tx pgx.Tx) error {
		if err := s.giveBack(ctx, tx, PerAddress, rpcx.RemoteIP(ctx)); err != nil {
			return err
		}
		return s.Forgive(ctx, tx, PerAccount, email)
	})
}

// pendingHash gives the password's hash of a sign-up that waits for its
// confirmation, so that its owner hears that rather than "wrong password".
func pendingHash(ctx context.Context, tx pgx.Tx, email string) (string, error) {
	h, err := tenantdb.TxOne[string](ctx, tx, `SELECT body ->> 'password_hash' FROM promises
		WHERE kind = $1 AND email = $2 AND used_at IS NULL AND expires_at > now() ORDER BY created_at DESC LIMIT 1`, PromiseSignUp, email)
	h, _, err = found(h, err)
	return h, err
}

// failed notes a wrong password at an account that exists.
func (s *Service) failed(ctx context.Context, account string) error {
	if account == "" {
		return errWrong
	}
	err := s.db.Platform(ctx, "sign in failed", func(ctx context.Context, tx pgx.Tx) error {
		return tenants.Audit(ctx, tx, tenants.Entry{Actor: account, Action: "session.refused", Subject: account})
	})
	if err != nil {
		return err
	}
	return errWrong
}

// SecondFactor finishes a sign-in with a TOTP or a recovery code.
func (s *Service) SecondFactor(ctx context.Context, req *accessv1.SecondFactorRequest) (*accessv1.SessionResponse, error) {
	if err := s.Take(ctx, PerAddress, rpcx.RemoteIP(ctx)); err != nil {
		return nil, err
	}
	var out *accessv1.SessionResponse
	var refused error // told after the commit, so that the attempt counts
	err := s.db.Platform(ctx, "second factor", func(ctx context.Context, tx pgx.Tx) error {
		p, ok, err := PromiseBySecret(ctx, tx, promiseSecondFactor, req.Challenge)
		if err != nil {
			return err
		}
		if !ok || p.UsedAt != nil || p.ExpiresAt.Before(time.Now()) || p.AccountID == nil {
			refused = fault.New(fault.Unauthenticated, "fault.sign_in.timed_out").WithAction("action.sign_in")
			return nil
		}
		how, err := s.checkFactor(ctx, tx, *p.AccountID, req.Code)
		if err != nil {
			return err
		}
		if how == "" {
			refused = errWrongCode
			return s.miss(ctx, tx, p)
		}
		var h halfway
		if err := json.Unmarshal(p.Body, &h); err != nil {
			return err
		}
		if err := p.Use(ctx, tx); err != nil {
			return err
		}
		out, err = s.Begin(ctx, tx, *p.AccountID, h.Tenant, h.How+"+"+how)
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

// miss counts a wrong code; after MaxTries the sign-in starts over.
func (s *Service) miss(ctx context.Context, tx pgx.Tx, p Promise) error {
	_, err := tx.Exec(ctx, `UPDATE promises SET tries = tries + 1, used_at = CASE WHEN tries + 1 >= $2 THEN now() END WHERE id = $1`,
		p.ID, MaxTries)
	if err != nil {
		return err
	}
	return tenants.Audit(ctx, tx, tenants.Entry{Actor: *p.AccountID, Action: "second_factor.refused", Subject: *p.AccountID})
}
