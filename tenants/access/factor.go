package access

import (
	"bytes"
	"context"
	"crypto/rand"
	"image/png"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"

	"trunkline/internal/fault"
	"trunkline/internal/rpcx"
	accessv1 "trunkline/proto/gen/trunkline/access/v1"
	"trunkline/tenants"
	"trunkline/tenants/mailer"
	"trunkline/tenants/tenantdb"
)

// TOTP as authenticator apps have it: SHA-1, six digits, 30 s (RFC 6238).
const totpPeriod = 30

const recoveryCodes = 10

func totpPurpose(account string) string { return "totp:" + account }

// BeginTotp makes a secret that counts once ConfirmTotp saw a code of it.
func (s *Service) BeginTotp(ctx context.Context, _ *accessv1.BeginTotpRequest) (*accessv1.BeginTotpResponse, error) {
	account := accountOf(ctx)
	var email string
	key := new(otp.Key)
	err := s.db.Platform(ctx, "own second factor", func(ctx context.Context, tx pgx.Tx) error {
		a, ok, err := tenants.AccountByID(ctx, tx, account)
		if err != nil || !ok {
			return errNoSession.WithCause(err)
		}
		email = a.Email
		if key, err = totp.Generate(totp.GenerateOpts{Issuer: "Trunkline", AccountName: email, Period: totpPeriod, SecretSize: 20}); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, "UPDATE account_secrets SET totp_secret = $2 WHERE account_id = $1 AND totp_confirmed_at IS NULL",
			account, s.box.Seal([]byte(key.Secret()), totpPurpose(account)))
		if err == nil && tag.RowsAffected() == 0 {
			return fault.New(fault.Conflict, "fault.totp.already")
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	img, err := key.Image(240, 240)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		return nil, err
	}
	return &accessv1.BeginTotpResponse{Secret: key.Secret(), OtpauthUrl: key.URL(), QrPng: b.Bytes()}, nil
}

// ConfirmTotp turns TOTP on and gives the recovery codes, once.
func (s *Service) ConfirmTotp(ctx context.Context, req *accessv1.ConfirmTotpRequest) (*accessv1.ConfirmTotpResponse, error) {
	account := accountOf(ctx)
	if err := s.Take(ctx, PerCode, account); err != nil {
		return nil, err
	}
	out := &accessv1.ConfirmTotpResponse{}
	err := s.db.Platform(ctx, "own second factor", func(ctx context.Context, tx pgx.Tx) error {
		var sealed []byte
		var on bool
		err := tx.QueryRow(ctx, "SELECT totp_secret, totp_confirmed_at IS NOT NULL FROM account_secrets WHERE account_id = $1 FOR UPDATE",
			account).Scan(&sealed, &on)
		switch {
		case err != nil:
			return err
		case on:
			return fault.New(fault.Conflict, "fault.totp.already")
		case sealed == nil:
			return fault.New(fault.Conflict, "fault.totp.not_begun")
		}
		step, err := s.totpStep(account, sealed, req.Code)
		if err != nil {
			return err
		}
		if step == 0 {
			return fault.New(fault.Invalid, "fault.code.wrong").WithField("code")
		}
		_, err = tx.Exec(ctx, "UPDATE account_secrets SET totp_confirmed_at = now(), totp_last_step = $2 WHERE account_id = $1", account, step)
		if err != nil {
			return err
		}
		if out.RecoveryCodes, err = s.newRecoveryCodes(ctx, tx, account); err != nil {
			return err
		}
		return s.factorsChanged(ctx, tx, account, "totp.added", mailer.AddedSecondStep)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// RemoveTotp turns TOTP off; the password proves that it is the owner who does.
func (s *Service) RemoveTotp(ctx context.Context, req *accessv1.RemoveTotpRequest) (*accessv1.Done, error) {
	account := accountOf(ctx)
	if err := s.CheckOwn(ctx, account, req.Password, "password"); err != nil {
		return nil, err
	}
	err := s.db.Platform(ctx, "own second factor", func(ctx context.Context, tx pgx.Tx) error {
		if err := removeTotp(ctx, tx, account); err != nil {
			return err
		}
		return s.factorsChanged(ctx, tx, account, "totp.removed", mailer.RemovedSecondStep)
	})
	return &accessv1.Done{}, err
}

func removeTotp(ctx context.Context, tx pgx.Tx, account string) error {
	_, err := tx.Exec(ctx, "UPDATE account_secrets SET totp_secret = NULL, totp_confirmed_at = NULL WHERE account_id = $1", account)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "DELETE FROM recovery_codes WHERE account_id = $1", account)
	return err
}

// ResetFactors removes every second factor of an account, in a Platform
// transaction: for an administrator whose member lost theirs.
func ResetFactors(ctx context.Context, tx pgx.Tx, account string) error {
	if err := removeTotp(ctx, tx, account); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "DELETE FROM passkeys WHERE account_id = $1", account); err != nil {
		return err
	}
	return noteFactors(ctx, tx, account)
}

// factorsChanged keeps accounts.second_factor true to the facts, audits and
// mails the owner.
func (s *Service) factorsChanged(ctx context.Context, tx pgx.Tx, account, action string, text mailer.Text) error {
	if err := noteFactors(ctx, tx, account); err != nil {
		return err
	}
	if err := tenants.Audit(ctx, tx, tenants.Entry{Tenant: rpcx.TenantFrom(ctx), Action: action, Subject: account}); err != nil {
		return err
	}
	a, ok, err := tenants.AccountByID(ctx, tx, account)
	if err != nil || !ok {
		return err
	}
	return s.mail.Queue(ctx, tx, 0, a.Email, a.Language, text, mailer.Params{"link": s.Link("/account", "")})
}

func noteFactors(ctx context.Context, tx pgx.Tx, account string) error {
	_, err := tx.Exec(ctx, `UPDATE accounts SET second_factor =
			EXISTS (SELECT FROM account_secrets s WHERE s.account_id = $1 AND s.totp_confirmed_at IS NOT NULL)
			OR EXISTS (SELECT FROM passkeys p WHERE p.account_id = $1) WHERE id = $1`, account)
	return err
}

// checkFactor says by what a code is good, "totp" or "recovery", "" if it is
// not. Either works once.
func (s *Service) checkFactor(ctx context.Context, tx pgx.Tx, account, code string) (how string, err error) {
	type factor struct {
		TOTPSecret []byte `db:"totp_secret"`
		LastStep   int64
	}
	f, err := tenantdb.TxOne[factor](ctx, tx, `SELECT totp_secret, totp_last_step AS last_step FROM account_secrets
		WHERE account_id = $1 AND totp_confirmed_at IS NOT NULL FOR UPDATE`, account)
	f, ok, err := found(f, err)
	if err != nil || !ok {
		return "", err
	}
	step, err := s.totpStep(account, f.TOTPSecret, code)
	if err != nil {
		return "", err
	}
	if step > f.LastStep {
		_, err := tx.Exec(ctx, "UPDATE account_secrets SET totp_last_step = $2 WHERE account_id = $1", account, step)
		return "totp", err
	}
	tag, err := tx.Exec(ctx, "UPDATE recovery_codes SET used_at = now() WHERE account_id = $1 AND code_hash = $2 AND used_at IS NULL",
		account, s.hashRecovery(account, code))
	if err != nil || tag.RowsAffected() == 0 {
		return "", err
	}
	return "recovery", nil
}

// totpStep gives the time step a code is for, one before and after now allowed,
// 0 if it is none.
func (s *Service) totpStep(account string, sealed []byte, code string) (int64, error) {
	secret, err := s.box.Open(sealed, totpPurpose(account))
	if err != nil {
		return 0, err
	}
	code = strings.ReplaceAll(code, " ", "")
	now := time.Now()
	for _, off := range []time.Duration{0, -totpPeriod * time.Second, totpPeriod * time.Second} {
		at := now.Add(off)
		want, err := totp.GenerateCode(string(secret), at)
		if err != nil {
			return 0, err
		}
		if want == code {
			return at.Unix() / totpPeriod, nil
		}
	}
	return 0, nil
}

// recoveryAlphabet has no signs that look alike.
const recoveryAlphabet = "23456789abcdefghjkmnpqrstuvwxyz"

// newRecoveryCodes replaces the codes of an account: ten of 5+5 signs, 49 bits
// each.
func (s *Service) newRecoveryCodes(ctx context.Context, tx pgx.Tx, account string) ([]string, error) {
	if _, err := tx.Exec(ctx, "DELETE FROM recovery_codes WHERE account_id = $1", account); err != nil {
		return nil, err
	}
	var codes []string
	var hashes [][]byte
	for range recoveryCodes {
		code := randomText(recoveryAlphabet, 5) + "-" + randomText(recoveryAlphabet, 5)
		codes, hashes = append(codes, code), append(hashes, s.hashRecovery(account, code))
	}
	_, err := tx.Exec(ctx, "INSERT INTO recovery_codes (account_id, code_hash) SELECT $1, unnest($2::bytea[])", account, hashes)
	return codes, err
}

// hashRecovery reads a code as people type it: case and hyphens do not matter.
func (s *Service) hashRecovery(account, code string) []byte {
	plain := strings.ToLower(strings.NewReplacer("-", "", " ", "").Replace(code))
	return s.box.MAC([]byte(account+"\x00"+plain), "recovery code")
}

func randomText(alphabet string, n int) string {
	var b strings.Builder
	for b.Len() < n {
		var one [1]byte
		_, _ = rand.Read(one[:]) // never fails, see crypto/rand
		if limit := 256 - 256%len(alphabet); int(one[0]) < limit {
			b.WriteByte(alphabet[int(one[0])%len(alphabet)])
		}
	}
	return b.String()
}
