package replica

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"trunkline/internal/clock"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

// A node whose clock is off alarms and does not lead: the site's time is the
// leader's. It hands over if it leads, and asks for no votes, but votes for others.
// It is not kept from it for good: when nobody has led for long, the rest being
// dead or so far apart that no clock is the right one, a site with a wrong clock
// is better than none.

// ClockStatus is how this node's clock stands.
type ClockStatus struct {
	// Ahead of the majority of the site's clocks and the cloud's, microseconds.
	Ahead int64
	// Off: by more than clock.Limit, so this node does not lead.
	Off bool
}

const (
	// patience is how many times longer than others a node waits for a leader that
	// is off.
	patience = 5
	// sureAfter comparisons in a row say that the clock is off.
	sureAfter = 2
	// settleRounds bounds for how many rounds after its start a node waits for
	// what the others' clocks show before it stands for election like any other.
	settleRounds = 4
)

// clockWatch compares this node's clock with the others'.
type clockWatch struct {
	r    *Replica
	wake chan struct{} // judge again, now

	mu     sync.Mutex
	meters map[string]*clock.Meter
	status ClockStatus
	seen   int // comparisons in a row that found it off
	// settled: compared well enough to lead by. Nodes that start together compare
	// clocks first, for the site's time cannot be set back.
	settled bool
	needed  time.Time // see asked

	// Of run alone.
	rounds   int
	handover backoff
}

func newClockWatch(r *Replica) *clockWatch {
	return &clockWatch{r: r, wake: make(chan struct{}, 1), meters: map[string]*clock.Meter{}}
}

// run compares until the replica stops: each fourth beat, faster at first.
func (w *clockWatch) run() {
	ctx, cancel := context.WithCancel(context.Background())
	w.r.wg.Go(func() {
		<-w.r.stopping
		cancel()
	})
	stop := w.r.WatchLeader(func(string, bool) { w.poke() })
	defer stop()
	beat := w.r.cfg.Timing.Beat
	tick := time.NewTimer(0)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			w.ask(ctx)
			w.judge()
			if w.rounds++; w.rounds < 2*settleRounds {
				tick.Reset(beat)
			} else {
				tick.Reset(4 * beat)
			}
		case <-w.wake:
		case <-w.r.stopping:
			return
		}
		w.act()
	}
}

func (w *clockWatch) poke() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// ask asks every node that is up what its clock shows.
func (w *clockWatch) ask(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, clock.MaxRTT)
	defer cancel()
	var wg sync.WaitGroup
	for _, name := range w.r.peers.names() {
		if p, _ := w.r.peers.get(name); !p.Up {
			continue
		}
		wg.Go(func() {
			asked := time.Now()
			res, err := w.r.nodeClient(name).Ping(ctx, &edgev1.PingRequest{})
			answered := time.Now()
			if err != nil || res.GetClock() == 0 { // the release before does not tell
				return
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.meters[name] == nil {
				w.meters[name] = &clock.Meter{}
			}
			w.meters[name].Add(asked, answered, time.UnixMicro(res.GetClock()))
		})
	}
	wg.Wait()
}

// ahead is how far a peer's clock is ahead of this node's.
func (w *clockWatch) ahead(name string) (time.Duration, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if m := w.meters[name]; m != nil {
		return m.Ahead(time.Now(), w.r.cfg.Clock())
	}
	return 0, false
}

// judge says whether this node's clock is off.
func (w *clockWatch) judge() {
	var others []time.Duration
	for _, name := range w.r.peers.names() {
		if d, ok := w.ahead(name); ok {
			others = append(others, d)
		}
	}
	heard := len(others)
	if own, ok := w.r.cfg.CloudClock(); ok {
		others = append(others, -own)
	}
	ahead := clock.Ahead(others)
	w.mu.Lock()
	was := w.status.Off
	if ahead.Abs() > clock.Limit {
		w.seen++
	} else {
		w.seen = 0
	}
	w.settled = w.settled || w.rounds >= settleRounds || heard >= len(w.r.knownNodes()) && (w.seen == 0 || w.seen >= sureAfter)
	w.status.Ahead = ahead.Microseconds()
	// Back only when clearly so, or a clock at the limit would come and go.
	w.status.Off = w.seen >= sureAfter || was && ahead.Abs() > clock.Limit/2
	off := w.status.Off
	w.mu.Unlock()
	clockAhead.Set(ahead.Seconds())
	switch {
	case off && !was:
		clockOff.Set(1)
		w.r.cfg.Log.Error("this machine's clock is off: the node does not lead until it is set right; turn on time synchronisation", "ahead", ahead, "limit", clock.Limit)
	case was && !off:
		clockOff.Set(0)
		w.r.cfg.Log.Warn("this machine's clock is right again", "ahead", ahead)
	}
}

func (w *clockWatch) now() ClockStatus {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.status
}

// correction is what to add to this node's clock to have the majority's time.
func (w *clockWatch) correction() time.Duration {
	if s := w.now(); s.Off {
		return -time.Duration(s.Ahead) * time.Microsecond
	}
	return 0
}

// act hands over if this node leads and is off.
func (w *clockWatch) act() {
	_, leads := w.r.Leader()
	off := w.now().Off
	if !off || !leads {
		w.handover.reset()
		return
	}
	to := w.successor()
	if to == "" || !w.handover.due() {
		return
	}
	w.r.cfg.Log.Warn("handing over the lead: this machine's clock is off", "to", to)
	if err := w.r.handOver(to); err != nil {
		w.r.cfg.Log.Warn("not handed over yet", "to", to, "error", err)
	}
}

// stands says whether this node may ask for votes now.
func (w *clockWatch) stands() bool {
	t := w.r.cfg.Timing
	w.mu.Lock()
	right := w.settled && !w.status.Off
	needed := time.Since(w.needed) < patience*(t.Heartbeat+t.Election)
	w.mu.Unlock()
	return right || needed || w.r.leaderless() > patience*(t.Heartbeat+t.Election)
}

// asked hears of another that asks for this node's vote. One whose log is behind
// cannot win: then this node is needed, whatever its clock shows.
func (w *clockWatch) asked(term, index uint64) {
	last, lastTerm := w.r.lastEntry()
	if term > lastTerm || term == lastTerm && index >= last {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.needed = time.Now()
}

// ballot is Raft's transport of a node that asks for votes only while it may
// lead. It votes for others all the same.
type ballot struct {
	*raft.NetworkTransport
	stands func() bool
}

// RequestPreVote implements raft.WithPreVote.
func (b *ballot) RequestPreVote(id raft.ServerID, target raft.ServerAddress, req *raft.RequestPreVoteRequest, res *raft.RequestPreVoteResponse) error {
	if !b.stands() {
		*res = raft.RequestPreVoteResponse{RPCHeader: req.RPCHeader, Term: req.Term}
		return nil
	}
	return b.NetworkTransport.RequestPreVote(id, target, req, res)
}

// RequestVote implements raft.Transport.
func (b *ballot) RequestVote(id raft.ServerID, target raft.ServerAddress, req *raft.RequestVoteRequest, res *raft.RequestVoteResponse) error {
	if !b.stands() {
		*res = raft.RequestVoteResponse{RPCHeader: req.RPCHeader, Term: req.Term}
		return nil
	}
	return b.NetworkTransport.RequestVote(id, target, req, res)
}

// trusted says whether a node's clock, this one's too, is known to be off.
func (w *clockWatch) trusted(name string) bool {
	s := w.now()
	if name == w.r.cfg.Name {
		return !s.Off
	}
	d, ok := w.ahead(name)
	return !ok || (d+time.Duration(s.Ahead)*time.Microsecond).Abs() <= clock.Limit
}

// successor is the voter to lead instead of this one: with a right clock, and
// the furthest in the log.
func (w *clockWatch) successor() string {
	var best PeerStatus
	for _, s := range w.r.servers() {
		p, ok := w.r.peers.get(string(s.ID))
		_, known := w.ahead(string(s.ID))
		if ok && p.Up && s.Suffrage == raft.Voter && known && w.trusted(p.Name) && (best.Name == "" || p.Applied > best.Applied) {
			best = p
		}
	}
	return best.Name
}

// lastEntry is the end of this node's log, as Raft compares logs.
func (r *Replica) lastEntry() (index, term uint64) {
	s := r.raft.Stats()
	index, _ = strconv.ParseUint(s["last_log_index"], 10, 64)
	term, _ = strconv.ParseUint(s["last_log_term"], 10, 64)
	return index, term
}

// handOver has a voter lead instead of this node. It is elected only if its log
// is as long as this one's, so nothing is written until it leads, or for as long
// as an exchange with a peer may take.
func (r *Replica) handOver(to string) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), r.cfg.Timing.RPC)
	defer cancel()
	select {
	case err := <-r.outcome(r.raft.Barrier(r.cfg.Timing.RPC)): // behind all that was to be written
		if err != nil {
			return err
		}
	case <-r.stopping:
		return errStopped
	case <-ctx.Done():
		return ctx.Err()
	}
	index := r.raft.LastIndex()
	err := r.waitFor(ctx, &r.fsm.applied, func() bool {
		p, _ := r.peers.get(to)
		return p.Applied >= index
	})
	if err != nil {
		return err
	}
	if err := r.standFor(to); err != nil {
		return err
	}
	return r.waitFor(ctx, &r.leaderChanged, func() bool { return r.raft.State() != raft.Leader })
}

// standFor has a voter stand for election at once, as if the leader had handed
// over. The library's own way can deadlock (raft issue 696).
func (r *Replica) standFor(name string) error {
	self := []byte(r.cfg.Name)
	req := &raft.TimeoutNowRequest{RPCHeader: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: self, Addr: self}}
	return r.group.trans.TimeoutNow(raft.ServerID(name), raft.ServerAddress(name), req, &raft.TimeoutNowResponse{})
}

// trustedFirst leaves out the nodes whose clocks are off, unless all are.
func (w *clockWatch) trustedFirst(names []string) []string {
	right := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !w.trusted(name) })
	if len(right) == 0 {
		return names
	}
	return right
}

// backoff spaces tries: at once, then after twice as long each time.
type backoff struct {
	next  time.Time
	pause time.Duration
}

const (
	firstPause = 2 * time.Second
	maxPause   = time.Minute
)

func (b *backoff) due() bool {
	now := time.Now()
	if now.Before(b.next) {
		return false
	}
	b.pause = min(max(2*b.pause, firstPause), maxPause)
	b.next = now.Add(b.pause)
	return true
}

func (b *backoff) reset() { *b = backoff{} }
