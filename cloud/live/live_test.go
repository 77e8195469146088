package live

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/proto"

	"trunkline/cloud/schema"
	"trunkline/internal/fault"
	"trunkline/internal/grant"
	"trunkline/internal/pg"
	"trunkline/internal/pg/pgtest"
	"trunkline/internal/rpcx"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
	"trunkline/proto/gen/trunkline/cloud/v1/cloudv1connect"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
	"trunkline/tenants"
	"trunkline/tenants/tenantdb"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// bench is two tenants on one hosted site; the first has a site of its own, too,
// which was never set up.
type bench struct {
	*Service
	t           *testing.T
	db          *tenantdb.DB
	inbox       *inbox
	hosted, own string
	one, other  tenant
}

type tenant struct {
	id    int64
	agent string // a membership
	name  string
}

// inbox keeps what is put into it.
type inbox struct {
	err   error
	items []item
}

type item struct {
	tenant     int64
	site, kind string
	body       *edgev1.AgentCommand
	ttl        time.Duration
}

func (i *inbox) Put(_ context.Context, _ pgx.Tx, tenant int64, site, kind string, body proto.Message, ttl time.Duration) (string, error) {
	i.items = append(i.items, item{tenant, site, kind, body.(*edgev1.AgentCommand), ttl})
	return "item", i.err
}

func newBench(t *testing.T) *bench {
	t.Helper()
	d := pgtest.New(t, schema.Migrate)
	db, err := tenantdb.Open(t.Context(), d.App)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	b := &bench{t: t, db: db, inbox: &inbox{}, hosted: tenants.NewID(), own: tenants.NewID()}
	b.Service = NewService(db, listen(t, d.App), b.inbox, slog.New(slog.DiscardHandler))
	err = db.Platform(t.Context(), "test", func(ctx context.Context, tx pgx.Tx) error {
		b.one, b.other = b.tenant(ctx, tx, "one"), b.tenant(ctx, tx, "other")
		_, err := tx.Exec(ctx, "INSERT INTO sites (tenant_id, id, name, bootstrapped_at) VALUES (0, $1, 'Hosted', now()), ($2, $3, 'Own', NULL)", b.hosted, b.one.id, b.own)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "INSERT INTO site_tenants (tenant_id, site_id) VALUES ($1, $3), ($2, $3), ($1, $4)", b.one.id, b.other.id, b.hosted, b.own)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) tenant(ctx context.Context, tx pgx.Tx, name string) tenant {
	b.t.Helper()
	x := tenant{agent: tenants.NewID(), name: name}
	err := tx.QueryRow(ctx, "INSERT INTO tenants (slug, name, language) VALUES ($1, $1, 'en') RETURNING tenant_id", name).Scan(&x.id)
	if err == nil {
		_, err = tx.Exec(ctx, "INSERT INTO accounts (id, email, display_name) VALUES ($1, $1 || '@x.example', $2)", x.agent, "Agent of "+name)
	}
	if err == nil {
		_, err = tx.Exec(ctx, "INSERT INTO memberships (tenant_id, id, account_id, roles) VALUES ($1, $2, $2, '{agent}')", x.id, x.agent)
	}
	if err == nil {
		_, err = tx.Exec(ctx, "INSERT INTO queues (tenant_id, id, name) VALUES ($1, 'q1', $2)", x.id, "Queue of "+name)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return x
}

// leave ends a site's service for a tenant.
func (b *bench) leave(x tenant, site string) {
	b.t.Helper()
	err := b.db.Platform(b.t.Context(), "test", func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "UPDATE site_tenants SET ended_at = now() WHERE tenant_id = $1 AND site_id = $2", x.id, site)
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// listen gives a listener that listens already.
func listen(t *testing.T, url string) *pg.Listener {
	t.Helper()
	l := pg.NewListener(url, Channel)
	up, cancel := l.Subscribe(Channel)
	defer cancel()
	if err := l.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Stop(context.Background()) })
	<-up
	return l
}

func (x tenant) floor(active uint32) *edgev1.LiveTenant {
	return &edgev1.LiveTenant{
		TenantId: x.id, At: 1_000_000, CallsActive: active,
		Queues: []*edgev1.LiveQueue{{QueueId: "q1", Waiting: active, LongestSince: 2_000_000, Offered: 9, Answered: 7, AnsweredInLevel: 6, Abandoned: 1, AbandonedShort: 1, Failed: 2}},
		Agents: []*edgev1.LiveAgent{{AgentId: x.agent, State: "ready", Since: 3_000_000}},
	}
}

func (b *bench) push(site string, floors ...*edgev1.LiveTenant) {
	b.t.Helper()
	if err := b.PushLive(b.t.Context(), site, floors); err != nil {
		b.t.Fatal(err)
	}
}

// watch gives what a tenant's watcher is sent, and ends with the test.
func (b *bench) watch(x tenant) <-chan *cloudv1.Floor {
	ctx, cancel := context.WithCancel(b.t.Context())
	out, done := make(chan *cloudv1.Floor, 1000), make(chan error, 1)
	w := watcher{Service: b.Service, tenant: x.id, send: func(f *cloudv1.Floor) error { out <- f; return nil }}
	go func() { done <- w.run(ctx) }()
	b.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			b.t.Error(err)
		}
	})
	return out
}

// await gives the first floor that is right, and fails after a second.
func (b *bench) await(floors <-chan *cloudv1.Floor, right func(*cloudv1.Floor) bool) *cloudv1.Floor {
	b.t.Helper()
	late := time.After(time.Second)
	for {
		select {
		case f := <-floors:
			if right(f) {
				return f
			}
		case <-late:
			b.t.Fatal("no such floor within a second")
		}
	}
}

func only(site string, active uint32) func(*cloudv1.Floor) bool {
	return func(f *cloudv1.Floor) bool {
		return len(f.Sites) == 1 && f.Sites[0].SiteId == site && f.Sites[0].CallsActive == active
	}
}

func TestAFloorIsSeenWithinASecond(t *testing.T) {
	b := newBench(t)
	b.pace.look, b.pace.beat = time.Hour, time.Hour // NOTIFY alone
	floors := b.watch(b.one)
	first := b.await(floors, func(*cloudv1.Floor) bool { return true })
	// The hosted site serves the tenant and has said nothing; the other is none yet.
	if len(first.Sites) != 1 || first.Sites[0].SiteName != "Hosted" || first.Sites[0].Connected || first.Sites[0].At != nil || first.ServiceLevelS != 20 {
		t.Errorf("at first: %v", first)
	}
	b.push(b.hosted, b.one.floor(3))
	f := b.await(floors, only(b.hosted, 3))
	s := f.Sites[0]
	if !s.Connected || s.At.AsTime().Unix() != 1 || s.Queues[0].QueueName != "Queue of one" || s.Queues[0].LongestSince.AsTime().Unix() != 2 ||
		s.Agents[0].Name != "Agent of one" || s.Agents[0].State != "ready" || s.Queues[0].AnsweredInLevel != 6 {
		t.Errorf("%v", s)
	}
	b.push(b.own, b.one.floor(1))
	f = b.await(floors, func(f *cloudv1.Floor) bool { return len(f.Sites) == 2 })
	if f.Epoch == 0 || f.Seq != 3 || f.ServerTime == nil {
		t.Errorf("%v", f)
	}
}

func TestTenantsAreApart(t *testing.T) {
	b := newBench(t)
	b.pace.look, b.pace.beat = time.Hour, time.Hour
	one, other := b.watch(b.one), b.watch(b.other)
	for _, c := range []<-chan *cloudv1.Floor{one, other} {
		b.await(c, func(*cloudv1.Floor) bool { return true })
	}
	b.push(b.hosted, b.one.floor(1), b.other.floor(2))
	b.push(b.own, b.one.floor(7))
	f := b.await(other, only(b.hosted, 2))
	if s := f.Sites[0]; s.Agents[0].AgentId != b.other.agent || s.Agents[0].Name != "Agent of other" || s.Queues[0].QueueName != "Queue of other" {
		t.Errorf("%v", s)
	}
	b.await(one, func(f *cloudv1.Floor) bool { return len(f.Sites) == 2 })
	// News of one are none of the other's.
	b.push(b.hosted, b.one.floor(4))
	b.await(one, func(f *cloudv1.Floor) bool { return f.Sites[0].CallsActive == 4 })
	select {
	case f := <-other:
		t.Errorf("told %v", f)
	default:
	}
}

// Many pictures in a row become few messages, of which the last is right.
func TestManyFloorsBecomeFew(t *testing.T) {
	b := newBench(t)
	b.pace.look, b.pace.beat = time.Hour, time.Hour
	floors := b.watch(b.one)
	b.await(floors, func(*cloudv1.Floor) bool { return true })
	start, n := time.Now(), 0
	for i := range 40 {
		b.push(b.hosted, b.one.floor(uint32(i+1)))
	}
	b.await(floors, func(f *cloudv1.Floor) bool { n++; return f.Sites[0].CallsActive == 40 })
	if most := int(time.Since(start)/b.pace.coalesce) + 1; n > most {
		t.Errorf("%d messages, at most %d would do", n, most)
	}
}

func TestSignsOfLife(t *testing.T) {
	b := newBench(t)
	b.pace = pace{coalesce: time.Millisecond, look: 5 * time.Millisecond, beat: 30 * time.Millisecond, names: time.Hour}
	floors := b.watch(b.one)
	last := b.await(floors, func(*cloudv1.Floor) bool { return true })
	for range 3 {
		f := b.await(floors, func(*cloudv1.Floor) bool { return true })
		if !f.Heartbeat || len(f.Sites) != 0 || f.Seq != last.Seq+1 || f.Epoch != last.Epoch || f.ServerTime.AsTime().Sub(last.ServerTime.AsTime()) < b.pace.beat {
			t.Errorf("%v after %v", f, last)
		}
		last = f
	}
}

func TestASiteThatIsAway(t *testing.T) {
	b := newBench(t)
	b.pace.coalesce, b.pace.look = time.Millisecond, 20*time.Millisecond
	b.push(b.hosted, b.one.floor(3))
	floors := b.watch(b.one)
	if f := b.await(floors, only(b.hosted, 3)); !f.Sites[0].Connected {
		t.Fatal("a site that just reported is connected")
	}
	n, err := tenantdb.Exec(t.Context(), b.db, b.one.id, "UPDATE live_floors SET updated_at = now() - interval '7 seconds' WHERE tenant_id = $1", b.one.id)
	if err != nil || n != 1 {
		t.Fatal(n, err)
	}
	f := b.await(floors, func(f *cloudv1.Floor) bool { return len(f.Sites) == 1 && !f.Sites[0].Connected })
	if f.Sites[0].CallsActive != 3 || f.Sites[0].At == nil {
		t.Error("what it said last stays to be seen")
	}
	// One that serves the tenant no more is no part of the floor.
	b.leave(b.one, b.hosted)
	b.await(floors, func(f *cloudv1.Floor) bool { return !f.Heartbeat && len(f.Sites) == 0 })
}

// A stream ends with the token it was opened with, and numbers go on after it.
func TestAStreamEndsWithItsToken(t *testing.T) {
	b := newBench(t)
	life := 300 * time.Millisecond
	_, h := cloudv1connect.NewLiveServiceHandler(b.Service, rpcx.Options(rpcx.Config{
		Authenticate: func(context.Context, http.Header, *tls.ConnectionState) (rpcx.Caller, error) {
			return rpcx.Caller{Claims: grant.Claims{
				Account: "a", Membership: "m", Tenant: b.one.id, Roles: []string{grant.Supervisor}, Expires: time.Now().Add(life),
			}}, nil
		}, Log: slog.New(slog.DiscardHandler),
	})...)
	srv := httptest.NewServer(h)
	defer srv.Close()
	client := cloudv1connect.NewLiveServiceClient(srv.Client(), srv.URL)
	var last *cloudv1.Floor
	for i := range 2 {
		stream, err := client.WatchFloor(t.Context(), &cloudv1.WatchFloorRequest{Epoch: last.GetEpoch(), AfterSeq: last.GetSeq()})
		if err != nil {
			t.Fatal(err)
		}
		if !stream.Receive() || stream.Msg().Seq != uint64(i+1) || len(stream.Msg().Sites) != 1 {
			t.Fatal(stream.Msg(), stream.Err())
		}
		last = stream.Msg()
		if stream.Receive() || stream.Err() != nil {
			t.Error("it did not just end:", stream.Msg(), stream.Err())
		}
		stream.Close()
	}
}

func TestCommandAgent(t *testing.T) {
	b := newBench(t)
	ctx := rpcx.WithCaller(t.Context(), rpcx.Caller{Claims: grant.Claims{Account: "boss", Membership: "m", Tenant: b.one.id, Name: "The Boss"}})
	command := func(agent, word string) ([]item, error) {
		b.inbox.items = nil
		_, err := b.CommandAgent(ctx, &cloudv1.CommandAgentRequest{AgentId: agent, Command: word})
		return b.inbox.items, err
	}
	audited := func() int {
		n, err := tenantdb.One[int](t.Context(), b.db, b.one.id, `SELECT count(*)::int FROM audit WHERE action = 'agent.commanded'
			AND actor = 'boss' AND subject = $1 AND details->>'command' IN ('ready', 'not_ready', 'sign_out')`, b.one.agent)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}

	// No floor shows the agent: every site that serves the tenant is told.
	got, err := command(b.one.agent, "not_ready")
	if err != nil || len(got) != 1 || got[0].site != b.hosted {
		t.Fatalf("%v, %v", got, err)
	}
	b.push(b.hosted, &edgev1.LiveTenant{TenantId: b.one.id})
	b.push(b.own, b.one.floor(0))
	for word, kind := range map[string]string{"ready": "set_agent_state", "not_ready": "set_agent_state", "sign_out": "sign_out_agent"} {
		got, err := command(b.one.agent, word)
		if err != nil || len(got) != 1 {
			t.Fatalf("%v, %v", got, err)
		}
		i := got[0]
		if i.tenant != b.one.id || i.site != b.own || i.kind != kind || i.ttl != commandLife || i.body.AgentId != b.one.agent || i.body.State != word || i.body.By != "The Boss" {
			t.Errorf("%s: %v", word, i)
		}
	}
	if n := audited(); n != 4 {
		t.Errorf("%d lines in the audit", n)
	}

	for _, agent := range []string{b.other.agent, tenants.NewID()} {
		if got, err := command(agent, "sign_out"); fault.KindOf(err) != fault.NotFound || len(got) != 0 {
			t.Errorf("somebody else's agent: %v, %v", got, err)
		}
	}
	b.inbox.err = fault.New(fault.Exhausted, "fault.fleet.inbox_full")
	if _, err := command(b.one.agent, "ready"); fault.KindOf(err) != fault.Exhausted || audited() != 4 {
		t.Errorf("a full inbox: %v, %d lines", err, audited())
	}
	b.inbox.err = nil
	b.leave(b.one, b.hosted)
	b.leave(b.one, b.own)
	if got, err := command(b.one.agent, "ready"); fault.KindOf(err) != fault.Unavailable || len(got) != 0 {
		t.Errorf("without a site: %v, %v", got, err)
	}
}
