package sites

import (
	"context"
	"crypto/rand"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"trunkline/cloud/schema"
	"trunkline/internal/fault"
	"trunkline/internal/grant"
	"trunkline/internal/join"
	"trunkline/internal/pg"
	"trunkline/internal/pg/pgtest"
	"trunkline/internal/rpcx"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
	"trunkline/tenants"
	"trunkline/tenants/tenantdb"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// place is a database with this package's services over it.
type place struct {
	t        *testing.T
	db       *tenantdb.DB
	service  *Service
	registry *Registry
	admin    *Admin
}

var ca = []byte("the internal CA's certificate")

func newPlace(t *testing.T) *place {
	t.Helper()
	urls := pgtest.New(t, schema.Migrate)
	db, err := tenantdb.Open(t.Context(), urls.App)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	listener := pg.NewListener(urls.App, Channel)
	if err := listener.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Stop(context.Background()) })
	flows := oneFlow{}
	return &place{
		t: t, db: db, registry: NewRegistry(db), admin: NewAdmin(db, flows),
		service: NewService(db, flows, listener, Config{PublicURL: "https://cloud.example", CA: ca}),
	}
}

// oneFlow knows the flow "main" of every tenant.
type oneFlow struct{}

func (oneFlow) FlowExists(_ context.Context, _ pgx.Tx, _ int64, id string) (bool, error) {
	return id == "main", nil
}

func (oneFlow) DefaultFlow(context.Context, pgx.Tx, int64) (string, error) { return "main", nil }

// tenant makes a tenant and gives a context of one of its owners.
func (p *place) tenant(name string) (int64, context.Context) {
	p.t.Helper()
	var t tenants.Tenant
	err := p.db.Platform(p.t.Context(), "test", func(ctx context.Context, tx pgx.Tx) (err error) {
		t, err = tenants.Create(ctx, tx, name, "en", "UTC", nil)
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
	claims := grant.Claims{Account: "account-of-" + name, Tenant: t.ID, Slug: t.Slug, Name: name, Roles: []string{grant.Owner}}
	return t.ID, rpcx.WithCaller(p.t.Context(), rpcx.Caller{Claims: claims})
}

func (p *place) site(ctx context.Context, name string) *cloudv1.Site {
	p.t.Helper()
	s, err := p.service.CreateSite(ctx, &cloudv1.CreateSiteRequest{Name: name})
	if err != nil {
		p.t.Fatal(err)
	}
	return s
}

func (p *place) token(ctx context.Context, site string) join.Token {
	p.t.Helper()
	res, err := p.service.CreateJoinToken(ctx, &cloudv1.CreateJoinTokenRequest{SiteId: site})
	if err != nil {
		p.t.Fatal(err)
	}
	t, err := join.Parse(res.Token)
	if err != nil {
		p.t.Fatal(err)
	}
	return t
}

// join joins a node by a token; its key is its name.
func (p *place) join(t join.Token, name string) (*edgev1.JoinResponse, error) {
	return p.registry.Join(p.t.Context(), t.Hash(), []byte("key of "+name), &edgev1.JoinRequest{
		NodeName: name, NodeAddr: name + ":9400", WebUrl: "http://" + name + ".example", Version: "1",
	}, func(string) (string, time.Time, error) { return "serial of " + name, time.Now().Add(time.Hour), nil })
}

func (p *place) joined(ctx context.Context, site, name string) *edgev1.JoinResponse {
	p.t.Helper()
	out, err := p.join(p.token(ctx, site), name)
	if err != nil {
		p.t.Fatal(err)
	}
	return out
}

func (p *place) report(site, name string, r *edgev1.ReportNodeRequest) {
	p.t.Helper()
	p.registry.pulse = pulse{} // let every report of a test through
	if err := p.registry.ReportNode(p.t.Context(), site, name, r); err != nil {
		p.t.Fatal(err)
	}
}

func wantFault(t *testing.T, err error, kind fault.Kind, key string) {
	t.Helper()
	if f := fault.Of(err); err == nil || f.Kind != kind || f.Key != key {
		t.Errorf("got %v, want %s %s", err, kind, key)
	}
}

func TestSiteFromTokenToHealthy(t *testing.T) {
	p := newPlace(t)
	_, ctx := p.tenant("one")
	s := p.site(ctx, "Berlin")
	if s.Status != "waiting_for_nodes" || s.Hosted {
		t.Errorf("new site: %v", s)
	}
	first := p.joined(ctx, s.Id, "n1")
	second := p.joined(ctx, s.Id, "n2")
	if !first.Bootstrap || first.Epoch != 1 || second.Bootstrap || second.Epoch != 1 || first.SiteName != "Berlin" {
		t.Errorf("bootstrap: %v then %v", first, second)
	}
	p.report(s.Id, "n1", &edgev1.ReportNodeRequest{
		Version: "1.2", Leader: true, RaftState: "leader", Calls: 7, DiskFreeBytes: 5, StartedAt: 1_700_000_000_000_000,
		Peers: []*edgev1.PeerStatus{{Name: "n2", Up: true, Voter: true}},
	})
	got, err := p.service.GetSite(ctx, &cloudv1.GetSiteRequest{Id: s.Id})
	if err != nil {
		t.Fatal(err)
	}
	n1, n2 := got.Nodes[0], got.Nodes[1]
	if got.Status != "healthy" || !n1.Leader || n1.Calls != 7 || n1.Status != "up" || n2.Status != "joining" || !n2.Voter {
		t.Errorf("after the first report: %v", got)
	}
	if len(got.AgentUrls) != 2 {
		t.Errorf("agent addresses: %v", got.AgentUrls)
	}
	p.service.now = func() time.Time { return time.Now().Add(11 * time.Second) }
	if got, _ = p.service.GetSite(ctx, &cloudv1.GetSiteRequest{Id: s.Id}); got.Status != "down" || got.Nodes[0].Leader {
		t.Errorf("after eleven silent seconds: %v", got)
	}
}

func TestTokenIsSpentOnce(t *testing.T) {
	p := newPlace(t)
	_, ctx := p.tenant("one")
	s := p.site(ctx, "Berlin")
	tok := p.token(ctx, s.Id)
	if _, err := p.join(tok, "n1"); err != nil {
		t.Fatal(err)
	}
	_, err := p.join(tok, "n2")
	wantFault(t, err, fault.Conflict, "fault.join.token_spent")
	if again, err := p.join(tok, "n1"); err != nil || !again.Bootstrap {
		t.Errorf("the same node whose answer was lost: %v, %v", again, err)
	}
	_, err = p.join(join.NewToken(ca), "n1")
	wantFault(t, err, fault.NotFound, "fault.join.token_unknown")
	late := p.token(ctx, s.Id)
	p.age(late, "20 minutes")
	_, err = p.join(late, "n3")
	wantFault(t, err, fault.Conflict, "fault.join.token_expired")
}

// age makes a token older.
func (p *place) age(t join.Token, by string) {
	p.t.Helper()
	err := p.db.Platform(p.t.Context(), "test", func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "UPDATE join_tokens SET expires_at = expires_at - $2::interval WHERE hash = $1", t.Hash(), by)
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
}

func TestOnlyOneNodeEverBootstraps(t *testing.T) {
	p := newPlace(t)
	_, ctx := p.tenant("one")
	s := p.site(ctx, "Berlin")
	const nodes = 8
	tokens := make([]join.Token, nodes)
	for i := range tokens {
		tokens[i] = p.token(ctx, s.Id)
	}
	answers := make(chan bool, nodes)
	for i, tok := range tokens {
		go func() {
			out, err := p.join(tok, "n"+string(rune('a'+i)))
			if err != nil {
				t.Error(err)
			}
			answers <- out != nil && out.Bootstrap
		}()
	}
	n := 0
	for range nodes {
		if <-answers {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d nodes were told to begin", n)
	}
}

func TestSecondBeginningHasItsOwnEpoch(t *testing.T) {
	p := newPlace(t)
	_, ctx := p.tenant("one")
	s := p.site(ctx, "Berlin")
	p.joined(ctx, s.Id, "n1")
	p.report(s.Id, "n1", &edgev1.ReportNodeRequest{Leader: true})
	if alone := p.joined(ctx, s.Id, "n1"); !alone.Bootstrap || alone.Epoch != 2 {
		t.Errorf("the only node, back with nothing: %v", alone)
	}
	p.report(s.Id, "n1", &edgev1.ReportNodeRequest{Leader: true})
	p.joined(ctx, s.Id, "n2")
	if back := p.joined(ctx, s.Id, "n1"); back.Bootstrap {
		t.Errorf("a node of a living group was told to begin another: %v", back)
	}
}

func TestRejoinReplacesTheCertificate(t *testing.T) {
	p := newPlace(t)
	_, ctx := p.tenant("one")
	s := p.site(ctx, "Berlin")
	p.joined(ctx, s.Id, "n1")
	check := func(serial string) error { return p.registry.CheckCertificate(t.Context(), s.Id, "n1", serial) }
	if err := check("serial of n1"); err != nil {
		t.Fatal(err)
	}
	if err := p.registry.Renewed(t.Context(), s.Id, "n1", "second", time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if check("serial of n1") != nil || check("second") != nil {
		t.Error("after a renewal both work for a while")
	}
	p.joined(ctx, s.Id, "n1") // gets "serial of n1" again
	wantFault(t, check("second"), fault.Unauthenticated, "fault.node.certificate_replaced")
	wantFault(t, p.registry.CheckCertificate(t.Context(), s.Id, "n9", "x"), fault.Unauthenticated, "fault.node.certificate_replaced")
}

func TestNodeSaysThatItDoesNotRecord(t *testing.T) {
	p := newPlace(t)
	_, ctx := p.tenant("one")
	since := time.Now().Add(-time.Hour).Truncate(time.Microsecond)
	at := since.UnixMicro()
	for _, c := range []struct {
		says          *edgev1.RecordingStatus
		stopped, site string
		since         time.Time
		free, needed  float64
	}{
		{nil, "", "healthy", time.Time{}, 0, 0}, // of a release that does not tell
		{&edgev1.RecordingStatus{FreePercent: 42.5, NeededPercent: 20}, "", "healthy", time.Time{}, 42.5, 20},
		{&edgev1.RecordingStatus{Stopped: "disk_full", StoppedAt: at, FreePercent: 6.25, NeededPercent: 20}, "disk_full", "degraded", since, 6.25, 20},
		{&edgev1.RecordingStatus{Stopped: "disk_error", StoppedAt: at, FreePercent: -1}, "disk_error", "degraded", since, 0, 0},
		{&edgev1.RecordingStatus{Stopped: strings.Repeat("x", 9000), StoppedAt: at, FreePercent: math.NaN(), NeededPercent: math.Inf(1)}, "other", "degraded", since, 0, 100},
	} {
		s := p.site(ctx, "Berlin "+rand.Text())
		p.joined(ctx, s.Id, "n1")
		p.report(s.Id, "n1", &edgev1.ReportNodeRequest{Leader: true, Recording: c.says})
		site, err := p.service.GetSite(ctx, &cloudv1.GetSiteRequest{Id: s.Id})
		if err != nil {
			t.Fatal(err)
		}
		n := site.Nodes[0]
		var stoppedAt time.Time
		if n.RecordingStoppedAt != nil {
			stoppedAt = n.RecordingStoppedAt.AsTime()
		}
		if site.Status != c.site || n.Status != "up" || n.RecordingStopped != c.stopped || !stoppedAt.Equal(c.since) ||
			n.RecordingFreePercent != c.free || n.RecordingNeededPercent != c.needed {
			t.Errorf("%v: site %s, node %v", c.says, site.Status, n)
		}
	}

	s := p.site(ctx, "Bremen")
	p.joined(ctx, s.Id, "n1")
	told := func(r *edgev1.RecordingStatus) *cloudv1.SiteNode {
		p.report(s.Id, "n1", &edgev1.ReportNodeRequest{Leader: true, Recording: r})
		site, err := p.service.GetSite(ctx, &cloudv1.GetSiteRequest{Id: s.Id})
		if err != nil {
			t.Fatal(err)
		}
		return site.Nodes[0]
	}
	told(&edgev1.RecordingStatus{Stopped: "disk_full", StoppedAt: at})
	if n := told(&edgev1.RecordingStatus{FreePercent: 30, NeededPercent: 20}); n.RecordingStopped != "" || n.RecordingStoppedAt != nil {
		t.Errorf("it records again: %v", n)
	}
}

func TestHostedSiteHidesOthers(t *testing.T) {
	p := newPlace(t)
	one, ctx1 := p.tenant("one")
	two, ctx2 := p.tenant("two")
	_, err := p.service.UseHostedSite(ctx1, &cloudv1.UseHostedSiteRequest{})
	wantFault(t, err, fault.Unavailable, "fault.site.no_hosted_site")
	id, err := p.admin.CreateHosted(t.Context(), "demo")
	if err != nil {
		t.Fatal(err)
	}
	text, _, err := p.admin.Token(t.Context(), "demo", ca)
	if err != nil {
		t.Fatal(err)
	}
	tok, err := join.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.join(tok, "n1"); err != nil {
		t.Fatal(err)
	}
	if _, err := p.service.GetSite(ctx1, &cloudv1.GetSiteRequest{Id: id}); fault.KindOf(err) != fault.NotFound {
		t.Errorf("a hosted site before it is used: %v", err)
	}
	for _, ctx := range []context.Context{ctx1, ctx1, ctx2} { // twice is once
		if s, err := p.service.UseHostedSite(ctx, &cloudv1.UseHostedSiteRequest{}); err != nil || s.Id != id || !s.Hosted {
			t.Fatalf("%v, %v", s, err)
		}
	}
	p.report(id, "n1", &edgev1.ReportNodeRequest{Leader: true, Calls: 12, DiskFreeBytes: 9, FactsWaiting: 3, ClockOffUs: 5, Recording: &edgev1.RecordingStatus{Stopped: "disk_full", FreePercent: 6}, Refused: []*edgev1.RefusedInvite{
		{Source: "192.0.2.1", Called: "+100", Caller: "+1", Reason: "limit", Status: 486, TenantId: one},
		{Source: "192.0.2.2", Called: "+200", Caller: "+2", Reason: "limit", Status: 486, TenantId: two},
		{Source: "192.0.2.3", Called: "+300", Caller: "+3", Reason: "unknown_number", Status: 404},
	}})
	seen, err := p.service.look(t.Context(), one, id)
	if err != nil {
		t.Fatal(err)
	}
	n := seen.Site.Nodes[0]
	if n.RecordingStopped != "disk_full" || n.RecordingFreePercent != 0 {
		t.Errorf("a tenant does not see that its calls are not recorded: %v", n)
	}
	if n.Status != "up" || n.WebUrl == "" || n.Calls != 0 || n.NodeAddr != "" || n.DiskFreeBytes != 0 || n.FactsWaiting != 0 || n.ClockOffUs != 0 {
		t.Errorf("a tenant's view of a hosted node: %v", n)
	}
	if len(seen.Refused) != 1 || seen.Refused[0].Called != "+100" || len(seen.JoinLog) != 0 {
		t.Errorf("a tenant sees of others: %v, %v", seen.Refused, seen.JoinLog)
	}
	if _, err := p.service.CreateJoinToken(ctx1, &cloudv1.CreateJoinTokenRequest{SiteId: id}); fault.KindOf(err) != fault.Forbidden {
		t.Errorf("a tenant made a token for the platform's site: %v", err)
	}
	_, err = p.service.SaveTrunk(ctx1, &cloudv1.SaveTrunkRequest{Trunk: &cloudv1.Trunk{SiteId: id, Name: "x", Allowed: []string{"192.0.2.1"}}})
	wantFault(t, err, fault.Forbidden, "fault.site.belongs_to_platform")
}

func TestAssignmentHasHistory(t *testing.T) {
	p := newPlace(t)
	one, ctx := p.tenant("one")
	s := p.site(ctx, "Berlin")
	ask := func(tenant int64) (now bool, ended *time.Time) {
		err := p.db.InTenant(t.Context(), tenant, func(ctx context.Context, tx pgx.Tx) (err error) {
			now, ended, err = p.registry.Assigned(ctx, tx, tenant, s.Id)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return now, ended
	}
	if now, ended := ask(one); !now || ended != nil {
		t.Errorf("the owner: %v, %v", now, ended)
	}
	two, _ := p.tenant("two")
	if now, ended := ask(two); now || ended != nil {
		t.Errorf("a stranger: %v, %v", now, ended)
	}
	if _, err := tenantdb.Exec(t.Context(), p.db, two, "INSERT INTO site_tenants (tenant_id, site_id) VALUES ($1, $2)", two, s.Id); err == nil {
		t.Error("a tenant assigned itself to another's site")
	}
	err := p.db.Platform(t.Context(), "test", func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "UPDATE site_tenants SET ended_at = now() WHERE site_id = $1", s.Id)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if now, ended := ask(one); now || ended == nil {
		t.Errorf("who left: %v, %v", now, ended)
	}
}

func TestJoinLogAndRefusedAreBounded(t *testing.T) {
	p := newPlace(t)
	one, ctx := p.tenant("one")
	s := p.site(ctx, "Berlin")
	tok := p.token(ctx, s.Id)
	for range 310 {
		if err := p.registry.LogJoin(t.Context(), tok.Hash(), &edgev1.ReportJoinRequest{NodeName: "n1", Step: "dns", Message: "m"}); err != nil {
			t.Fatal(err)
		}
	}
	list := make([]*edgev1.RefusedInvite, 200)
	for i := range list {
		list[i] = &edgev1.RefusedInvite{Source: "192.0.2.1", Reason: "overload", Status: 503}
	}
	p.joined(ctx, s.Id, "n1")
	p.report(s.Id, "n1", &edgev1.ReportNodeRequest{Refused: list})
	p.report(s.Id, "n1", &edgev1.ReportNodeRequest{Refused: list})
	for _, table := range []string{"join_log", "refused_invites"} {
		n, err := tenantdb.One[int](t.Context(), p.db, one, "SELECT count(*) FROM "+table)
		if err != nil || n != 300 {
			t.Errorf("%s has %d rows, %v", table, n, err)
		}
	}
}

func TestSiteConfig(t *testing.T) {
	p := newPlace(t)
	one, ctx := p.tenant("one")
	s := p.site(ctx, "Berlin")
	p.joined(ctx, s.Id, "n1")
	if _, err := p.service.SaveTrunk(ctx, &cloudv1.SaveTrunkRequest{Trunk: &cloudv1.Trunk{SiteId: s.Id, Name: "carrier", Allowed: []string{"192.0.2.1"}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.service.SaveNumber(ctx, &cloudv1.SaveNumberRequest{Number: &cloudv1.PhoneNumber{E164: "+4930123"}}); err != nil {
		t.Fatal(err)
	}
	set := func(sql string) {
		if _, err := tenantdb.Exec(t.Context(), p.db, one, sql); err != nil {
			t.Fatal(err)
		}
	}
	read := func() (out *edgev1.SiteConfig) {
		err := p.db.Platform(t.Context(), "test", func(ctx context.Context, tx pgx.Tx) (err error) {
			out, err = p.registry.SiteConfig(ctx, tx, s.Id)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	c := read()
	if len(c.Nodes) != 1 || len(c.Trunks) != 1 || c.Trunks[0].TenantId != one || len(c.Tenants) != 1 || c.Tenants[0].Suspended {
		t.Errorf("%v", c)
	}
	set("UPDATE tenants SET suspend_at = now() + interval '1 hour'")
	if c = read(); c.Tenants[0].Suspended || c.Tenants[0].SuspendedAt == 0 {
		t.Errorf("before the grace period is over: %v", c.Tenants)
	}
	set("UPDATE tenants SET suspend_at = now() - interval '1 second'")
	if c = read(); !c.Tenants[0].Suspended {
		t.Errorf("after it: %v", c.Tenants)
	}
	var part edgev1.TenantConfig
	err := p.db.InTenant(t.Context(), one, func(ctx context.Context, tx pgx.Tx) error {
		return p.registry.Contribute(ctx, tx, one, s.Id, &part)
	})
	if err != nil || len(part.Numbers) != 1 || part.Numbers[0].FlowId != "main" {
		t.Errorf("%v, %v", part.Numbers, err)
	}
}

func TestPrefix(t *testing.T) {
	for in, want := range map[string]string{"192.0.2.7": "192.0.2.7/32", " 192.0.2.7/24": "192.0.2.0/24", "::ffff:192.0.2.7": "192.0.2.7/32", "2001:db8::1": "2001:db8::1/128"} {
		if got, err := prefix(in); err != nil || got != netip.MustParsePrefix(want) {
			t.Errorf("prefix(%q) = %v, %v", in, got, err)
		}
	}
}
