// Package live is the wallboard: what happens on the floor now, from all sites.
// Each site reports its floor whole; a watcher is woken by NOTIFY, reads the
// newest floors and sends them if they differ from what it sent before, at most
// four times a second. Shown are the sites that serve the tenant now; one that
// does not report stands there as not connected, with what it said last.
package live

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/proto"

	"trunkline/internal/pg"
	"trunkline/tenants/tenantdb"
)

// Channel is notified with the tenant id of a new floor.
const Channel = "trunkline_live"

// Notices brings what NOTIFY sends on Channel; *pg.Listener is one.
type Notices interface {
	Subscribe(channel string) (<-chan pg.Notification, func())
}

// Inbox carries work to a site.
type Inbox interface {
	Put(ctx context.Context, tx pgx.Tx, tenant int64, site, kind string, body proto.Message, ttl time.Duration) (id string, err error)
}

// Service is LiveService and the sink of floors.
type Service struct {
	db      *tenantdb.DB
	notices Notices
	inbox   Inbox
	log     *slog.Logger
	epoch   uint64
	now     func() time.Time
	pace    pace
}

// pace is how often a watcher reads and sends.
type pace struct {
	coalesce time.Duration // the shortest time between two looks at a floor
	look     time.Duration // how often the floor is looked at without being told
	beat     time.Duration // the longest time without a message
	names    time.Duration // how long names of queues and people are kept
}

var usual = pace{coalesce: 250 * time.Millisecond, look: 2 * time.Second, beat: 5 * time.Second, names: 10 * time.Second}

// NewService makes it.
func NewService(db *tenantdb.DB, notices Notices, inbox Inbox, log *slog.Logger) *Service {
	return &Service{db: db, notices: notices, inbox: inbox, log: log, epoch: uint64(time.Now().UnixMicro()), now: time.Now, pace: usual}
}
