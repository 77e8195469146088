package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"

	"trunkline/cloud/schema"
	"trunkline/internal/pg"
	"trunkline/internal/rpcx"
	"trunkline/tenants"
	"trunkline/tenants/access"
	"trunkline/tenants/tenantdb"
)

// minPassword is what the sign-up asks for, too.
const minPassword = 10

// CreateAdmin makes a platform admin, or makes one of an existing account,
// whose password then becomes the given one. It works beside a running server
// and without one.
func CreateAdmin(ctx context.Context, cfg Config, email, password string) error {
	if !rpcx.IsEmail(email) {
		return fmt.Errorf("%q is no e-mail address", email)
	}
	if len([]rune(password)) < minPassword {
		return fmt.Errorf("the password has fewer than %d characters", minPassword)
	}
	if err := access.GoodPassword(password, email); err != nil {
		return errors.New("the password is one of those guessed first")
	}
	db, done, err := openForCommand(ctx, cfg)
	if err != nil {
		return err
	}
	defer done()
	hash, err := access.HashPassword(ctx, password)
	if err != nil {
		return err
	}
	return db.Platform(ctx, "create platform admin", func(ctx context.Context, tx pgx.Tx) error {
		a, known, err := tenants.AccountByEmail(ctx, tx, email)
		if err != nil {
			return err
		}
		if known {
			_, err = tx.Exec(ctx, "UPDATE account_secrets SET password_hash = $2, changed_at = now() WHERE account_id = $1", a.ID, hash)
			if err == nil {
				_, err = access.EndAll(ctx, tx, a.ID, "", "made_platform_admin")
			}
		} else {
			a, err = tenants.CreateAccount(ctx, tx, tenants.Account{Email: email}, hash)
		}
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "UPDATE accounts SET platform_admin = true WHERE id = $1", a.ID); err != nil {
			return err
		}
		return tenants.Audit(ctx, tx, tenants.Entry{Actor: "command line", Action: "platform_admin.created", Subject: a.Email})
	})
}

// openForCommand opens the database of a server that may be running: its private
// PostgreSQL is used if it answers, else started for the while.
func openForCommand(ctx context.Context, cfg Config) (_ *tenantdb.DB, done func(), err error) {
	url, migrate, stop := cfg.DatabaseURL, cfg.MigrationURL, func() {}
	if migrate == "" {
		migrate = url
	}
	if url == "" {
		if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
			return nil, nil, err
		}
		private := pg.NewServer(pg.Config{Dir: filepath.Join(cfg.Data, "pg"), Log: cfg.Log})
		url, migrate = private.URL("trunkline", "trunkline"), private.URL(pg.SuperUser, "trunkline")
		if conn, err := pgx.Connect(ctx, migrate); err == nil {
			_ = conn.Close(ctx)
		} else {
			if err := private.Start(ctx); err != nil {
				return nil, nil, err
			}
			stop = func() {
				ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
				defer cancel()
				_ = private.Stop(ctx)
			}
			if err := private.CreateDatabase(ctx, "trunkline"); err != nil {
				stop()
				return nil, nil, err
			}
		}
	}
	if err := schema.Migrate(ctx, migrate); err != nil {
		stop()
		return nil, nil, err
	}
	db, err := tenantdb.Open(ctx, url)
	if err != nil {
		stop()
		return nil, nil, err
	}
	return db, func() { db.Close(); stop() }, nil
}
