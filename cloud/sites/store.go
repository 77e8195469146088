package sites

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/types/known/timestamppb"

	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
	"trunkline/tenants/tenantdb"
)

const (
	siteColumns = "tenant_id, id, name, created_at"
	nodeColumns = `site_id, name, node_addr, web_url, version, certificate_expires_at, seen_at, started_at, leader, voter, lag,
		disk_free_bytes, disk_total_bytes, calls, facts_waiting, recordings_waiting, clock_offset_us, clock_off_us,
		recording_stopped, recording_stopped_at, recording_free_percent, recording_needed_percent`
)

// What row-level security lets a tenant see is its own sites and the hosted ones
// it is assigned to now, so these queries name no tenant.
const (
	listSites   = "SELECT " + siteColumns + " FROM sites WHERE id > $1 ORDER BY id LIMIT $2"
	getSite     = "SELECT " + siteColumns + " FROM sites WHERE id = $1"
	nodesOfSite = "SELECT " + nodeColumns + " FROM nodes WHERE site_id = $1"
	// The newest entries, oldest first.
	joinLog = `SELECT at, node, step, message, failed FROM (SELECT * FROM join_log WHERE tenant_id = $1 AND site_id = $2
		ORDER BY id DESC LIMIT 100) newest ORDER BY id`
	refused = `SELECT at, node, source, caller, called, reason, status FROM refused_invites WHERE tenant_id = $1 AND site_id = $2
		ORDER BY id DESC LIMIT 50`
)

// visible gives one site and its nodes, or errNoSite.
func visible(ctx context.Context, tx pgx.Tx, id string) (site, []node, error) {
	found, err := tenantdb.TxMany[site](ctx, tx, getSite, id)
	if err != nil {
		return site{}, nil, err
	}
	if len(found) == 0 {
		return site{}, nil, errNoSite
	}
	nodes, err := tenantdb.TxMany[node](ctx, tx, nodesOfSite, id)
	return found[0], nodes, err
}

// own gives a site the tenant owns: errNoSite for a foreign one, errHostedSite
// for the platform's.
func own(ctx context.Context, tx pgx.Tx, tenant int64, id string) (site, error) {
	found, err := tenantdb.TxMany[site](ctx, tx, getSite, id)
	switch {
	case err != nil:
		return site{}, err
	case len(found) == 0:
		return site{}, errNoSite
	case found[0].TenantID != tenant:
		return site{}, errHostedSite
	}
	return found[0], nil
}

// withNodes reads the nodes of several sites at once.
func withNodes(ctx context.Context, tx pgx.Tx, list []site) (map[string][]node, error) {
	ids := make([]string, len(list))
	for i, s := range list {
		ids[i] = s.ID
	}
	nodes, err := tenantdb.TxMany[node](ctx, tx, "SELECT "+nodeColumns+" FROM nodes WHERE site_id = ANY ($1)", ids)
	if err != nil {
		return nil, err
	}
	out := map[string][]node{}
	for _, n := range nodes {
		out[n.SiteID] = append(out[n.SiteID], n)
	}
	return out, nil
}

type joinEntry struct {
	At                  time.Time
	Node, Step, Message string
	Failed              bool
}

func (e joinEntry) view() *cloudv1.JoinLogEntry {
	return &cloudv1.JoinLogEntry{At: timestamppb.New(e.At), Node: e.Node, Step: e.Step, Message: e.Message, Failed: e.Failed}
}

type refusal struct {
	At                                   time.Time
	Node, Source, Caller, Called, Reason string
	Status                               int32
}

func (r refusal) view() *cloudv1.RefusedInvite {
	return &cloudv1.RefusedInvite{
		At: timestamppb.New(r.At), Node: r.Node, Source: r.Source, Caller: r.Caller, Called: r.Called, Reason: r.Reason,
		Status: uint32(r.Status),
	}
}

// assign makes the site serve the tenant from now on; nothing to do when it does.
func assign(ctx context.Context, tx pgx.Tx, tenant int64, siteID string) error {
	_, err := tx.Exec(ctx, `INSERT INTO site_tenants (tenant_id, site_id) VALUES ($1, $2)
		ON CONFLICT (tenant_id, site_id) WHERE ended_at IS NULL DO NOTHING`, tenant, siteID)
	return err
}
