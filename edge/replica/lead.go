package replica

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"trunkline/edge/acd"
	"trunkline/edge/call"
)

// followLeader keeps Leader current.
func (r *Replica) followLeader() {
	for {
		_, id := r.raft.LeaderWithID()
		now := leadership{string(id), string(id) == r.cfg.Name}
		r.mu.Lock()
		changed := r.leader != now.name || r.self != now.self
		r.leader, r.self = now.name, now.self
		if changed && now.name == "" {
			r.orphaned = time.Now()
		}
		r.mu.Unlock()
		if changed {
			r.cfg.Log.Info("leader", "leader", now.name)
			r.leaderChanged.tell()
			r.leaders.tell(now)
		}
		select {
		case o := <-r.group.observed:
			switch req := o.Data.(type) {
			case raft.RequestVoteRequest:
				r.clocks.asked(req.LastLogTerm, req.LastLogIndex)
			case raft.RequestPreVoteRequest:
				r.clocks.asked(req.LastLogTerm, req.LastLogIndex)
			}
		case <-r.stopping:
			return
		}
	}
}

// takeTurns leads while Raft says so.
func (r *Replica) takeTurns() {
	var stop func()
	for {
		select {
		case leads := <-r.group.notify:
			if stop != nil {
				stop()
				stop = nil
			}
			if leads {
				r.clock.lead(r.clocks.correction())
				stop = r.beginLeading()
			} else {
				r.clock.follow()
			}
		case <-r.stopping:
			if stop != nil {
				stop()
			}
			return
		}
	}
}

func (r *Replica) beginLeading() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		l := &leader{r: r, floor: acd.NewFloor(), busy: map[string]time.Time{}, wake: make(chan struct{}, 1)}
		l.run(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

// leader is what the node that leads does beside committing: it decides from
// the state what nobody else would, and proposes it. A proposal that comes too
// late or twice is refused by the state machine and does no harm.
type leader struct {
	r     *Replica
	floor *acd.Floor
	term  uint64
	turn  uint64               // proposals so far
	busy  map[string]time.Time // proposals under way (zero), or refused and not to be repeated before

	mu      sync.Mutex
	pending Change       // not yet told to the floor
	settled []acd.Assign // whose outcome has become known
	ended   []outcome    // of the other proposals
	wake    chan struct{}
}

type outcome struct {
	name string
	ok   bool
}

// run leads until ctx ends.
func (l *leader) run(ctx context.Context) {
	select {
	case err := <-l.r.outcome(l.r.raft.Barrier(0)):
		if err != nil {
			return // no longer the leader
		}
	case <-ctx.Done():
		return
	}
	l.term = l.r.raft.CurrentTerm()
	l.pending.All = true
	defer l.r.Watch(l.noticed)()
	defer l.r.WatchPeers(func(PeerStatus) { l.poke() })()
	var side sync.WaitGroup
	side.Go(func() { l.lookAfter(ctx) })
	defer side.Wait()

	tick := time.NewTicker(l.r.cfg.Timing.Beat)
	defer tick.Stop()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		v := l.update(ctx)
		timer.Reset(l.due(ctx, v))
		l.nodes(ctx, v)
		select {
		case <-l.wake:
		case <-timer.C:
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// invariantsEvery beats all invariants are checked.
const invariantsEvery = 240

// lookAfter does what takes its time: the site's level, votes for nodes that
// have caught up, and the invariants.
func (l *leader) lookAfter(ctx context.Context) {
	tick := time.NewTicker(l.r.cfg.Timing.Beat)
	defer tick.Stop()
	for n := 1; ; n++ {
		l.r.raiseLevel(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		l.r.promote()
		if n%invariantsEvery == 0 {
			for _, wrong := range l.r.CheckInvariants() {
				l.r.cfg.Log.Error("invariant broken", "what", wrong)
			}
		}
	}
}

func (l *leader) poke() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// noticed collects what changed; it runs on the state machine's goroutine.
func (l *leader) noticed(c Change) {
	l.mu.Lock()
	l.pending.All = l.pending.All || c.All
	l.pending.Calls = append(l.pending.Calls, c.Calls...)
	l.pending.Agents = append(l.pending.Agents, c.Agents...)
	l.mu.Unlock()
	l.poke()
}

// update tells the floor what changed and proposes what it matches. It gives
// the view it went by.
func (l *leader) update(ctx context.Context) *View {
	l.mu.Lock()
	c, settled, ended := l.pending, l.settled, l.ended
	l.pending, l.settled, l.ended = Change{}, nil, nil
	l.mu.Unlock()
	v := l.r.View() // after the changes were taken: it shows them all
	if c.All {
		l.floor = acd.NewFloor()
		for row := range v.Calls() {
			l.floor.SetCall(row)
		}
		for row := range v.Agents() {
			l.floor.SetAgent(row)
		}
	}
	for _, id := range c.Calls {
		if row, ok := v.Call(id); ok {
			l.floor.SetCall(row)
		} else {
			l.floor.DropCall(id)
		}
	}
	for _, id := range c.Agents {
		if row, ok := v.Agent(id); ok {
			l.floor.SetAgent(row)
		}
	}
	for _, a := range settled {
		l.floor.Settle(a)
	}
	now := time.Now()
	for _, e := range ended {
		delete(l.busy, e.name)
		if !e.ok {
			l.busy[e.name] = now.Add(l.r.cfg.Timing.Lease)
		}
	}
	for _, a := range l.floor.Match() {
		l.assign(ctx, a)
	}
	return v
}

func (l *leader) assign(ctx context.Context, a acd.Assign) {
	timeout := l.r.cfg.OfferTimeout(a.Tenant, a.Queue)
	if timeout <= 0 {
		timeout = defaultOfferTimeout
	}
	cmd := call.Assign{CallID: a.CallID, CallRev: a.CallRev, AgentID: a.AgentID, AgentRev: a.AgentRev, Timeout: timeout.Microseconds()}
	l.submit(ctx, cmd, func(reply) {
		l.mu.Lock()
		l.settled = append(l.settled, a)
		l.mu.Unlock()
		l.poke()
	})
}

// submit proposes under a key of this term.
func (l *leader) submit(ctx context.Context, cmd call.Command, done func(reply)) {
	if !l.r.View().Allows(cmd) {
		done(reply{res: call.Result{Refused: call.RefusedLevel}})
		return
	}
	l.turn++
	env, err := envelope(fmt.Sprintf("lead/%d/%d", l.term, l.turn), cmd)
	if err != nil {
		done(reply{err: err})
		return
	}
	l.r.submit(l.r.requests, &request{ctx: ctx, env: env, here: true, done: done})
}

// once proposes unless the same is under way or was refused a moment ago.
func (l *leader) once(ctx context.Context, name string, cmd call.Command) {
	if until, ok := l.busy[name]; ok && (until.IsZero() || time.Now().Before(until)) {
		return
	}
	l.busy[name] = time.Time{}
	l.submit(ctx, cmd, func(a reply) {
		l.mu.Lock()
		l.ended = append(l.ended, outcome{name, a.err == nil && a.res.Refused == ""})
		l.mu.Unlock()
		l.poke()
	})
}

// due proposes what the passing of time demands, and gives how long until the
// next deadline.
func (l *leader) due(ctx context.Context, v *View) time.Duration {
	now, next, away := l.r.Now(), time.Hour, l.r.cfg.CloudAway()
	v.t.deadlines.Scan(func(d deadline) bool {
		if d.at > now {
			next = min(next, time.Duration(d.at-now)*time.Microsecond+time.Millisecond)
			return false
		}
		if cmd := overdue(v, d, now, away); cmd != nil {
			l.once(ctx, fmt.Sprintf("%d/%s/%d", d.kind, d.id, d.at), cmd)
		}
		return true
	})
	for name, until := range l.busy {
		if !until.IsZero() && time.Now().After(until) {
			delete(l.busy, name)
		}
	}
	return next
}

// overdue is what is to be done when a deadline has passed; nil for nothing yet.
func overdue(v *View, d deadline, now int64, away bool) call.Command {
	switch d.kind {
	case dueOffer:
		if c, ok := v.Call(d.id); ok {
			if c.Outside != nil {
				return call.OutsideEnd{CallID: c.ID, Outcome: call.ReasonNoAnswer}
			}
			if c.Consult != nil {
				return call.ConsultEnd{CallID: c.ID, AgentID: c.Consulted(), Outcome: call.ReasonNoAnswer}
			}
			return call.OfferEnd{CallID: c.ID, AgentID: c.AgentID, Outcome: call.ReasonNoAnswer}
		}
	case dueWrapUp:
		if a, ok := v.Agent(d.id); ok && a.LastCall != nil {
			return call.WrapUpEnd{AgentID: a.ID, CallID: a.LastCall.ID, Automatic: true}
		}
	case dueAgentLost:
		return call.AgentLost{AgentID: d.id}
	case dueSession:
		if a, ok := v.Agent(d.id); ok && sessionEnds(a, d.at, now, away) {
			return call.SignOut{Tenant: a.Tenant, AgentID: a.ID, Reason: "session_expired"}
		}
	}
	return nil
}

// sessionEnds: not in the middle of a call or its wrap-up, and not while the
// cloud is away. No outage is endless, and a session is not either.
func sessionEnds(a *call.Agent, expires, now int64, away bool) bool {
	return expires+call.SessionGrace <= now || !away && !busy(a.State)
}

// nodes gives the calls of dead nodes to their successors.
func (l *leader) nodes(ctx context.Context, v *View) {
	for _, n := range v.Nodes() {
		if !n.Up || n.Name == l.r.cfg.Name {
			continue
		}
		incarnation, down := l.r.peers.down(n.Name)
		if down && (incarnation == "" || incarnation == n.Incarnation) {
			l.once(ctx, fmt.Sprintf("down/%s/%s/%d", n.Name, n.Incarnation, n.Since), call.NodeDown{Name: n.Name, Incarnation: n.Incarnation})
		}
	}
}
