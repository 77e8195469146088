package acd

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"trunkline/edge/call"
)

// world is what the state machine would hold, kept the simplest way.
type world struct {
	calls  map[string]*call.Call
	agents map[string]*call.Agent
}

func waiting(id string, tenant int64, queue string, priority int32, at int64) *call.Call {
	return &call.Call{ID: id, Tenant: tenant, Rev: 1, Phase: call.PhaseQueued, QueueID: queue, Priority: priority, EnqueuedAt: at}
}

func idle(id string, tenant int64, since int64, queues ...string) *call.Agent {
	return &call.Agent{ID: id, Tenant: tenant, Rev: 1, State: call.AgentReady, ReadySince: since, Queues: queues, Streams: []string{"n"}}
}

// check compares proposals with the rule, applied by brute force one at a time.
func check(t *testing.T, w *world, taken map[string]bool, got []Assign) {
	t.Helper()
	for i, a := range got {
		c, g := w.calls[a.CallID], w.agents[a.AgentID]
		switch {
		case c == nil || g == nil || taken[a.CallID] || taken[a.AgentID]:
			t.Fatalf("proposal %d is of nobody, or of somebody twice: %+v", i, a)
		case c.Tenant != g.Tenant || a.Tenant != c.Tenant || a.Queue != c.QueueID || !slices.Contains(g.Queues, c.QueueID):
			t.Fatalf("proposal %d: %s does not belong to %s", i, a.AgentID, a.CallID)
		case c.Phase != call.PhaseQueued || !offerable(g) || a.CallRev != c.Rev || a.AgentRev != g.Rev:
			t.Fatalf("proposal %d: not as they are: %+v", i, a)
		}
		for _, o := range w.calls {
			if !taken[o.ID] && o.Phase == call.PhaseQueued && o.Tenant == c.Tenant && byRank(o, c) < 0 && slices.Contains(g.Queues, o.QueueID) {
				t.Fatalf("proposal %d: %s goes before %s of queue %s for agent %s", i, o.ID, c.ID, o.QueueID, g.ID)
			}
		}
		for _, o := range w.agents {
			if !taken[o.ID] && offerable(o) && o.Tenant == c.Tenant && byIdle(o, g) < 0 && slices.Contains(o.Queues, c.QueueID) {
				t.Fatalf("proposal %d: %s has been idle for longer than %s", i, o.ID, g.ID)
			}
		}
		taken[a.CallID], taken[a.AgentID] = true, true
	}
	// Nobody waits in vain.
	for _, c := range w.calls {
		for _, g := range w.agents {
			if !taken[c.ID] && !taken[g.ID] && c.Phase == call.PhaseQueued && offerable(g) && c.Tenant == g.Tenant && slices.Contains(g.Queues, c.QueueID) {
				t.Fatalf("%s waits for nothing: %s is ready", c.ID, g.ID)
			}
		}
	}
}

func TestMatchFollowsTheRule(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 1))
		w := &world{calls: map[string]*call.Call{}, agents: map[string]*call.Agent{}}
		f := NewFloor()
		taken := map[string]bool{} // proposed, outcome unknown
		var open []Assign
		queues := []string{"q0", "q1", "q2", "q3"}
		for step := range 400 {
			switch rng.IntN(6) {
			case 0, 1: // a call comes, or changes where it waits
				id := fmt.Sprint("c", rng.IntN(60))
				c := waiting(id, int64(1+rng.IntN(2)), queues[rng.IntN(4)], int32(rng.IntN(3)), int64(rng.IntN(50)))
				if old := w.calls[id]; old != nil {
					c.Tenant, c.Rev = old.Tenant, old.Rev+1
					c.Phase = []call.Phase{call.PhaseFlow, call.PhaseQueued, call.PhaseOffered}[rng.IntN(3)]
				}
				w.calls[id] = c
				f.SetCall(c)
			case 2:
				id := fmt.Sprint("c", rng.IntN(60))
				if !taken[id] {
					delete(w.calls, id)
					f.DropCall(id)
				}
			case 3, 4:
				id := fmt.Sprint("a", rng.IntN(20))
				own := slices.Clone(queues)
				rng.Shuffle(4, func(i, j int) { own[i], own[j] = own[j], own[i] })
				a := idle(id, int64(1+rng.IntN(2)), int64(rng.IntN(30)), own[:rng.IntN(4)]...)
				if old := w.agents[id]; old != nil {
					a.Tenant, a.Rev = old.Tenant, old.Rev+1
					a.State = []call.AgentState{call.AgentReady, call.AgentNotReady, call.AgentReserved}[rng.IntN(3)]
					if rng.IntN(6) == 0 {
						a.Streams = nil
					}
				}
				w.agents[id] = a
				f.SetAgent(a)
			case 5: // outcomes become known
				for len(open) > 0 && rng.IntN(3) > 0 {
					a := open[0]
					open = open[1:]
					delete(taken, a.CallID)
					delete(taken, a.AgentID)
					f.Settle(a)
				}
			}
			if step%3 == 0 || rng.IntN(4) == 0 {
				got := f.Match()
				check(t, w, taken, got)
				open = append(open, got...)
			}
		}
		for _, a := range open {
			f.Settle(a)
		}
		for id := range w.calls {
			f.DropCall(id)
		}
		for _, a := range w.agents {
			gone := *a
			gone.State = call.AgentOffline
			f.SetAgent(&gone)
		}
		f.Match()
		if len(f.queues)+len(f.calls)+len(f.agents)+len(f.dirty) != 0 {
			t.Fatalf("seed %d: something is left: %d queues, %d calls, %d agents", seed, len(f.queues), len(f.calls), len(f.agents))
		}
	}
}

func TestPendingIsLeftAlone(t *testing.T) {
	f := NewFloor()
	c := waiting("c1", 1, "q", 0, 1)
	f.SetCall(c)
	f.SetAgent(idle("a1", 1, 1, "q"))
	got := f.Match()
	if len(got) != 1 {
		t.Fatalf("%+v", got)
	}
	next := *c
	next.Rev = 2 // a target refresh while the proposal is under way
	f.SetCall(&next)
	f.SetAgent(idle("a2", 1, 2, "q"))
	if again := f.Match(); len(again) != 0 {
		t.Fatalf("proposed twice: %+v", again)
	}
	f.Settle(got[0])
	again := f.Match()
	if len(again) != 1 || again[0].CallRev != 2 || again[0].AgentID != "a1" {
		t.Fatalf("%+v", again)
	}
}

// fill makes agents ready in a few of many queues, and callers that wait.
func fill(agents, callers int) (*Floor, *rand.Rand) {
	rng := rand.New(rand.NewPCG(1, 2))
	f := NewFloor()
	for i := range agents {
		var own []string
		for range 4 {
			own = append(own, fmt.Sprint("q", rng.IntN(100)))
		}
		slices.Sort(own)
		a := idle(fmt.Sprintf("a%06d", i), 1, int64(i), slices.Compact(own)...)
		a.State = call.AgentTalking
		f.SetAgent(a)
	}
	for i := range callers {
		f.SetCall(waiting(fmt.Sprintf("c%06d", i), 1, fmt.Sprint("q", rng.IntN(100)), 0, int64(i)))
	}
	f.Match()
	return f, rng
}

// One agent becomes ready and is matched; one caller comes for each that goes.
func BenchmarkDecision(b *testing.B) {
	for _, size := range []struct{ agents, callers int }{{100, 1_000}, {1_000, 10_000}, {10_000, 100_000}} {
		b.Run(fmt.Sprintf("agents=%d/waiting=%d", size.agents, size.callers), func(b *testing.B) {
			f, rng := fill(size.agents, size.callers)
			i := size.callers
			for b.Loop() {
				own := []string{fmt.Sprint("q", rng.IntN(100)), fmt.Sprint("q", rng.IntN(100))}
				slices.Sort(own)
				a := idle(fmt.Sprintf("a%06d", rng.IntN(size.agents)), 1, int64(i), slices.Compact(own)...)
				f.SetAgent(a)
				got := f.Match()
				if len(got) != 1 {
					b.Fatal(len(got))
				}
				busy := *a
				busy.State = call.AgentTalking
				f.SetAgent(&busy)
				f.DropCall(got[0].CallID)
				f.Settle(got[0])
				i++
				f.SetCall(waiting(fmt.Sprintf("c%06d", i), 1, got[0].Queue, 0, int64(i)))
			}
		})
	}
}
