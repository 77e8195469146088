package fleet

import (
	"context"
	"crypto/ed25519"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"connectrpc.com/connect"
	"github.com/jackc/pgx/v5"

	"trunkline/internal/fault"
	"trunkline/internal/life"
	"trunkline/internal/pg"
	"trunkline/internal/seal"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
	"trunkline/proto/gen/trunkline/edge/v1/edgev1connect"
	"trunkline/tenants/tenantdb"
)

// Registry is the register of places, as far as nodes reach it.
type Registry interface {
	// Join spends a token; issue is called inside its transaction.
	Join(ctx context.Context, tokenHash, keyHash []byte, req *edgev1.JoinRequest,
		issue func(site string) (serial string, expires time.Time, err error)) (*edgev1.JoinResponse, error)
	LogJoin(ctx context.Context, tokenHash []byte, req *edgev1.ReportJoinRequest) error
	Renewed(ctx context.Context, site, node, serial string, expires time.Time) error
	CheckCertificate(ctx context.Context, site, node, serial string) error
	ReportNode(ctx context.Context, site, node string, req *edgev1.ReportNodeRequest) error
	// SiteConfig leaves the manifests to this package; tx is a Platform one.
	SiteConfig(ctx context.Context, tx pgx.Tx, site string) (*edgev1.SiteConfig, error)
	// Assigned says whether the site serves the tenant, and when it last ceased to.
	Assigned(ctx context.Context, tx pgx.Tx, tenant int64, site string) (now bool, ended *time.Time, err error)
}

// Source adds its part to a tenant's snapshot for a site, in a fixed order: equal
// state must give equal bytes. The transaction is the tenant's.
type Source interface {
	Contribute(ctx context.Context, tx pgx.Tx, tenant int64, site string, c *edgev1.TenantConfig) error
}

// Blobs holds what snapshots name by hash.
type Blobs interface {
	// Blob gives bytes whose SHA-256 is hash (hex), or a NotFound fault.
	Blob(ctx context.Context, tenant int64, hash string) ([]byte, error)
}

// LiveSink takes the floors a site reports, each whole; tenants the site does not
// serve are left out before.
type LiveSink interface {
	PushLive(ctx context.Context, site string, floors []*edgev1.LiveTenant) error
}

// RecordingSink takes recordings in pieces. The node's right to report for the
// tenant and the hash of the piece have been checked.
type RecordingSink interface {
	RecordingOffset(ctx context.Context, site string, req *edgev1.RecordingOffsetRequest) (*edgev1.RecordingOffsetResponse, error)
	UploadRecording(ctx context.Context, site string, req *edgev1.UploadRecordingRequest) (*edgev1.RecordingOffsetResponse, error)
}

// Relay gives credentials for the media relay.
type Relay interface {
	TurnCredentials(user string) *edgev1.TurnCredentialsResponse
}

// Applier makes of a fact what its feature needs, in the transaction that stores
// the fact. What it returns puts the fact into quarantine and undoes what this
// fact did, no more; it must not keep anything outside the transaction.
type Applier interface {
	Apply(ctx context.Context, tx pgx.Tx, site string, f *edgev1.Fact) error
}

// Notices brings what NOTIFY sends; *pg.Listener is one.
type Notices interface {
	Subscribe(channel string) (<-chan pg.Notification, func())
}

// The NOTIFY channels of this package.
const (
	ConfigChannel = "trunkline_config" // "tenant:<id>" or "site:<id>"
	InboxChannel  = "trunkline_inbox"  // site id
	FactsChannel  = "trunkline_facts"  // tenant id, after facts were stored
)

// Channels lists what the listener must listen to.
var Channels = []string{ConfigChannel, InboxChannel, FactsChannel}

// MaxBytes are the procedures that take more than the usual megabyte.
var MaxBytes = map[string]int{
	edgev1connect.FleetServicePushFactsProcedure:       8 << 20,
	edgev1connect.FleetServicePushLiveProcedure:        8 << 20,
	edgev1connect.FleetServiceUploadRecordingProcedure: 1<<20 + 64<<10,
}

// Config is what the service is made of. Live, Recordings and Relay may be nil:
// what needs them answers "unavailable".
type Config struct {
	DB         *tenantdb.DB
	Notices    Notices
	Registry   Registry
	Authority  *Authority
	Box        *seal.Box
	Sources    []Source
	Blobs      Blobs
	Live       LiveSink
	Recordings RecordingSink
	Relay      Relay
	Appliers   []Applier
	// TokenKeys are the public keys of access tokens, by key id.
	TokenKeys func() map[string]ed25519.PublicKey
	// Origins are the web origins that may call nodes.
	Origins func() []string
	// NodeAddr is the node port's public host:port, told to joining nodes.
	NodeAddr func() string
	Version  string
	Log      *slog.Logger
}

// Service is JoinService and FleetService. It is a life.Service.
type Service struct {
	cfg   Config
	db    *tenantdb.DB
	log   *slog.Logger
	now   func() time.Time
	parts life.Group

	inbox    *Inbox
	watchers *watchers
	good     good
	stopping chan struct{} // closed by Stop: streams end
	stopOnce sync.Once
}

// New makes the service; Start begins to watch for changes.
func New(cfg Config) *Service {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	s := &Service{cfg: cfg, db: cfg.DB, log: cfg.Log, now: time.Now, stopping: make(chan struct{})}
	s.inbox = NewInbox(cfg.DB, cfg.Registry)
	s.watchers = newWatchers(s)
	s.parts.Add("config watchers", s.watchers)
	return s
}

// Start begins to listen for changes.
func (s *Service) Start(ctx context.Context) error { return s.parts.Start(ctx) }

// Stop ends every Watch stream and waits for the background work.
func (s *Service) Stop(ctx context.Context) error {
	s.stopOnce.Do(func() { close(s.stopping) })
	return s.parts.Stop(ctx)
}

// Inbox is where other features hand work down.
func (s *Service) Inbox() *Inbox { return s.inbox }

var (
	errNotAssigned = fault.New(fault.Forbidden, "fault.fleet.not_assigned")
	errNoSnapshot  = fault.New(fault.NotFound, "fault.fleet.snapshot_unknown")
)

// serves gives the caller's site when it serves the tenant now.
func (s *Service) serves(ctx context.Context, tenant int64) (site string, err error) {
	return s.assigned(ctx, tenant, false)
}

// served is serves for tenants that may have left meanwhile: recordings of calls
// from before still come.
func (s *Service) served(ctx context.Context, tenant int64) (site string, err error) {
	return s.assigned(ctx, tenant, true)
}

func (s *Service) assigned(ctx context.Context, tenant int64, once bool) (site string, err error) {
	id, err := s.node(ctx)
	if err != nil {
		return "", err
	}
	if tenant <= 0 {
		return "", errNotAssigned
	}
	err = s.db.InTenant(ctx, tenant, func(ctx context.Context, tx pgx.Tx) error {
		now, ended, err := s.cfg.Registry.Assigned(ctx, tx, tenant, id.Site)
		if err == nil && !now && (ended == nil || !once) {
			return errNotAssigned
		}
		return err
	})
	return id.Site, err
}

// Mount gives the handlers of both services.
func (s *Service) Mount(handle func(path string, h http.Handler), opts ...connect.HandlerOption) {
	handle(edgev1connect.NewJoinServiceHandler(s, opts...))
	handle(edgev1connect.NewFleetServiceHandler(s, opts...))
}
