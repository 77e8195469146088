package sites

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/jackc/pgx/v5"

	"trunkline/internal/fault"
	"trunkline/internal/rpcx"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
	"trunkline/tenants"
	"trunkline/tenants/tenantdb"
)

// number is a row of numbers.
type number struct {
	ID       string
	E164     string
	FlowID   string
	TrunkID  string
	SiteIDs  []string `db:"site_ids"`
	Platform bool
}

const numberColumns = "id, e164, flow_id, trunk_id, site_ids, platform"

func (n number) view() *cloudv1.PhoneNumber {
	return &cloudv1.PhoneNumber{Id: n.ID, E164: n.E164, FlowId: n.FlowID, TrunkId: n.TrunkID, SiteIds: n.SiteIDs}
}

// e164 is a plus sign and up to 15 digits, ITU-T E.164 section 6.
var e164 = regexp.MustCompile(`^\+[1-9][0-9]{1,14}$`)

// ListNumbers pages through the tenant's numbers.
func (s *Service) ListNumbers(ctx context.Context, req *cloudv1.ListNumbersRequest) (*cloudv1.ListNumbersResponse, error) {
	tenant, size := rpcx.TenantFrom(ctx), tenants.PageSize(req.PageSize)
	list, err := tenantdb.Many[number](ctx, s.db, tenant, "SELECT "+numberColumns+
		" FROM numbers WHERE tenant_id = $1 AND e164 > $2 ORDER BY e164 LIMIT $3", tenant, req.PageToken, size+1)
	out := &cloudv1.ListNumbersResponse{}
	if len(list) > size {
		list = list[:size]
		out.NextPageToken = list[size-1].E164
	}
	for _, n := range list {
		out.Numbers = append(out.Numbers, n.view())
	}
	return out, err
}

// SaveNumber makes or changes a number on the tenant's own trunks and sites. Of
// a number the platform gave, the tenant chooses the flow alone.
func (s *Service) SaveNumber(ctx context.Context, req *cloudv1.SaveNumberRequest) (*cloudv1.PhoneNumber, error) {
	tenant, in := rpcx.TenantFrom(ctx), req.Number
	if !e164.MatchString(in.E164) {
		return nil, fault.New(fault.Invalid, "fault.field.e164").WithField("number.e164")
	}
	var out number
	err := s.db.InTenant(ctx, tenant, func(ctx context.Context, tx pgx.Tx) (err error) {
		flow, err := s.flowFor(ctx, tx, tenant, in.FlowId)
		if err != nil {
			return err
		}
		n := number{ID: in.Id, E164: in.E164, FlowID: flow, TrunkID: in.TrunkId, SiteIDs: in.SiteIds}
		action := "number.changed"
		if n.ID == "" {
			action = "number.created"
			out, err = createNumber(ctx, tx, tenant, n)
		} else {
			out, err = changeNumber(ctx, tx, tenant, n)
		}
		if err != nil {
			return err
		}
		return tenants.Audit(ctx, tx, tenants.Entry{
			Tenant: tenant, Action: action, Subject: out.ID, Details: map[string]string{"e164": out.E164, "flow": out.FlowID},
		})
	})
	if err != nil {
		return nil, err
	}
	return out.view(), nil
}

func (s *Service) flowFor(ctx context.Context, tx pgx.Tx, tenant int64, id string) (string, error) {
	if id == "" {
		return s.flows.DefaultFlow(ctx, tx, tenant)
	}
	ok, err := s.flows.FlowExists(ctx, tx, tenant, id)
	if err == nil && !ok {
		return "", fault.New(fault.NotFound, "fault.flow.not_found").WithField("number.flow_id")
	}
	return id, err
}

func createNumber(ctx context.Context, tx pgx.Tx, tenant int64, n number) (number, error) {
	if err := ownPlaces(ctx, tx, tenant, &n); err != nil {
		return n, err
	}
	count, err := tenantdb.TxOne[int](ctx, tx, "SELECT count(*) FROM numbers WHERE tenant_id = $1", tenant)
	if err != nil {
		return n, err
	}
	if count >= maxNumbers {
		return n, fault.New(fault.Exhausted, "fault.number.too_many", "max", fmt.Sprint(maxNumbers))
	}
	n.ID = tenants.NewID()
	return n, insertNumber(ctx, tx, tenant, n)
}

func insertNumber(ctx context.Context, tx pgx.Tx, tenant int64, n number) error {
	if n.SiteIDs == nil {
		n.SiteIDs = []string{}
	}
	_, err := tx.Exec(ctx, "INSERT INTO numbers (tenant_id, "+numberColumns+") VALUES ($1, $2, $3, $4, $5, $6, $7)",
		tenant, n.ID, n.E164, n.FlowID, n.TrunkID, n.SiteIDs, n.Platform)
	if tenantdb.IsUnique(err, "numbers_e164") {
		return fault.New(fault.Conflict, "fault.number.taken", "e164", n.E164).WithField("number.e164")
	}
	return err
}

func changeNumber(ctx context.Context, tx pgx.Tx, tenant int64, n number) (number, error) {
	old, err := tenantdb.TxOne[number](ctx, tx, "SELECT "+numberColumns+" FROM numbers WHERE tenant_id = $1 AND id = $2 FOR UPDATE",
		tenant, n.ID)
	if errors.Is(err, tenantdb.ErrNoRows) {
		return n, errNoNumber
	}
	if err != nil {
		return n, err
	}
	if n.E164 != old.E164 {
		return n, fault.New(fault.Invalid, "fault.number.fixed").WithField("number.e164")
	}
	if old.Platform {
		if (n.TrunkID != "" && n.TrunkID != old.TrunkID) || (len(n.SiteIDs) > 0 && !slices.Equal(n.SiteIDs, old.SiteIDs)) {
			return n, errPlatformNumber
		}
		n.TrunkID, n.SiteIDs, n.Platform = old.TrunkID, old.SiteIDs, true
	} else if err := ownPlaces(ctx, tx, tenant, &n); err != nil {
		return n, err
	}
	_, err = tx.Exec(ctx, "UPDATE numbers SET flow_id = $3, trunk_id = $4, site_ids = $5 WHERE tenant_id = $1 AND id = $2",
		tenant, n.ID, n.FlowID, n.TrunkID, n.SiteIDs)
	return n, err
}

var errPlatformNumber = fault.New(fault.Forbidden, "fault.number.belongs_to_platform")

// ownPlaces checks that trunk and sites are the tenant's own. Without sites the
// number is answered where its trunk is, or at every site of the tenant's own.
func ownPlaces(ctx context.Context, tx pgx.Tx, tenant int64, n *number) error {
	sites, err := tenantdb.TxMany[string](ctx, tx, "SELECT id FROM sites WHERE tenant_id = $1 ORDER BY id", tenant)
	if err != nil {
		return err
	}
	if n.TrunkID != "" {
		at, err := tenantdb.TxMany[string](ctx, tx, "SELECT site_id FROM trunks WHERE tenant_id = $1 AND id = $2", tenant, n.TrunkID)
		if err != nil {
			return err
		}
		if len(at) == 0 {
			return errNoTrunk.WithField("number.trunk_id")
		}
		if len(n.SiteIDs) == 0 {
			n.SiteIDs = at
		}
	}
	if len(n.SiteIDs) == 0 {
		n.SiteIDs = sites
	}
	if len(n.SiteIDs) == 0 {
		// Only a hosted site serves this tenant: there the platform gives numbers.
		return errPlatformNumber
	}
	for i, id := range n.SiteIDs {
		if !slices.Contains(sites, id) {
			return errNoSite.WithField(fmt.Sprintf("number.site_ids[%d]", i))
		}
		if slices.Contains(n.SiteIDs[:i], id) {
			return fault.New(fault.Invalid, "fault.field.repeated").WithField(fmt.Sprintf("number.site_ids[%d]", i))
		}
	}
	return nil
}

// DeleteNumber gives a number of the tenant's own up.
func (s *Service) DeleteNumber(ctx context.Context, req *cloudv1.DeleteNumberRequest) (*cloudv1.Done, error) {
	tenant := rpcx.TenantFrom(ctx)
	err := s.db.InTenant(ctx, tenant, func(ctx context.Context, tx pgx.Tx) error {
		n, err := tenantdb.TxOne[number](ctx, tx, "SELECT "+numberColumns+" FROM numbers WHERE tenant_id = $1 AND id = $2 FOR UPDATE",
			tenant, req.Id)
		switch {
		case errors.Is(err, tenantdb.ErrNoRows):
			return errNoNumber
		case err != nil:
			return err
		case n.Platform:
			return errPlatformNumber
		}
		if _, err := tx.Exec(ctx, "DELETE FROM numbers WHERE tenant_id = $1 AND id = $2", tenant, req.Id); err != nil {
			return err
		}
		return tenants.Audit(ctx, tx, tenants.Entry{
			Tenant: tenant, Action: "number.deleted", Subject: n.ID, Details: map[string]string{"e164": n.E164},
		})
	})
	if err != nil {
		return nil, err
	}
	return &cloudv1.Done{}, nil
}
