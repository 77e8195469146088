package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/jackc/pgx/v5"

	"trunkline/tenants"
	"trunkline/tenants/tenantdb"
)

// Promise is what was promised to whoever holds a secret: a link in a mail, or a
// sign-in or ceremony half done.
type Promise struct {
	ID        string
	Kind      string
	Email     string
	AccountID *string
	Body      json.RawMessage
	ExpiresAt time.Time
	UsedAt    *time.Time
}

// Kinds of promises.
const (
	PromiseSignUp       = "sign_up"
	PromiseReset        = "reset"
	PromiseEmail        = "email"
	promiseSecondFactor = "second_factor"
	promiseEnrol        = "passkey_enrol"
	promisePasskey      = "passkey_sign_in"
)

const promiseColumns = "id, kind, email, account_id, body, expires_at, used_at"

// MaxTries is how often a six-digit code may be tried.
const MaxTries = 6

// NewSecret makes a secret for a link or cookie: 32 random bytes in base64url.
func NewSecret() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails, see crypto/rand
	return base64.RawURLEncoding.EncodeToString(b)
}

// HashSecret is what is stored of a secret. Its 256 bits need no slow hash.
func HashSecret(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

// newCode makes six digits.
func newCode() string {
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		panic(err) // only if the system has no randomness
	}
	return fmt.Sprintf("%06d", n)
}

// hashCode binds the code to its address, under a key that is not in the
// database: six digits alone could be tried out against a plain hash.
func (s *Service) hashCode(email, code string) []byte {
	return s.box.MAC([]byte(email+"\x00"+code), "code")
}

// Promise stores a promise in a Platform transaction. code is "" unless it has an
// e-mail address.
func (s *Service) Promise(ctx context.Context, tx pgx.Tx, kind, email, account string, body any, life time.Duration) (secret, code string, err error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return "", "", err
	}
	secret = NewSecret()
	var codeHash []byte
	if email != "" {
		code = newCode()
		codeHash = s.hashCode(email, code)
	}
	_, err = tx.Exec(ctx, `INSERT INTO promises (id, kind, secret_hash, code_hash, email, account_id, body, expires_at)
		VALUES ($1, $2, $3, $4, $5, nullif($6, ''), $7, now() + $8::interval)`,
		tenants.NewID(), kind, HashSecret(secret), codeHash, email, account, string(raw), life)
	return secret, code, err
}

// PromiseBySecret finds a promise and locks it; ok is false when there is none.
// One that has run out or was used is returned, for a clear message.
func PromiseBySecret(ctx context.Context, tx pgx.Tx, kind, secret string) (p Promise, ok bool, err error) {
	p, err = tenantdb.TxOne[Promise](ctx, tx, "SELECT "+promiseColumns+" FROM promises WHERE kind = $1 AND secret_hash = $2 FOR UPDATE",
		kind, HashSecret(secret))
	return found(p, err)
}

// PromiseByCode finds a promise that is still open by its address and code, and
// counts the attempt against all open ones of the address.
func (s *Service) PromiseByCode(ctx context.Context, tx pgx.Tx, kind, email, code string) (p Promise, ok bool, err error) {
	_, err = tx.Exec(ctx, "UPDATE promises SET tries = tries + 1 WHERE kind = $1 AND email = $2 AND used_at IS NULL AND expires_at > now()",
		kind, email)
	if err != nil {
		return p, false, err
	}
	p, err = tenantdb.TxOne[Promise](ctx, tx, "SELECT "+promiseColumns+` FROM promises
		WHERE kind = $1 AND email = $2 AND code_hash = $3 AND used_at IS NULL AND expires_at > now() AND tries <= $4
		ORDER BY created_at DESC LIMIT 1 FOR UPDATE`, kind, email, s.hashCode(email, code), MaxTries)
	return found(p, err)
}

// Use marks a promise as kept.
func (p Promise) Use(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, "UPDATE promises SET used_at = now() WHERE id = $1", p.ID)
	return err
}

func found[T any](v T, err error) (T, bool, error) {
	if errors.Is(err, tenantdb.ErrNoRows) {
		return v, false, nil
	}
	return v, err == nil, err
}
