package replica

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"trunkline/internal/fault"
)

// Replica is this node's part of the site's replicated state. It is a life.Service.
type Replica struct {
	cfg    Config
	clock  *siteClock
	fsm    *fsm
	disk   *disk
	peers  *peers
	clocks *clockWatch

	stopping chan struct{} // closed by Stop
	halt     sync.Once
	wg       sync.WaitGroup
	futures  sync.WaitGroup // of Raft, see outcome

	requests chan []*request // each list is to stay together
	late     chan []*request
	slots    chan struct{} // batches of this node in flight
	writing  sync.RWMutex  // locked while nothing may be added to the log, see handOver

	mu       sync.Mutex
	state    lifeState
	raft     *raft.Raft
	group    *group // what Start opened
	leader   string // as last told
	self     bool
	orphaned time.Time // since there is no leader
	stalled  bool

	leaders       watchers[leadership]
	leaderChanged notice
	announced     notice
}

type lifeState uint8

const (
	stateNew lifeState = iota
	stateRunning
	stateStopped
)

type leadership struct {
	name string
	self bool
}

// errStopped: the replica is not running (any more).
var errStopped = errors.New("replica: stopped")

// New makes a replica and claims its streams of the node port; nothing runs
// before Start.
func New(cfg Config) (*Replica, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	r := &Replica{
		cfg: cfg, clock: newSiteClock(cfg.Clock), disk: newDisk(cfg.Timing.Stall),
		stopping: make(chan struct{}), requests: make(chan []*request, 4*maxBatch), late: make(chan []*request, maxBatch), slots: make(chan struct{}, inFlight),
	}
	r.clocks = newClockWatch(r)
	r.fsm = newFSM(cfg.level, r.clock, r.fatal, r.stopping)
	peers, err := newPeers(r)
	if err != nil {
		return nil, err
	}
	r.peers = peers
	if r.group, err = claim(cfg); err != nil {
		return nil, err
	}
	cfg.Port.SetResolver(r.resolve)
	return r, nil
}

// Start opens the log and takes part. It returns when this node serves what it
// has on disk; a leader may not be known yet (see WaitReady).
func (r *Replica) Start(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state != stateNew {
		return errors.New("replica: started already")
	}
	if err := r.open(); err != nil {
		return err
	}
	r.state, r.orphaned = stateRunning, time.Now()
	r.wg.Go(r.propose)
	r.wg.Go(r.followLeader)
	r.wg.Go(r.takeTurns)
	r.wg.Go(r.watchDisk)
	r.wg.Go(r.announce)
	r.wg.Go(r.clocks.run)
	r.peers.watch.add(r.succeed)
	r.fsm.watch.add(r.heardOf)
	r.peers.start()
	return nil
}

// Stop ends this node's part in the group (not its membership) and closes the
// log. A leader does not hand over first: the others notice as fast.
func (r *Replica) Stop(ctx context.Context) error {
	r.halt.Do(func() { close(r.stopping) })
	r.mu.Lock()
	was := r.state
	r.state = stateStopped
	r.mu.Unlock()
	if was != stateRunning {
		return nil
	}
	done := make(chan error, 1)
	go func() {
		r.peers.stop()
		done <- r.close()
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("replica does not stop: %w", ctx.Err())
	}
}

// heardOf tells the peers' watch of processes that announced themselves.
func (r *Replica) heardOf(c Change) {
	for _, name := range c.Nodes {
		if n, ok := r.View().Node(name); ok && n.Up {
			r.peers.announced(name, n.Incarnation)
		}
	}
}

func (r *Replica) fatal(err error) {
	r.cfg.Log.Error("the replica can not go on", "error", err)
	r.cfg.Fatal(err)
}

// View is the state as of now on this node. A follower is some milliseconds
// behind the leader; see WaitIndex.
func (r *Replica) View() *View { return r.fsm.view.Load() }

// Watch calls fn after each batch applied on this node, in order, when View
// already shows it. fn must not block and must not call Apply.
func (r *Replica) Watch(fn func(Change)) (cancel func()) { return r.fsm.watch.add(fn) }

// Now estimates the site time on this node, in Unix microseconds. It never goes
// backward and is never before View().At().
func (r *Replica) Now() int64 { return r.clock.time() }

// WaitIndex waits until this node's View holds the log entry, e.g. Result.Index
// of an Apply, so that one reads what one wrote.
func (r *Replica) WaitIndex(ctx context.Context, index uint64) error {
	return r.waitFor(ctx, &r.fsm.applied, func() bool { return r.View().Index() >= index })
}

// WaitReady waits until this node is a voter, knows the leader, and the site
// knows that it is up.
func (r *Replica) WaitReady(ctx context.Context) error {
	return r.waitFor(ctx, &r.announced, func() bool {
		name, _ := r.Leader()
		return name != "" && r.known() && r.voter(r.cfg.Name)
	})
}

// waitFor waits for a condition that n tells of; it also looks again now and
// then, for conditions that have several causes.
func (r *Replica) waitFor(ctx context.Context, n *notice, ok func() bool) error {
	again := time.NewTicker(r.cfg.Timing.Beat)
	defer again.Stop()
	for {
		next := n.next()
		if ok() {
			return nil
		}
		select {
		case <-next:
		case <-again.C:
		case <-r.stopping:
			return unavailable(errStopped)
		case <-ctx.Done():
			return unavailable(ctx.Err())
		}
	}
}

func unavailable(cause error) error {
	return fault.Wrap(cause, fault.Unavailable, "fault.site.unavailable").WithRetry(time.Second)
}

// Leader names the leader this node knows of, "" when none.
func (r *Replica) Leader() (name string, self bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.leader, r.self
}

// leaderless is how long this node has known of no leader.
func (r *Replica) leaderless() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.leader != "" {
		return 0
	}
	return time.Since(r.orphaned)
}

// WatchLeader calls fn with each change of Leader. fn must not block.
func (r *Replica) WatchLeader(fn func(name string, self bool)) (cancel func()) {
	return r.leaders.add(func(l leadership) { fn(l.name, l.self) })
}

// WatchPeers calls fn when a peer's life or death becomes known to this node,
// before anything is committed: the successor of a node proven dead may act
// first and commit after. fn must not block.
func (r *Replica) WatchPeers(fn func(PeerStatus)) (cancel func()) { return r.peers.watch.add(fn) }

// CheckInvariants checks the current view, see the function.
func (r *Replica) CheckInvariants() []string { return CheckInvariants(r.View()) }
