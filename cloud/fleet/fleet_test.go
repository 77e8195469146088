package fleet

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"trunkline/cloud/schema"
	"trunkline/internal/fault"
	"trunkline/internal/join"
	"trunkline/internal/pg"
	"trunkline/internal/pg/pgtest"
	"trunkline/internal/rpcx"
	"trunkline/internal/seal"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
	"trunkline/proto/gen/trunkline/edge/v1/edgev1connect"
	"trunkline/tenants"
	"trunkline/tenants/tenantdb"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// register is a Registry in memory: what sites there are and whom they serve.
type register struct {
	mu     sync.Mutex
	serves map[string][]int64   // site -> tenants
	left   map[string]time.Time // site -> when every other tenant left it
	names  map[string]string    // site -> name
	valid  map[string]bool      // serials
}

func (r *register) Join(_ context.Context, _, _ []byte, _ *edgev1.JoinRequest, issue func(string) (string, time.Time, error)) (*edgev1.JoinResponse, error) {
	serial, _, err := issue("site-1")
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.valid = map[string]bool{serial: true}
	return &edgev1.JoinResponse{SiteId: "site-1", SiteName: "One", Bootstrap: true, Epoch: 1}, nil
}

func (r *register) LogJoin(context.Context, []byte, *edgev1.ReportJoinRequest) error { return nil }

func (r *register) Renewed(_ context.Context, _, _, serial string, _ time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.valid = map[string]bool{serial: true}
	return nil
}

func (r *register) CheckCertificate(_ context.Context, _, _, serial string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case serial == "no database":
		return errors.New("connection refused")
	case !r.valid[serial]:
		return fault.New(fault.Unauthenticated, "fault.node.certificate_replaced")
	}
	return nil
}

func (r *register) ReportNode(context.Context, string, string, *edgev1.ReportNodeRequest) error {
	return nil
}

func (r *register) SiteConfig(_ context.Context, _ pgx.Tx, site string) (*edgev1.SiteConfig, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := &edgev1.SiteConfig{SiteId: site, SiteName: r.names[site]}
	for _, t := range r.serves[site] {
		out.Tenants = append(out.Tenants, &edgev1.TenantAssignment{TenantId: t})
	}
	return out, nil
}

func (r *register) Assigned(_ context.Context, _ pgx.Tx, tenant int64, site string) (bool, *time.Time, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range r.serves[site] {
		if t == tenant {
			return true, nil, nil
		}
	}
	if at, ok := r.left[site]; ok {
		return false, &at, nil
	}
	return false, nil, nil
}

func (r *register) set(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

// names is a Source: the tenant's name, or a failure.
type names struct{ db *tenantdb.DB }

func (names) Contribute(ctx context.Context, tx pgx.Tx, tenant int64, _ string, c *edgev1.TenantConfig) (err error) {
	c.TenantName, err = tenantdb.TxOne[string](ctx, tx, "SELECT name FROM tenants WHERE tenant_id = $1", tenant)
	if c.TenantName == "broken" {
		return errors.New("this tenant's part can not be made")
	}
	return err
}

func (names) Blob(context.Context, int64, string) ([]byte, error) { return []byte("audio"), nil }

// applied is an Applier that notes facts in the audit table, so that what it does
// is undone with its transaction, and fails on demand.
type applied struct {
	mu   sync.Mutex
	fail map[string]error // kind -> what to fail with
}

func (a *applied) Apply(ctx context.Context, tx pgx.Tx, site string, f *edgev1.Fact) error {
	err := tenants.Audit(ctx, tx, tenants.Entry{Tenant: f.TenantId, Actor: site, Action: f.Kind, Subject: string(f.Body)})
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if f.Kind == "panic" {
		panic("this fact")
	}
	return a.fail[f.Kind]
}

func (a *applied) failOn(kind string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fail = map[string]error{kind: err}
}

// cloud is the service over a database, reached as a node reaches it.
type cloud struct {
	*Service
	t        *testing.T
	pg       pgtest.Database
	registry *register
	applied  *applied
	url      string
	http     *http.Client
}

func newCloud(t *testing.T) *cloud {
	t.Helper()
	urls := pgtest.New(t, schema.Migrate)
	db, err := tenantdb.Open(t.Context(), urls.App)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	listener := pg.NewListener(urls.App, Channels...)
	if err := listener.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Stop(context.Background()) })
	box, err := seal.New(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	c := &cloud{
		t: t, pg: urls, applied: &applied{},
		registry: &register{serves: map[string][]int64{}, left: map[string]time.Time{}, names: map[string]string{"site-1": "One"}},
	}
	c.Service = New(Config{
		DB: db, Notices: listener, Registry: c.registry, Authority: authority(t), Box: box,
		Sources: []Source{names{db}}, Blobs: names{db}, Appliers: []Applier{c.applied},
		TokenKeys: func() map[string]ed25519.PublicKey { return map[string]ed25519.PublicKey{"k": make([]byte, 32)} },
		Origins:   func() []string { return []string{"https://cloud.example"} },
		NodeAddr:  func() string { return "127.0.0.1:9400" }, Version: "test",
		Log: slog.New(slog.DiscardHandler),
	})
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.serve()
	return c
}

// serve puts the services on a port where everybody is node n1 of the site the
// header Site names, site-1 without one.
func (c *cloud) serve() {
	mux := http.NewServeMux()
	authenticate := func(_ context.Context, h http.Header, _ *tls.ConnectionState) (rpcx.Caller, error) {
		id := rpcx.NodeIdentity{Site: h.Get("Site"), Node: "n1"}
		if id.Site == "" {
			id.Site = "site-1"
		}
		return rpcx.Caller{Node: &id}, nil
	}
	c.Mount(mux.Handle, rpcx.Options(rpcx.Config{Authenticate: authenticate, Log: slog.New(slog.DiscardHandler), MaxBytes: MaxBytes})...)
	mux.Handle(join.WellKnown, c.Discovery())
	srv := httptest.NewUnstartedServer(mux)
	srv.EnableHTTP2 = true
	srv.StartTLS()
	c.url, c.http = srv.URL, srv.Client()
	c.t.Cleanup(func() {
		if err := c.Stop(context.Background()); err != nil {
			c.t.Error(err)
		}
		srv.CloseClientConnections()
		srv.Close()
	})
}

func (c *cloud) fleet() edgev1connect.FleetServiceClient {
	return edgev1connect.NewFleetServiceClient(c.http, c.url)
}

// tenant makes a tenant served by site-1, with a recording key.
func (c *cloud) tenant(name string) int64 {
	c.t.Helper()
	var t tenants.Tenant
	err := c.db.Platform(c.t.Context(), "test", func(ctx context.Context, tx pgx.Tx) (err error) {
		t, err = tenants.Create(ctx, tx, name, "en", "UTC", []tenants.Provisioner{NewKeys(c.db, c.cfg.Box)})
		return err
	})
	if err != nil {
		c.t.Fatal(err)
	}
	c.registry.set(func() { c.registry.serves["site-1"] = append(c.registry.serves["site-1"], t.ID) })
	return t.ID
}

func (c *cloud) rename(tenant int64, name string) {
	c.t.Helper()
	if _, err := tenantdb.Exec(c.t.Context(), c.db, tenant, "UPDATE tenants SET name = $1", name); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cloud) count(tenant int64, sql string) int {
	c.t.Helper()
	n, err := tenantdb.One[int](c.t.Context(), c.db, tenant, "SELECT count(*)::int FROM "+sql)
	if err != nil {
		c.t.Fatal(err)
	}
	return n
}

func wantFault(t *testing.T, err error, kind fault.Kind, key string) *fault.Error {
	t.Helper()
	f := fault.Of(err)
	if err == nil || f.Kind != kind || f.Key != key {
		t.Fatalf("got %v, want %s %s", err, kind, key)
	}
	return f
}
