package live

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

const (
	// connected is the age up to which a site's floor counts as current.
	connected = 6 * time.Second
	// maxSites and maxNames bound what is read for one floor.
	maxSites = 500
	maxNames = 50_000
)

// PushLive keeps the floors a site reports (fleet.LiveSink), of tenants it
// serves: a hosted site's in one transaction, for there are many, each second.
func (s *Service) PushLive(ctx context.Context, site string, floors []*edgev1.LiveTenant) error {
	if len(floors) == 0 {
		return nil
	}
	newest := map[int64][]byte{}
	for _, f := range floors {
		body, err := proto.Marshal(f)
		if err != nil {
			return err
		}
		newest[f.GetTenantId()] = body
	}
	tenants := slices.Sorted(maps.Keys(newest)) // two nodes at once lock in one order
	bodies, payloads := make([][]byte, len(tenants)), make([]string, len(tenants))
	for i, t := range tenants {
		bodies[i], payloads[i] = newest[t], strconv.FormatInt(t, 10)
	}
	return s.db.Platform(ctx, "live: floors of a site", func(ctx context.Context, tx pgx.Tx) error {
		batch := &pgx.Batch{}
		batch.Queue(`INSERT INTO live_floors (tenant_id, site_id, floor) SELECT t, $2, f FROM unnest($1::bigint[], $3::bytea[]) AS n (t, f)
			ON CONFLICT (tenant_id, site_id) DO UPDATE SET floor = EXCLUDED.floor, updated_at = now()`, tenants, site, bodies)
		batch.Queue("SELECT pg_notify($1, p) FROM unnest($2::text[]) AS p", Channel, payloads)
		return tx.SendBatch(ctx, batch).Close()
	})
}

// siteFloor is a site that serves the tenant, with what it reported last.
type siteFloor struct {
	SiteID, Name string
	Floor        []byte   // nil = nothing yet
	Age          *float64 // seconds since then
}

// ofSites reads them. A site that was never set up is none yet.
const ofSites = `SELECT s.id AS site_id, s.name, f.floor, extract(epoch FROM now() - f.updated_at)::float8 AS age
	FROM site_tenants t JOIN sites s ON s.id = t.site_id LEFT JOIN live_floors f ON f.tenant_id = $1 AND f.site_id = s.id
	WHERE t.tenant_id = $1 AND t.ended_at IS NULL AND (s.bootstrapped_at IS NOT NULL OR f.floor IS NOT NULL) ORDER BY 2, 1 LIMIT $2`

const ofNames = `SELECT id, name FROM queues WHERE tenant_id = $1 UNION ALL SELECT m.id, coalesce(nullif(a.display_name, ''), a.email)
	FROM memberships m JOIN accounts a ON a.id = m.account_id WHERE m.tenant_id = $1 LIMIT $2`

type named struct{ ID, Name string }

// names are the words for ids in a floor. People and queues change seldom and
// are many, so they are read seldom.
type names struct {
	words   map[string]string
	read    time.Time
	unknown bool // an id had no name
}

func (n *names) of(id string) string {
	word, ok := n.words[id]
	n.unknown = n.unknown || !ok
	return word
}

// floor reads the newest picture of all sites.
func (s *Service) floor(ctx context.Context, tenant int64, n *names) (*cloudv1.Floor, error) {
	var sites []siteFloor
	var list []named
	out := &cloudv1.Floor{ServiceLevelS: 20, ServiceLevelTargetPct: 80}
	batch := &pgx.Batch{}
	batch.Queue(ofSites, tenant, maxSites).Query(collect(&sites))
	batch.Queue("SELECT service_level_s, service_level_target_pct FROM settings WHERE tenant_id = $1", tenant).
		Query(func(rows pgx.Rows) error {
			for rows.Next() {
				if err := rows.Scan(&out.ServiceLevelS, &out.ServiceLevelTargetPct); err != nil {
					return err
				}
			}
			return rows.Err()
		})
	age := s.now().Sub(n.read)
	again := n.words == nil || age >= s.pace.names || n.unknown && age >= s.pace.look
	if again {
		batch.Queue(ofNames, tenant, maxNames).Query(collect(&list))
	}
	if err := s.db.Read(ctx, tenant, batch); err != nil {
		return nil, err
	}
	if again {
		*n = names{words: make(map[string]string, len(list)), read: s.now()}
		for _, x := range list {
			n.words[x.ID] = x.Name
		}
	}
	for _, f := range sites {
		m, err := f.message(n)
		if err != nil {
			return nil, err
		}
		out.Sites = append(out.Sites, m)
	}
	return out, nil
}

func collect[T any](into *[]T) func(pgx.Rows) error {
	return func(rows pgx.Rows) (err error) {
		*into, err = pgx.CollectRows(rows, pgx.RowToStructByName[T])
		return err
	}
}

func (f siteFloor) message(n *names) (*cloudv1.FloorSite, error) {
	var live edgev1.LiveTenant
	if err := proto.Unmarshal(f.Floor, &live); err != nil {
		return nil, err
	}
	m := &cloudv1.FloorSite{
		SiteId: f.SiteID, SiteName: f.Name, At: stamp(live.GetAt()),
		Connected: f.Age != nil && *f.Age <= connected.Seconds(), CallsActive: live.GetCallsActive(),
	}
	for _, q := range live.GetQueues() {
		m.Queues = append(m.Queues, &cloudv1.FloorQueue{
			QueueId: q.GetQueueId(), QueueName: n.of(q.GetQueueId()), Waiting: q.GetWaiting(), LongestSince: stamp(q.GetLongestSince()),
			Offered: q.GetOffered(), Answered: q.GetAnswered(), AnsweredInLevel: q.GetAnsweredInLevel(),
			Abandoned: q.GetAbandoned(), AbandonedShort: q.GetAbandonedShort(), Failed: q.GetFailed(),
		})
	}
	for _, a := range live.GetAgents() {
		m.Agents = append(m.Agents, &cloudv1.FloorAgent{
			AgentId: a.GetAgentId(), Name: n.of(a.GetAgentId()), State: a.GetState(), Reason: a.GetReason(),
			Since: stamp(a.GetSince()), CallId: a.GetCallId(),
		})
	}
	return m, nil
}

func stamp(us int64) *timestamppb.Timestamp {
	if us == 0 {
		return nil
	}
	return timestamppb.New(time.UnixMicro(us))
}
