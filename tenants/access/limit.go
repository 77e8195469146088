package access

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"trunkline/internal/fault"
	"trunkline/tenants/tenantdb"
)

// Limit is a token bucket all replicas share: burst at once, then one each
// interval.
type Limit struct {
	What  string
	Burst int
	Every time.Duration
}

// The limits of this package and of tenants/signup.
var (
	PerAddress = Limit{"sign_in_ip", 60, 2 * time.Second}       // attempts from one IP address; a success gives its own back
	PerAccount = Limit{"sign_in_account", 10, 30 * time.Second} // failures at one account
	PerMailbox = Limit{"mail_to", 5, 10 * time.Minute}          // mails to one address that anybody can cause
	PerCode    = Limit{"code", 8, time.Minute}                  // codes tried for one address
)

// Take takes one from the bucket of whom, or gives an Exhausted fault that says
// when there will be one.
func (s *Service) Take(ctx context.Context, l Limit, whom string) error {
	if whom == "" {
		return nil // tests and local tools have no address
	}
	type left struct {
		Tokens  float64
		Allowed bool
	}
	var got left
	err := s.db.Platform(ctx, "rate limit", func(ctx context.Context, tx pgx.Tx) (err error) {
		got, err = tenantdb.TxOne[left](ctx, tx, `
			INSERT INTO rate_limits AS r (key, tokens) VALUES ($1, $2::float8 - 1)
			ON CONFLICT (key) DO UPDATE SET at = now(),
				tokens = least($2::float8, r.tokens + extract(epoch FROM now() - r.at) / $3::float8)
					- CASE WHEN least($2::float8, r.tokens + extract(epoch FROM now() - r.at) / $3::float8) >= 1 THEN 1 ELSE 0 END,
				allowed = least($2::float8, r.tokens + extract(epoch FROM now() - r.at) / $3::float8) >= 1
			RETURNING tokens, allowed`, l.What+":"+whom, l.Burst, l.Every.Seconds())
		return err
	})
	if err != nil || got.Allowed {
		return err
	}
	wait := time.Duration((1 - got.Tokens) * float64(l.Every))
	return fault.New(fault.Exhausted, "fault.too_many_attempts").WithRetry(wait).WithAction("action.wait")
}

// Forgive empties the count of whom, after a success.
func (s *Service) Forgive(ctx context.Context, tx pgx.Tx, l Limit, whom string) error {
	_, err := tx.Exec(ctx, "DELETE FROM rate_limits WHERE key = $1", l.What+":"+whom)
	return err
}

// giveBack returns one to the bucket of whom: a whole floor may sign in from one
// address, as long as it knows its passwords.
func (s *Service) giveBack(ctx context.Context, tx pgx.Tx, l Limit, whom string) error {
	_, err := tx.Exec(ctx, "UPDATE rate_limits SET tokens = least($2::float8, tokens + 1) WHERE key = $1", l.What+":"+whom, l.Burst)
	return err
}

// sweep removes what has run out.
func (s *Service) sweep(ctx context.Context) error {
	return s.db.Platform(ctx, "sweep", func(ctx context.Context, tx pgx.Tx) error {
		for _, sql := range []string{
			"DELETE FROM rate_limits WHERE at < now() - interval '1 day'",
			"DELETE FROM promises WHERE expires_at < now() - interval '7 days'",
			"DELETE FROM sessions WHERE expires_at < now() - interval '30 days'",
			"DELETE FROM revocations WHERE at < now() - interval '1 hour'",
		} {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return err
			}
		}
		return nil
	})
}
