package uplink

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"trunkline/edge/call"
	"trunkline/internal/life"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

// View is the replicated state as of one moment; replica.View is one.
type View interface {
	// InboxSeq is the last applied piece of work from the cloud.
	InboxSeq() uint64
	// Site is the active configuration, nil before the first. The same pointer
	// comes back until it changes.
	Site() *edgev1.SiteConfig
	OutboxTenants() []int64
	// Outbox gives at most limit facts after (epoch, seq), in order, of one epoch.
	Outbox(tenant int64, epoch, after uint64, limit int) []*edgev1.Fact
}

// Site is the node and its replica, as the uplink sees them. Whenever something
// of it changed, Uplink.Wake is to be called.
type Site interface {
	View() View
	IsLeader() bool
	// Now is the site's time, Unix microseconds.
	Now() int64
	// Apply commits a command; an error leaves the outcome unknown.
	Apply(ctx context.Context, key string, cmd call.Command) (call.Result, error)
	// ApplyLate is Apply for what nobody waits for: it saves a commit.
	ApplyLate(ctx context.Context, key string, cmd call.Command) (call.Result, error)
	// Live is every tenant's floor, whole. Called on the leader.
	Live() []*edgev1.LiveTenant
	// NodeReport is the node's state. Refused holds the newest refused calls,
	// oldest first; each is sent once. ClockOffsetUs, RecordingsWaiting and
	// ConfigVersion are filled in here.
	NodeReport() *edgev1.ReportNodeRequest
}

// Peers are the other nodes of the site.
type Peers interface {
	// Names are the nodes that are up, the leader first.
	Names() []string
	// Blob asks a node for a blob by its SHA-256 (hex).
	Blob(ctx context.Context, node, hash string) ([]byte, error)
	// Hold has the other nodes copy blobs that this node holds, and gives those
	// that a majority of the site, this node included, then holds.
	Hold(ctx context.Context, hashes []string) (held map[string]bool)
}

// Config is what an Uplink needs.
type Config struct {
	Node string // this node's name
	// CloudAddr is the cloud's node port, host:port, as last known.
	CloudAddr string
	// FindCloud asks the cloud's web address for the node port again, when it can
	// not be reached; may be nil.
	FindCloud func(ctx context.Context) (string, error)
	// TLS is for the cloud's node port; Certificate is this node's at the moment:
	// when it is renewed, connections are made anew.
	TLS         func() *tls.Config
	Certificate func() *tls.Certificate
	Site        Site
	Store       *Store
	Peers       Peers      // nil: a site of one node
	Recordings  Recordings // may be nil
	// RelayChanged is told that Relay now says something else of the agent; may
	// be nil. It must not block.
	RelayChanged func(agent string)
	Log          *slog.Logger
	// Dial replaces the network; nil = TCP.
	Dial func(ctx context.Context, addr string) (net.Conn, error)
}

// Uplink is a node's connection to the cloud. It is a life.Service; Start does
// not wait for the cloud.
type Uplink struct {
	cfg  Config
	site Site
	log  *slog.Logger
	link *link

	changed signal // the site, see Wake
	wanted  signal // a configuration came from the cloud
	mail    signal // an inbox item came from the cloud
	inbox   inbox
	relays  relays
	closed  signal      // a recording was closed
	sending atomic.Bool // facts are on their way
	idle    signal      // they have arrived

	mu      sync.Mutex
	desired *edgev1.SiteConfig
	rewatch context.CancelFunc // ends the running Watch
	waiting uint64             // recordings not uploaded

	loops life.Group
}

// New makes an uplink; nothing runs before Start.
func New(cfg Config) (*Uplink, error) {
	if cfg.Node == "" || cfg.CloudAddr == "" || cfg.TLS == nil || cfg.Certificate == nil || cfg.Site == nil || cfg.Store == nil {
		return nil, errors.New("uplink: node, cloud address, TLS, certificate, site and store are required")
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Dial == nil {
		d := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}
		cfg.Dial = func(ctx context.Context, addr string) (net.Conn, error) { return d.DialContext(ctx, "tcp", addr) }
	}
	u := &Uplink{cfg: cfg, site: cfg.Site, log: cfg.Log}
	u.link = newLink(cfg)
	u.loops.Add("configuration", life.Loop("configuration", u.runConfigs))
	u.loops.Add("inbox", life.Loop("inbox", u.runInbox))
	u.loops.Add("facts", life.Loop("facts", u.runFacts))
	u.loops.Add("floors", life.Loop("floors", u.runLive))
	u.loops.Add("report", life.Loop("report", u.runReport))
	u.loops.Add("relays", life.Loop("relays", u.runRelays))
	if cfg.Recordings != nil {
		u.loops.Add("recordings", life.Loop("recordings", u.runUploads))
	}
	u.loops.Add("watch", life.Loop("watch", u.runWatch))
	return u, nil
}

// Start begins to connect.
func (u *Uplink) Start(ctx context.Context) error { return u.loops.Start(ctx) }

// Stop ends all exchanges at once. What was not acknowledged is sent again at
// the next start.
func (u *Uplink) Stop(ctx context.Context) error {
	err := u.loops.Stop(ctx)
	u.link.close()
	return err
}

// Wake tells that the site changed: facts, floors, leadership or configuration.
// It never blocks and costs next to nothing.
func (u *Uplink) Wake() { u.changed.fire() }

// RecordingClosed tells that Recordings has a new one. It never blocks.
func (u *Uplink) RecordingClosed() { u.closed.fire() }

// CloudLink says whether the cloud is heard, and when it was last.
func (u *Uplink) CloudLink() (connected bool, lastSeen time.Time) { return u.link.state() }

// ClockOffset is this node's clock minus the cloud's; ok is false when the cloud
// was not heard of late.
func (u *Uplink) ClockOffset() (offset time.Duration, ok bool) { return u.link.clock.offset() }

// RecordingStored asks whether the cloud holds a recording whole.
func (u *Uplink) RecordingStored(ctx context.Context, tenant int64, id string) (bool, error) {
	where, err := u.offset(ctx, Recording{ID: id, Tenant: tenant})
	return where.GetComplete(), err
}

const rpcTimeout = 10 * time.Second

// RenewCertificate asks for a new certificate; see enroll.Cloud.
func (u *Uplink) RenewCertificate(ctx context.Context, r *edgev1.RenewCertificateRequest) (*edgev1.RenewCertificateResponse, error) {
	return u.link.control.RenewCertificate(ctx, r)
}
