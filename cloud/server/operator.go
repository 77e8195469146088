package server

import (
	"context"
	"path/filepath"
	"time"

	"trunkline/cloud/routing"
	"trunkline/cloud/sites"
	"trunkline/internal/seal"
	"trunkline/tenants/tenantdb"
)

// What the platform's operator does from the command line, beside a running
// server or without one. A running one tells its sites within a second, because
// the tables themselves notify.

// PlatformTrunk and PlatformNumber are described in cloud/sites.
type (
	PlatformTrunk  = sites.PlatformTrunk
	PlatformNumber = sites.PlatformNumber
)

// CreateHostedSite makes a hosted site and gives its id.
func CreateHostedSite(ctx context.Context, cfg Config, name string) (id string, err error) {
	err = operate(ctx, cfg, func(a *sites.Admin, _ *tenantdb.DB) error {
		id, err = a.CreateHosted(ctx, name)
		return err
	})
	return id, err
}

// SiteToken makes a join token for a hosted site. It needs the data directory of
// the server, which holds the key of the internal CA.
func SiteToken(ctx context.Context, cfg Config, site string) (token string, expires time.Time, err error) {
	err = operate(ctx, cfg, func(a *sites.Admin, db *tenantdb.DB) error {
		box, err := seal.Load(filepath.Join(cfg.Data, "secret.key"))
		if err != nil {
			return err
		}
		authority, err := openAuthority(ctx, db, box)
		if err != nil {
			return err
		}
		token, expires, err = a.Token(ctx, site, authority.Certificate())
		return err
	})
	return token, expires, err
}

// AddTrunk makes a platform trunk at a hosted site, or changes it.
func AddTrunk(ctx context.Context, cfg Config, t PlatformTrunk) (id string, err error) {
	err = operate(ctx, cfg, func(a *sites.Admin, _ *tenantdb.DB) error {
		id, err = a.AddTrunk(ctx, t)
		return err
	})
	return id, err
}

// AddNumber gives a tenant a number on a platform trunk.
func AddNumber(ctx context.Context, cfg Config, n PlatformNumber) (id string, err error) {
	err = operate(ctx, cfg, func(a *sites.Admin, _ *tenantdb.DB) error {
		id, err = a.AddNumber(ctx, n)
		return err
	})
	return id, err
}

// GrantCalls lets a tenant place calls over the platform's trunks.
func GrantCalls(ctx context.Context, cfg Config, tenant string, calls int) error {
	return operate(ctx, cfg, func(_ *sites.Admin, db *tenantdb.DB) error {
		return routing.New(db).GrantCalls(ctx, tenant, calls)
	})
}

func operate(ctx context.Context, cfg Config, f func(*sites.Admin, *tenantdb.DB) error) error {
	db, done, err := openForCommand(ctx, cfg)
	if err != nil {
		return err
	}
	defer done()
	return f(sites.NewAdmin(db, routing.New(db)), db)
}
