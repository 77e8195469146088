package sites

import (
	"context"
	"errors"
	"time"

	"connectrpc.com/connect"
	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"trunkline/internal/pg"
	"trunkline/internal/rpcx"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
	"trunkline/tenants/tenantdb"
)

const (
	// watchEvery is how often a watched site is looked at: nodes report once a
	// second and go down without saying so.
	watchEvery = time.Second
	// watchBeat is the longest time without a message.
	watchBeat = 5 * time.Second
)

// WatchSite streams the site, whole each time, when something changed: within
// the second for nodes, at once for the join log and refused calls.
func (s *Service) WatchSite(ctx context.Context, req *cloudv1.WatchSiteRequest, out *connect.ServerStream[cloudv1.WatchSiteResponse]) error {
	tenant := rpcx.TenantFrom(ctx)
	notices, cancel := s.notices.Subscribe(Channel)
	defer cancel()
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()

	var last *cloudv1.WatchSiteResponse
	var sent time.Time
	for {
		seen, err := s.look(ctx, tenant, req.Id)
		if errors.Is(err, errNoSite) || (err != nil && last == nil) {
			return err
		}
		// An outage of the database is not the end of the stream: what was sent
		// last stays true until the beat is missed.
		if err == nil && (!proto.Equal(last, seen) || s.now().Sub(sent) >= watchBeat) {
			last, sent = seen, s.now()
			stamped := proto.CloneOf(seen)
			stamped.ServerTime = timestamppb.New(sent)
			if err := out.Send(stamped); err != nil {
				return err
			}
		}
		if err := await(ctx, tick.C, notices, req.Id); err != nil {
			return err
		}
	}
}

// await returns at the next tick or notice about the site.
func await(ctx context.Context, tick <-chan time.Time, notices <-chan pg.Notification, id string) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick:
			return nil
		case n := <-notices:
			if n.Lost || n.Payload == id {
				return nil
			}
		}
	}
}

type trunkHealth struct {
	ID, Name   string
	Calls      int32
	LastCallAt *int64
	Reachable  bool
}

// trunkHealths sums what the nodes that are up report of each trunk.
const trunkHealths = `
SELECT t.id, t.name, coalesce(sum((r->>'calls')::int), 0)::int AS calls, max(nullif((r->>'last_call_at')::bigint, 0)) AS last_call_at,
	coalesce(bool_or((r->>'reachable')::boolean), false) AS reachable
FROM trunks t
LEFT JOIN nodes n ON n.site_id = t.site_id AND n.seen_at > now() - interval '10 seconds'
LEFT JOIN jsonb_array_elements(n.trunks) r ON r->>'trunk_id' = t.id
WHERE t.site_id = $1 GROUP BY t.tenant_id, t.id, t.name ORDER BY t.name LIMIT 100`

func (s *Service) look(ctx context.Context, tenant int64, id string) (*cloudv1.WatchSiteResponse, error) {
	out := &cloudv1.WatchSiteResponse{}
	err := s.db.InTenant(ctx, tenant, func(ctx context.Context, tx pgx.Tx) error {
		x, nodes, err := visible(ctx, tx, id)
		if err != nil {
			return err
		}
		owned := x.TenantID == tenant
		out.Site = siteView(x, nodes, owned, s.now())
		// The join log of a hosted site is its owner's; row-level security agrees.
		log, err := tenantdb.TxMany[joinEntry](ctx, tx, joinLog, tenant, id)
		if err != nil {
			return err
		}
		for _, e := range log {
			out.JoinLog = append(out.JoinLog, e.view())
		}
		calls, err := tenantdb.TxMany[refusal](ctx, tx, refused, tenant, id)
		if err != nil {
			return err
		}
		for _, r := range calls {
			out.Refused = append(out.Refused, r.view())
		}
		trunks, err := tenantdb.TxMany[trunkHealth](ctx, tx, trunkHealths, id)
		for _, t := range trunks {
			out.Trunks = append(out.Trunks, t.view(owned))
		}
		return err
	})
	return out, err
}

// view leaves out, on the platform's trunks, how many calls others have there.
func (t trunkHealth) view(owned bool) *cloudv1.TrunkHealth {
	out := &cloudv1.TrunkHealth{TrunkId: t.ID, Name: t.Name, Reachable: t.Reachable}
	if owned {
		out.Calls = uint32(t.Calls)
		if t.LastCallAt != nil {
			out.LastCallAt = timestamppb.New(time.UnixMicro(*t.LastCallAt))
		}
	}
	return out
}
