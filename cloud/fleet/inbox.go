package fleet

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/proto"

	"trunkline/internal/fault"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
	"trunkline/tenants"
	"trunkline/tenants/tenantdb"
)

const (
	// maxWaiting bounds the items of a tenant a site has not acknowledged.
	maxWaiting = 1000
	// maxTTL bounds how long an item may wait.
	maxTTL    = 30 * 24 * time.Hour
	inboxPage = 200
)

// The kinds of work.
const (
	KindTestCall      = "test_call"       // TestCallTicket
	KindSetAgentState = "set_agent_state" // AgentCommand
	KindSignOutAgent  = "sign_out_agent"  // AgentCommand
	KindSignOutTenant = "sign_out_tenant" // empty
)

// Inbox is work down: each item is for one site, which acknowledges it once it
// is applied.
type Inbox struct {
	db       *tenantdb.DB
	registry Registry
}

// NewInbox makes it. It has no state: all that are made over one database are one.
func NewInbox(db *tenantdb.DB, registry Registry) *Inbox { return &Inbox{db, registry} }

// Put hands an item to a site that serves the tenant, from the commit of the
// tenant's transaction on. After ttl the site will not see it any more. A site
// that does not serve the tenant is a Forbidden fault, one with too many items
// waiting Exhausted.
func (b *Inbox) Put(ctx context.Context, tx pgx.Tx, tenant int64, site, kind string, body proto.Message, ttl time.Duration) (id string, err error) {
	if ttl <= 0 || ttl > maxTTL {
		return "", fmt.Errorf("inbox: a life of %v", ttl)
	}
	raw, err := proto.Marshal(body)
	if err != nil {
		return "", err
	}
	now, _, err := b.registry.Assigned(ctx, tx, tenant, site)
	if err != nil {
		return "", err
	}
	if !now {
		return "", errNotAssigned
	}
	waiting, err := tenantdb.TxOne[int](ctx, tx, `SELECT count(*) FROM inbox WHERE tenant_id = $1 AND site_id = $2
		AND acked_at IS NULL AND expires_at > now()`, tenant, site)
	if err != nil {
		return "", err
	}
	if waiting >= maxWaiting {
		return "", fault.New(fault.Exhausted, "fault.fleet.inbox_full").WithRetry(time.Minute)
	}
	id = tenants.NewID()
	batch := &pgx.Batch{}
	batch.Queue(`INSERT INTO inbox (tenant_id, site_id, seq, id, kind, body, expires_at)
		VALUES ($1, $2, trunkline_inbox_seq($2), $3, $4, $5, now() + $6::interval)`, tenant, site, id, kind, raw, ttl)
	batch.Queue("SELECT pg_notify($1, $2)", InboxChannel, site)
	return id, tx.SendBatch(ctx, batch).Close()
}

// Send is Put in a transaction of its own.
func (b *Inbox) Send(ctx context.Context, tenant int64, site, kind string, body proto.Message, ttl time.Duration) (id string, err error) {
	err = b.db.InTenant(ctx, tenant, func(ctx context.Context, tx pgx.Tx) error {
		id, err = b.Put(ctx, tx, tenant, site, kind, body, ttl)
		return err
	})
	return id, err
}

type inboxRow struct {
	Seq       int64
	ID        string
	TenantID  int64
	Kind      string
	Body      []byte
	ExpiresAt time.Time
}

// after gives the next page of items of a site, of all its tenants.
func (b *Inbox) after(ctx context.Context, site string, seq uint64) (out []*edgev1.InboxItem, err error) {
	err = b.db.Platform(ctx, "fleet: read a site's inbox", func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tenantdb.TxMany[inboxRow](ctx, tx, `SELECT seq, id, tenant_id, kind, body, expires_at FROM inbox
			WHERE site_id = $1 AND seq > $2 AND acked_at IS NULL AND expires_at > now() ORDER BY seq LIMIT $3`, site, int64(min(seq, 1<<62)), inboxPage)
		for _, r := range rows {
			out = append(out, &edgev1.InboxItem{
				Seq: uint64(r.Seq), Id: r.ID, TenantId: r.TenantID, Kind: r.Kind, Body: r.Body, ExpiresAt: r.ExpiresAt.UnixMicro(),
			})
		}
		return err
	})
	return out, err
}

// AckInbox notes that the site has applied these items. Acknowledging again, or
// what is not there, changes nothing.
func (s *Service) AckInbox(ctx context.Context, req *edgev1.AckInboxRequest) (*edgev1.Done, error) {
	id, err := s.node(ctx)
	if err != nil {
		return nil, err
	}
	seqs := make([]int64, len(req.Seqs))
	for i, n := range req.Seqs {
		seqs[i] = int64(min(n, 1<<62))
	}
	err = s.db.Platform(ctx, "fleet: acknowledge inbox items", func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "UPDATE inbox SET acked_at = now() WHERE site_id = $1 AND seq = ANY ($2) AND acked_at IS NULL", id.Site, seqs)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &edgev1.Done{}, nil
}
