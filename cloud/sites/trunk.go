package sites

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"trunkline/internal/fault"
	"trunkline/internal/rpcx"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
	"trunkline/tenants"
	"trunkline/tenants/tenantdb"
)

// trunk is a row of trunks.
type trunk struct {
	TenantID  int64 // 0 = the platform's
	ID        string
	SiteID    string
	Name      string
	Allowed   []string
	Target    string
	Transport string
	Takeover  string
	MaxCalls  int32
}

const trunkColumns = "tenant_id, id, site_id, name, allowed, target, transport, takeover, max_calls"

func (t trunk) view() *cloudv1.Trunk {
	return &cloudv1.Trunk{
		Id: t.ID, SiteId: t.SiteID, Name: t.Name, Allowed: t.Allowed, Target: t.Target, Transport: t.Transport, Takeover: t.Takeover,
		MaxCalls: uint32(t.MaxCalls), Platform: t.TenantID == 0,
	}
}

func (t trunk) config() *edgev1.Trunk {
	return &edgev1.Trunk{
		Id: t.ID, Name: t.Name, Allowed: t.Allowed, Target: t.Target, Transport: t.Transport, Takeover: t.Takeover,
		MaxCalls: uint32(t.MaxCalls), TenantId: t.TenantID,
	}
}

// widest is the shortest prefix a trunk may allow: whoever can send from there
// can place calls.
const widest4, widest6 = 8, 16

// check puts a trunk into its stored form, or says which field is wrong.
func (t *trunk) check() error {
	invalid := func(field, key string, kv ...string) error {
		return fault.New(fault.Invalid, key, kv...).WithField("trunk." + field)
	}
	if t.Name = strings.TrimSpace(t.Name); t.Name == "" {
		return invalid("name", "fault.field.required")
	}
	if len(t.Name) > 63 {
		return invalid("name", "fault.field.too_long", "max", "63")
	}
	if len(t.Allowed) == 0 {
		return invalid("allowed", "fault.field.required")
	}
	if len(t.Allowed) > 50 {
		return invalid("allowed", "fault.field.too_many", "max", "50")
	}
	for i, a := range t.Allowed {
		p, err := prefix(a)
		if err != nil {
			return invalid(fmt.Sprintf("allowed[%d]", i), "fault.trunk.address", "value", a)
		}
		if p.Bits() < widest4 || (p.Addr().Is6() && p.Bits() < widest6) {
			return invalid(fmt.Sprintf("allowed[%d]", i), "fault.trunk.address_too_wide", "value", a)
		}
		t.Allowed[i] = p.String()
	}
	if t.Target != "" && !hostPort(t.Target) {
		return invalid("target", "fault.trunk.target")
	}
	if t.Transport == "" {
		t.Transport = "udp"
	}
	if t.Transport != "udp" && t.Transport != "tcp" {
		return invalid("transport", "fault.field.one_of", "allowed", "udp, tcp")
	}
	if t.Takeover == "" {
		t.Takeover = "any-node"
	}
	if t.Takeover != "any-node" && t.Takeover != "floating-ip" {
		return invalid("takeover", "fault.field.one_of", "allowed", "any-node, floating-ip")
	}
	return nil
}

// prefix reads an address or a prefix, without host bits.
func prefix(s string) (netip.Prefix, error) {
	s = strings.TrimSpace(s)
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	return p.Masked(), err
}

func hostPort(s string) bool {
	host, port, err := net.SplitHostPort(s)
	n, perr := strconv.Atoi(port)
	if err != nil || perr != nil || n < 1 || n > 65535 || host == "" || len(host) > 253 {
		return false
	}
	return !strings.ContainsAny(host, " \t\r\n<>@;?/\"")
}

// ListTrunks gives the trunks of the tenant's sites, the platform's among them.
func (s *Service) ListTrunks(ctx context.Context, _ *cloudv1.ListTrunksRequest) (*cloudv1.ListTrunksResponse, error) {
	list, err := tenantdb.Many[trunk](ctx, s.db, rpcx.TenantFrom(ctx),
		"SELECT "+trunkColumns+" FROM trunks ORDER BY tenant_id DESC, id LIMIT $1", maxSites*maxTrunks)
	out := &cloudv1.ListTrunksResponse{}
	for _, t := range list {
		out.Trunks = append(out.Trunks, t.view())
	}
	return out, err
}

// SaveTrunk makes or changes a trunk at a site of the tenant's own. On a hosted
// site only the platform may: an address listed there opens it for everybody.
func (s *Service) SaveTrunk(ctx context.Context, req *cloudv1.SaveTrunkRequest) (*cloudv1.Trunk, error) {
	tenant, in := rpcx.TenantFrom(ctx), req.Trunk
	t := trunk{
		TenantID: tenant, ID: in.Id, SiteID: in.SiteId, Name: in.Name, Allowed: in.Allowed, Target: in.Target,
		Transport: in.Transport, Takeover: in.Takeover, MaxCalls: int32(min(in.MaxCalls, 1_000_000)),
	}
	if err := t.check(); err != nil {
		return nil, err
	}
	err := s.db.InTenant(ctx, tenant, func(ctx context.Context, tx pgx.Tx) error {
		x, err := own(ctx, tx, tenant, t.SiteID)
		if err != nil {
			return err
		}
		action := "trunk.changed"
		if t.ID == "" {
			t.ID, action = tenants.NewID(), "trunk.created"
			err = insertTrunk(ctx, tx, t)
		} else {
			err = updateTrunk(ctx, tx, t)
		}
		if err != nil {
			return err
		}
		return tenants.Audit(ctx, tx, tenants.Entry{
			Tenant: tenant, Action: action, Subject: t.ID, Details: map[string]string{"site": x.ID, "name": t.Name},
		})
	})
	if err != nil {
		return nil, err
	}
	return t.view(), nil
}

func insertTrunk(ctx context.Context, tx pgx.Tx, t trunk) error {
	n, err := tenantdb.TxOne[int](ctx, tx, "SELECT count(*) FROM trunks WHERE tenant_id = $1 AND site_id = $2", t.TenantID, t.SiteID)
	if err != nil {
		return err
	}
	if n >= maxTrunks {
		return fault.New(fault.Exhausted, "fault.trunk.too_many", "max", fmt.Sprint(maxTrunks))
	}
	_, err = tx.Exec(ctx, "INSERT INTO trunks ("+trunkColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
		t.TenantID, t.ID, t.SiteID, t.Name, t.Allowed, t.Target, t.Transport, t.Takeover, t.MaxCalls)
	return trunkName(err)
}

func updateTrunk(ctx context.Context, tx pgx.Tx, t trunk) error {
	// A trunk stays at its site: calls and numbers refer to it there.
	tag, err := tx.Exec(ctx, `UPDATE trunks SET name = $4, allowed = $5, target = $6, transport = $7, takeover = $8, max_calls = $9
		WHERE tenant_id = $1 AND id = $2 AND site_id = $3`,
		t.TenantID, t.ID, t.SiteID, t.Name, t.Allowed, t.Target, t.Transport, t.Takeover, t.MaxCalls)
	if err == nil && tag.RowsAffected() == 0 {
		return errNoTrunk
	}
	return trunkName(err)
}

func trunkName(err error) error {
	if tenantdb.IsUnique(err, "trunks_name") {
		return fault.New(fault.Conflict, "fault.trunk.name_taken").WithField("trunk.name")
	}
	return err
}

// DeleteTrunk removes a trunk no number uses.
func (s *Service) DeleteTrunk(ctx context.Context, req *cloudv1.DeleteTrunkRequest) (*cloudv1.Done, error) {
	tenant := rpcx.TenantFrom(ctx)
	err := s.db.InTenant(ctx, tenant, func(ctx context.Context, tx pgx.Tx) error {
		used, err := tenantdb.TxMany[string](ctx, tx, "SELECT e164 FROM numbers WHERE tenant_id = $1 AND trunk_id = $2 ORDER BY e164 LIMIT 1",
			tenant, req.Id)
		if err != nil {
			return err
		}
		if len(used) > 0 {
			return fault.New(fault.Conflict, "fault.trunk.in_use", "number", used[0])
		}
		tag, err := tx.Exec(ctx, "DELETE FROM trunks WHERE tenant_id = $1 AND id = $2", tenant, req.Id)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return errNoTrunk
		}
		return tenants.Audit(ctx, tx, tenants.Entry{Tenant: tenant, Action: "trunk.deleted", Subject: req.Id})
	})
	if err != nil {
		return nil, err
	}
	return &cloudv1.Done{}, nil
}
