package tenants

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"trunkline/tenants/tenantdb"
)

// Account is a person, by their e-mail address.
type Account struct {
	ID            string
	Email         string // lower case
	DisplayName   string
	Language      string
	TimeZone      string
	PlatformAdmin bool
	SecondFactor  bool // has TOTP or a passkey
	LastTenant    int64
	CreatedAt     time.Time
}

const accountColumns = "id, email, display_name, language, time_zone, platform_admin, second_factor, last_tenant, created_at"

// NormalEmail is the one spelling an address is stored and looked up by.
func NormalEmail(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

// AccountByEmail finds an account in a Platform transaction; ok is false when
// there is none.
func AccountByEmail(ctx context.Context, tx pgx.Tx, email string) (a Account, ok bool, err error) {
	a, err = tenantdb.TxOne[Account](ctx, tx, "SELECT "+accountColumns+" FROM accounts WHERE email = $1", NormalEmail(email))
	return found(a, err)
}

// AccountByID finds an account in a Platform transaction.
func AccountByID(ctx context.Context, tx pgx.Tx, id string) (a Account, ok bool, err error) {
	a, err = tenantdb.TxOne[Account](ctx, tx, "SELECT "+accountColumns+" FROM accounts WHERE id = $1", id)
	return found(a, err)
}

func found[T any](v T, err error) (T, bool, error) {
	if errors.Is(err, tenantdb.ErrNoRows) {
		return v, false, nil
	}
	return v, err == nil, err
}

// CreateAccount makes an account with its password's hash, in a Platform
// transaction. A taken address breaks the constraint accounts_email.
func CreateAccount(ctx context.Context, tx pgx.Tx, a Account, passwordHash string) (Account, error) {
	if a.ID == "" {
		a.ID = NewID()
	}
	if _, err := time.LoadLocation(a.TimeZone); err != nil || a.TimeZone == "" || a.TimeZone == "Local" {
		a.TimeZone = "UTC"
	}
	if a.Language == "" {
		a.Language = "en"
	}
	a.Email = NormalEmail(a.Email)
	a, err := tenantdb.TxOne[Account](ctx, tx, `INSERT INTO accounts (id, email, display_name, language, time_zone, platform_admin)
		VALUES ($1, $2, $3, $4, $5, $6) RETURNING `+accountColumns,
		a.ID, a.Email, a.DisplayName, a.Language, a.TimeZone, a.PlatformAdmin)
	if err != nil {
		return a, err
	}
	_, err = tx.Exec(ctx, "INSERT INTO account_secrets (account_id, password_hash) VALUES ($1, $2)", a.ID, passwordHash)
	return a, err
}

// AddMembership makes an account a member of a tenant, or gives an existing
// member these roles, and returns the membership's id.
func AddMembership(ctx context.Context, tx pgx.Tx, tenant int64, account string, roles []string) (string, error) {
	return tenantdb.TxOne[string](ctx, tx, `INSERT INTO memberships (tenant_id, id, account_id, roles) VALUES ($1, $2, $3, $4)
		ON CONFLICT (tenant_id, account_id) DO UPDATE SET roles = excluded.roles, disabled = false RETURNING id`,
		tenant, NewID(), account, roles)
}
