package routing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"trunkline/internal/dialling"
	"trunkline/internal/fault"
	"trunkline/internal/rpcx"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
	"trunkline/tenants"
	"trunkline/tenants/tenantdb"
)

const maxPrefixes = 200

// outside is what a tenant may call outside. The platform grants the calls over
// its own trunks: it pays for them.
type outside struct {
	DialEnabled     bool
	DialPrefixes    []string
	DialMaxCalls    int32
	DialSharedCalls int32
}

const outsideColumns = "dial_enabled, dial_prefixes, dial_max_calls, dial_shared_calls"

func (x outside) view() *cloudv1.Dialling {
	return &cloudv1.Dialling{
		Enabled: x.DialEnabled, Prefixes: x.DialPrefixes, MaxCalls: uint32(x.DialMaxCalls), SharedCalls: uint32(x.DialSharedCalls),
	}
}

func addDialling(ctx context.Context, tx pgx.Tx, tenant int64, c *edgev1.TenantConfig) error {
	x, err := tenantdb.TxOne[outside](ctx, tx, "SELECT "+outsideColumns+" FROM settings WHERE tenant_id = $1", tenant)
	c.Dialling = &edgev1.Dialling{
		Enabled: x.DialEnabled, Prefixes: x.DialPrefixes, MaxCalls: uint32(x.DialMaxCalls), SharedCalls: uint32(x.DialSharedCalls),
	}
	return err
}

// GetDialling gives what may be called outside.
func (s *Service) GetDialling(ctx context.Context, _ *cloudv1.GetDiallingRequest) (*cloudv1.Dialling, error) {
	tenant := rpcx.TenantFrom(ctx)
	x, err := tenantdb.One[outside](ctx, s.db, tenant, "SELECT "+outsideColumns+" FROM settings WHERE tenant_id = $1", tenant)
	if err != nil {
		return nil, err
	}
	return x.view(), nil
}

// SaveDialling says what may be called outside.
func (s *Service) SaveDialling(ctx context.Context, req *cloudv1.SaveDiallingRequest) (*cloudv1.Dialling, error) {
	tenant, in := rpcx.TenantFrom(ctx), req.Dialling
	prefixes, err := readPrefixes(in)
	if err != nil {
		return nil, err
	}
	var out outside
	err = s.db.InTenant(ctx, tenant, func(ctx context.Context, tx pgx.Tx) (err error) {
		out, err = tenantdb.TxOne[outside](ctx, tx, `UPDATE settings SET dial_enabled = $2, dial_prefixes = $3, dial_max_calls = $4
			WHERE tenant_id = $1 RETURNING `+outsideColumns, tenant, in.Enabled, prefixes, int32(in.MaxCalls))
		if err != nil {
			return err
		}
		return tenants.Audit(ctx, tx, tenants.Entry{Tenant: tenant, Action: "dialling.changed", Details: map[string]string{
			"enabled": fmt.Sprint(in.Enabled), "prefixes": strings.Join(prefixes, " "), "max_calls": fmt.Sprint(in.MaxCalls),
		}})
	})
	if err != nil {
		return nil, err
	}
	return out.view(), nil
}

// readPrefixes puts the beginnings into one form, each once, in order.
func readPrefixes(in *cloudv1.Dialling) ([]string, error) {
	out := make([]string, 0, len(in.Prefixes))
	if len(in.Prefixes) > maxPrefixes {
		return nil, fault.New(fault.Invalid, "fault.field.too_many", "max", fmt.Sprint(maxPrefixes)).WithField("dialling.prefixes")
	}
	for i, typed := range in.Prefixes {
		p, err := dialling.Prefix(typed)
		if err != nil {
			return nil, fault.New(fault.Invalid, "fault.dialling.prefix", "value", typed).WithField(fmt.Sprintf("dialling.prefixes[%d]", i))
		}
		out = append(out, p)
	}
	slices.Sort(out)
	out = slices.Compact(out)
	if in.Enabled && len(out) == 0 {
		return nil, fault.New(fault.Invalid, "fault.dialling.nothing").WithField("dialling.prefixes")
	}
	return out, nil
}

// GrantCalls lets a tenant, by its short name, place so many calls at a time over
// the platform's trunks; 0 takes it back. For the operator.
func (s *Service) GrantCalls(ctx context.Context, slug string, calls int) error {
	return s.db.Platform(ctx, "operator: grant calls outside", func(ctx context.Context, tx pgx.Tx) error {
		tenant, err := tenantdb.TxOne[int64](ctx, tx, "SELECT tenant_id FROM tenants WHERE slug = $1", slug)
		if errors.Is(err, tenantdb.ErrNoRows) {
			return fault.New(fault.NotFound, "fault.tenant.not_found")
		}
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "UPDATE settings SET dial_shared_calls = $2 WHERE tenant_id = $1", tenant, max(0, min(calls, 1000))); err != nil {
			return err
		}
		return tenants.Audit(ctx, tx, tenants.Entry{
			Tenant: tenant, Action: "dialling.granted", Details: map[string]string{"calls": fmt.Sprint(calls)},
		})
	})
}
