package replica

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/hashicorp/raft"

	"trunkline/edge/call"
	"trunkline/edge/replica/nodeport"
)

// Timing is one profile of everything that is measured in time.
type Timing struct {
	// Heartbeat and Election are Raft's time-outs, randomised up to twice that.
	Heartbeat, Election time.Duration
	// LeaderLease is how long a leader without a majority goes on.
	LeaderLease time.Duration
	// Commit bounds how late a follower learns of a commit.
	Commit time.Duration
	// Beat is how often a node tells its peers that it lives.
	Beat time.Duration
	// Lease is the silence after which a node counts as down.
	Lease time.Duration
	// Stall is how long a log write may take before the node lets another lead.
	Stall time.Duration
	// RPC bounds one exchange with a peer.
	RPC time.Duration
}

// Fast is the profile of production, chaos tests and benchmarks.
func Fast() Timing {
	return Timing{
		Heartbeat: 300 * time.Millisecond, Election: 300 * time.Millisecond, LeaderLease: 200 * time.Millisecond,
		Commit: 5 * time.Millisecond, Beat: 250 * time.Millisecond, Lease: time.Second,
		Stall: time.Second, RPC: 2 * time.Second,
	}
}

// Ordinary is the profile of ordinary tests on a busy machine: five times as
// slow, but for Commit, which only costs idle traffic.
func Ordinary() Timing {
	t := Fast()
	for _, d := range []*time.Duration{&t.Heartbeat, &t.Election, &t.LeaderLease, &t.Beat, &t.Lease, &t.Stall, &t.RPC} {
		*d *= 5
	}
	return t
}

// Config is what a Replica needs.
type Config struct {
	// Name is this node's name, unique in its site; the certificate says the same.
	Name string
	// Incarnation is new at each start of the process (a UUID).
	Incarnation string
	// Dir is the directory of log, votes and snapshots: never on a disk that
	// recordings can fill.
	Dir string
	// Port is the node port. New claims its streams and sets its resolver; the
	// node mounts RPC on it. Start it before the Replica, stop it after.
	Port *nodeport.Port
	// Self is how peers and browsers reach this node: NodeAddr, WebURL,
	// SIPAddr, Version. The rest of it is filled in.
	Self call.NodeInfo
	// Bootstrap makes this node the first of a new group, if Dir is empty. All
	// others ask a peer to be added.
	Bootstrap bool
	// Peers gives the nodes of the site as configured: Name and NodeAddr are
	// used, this node itself is ignored. Asked again and again; may be nil.
	Peers func() []call.NodeInfo
	// OfferTimeout is how long an agent of the queue is rung. nil: 20 s.
	OfferTimeout func(tenant int64, queue string) time.Duration
	// Timing; the zero value is Fast().
	Timing Timing
	// Clock is this machine's; nil = time.Now. CloudClock says how far it is ahead
	// of the cloud's, false when that is not known; nil = never. This node's clock
	// is compared with it and with those of the others.
	Clock      func() time.Time
	CloudClock func() (ahead time.Duration, ok bool)
	// CloudAway says whether the cloud is not heard, so that nobody could sign in
	// again; nil = never. A session then outlives its end, see call.SessionGrace.
	CloudAway func() bool
	// Epoch numbers the group's outbox: 1, and one more after each recovery
	// that may have lost commits. Nodes of different epochs do not talk. 0 = 1.
	Epoch uint64
	// Fatal is told when the replica can not go on (an entry of the log that it
	// does not understand, a broken disk): the process must end. It may be
	// called from any goroutine and must not block.
	Fatal func(error)
	// SnapshotThreshold is the number of log entries between snapshots, and
	// kept after one. 0 = 65536.
	SnapshotThreshold uint64
	Log               *slog.Logger

	level        call.Level                        // another program's, for tests; 0 = this one's
	segmentBytes int                               // of the log's files; 0 = the library's 64 MiB
	wrapLog      func(raft.LogStore) raft.LogStore // a slow disk, for tests; nil = the disk as it is
}

const defaultOfferTimeout = 20 * time.Second

func (c *Config) complete() error {
	if c.Name == "" || c.Incarnation == "" || c.Dir == "" || c.Port == nil {
		return errors.New("replica: name, incarnation, directory and node port are required")
	}
	if c.Port.Name() != c.Name {
		return fmt.Errorf("replica: the node port is of %s, not of %s", c.Port.Name(), c.Name)
	}
	if c.Timing == (Timing{}) {
		c.Timing = Fast()
	}
	if c.Epoch == 0 {
		c.Epoch = 1
	}
	if c.SnapshotThreshold == 0 {
		c.SnapshotThreshold = 65536
	}
	if c.level == 0 {
		c.level = call.FeatureLevel
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Peers == nil {
		c.Peers = func() []call.NodeInfo { return nil }
	}
	if c.OfferTimeout == nil {
		c.OfferTimeout = func(int64, string) time.Duration { return defaultOfferTimeout }
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.CloudClock == nil {
		c.CloudClock = func() (time.Duration, bool) { return 0, false }
	}
	if c.CloudAway == nil {
		c.CloudAway = func() bool { return false }
	}
	if c.Fatal == nil {
		c.Fatal = func(error) {}
	}
	c.Self.Name, c.Self.Incarnation = c.Name, c.Incarnation
	if c.Self.NodeAddr == "" {
		c.Self.NodeAddr = c.Port.Addr().String()
	}
	return nil
}
