// Package server puts the cloud together: it is the only importer of all
// features and adapts one to the small interface another declares. Each feature
// has one file here with its mount function; features.go lists them in order.
//
// A server starts in this order and stops in the reverse: database, schema, keys,
// features, background work, listeners. It says it is ready when both listeners
// serve.
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"

	"connectrpc.com/connect"

	"trunkline/cloud/schema"
	"trunkline/internal/life"
	"trunkline/internal/pg"
	"trunkline/internal/rpcx"
	"trunkline/internal/seal"
	"trunkline/tenants"
	"trunkline/tenants/tenantdb"
)

// Config is what the flags say. All addresses may end in ":0".
type Config struct {
	WebAddr     string // host:port of the web app, the RPCs and downloads
	NodeAddr    string // host:port nodes dial, mutual TLS
	MetricsAddr string // host:port of /metrics and /healthz; "" = none
	// PublicURL is the address people open, e.g. "https://cloud.example.com"; ""
	// = http on the web listener's own address.
	PublicURL      string
	NodePublicAddr string // host:port nodes reach NodeAddr by; "" = its own
	TLSCert        string // PEM files for the web listener; "" = plain HTTP
	TLSKey         string
	TrustForwarded bool // take people's addresses from X-Forwarded-For

	Data         string // directory for what is not in the database
	DatabaseURL  string // "" = a private PostgreSQL under Data
	MigrationURL string // role that may change the schema; "" = DatabaseURL
	// FastDatabase gives up durability of the private PostgreSQL: tests only.
	FastDatabase bool

	SMTPAddr string // host:port; "" = mail is only logged, without its links
	SMTPUser string // "" = no authentication
	SMTPPass string
	MailFrom string

	Turn TurnConfig // the media relay, off by default

	Version string
	Log     *slog.Logger
}

// Ready is what the program prints when it serves.
type Ready struct {
	Ready    bool   `json:"ready"`
	Web      string `json:"web"`
	Node     string `json:"node"`
	Metrics  string `json:"metrics,omitempty"`
	Postgres string `json:"postgres"`
}

// Server is the whole cloud program. It is a life.Service.
type Server struct {
	cfg       Config
	log       *slog.Logger
	publicURL *url.URL // known before the features are mounted

	databaseURL string
	db          *tenantdb.DB
	listener    *pg.Listener // channels of notifyChannels
	box         *seal.Box
	keys        *tenants.Keyring

	web  *http.ServeMux // people: web app, RPCs, downloads
	node *http.ServeMux // nodes, by mutual TLS
	// nodeTLS is set by the feature that owns the internal CA.
	nodeTLS *tls.Config
	// nodeAddr is where nodes reach us, for what tells them so.
	nodeAddr  string
	listeners listeners
	// maxBytes is given to every handler's options; mounts add to it.
	maxBytes map[string]int

	// Features declare what they need of each other as small interfaces; what
	// satisfies them is kept here. The order of features decides who sees whom.
	features features

	background life.Group // started after all features are mounted

	failed chan error // something the server cannot do without ended by itself

	mu    sync.Mutex
	group *life.Group
	ready Ready
}

// New prepares a server; Start runs it.
func New(cfg Config) *Server {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	return &Server{
		cfg: cfg, log: cfg.Log, web: http.NewServeMux(), node: http.NewServeMux(),
		maxBytes: map[string]int{}, failed: make(chan error, 1),
	}
}

// Failed tells that the server cannot go on; stop it and start anew.
func (s *Server) Failed() <-chan error { return s.failed }

// notifyChannels are all the NOTIFY channels the cloud's replicas listen to.
var notifyChannels = []string{
	"trunkline_access", // payload: "tenant:<id>" suspended or resumed, "session:<id>" ended
	"trunkline_config", // payload: tenant id whose configuration changed
	"trunkline_facts",  // payload: tenant id that has new facts
	"trunkline_inbox",  // payload: site id with new work
	"trunkline_live",   // payload: tenant id with a new floor summary
	"trunkline_sites",  // payload: site id whose nodes or join log changed
}

// Start starts everything; see the package comment for the order.
func (s *Server) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.group != nil {
		return errors.New("the server runs already")
	}
	if err := os.MkdirAll(s.cfg.Data, 0o700); err != nil {
		return err
	}
	g := &life.Group{}
	g.Add("tracing", s.tracing())
	g.Add("listeners' sockets", life.Funcs{OnStart: s.listen, OnStop: s.closeSockets})
	s.addDatabase(g)
	g.Add("keys", life.Funcs{OnStart: s.openKeys})
	g.Add("features", life.Funcs{OnStart: s.mountAll})
	g.Add("background", &s.background)
	g.Add("web and node ports", life.Funcs{OnStart: s.serve, OnStop: s.stopServing})
	if err := g.Start(ctx); err != nil {
		return err
	}
	s.group = g
	s.ready.Ready = true
	return nil
}

// Stop ends everything: first no new requests, last the database.
func (s *Server) Stop(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.group == nil {
		return nil
	}
	return s.group.Stop(ctx)
}

// Ready says where the server serves. After Start.
func (s *Server) Ready() Ready {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ready
}

func (s *Server) addDatabase(g *life.Group) {
	s.databaseURL = s.cfg.DatabaseURL
	migrate := s.cfg.MigrationURL
	if s.databaseURL == "" {
		private := pg.NewServer(pg.Config{Dir: filepath.Join(s.cfg.Data, "pg"), Fast: s.cfg.FastDatabase, Log: s.log})
		s.databaseURL, migrate = private.URL("trunkline", "trunkline"), private.URL(pg.SuperUser, "trunkline")
		g.Add("private PostgreSQL", private)
		g.Add("watch over it", life.Loop("watch over PostgreSQL", func(ctx context.Context) error {
			select {
			case <-ctx.Done():
			case <-private.Done():
				s.failed <- errors.New("the private PostgreSQL ended by itself; its log is in " + filepath.Join(s.cfg.Data, "pg", "log"))
			}
			return nil
		}))
		g.Add("database", life.Funcs{OnStart: func(ctx context.Context) error { return private.CreateDatabase(ctx, "trunkline") }})
	}
	if migrate == "" {
		migrate = s.databaseURL
	}
	g.Add("schema", life.Funcs{OnStart: func(ctx context.Context) error { return schema.Migrate(ctx, migrate) }})
	g.Add("connections", life.Funcs{
		OnStart: func(ctx context.Context) (err error) {
			s.db, err = tenantdb.Open(ctx, s.databaseURL)
			return err
		},
		OnStop: func(context.Context) error { s.db.Close(); return nil },
	})
	s.ready.Postgres = redact(s.databaseURL)
}

func (s *Server) openKeys(ctx context.Context) (err error) {
	if s.box, err = seal.Load(filepath.Join(s.cfg.Data, "secret.key")); err != nil {
		return err
	}
	if s.keys, err = tenants.OpenKeyring(ctx, s.db, s.box); err != nil {
		return err
	}
	s.listener = pg.NewListener(s.databaseURL, notifyChannels...)
	s.background.Add("token keys", s.keys)
	s.background.Add("notifications", s.listener)
	return nil
}

func (s *Server) mountAll(ctx context.Context) error {
	for _, f := range s.list() {
		if err := f.mount(ctx); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return nil
}

// options gives what a feature's RPC handlers are made with:
//
//	s.web.Handle(cloudv1connect.NewSiteServiceHandler(svc, s.options()...))
func (s *Server) options() []connect.HandlerOption {
	return rpcx.Options(rpcx.Config{
		Authenticate: s.authenticate, Recheck: s.recheck, Log: s.log, MaxBytes: s.maxBytes, Interceptors: s.tracingInterceptors(),
	})
}

// redact takes the password out of a database URL.
func redact(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return u.Redacted()
}
