package sites

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"trunkline/internal/fault"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
	"trunkline/tenants"
	"trunkline/tenants/tenantdb"
)

// renewedFor is how long the certificate before a renewal goes on working.
const renewedFor = time.Hour

// Registry is the side of this package that nodes reach, through cloud/fleet.
type Registry struct {
	db    *tenantdb.DB
	now   func() time.Time
	pulse pulse
}

// NewRegistry makes it.
func NewRegistry(db *tenantdb.DB) *Registry { return &Registry{db: db, now: time.Now} }

// Issue makes a certificate for a node of the site. It is called inside the
// transaction that spends the token.
type Issue = func(site string) (serial string, expires time.Time, err error)

// Join spends a token for a node: all in one transaction, so a token is spent
// once and only one node of a site is ever told to begin its group. The answer
// names site, bootstrap and epoch.
//
// A node that asks again with the same token and key gets a certificate again:
// its first answer was lost. A node that joins with a new token under a known
// name takes the name over, and the certificate before is void at once.
func (r *Registry) Join(ctx context.Context, tokenHash, keyHash []byte, req *edgev1.JoinRequest, issue Issue) (*edgev1.JoinResponse, error) {
	var out *edgev1.JoinResponse
	err := r.db.Platform(ctx, "join: spend a token", func(ctx context.Context, tx pgx.Tx) error {
		t, err := takeToken(ctx, tx, tokenHash, keyHash, req.NodeName)
		if err != nil {
			return err
		}
		out = &edgev1.JoinResponse{SiteId: t.SiteID, SiteName: t.SiteName}
		if out.Bootstrap, out.Epoch, err = begin(ctx, tx, t, req.NodeName); err != nil {
			return err
		}
		serial, expires, err := issue(t.SiteID)
		if err != nil {
			return err
		}
		if err := saveNode(ctx, tx, t, req, serial, expires); err != nil {
			return err
		}
		if err := logStep(ctx, tx, t, &edgev1.ReportJoinRequest{NodeName: req.NodeName, Step: "certificate"}); err != nil {
			return err
		}
		return tenants.Audit(ctx, tx, tenants.Entry{
			Tenant: t.TenantID, Actor: "node:" + t.SiteID + "/" + req.NodeName, Action: "node.joined", Subject: t.SiteID,
			Details: map[string]string{"node": req.NodeName, "serial": serial, "bootstrap": fmt.Sprint(out.Bootstrap)},
		})
	})
	return out, err
}

// token is a join token with its site.
type token struct {
	TenantID      int64
	Hash          []byte
	SiteID        string
	SiteName      string
	BootstrapNode *string
	Bootstrapped  bool
	Expired       bool
	SpentNode     *string
	SpentKey      []byte
}

const selectToken = `SELECT t.tenant_id, t.hash, t.site_id, s.name AS site_name, s.bootstrap_node, s.bootstrapped_at IS NOT NULL AS bootstrapped,
	t.expires_at < now() AS expired, t.spent_node, t.spent_key
	FROM join_tokens t JOIN sites s ON s.tenant_id = t.tenant_id AND s.id = t.site_id WHERE t.hash = $1`

// takeToken locks the site, then the token, and spends it.
func takeToken(ctx context.Context, tx pgx.Tx, hash, key []byte, name string) (token, error) {
	t, err := tenantdb.TxOne[token](ctx, tx, selectToken+" FOR UPDATE OF s, t", hash)
	switch {
	case errors.Is(err, tenantdb.ErrNoRows):
		return t, fault.New(fault.NotFound, "fault.join.token_unknown").WithAction("action.new_join_token")
	case err != nil:
		return t, err
	case t.SpentNode != nil:
		if *t.SpentNode == name && bytes.Equal(t.SpentKey, key) && !t.Expired {
			return t, nil
		}
		return t, fault.New(fault.Conflict, "fault.join.token_spent", "node", *t.SpentNode).WithAction("action.new_join_token")
	case t.Expired:
		return t, fault.New(fault.Conflict, "fault.join.token_expired").WithAction("action.new_join_token")
	}
	_, err = tx.Exec(ctx, "UPDATE join_tokens SET spent_at = now(), spent_node = $3, spent_key = $4 WHERE tenant_id = $1 AND hash = $2",
		t.TenantID, t.Hash, name, key)
	return t, err
}

// begin decides whether this node starts the site's group. The first node does.
// It is told so again when it comes back before the group was ever seen with a
// leader, and when it is still the site's only node: then its group is gone with
// it, and the next one counts its facts in an epoch of its own.
func begin(ctx context.Context, tx pgx.Tx, t token, name string) (bootstrap bool, epoch uint64, err error) {
	first := t.BootstrapNode == nil
	if !first {
		// Nodes of different epochs do not talk to each other: all are told the group's.
		now, err := tenantdb.TxOne[int64](ctx, tx, "SELECT epoch FROM sites WHERE tenant_id = $1 AND id = $2", t.TenantID, t.SiteID)
		if err != nil || *t.BootstrapNode != name {
			return false, uint64(now), err
		}
		if t.Bootstrapped {
			others, err := tenantdb.TxOne[int](ctx, tx, "SELECT count(*) FROM nodes WHERE tenant_id = $1 AND site_id = $2 AND name <> $3",
				t.TenantID, t.SiteID, name)
			if err != nil || others > 0 {
				return false, uint64(now), err
			}
		}
	}
	n, err := tenantdb.TxOne[int64](ctx, tx, `UPDATE sites SET bootstrap_node = $3, bootstrapped_at = NULL, epoch = epoch + 1
		WHERE tenant_id = $1 AND id = $2 RETURNING epoch`, t.TenantID, t.SiteID, name)
	return true, uint64(n), err
}

func saveNode(ctx context.Context, tx pgx.Tx, t token, req *edgev1.JoinRequest, serial string, expires time.Time) error {
	_, err := tx.Exec(ctx, `INSERT INTO nodes (tenant_id, site_id, name, node_addr, web_url, sip_addr, version, serial, certificate_expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (tenant_id, site_id, name) DO UPDATE SET node_addr = excluded.node_addr, web_url = excluded.web_url,
			sip_addr = excluded.sip_addr, version = excluded.version, serial = excluded.serial,
			certificate_expires_at = excluded.certificate_expires_at, previous_serial = NULL, previous_until = NULL,
			joined_at = now(), seen_at = NULL, leader = false`,
		t.TenantID, t.SiteID, req.NodeName, req.NodeAddr, req.WebUrl, req.SipAddr, req.Version, serial, expires)
	return err
}

// LogJoin adds a line to the join log of the token's site. It is taken from
// whoever holds the token, also a spent one, for an hour after its end.
func (r *Registry) LogJoin(ctx context.Context, tokenHash []byte, req *edgev1.ReportJoinRequest) error {
	return r.db.Platform(ctx, "join: log a step", func(ctx context.Context, tx pgx.Tx) error {
		t, err := tenantdb.TxOne[token](ctx, tx, selectToken+" AND t.expires_at > now() - interval '1 hour'", tokenHash)
		if errors.Is(err, tenantdb.ErrNoRows) {
			return fault.New(fault.NotFound, "fault.join.token_unknown")
		}
		if err != nil {
			return err
		}
		return logStep(ctx, tx, t, req)
	})
}

func logStep(ctx context.Context, tx pgx.Tx, t token, e *edgev1.ReportJoinRequest) error {
	batch := &pgx.Batch{}
	batch.Queue("INSERT INTO join_log (tenant_id, id, site_id, node, step, message, failed) VALUES ($1, $2, $3, $4, $5, $6, $7)",
		t.TenantID, tenants.NewID(), t.SiteID, e.NodeName, e.Step, e.Message, e.Failed)
	batch.Queue(`DELETE FROM join_log WHERE tenant_id = $1 AND site_id = $2 AND id < (SELECT id FROM join_log
		WHERE tenant_id = $1 AND site_id = $2 ORDER BY id DESC OFFSET 299 LIMIT 1)`, t.TenantID, t.SiteID)
	batch.Queue("SELECT pg_notify($1, $2)", Channel, t.SiteID)
	return tx.SendBatch(ctx, batch).Close()
}

// Renewed notes a node's new certificate; the old one works for another hour.
func (r *Registry) Renewed(ctx context.Context, site, node, serial string, expires time.Time) error {
	return r.db.Platform(ctx, "node: renew a certificate", func(ctx context.Context, tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE nodes SET previous_serial = serial, previous_until = now() + $5::interval, serial = $3,
			certificate_expires_at = $4 WHERE site_id = $1 AND name = $2`, site, node, serial, expires, renewedFor)
		if err == nil && tag.RowsAffected() == 0 {
			return errNoNode
		}
		return err
	})
}

// CheckCertificate says whether the certificate is the node's present one: nil,
// or an Unauthenticated fault.
func (r *Registry) CheckCertificate(ctx context.Context, site, node, serial string) error {
	return r.db.Platform(ctx, "node: check a certificate", func(ctx context.Context, tx pgx.Tx) error {
		good, err := tenantdb.TxMany[bool](ctx, tx, `SELECT serial = $3 OR (previous_serial = $3 AND previous_until > now()) IS TRUE
			FROM nodes WHERE site_id = $1 AND name = $2`, site, node, serial)
		if err == nil && (len(good) == 0 || !good[0]) {
			return errNoNode
		}
		return err
	})
}

var errNoNode = fault.New(fault.Unauthenticated, "fault.node.certificate_replaced").WithAction("action.join_again")
