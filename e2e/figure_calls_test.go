package e2e

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"trunkline/e2e/carrier"
	"trunkline/e2e/harness"
	agentv1 "trunkline/proto/gen/trunkline/agent/v1"
)

var (
	figureCalls   = flag.Int("figure.calls", 150, "calls of TestFigureCalls")
	figureEvery   = flag.Duration("figure.every", 200*time.Millisecond, "time between two of them")
	figureProfile = flag.String("figure.profile", "", "folder for a CPU profile of each node while TestFigureCalls' calls are made")
	figureWaiting = flag.Int("figure.waiting", 60, "callers of TestFigureMemory who wait")
	figureTalking = flag.Int("figure.talking", 20, "callers of TestFigureMemory who talk")
)

// TestFigureCalls: whole calls at a steady rate at one node that does not lead,
// each answered over an agent's WebRTC leg and hung up at once: what a call
// costs before anybody says a word. What the same cluster uses with the same
// agents and no calls is taken off.
func TestFigureCalls(t *testing.T) {
	ctx := testContext(t, 4*time.Minute)
	c, ua := ownCluster(ctx, t, "calls", 3, "ordinary", profiled)
	eventually(ctx, t, "all nodes vote", func() error { return wholeGroup(ctx, c) })
	tn := newTenant(ctx, t, c)
	tn.straightToQueue(ctx, t)
	l := newLoad(tn, ua)
	for i := range 12 {
		l.desks = append(l.desks, tn.desk(ctx, t, fmt.Sprintf("agent%d", i), i%len(c.Nodes)))
	}
	leader, err := leaderOf(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	owner := (leader + 1) % len(c.Nodes)
	tn.knownAt(ctx, t, ua, owner)
	for _, d := range l.desks {
		ready(ctx, t, d)
	}
	l.run(ctx, t, l.desks, owner, 24, *figureEvery) // warm
	l.times()

	before := usedBy(ctx, t, c)
	pause(ctx, t, 10*time.Second)
	idle := usedBy(ctx, t, c).since(before)
	before = usedBy(ctx, t, c)
	profiles := profile(ctx, t, c, *figureEvery*time.Duration(*figureCalls))
	l.run(ctx, t, l.desks, owner, *figureCalls, *figureEvery)
	busy := usedBy(ctx, t, c).since(before)
	profiles()

	offers := l.times().offers
	n := float64(*figureCalls)
	share := busy.took.Seconds() / idle.took.Seconds()
	perCall := func(busy, idle float64) float64 { return (busy - idle*share) / n }
	var all, allIdle time.Duration
	for i := range c.Nodes {
		all, allIdle = all+busy.cpu[i], allIdle+idle.cpu[i]
	}
	percent := func(cpu, took time.Duration) float64 { return 100 * cpu.Seconds() / took.Seconds() }
	t.Logf("FIGURE calls_per_second %.1f calls/s", n/busy.took.Seconds())
	t.Logf("FIGURE cluster_idle_cpu %.1f %%", percent(allIdle, idle.took))
	t.Logf("FIGURE cluster_busy_cpu %.1f %%", percent(all, busy.took))
	t.Logf("FIGURE call_cpu_ms %.1f ms", 1000*perCall(all.Seconds(), allIdle.Seconds()))
	t.Logf("FIGURE call_cpu_owner_ms %.1f ms", 1000*perCall(busy.cpu[owner].Seconds(), idle.cpu[owner].Seconds()))
	// A commit is an entry that a majority has on disk, with whatever commands it holds.
	t.Logf("FIGURE raft_commits_per_call %.1f entries", perCall(busy.entries, idle.entries))
	t.Logf("FIGURE raft_commands_per_call %.1f commands", perCall(busy.commands, idle.commands))
	for _, typ := range slices.Sorted(maps.Keys(busy.byType)) {
		if n := perCall(busy.byType[typ], idle.byType[typ]); n >= 0.05 {
			t.Logf("of them %s %.1f", typ, n)
		}
	}
	t.Logf("FIGURE offer_p50_ms %.1f ms", quantile(offers, 0.5).Seconds()*1000)
	t.Logf("FIGURE offer_p99_ms %.1f ms", quantile(offers, 0.99).Seconds()*1000)
	figureDisk(ctx, t, c)
}

// TestFigureMemory: what one more caller who waits, and one more who talks to an
// agent's WebRTC leg, keeps alive at the node that owns the call.
func TestFigureMemory(t *testing.T) {
	ctx := testContext(t, 4*time.Minute)
	c, ua := ownCluster(ctx, t, "memory", 3, "ordinary", profiled)
	tn := newTenant(ctx, t, c)
	tn.straightToQueue(ctx, t)
	l := newLoad(tn, ua)
	for i := range *figureTalking {
		l.desks = append(l.desks, tn.desk(ctx, t, fmt.Sprintf("agent%d", i), 1))
	}
	tn.knownAt(ctx, t, ua, 0)
	for i := range 4 {
		ready(ctx, t, l.desks[i])
	}
	l.run(ctx, t, l.desks[:4], 0, 12, *figureEvery) // warm
	for i := range 4 {
		notReady(ctx, t, l.desks[i], "")
	}

	empty := memoryOf(ctx, t, c.Nodes[0])
	var calls []*carrier.Call
	for i := range *figureWaiting {
		calls = append(calls, tn.dialFrom(ctx, t, ua, 0, tn.caller(i), nil))
	}
	if err := l.desks[0].WaitWaiting(ctx, uint32(*figureWaiting)); err != nil {
		t.Fatal(err)
	}
	pause(ctx, t, 2*time.Second)
	waiting := memoryOf(ctx, t, c.Nodes[0])
	for _, d := range l.desks {
		ready(ctx, t, d)
		offer, err := d.WaitCall(ctx, agentv1.CallState_CALL_STATE_OFFERED)
		if err != nil {
			t.Fatal(err)
		}
		leg, err := d.Answer(ctx, offer, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(leg.Close)
	}
	pause(ctx, t, 2*time.Second)
	talking := memoryOf(ctx, t, c.Nodes[0])
	figureMemory(t, "waiting", waiting.less(empty), *figureWaiting)
	more := talking.less(waiting) // they waited before
	figureMemory(t, "talking_browser_more_than_waiting", more, *figureTalking)
	for _, call := range calls {
		call.Hangup(ctx)
	}
	noCalls(ctx, t, c.Nodes[0])
	whole := more.plus(waiting.less(empty), float64(*figureTalking)/float64(*figureWaiting))
	figureMemory(t, "talking_browser", whole, *figureTalking)
}

// knownAt calls and hangs up: the node knows the tenant's number, and has no call.
func (tn *tenant) knownAt(ctx context.Context, t *testing.T, ua *carrier.Carrier, node int) {
	t.Helper()
	tn.dial(ctx, t, ua, node, nil).Hangup(ctx)
	noCalls(ctx, t, tn.c.Nodes[node])
}

func noCalls(ctx context.Context, t *testing.T, n *harness.Node) {
	t.Helper()
	eventually(ctx, t, n.Name+" has no call", func() error {
		s, err := statusOf(ctx, n)
		if err == nil && s.Calls > 0 {
			err = fmt.Errorf("%d calls", s.Calls)
		}
		return err
	})
}

func figureMemory(t *testing.T, name string, m memory, calls int) {
	t.Helper()
	kb := func(bytes float64) float64 { return bytes / 1024 / float64(calls) }
	t.Logf("FIGURE %s_kb %.1f kB", name, kb(m.live+m.stacks))
	t.Logf("FIGURE %s_stacks_kb %.1f kB", name, kb(m.stacks))
	t.Logf("FIGURE %s_rss_kb %.1f kB", name, kb(m.rss))
}

// load makes calls and has agents answer them.
type load struct {
	tn    *tenant
	ua    *carrier.Carrier
	desks []*harness.Desk
	made  int

	mu       sync.Mutex
	answered map[string]time.Time // by caller's number: the site's 200
	took     loadTimes
	errs     []error
}

// loadTimes are of each call: from the INVITE to the site's 200, and from there
// to the offer at the agent's desktop.
type loadTimes struct{ answers, offers []time.Duration }

func newLoad(tn *tenant, ua *carrier.Carrier) *load {
	return &load{tn: tn, ua: ua, answered: map[string]time.Time{}}
}

// times gives those of the calls since it was asked last.
func (l *load) times() loadTimes {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.took
	l.took = loadTimes{}
	return t
}

// run makes n calls at the node, one each every, for the agents at these desks,
// who are ready. It returns when all are over and the agents are free.
func (l *load) run(ctx context.Context, t *testing.T, at []*harness.Desk, node, n int, every time.Duration) {
	t.Helper()
	serving, stop := context.WithCancel(ctx)
	defer stop()
	var agents, callers sync.WaitGroup
	for _, d := range at {
		agents.Go(func() { l.serve(ctx, serving, d) })
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for range n {
		<-tick.C
		l.made++
		from := l.tn.caller(1000 + l.made)
		callers.Go(func() { l.call(ctx, node, from) })
	}
	callers.Wait()
	stop()
	agents.Wait()
	for _, d := range at {
		if err := d.WaitFree(ctx); err != nil {
			l.wrong(err)
		}
	}
	if len(l.errs) > 0 {
		t.Fatalf("%d calls went wrong: %v", len(l.errs), errors.Join(l.errs[:min(3, len(l.errs))]...))
	}
}

func (l *load) wrong(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.errs = append(l.errs, err)
}

// call is over when the agent hung up.
func (l *load) call(ctx context.Context, node int, from string) {
	began := time.Now()
	call, err := l.ua.Call(ctx, carrier.Dial{Node: l.tn.c.Nodes[node].Ready.SIPUDP, From: from, To: l.tn.number})
	if err != nil {
		l.wrong(fmt.Errorf("call: %w", err))
		return
	}
	l.mu.Lock()
	l.answered[from] = time.Now()
	l.took.answers = append(l.took.answers, l.answered[from].Sub(began))
	l.mu.Unlock()
	select {
	case <-call.Done():
	case <-ctx.Done():
		l.wrong(fmt.Errorf("the call from %s was never ended", from))
	}
}

// serve is one agent: answers, hangs up, finishes the wrap-up, until told to stop.
func (l *load) serve(ctx, serving context.Context, d *harness.Desk) {
	known := map[string]bool{}
	for {
		offer, err := d.WaitOffer(serving, known)
		if serving.Err() != nil {
			return
		}
		if err == nil {
			known[offer.GetId()] = true
			l.offered(offer.GetCaller(), time.Now())
			err = answerAndFinish(ctx, d, offer)
		}
		if err != nil {
			l.wrong(fmt.Errorf("%s: %w", d.Person.Name, err))
			return
		}
	}
}

// offered notes the time; the offer may come before the 200 does.
func (l *load) offered(from string, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var took time.Duration
	if answered, ok := l.answered[from]; ok {
		took = max(0, at.Sub(answered))
	}
	l.took.offers = append(l.took.offers, took)
}

func answerAndFinish(ctx context.Context, d *harness.Desk, offer *agentv1.Call) error {
	leg, err := d.Answer(ctx, offer, nil)
	if err != nil {
		return err
	}
	defer leg.Close()
	if _, err := d.At(offer.GetNodeUrl()).Hangup(ctx, harness.Command(offer)); err != nil {
		return err
	}
	if err := d.WaitState(ctx, agentv1.AgentState_AGENT_STATE_WRAP_UP); err != nil {
		return err
	}
	return d.FinishWrapUp(ctx, offer.GetId(), d.Codes()[0].GetId(), "")
}

// pause is part of a measurement: the time over which nothing is done.
func pause(ctx context.Context, t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-ctx.Done():
		t.Fatal(ctx.Err())
	}
}

// quantile of a list that is not empty: the smallest value that so large a
// part of the list does not exceed.
func quantile(list []time.Duration, q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}
