package replica

import (
	"bytes"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"trunkline/edge/call"
)

func sameState(t *testing.T, nodes ...*testNode) {
	t.Helper()
	var hash []byte
	var index uint64
	for _, n := range nodes {
		index = max(index, n.View().Index())
	}
	for _, n := range nodes {
		if err := n.WaitIndex(t.Context(), index); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range nodes {
		v := n.View()
		h := (&still{t: v.t}).hash()
		if hash == nil {
			hash = h
		} else if v.Index() == index && !bytes.Equal(hash, h) {
			t.Errorf("%s has another state at entry %d", n.cfg.Name, index)
		}
		if wrong := CheckInvariants(v); len(wrong) > 0 {
			t.Errorf("%s: %q", n.cfg.Name, wrong)
		}
	}
}

// Three nodes form a group; every one takes commands; the leader's death loses
// nothing; the dead node's calls move; it comes back and catches up.
func TestGroupSurvivesItsLeader(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	nodes := s.three()
	for i := range 30 {
		n := nodes[i%3]
		if res := s.apply(n, startCall(i, n.cfg.Name)); res.Refused != "" || res.Call == nil || res.Call.Successor == "" {
			t.Fatalf("start through %s: %+v", n.cfg.Name, res)
		}
	}
	dead := s.leader()
	var alive []*testNode
	for _, n := range nodes {
		if n != dead {
			alive = append(alive, n)
		}
	}
	before := time.Now()
	dead.kill()
	res := s.apply(alive[0], startCall(100, alive[0].cfg.Name))
	t.Logf("commit %v after the leader's death", time.Since(before))
	if res.Refused != "" {
		t.Fatal(res.Refused)
	}
	for _, n := range alive {
		s.until(n, "the move of the dead node's calls", func(v *View) bool { return len(v.CallsByOwner(dead.cfg.Name)) == 0 })
		if got := n.View().CallCount(); got != 31 {
			t.Errorf("%s has %d calls, want 31", n.cfg.Name, got)
		}
		down, _ := n.View().Node(dead.cfg.Name)
		if down.Up {
			t.Errorf("%s believes the dead node to be up", n.cfg.Name)
		}
	}
	t.Logf("calls moved %v after the leader's death", time.Since(before))
	moved := 0
	for c := range alive[0].View().Calls() {
		if len(c.Moves) == 1 && c.Moves[0].From == dead.cfg.Name && c.Owner == c.Moves[0].To {
			moved++
		}
	}
	if moved != 10 {
		t.Errorf("%d calls were moved, want 10", moved)
	}
	sameState(t, alive...)

	back := s.start(dead.cfg.Name, false)
	if err := back.WaitReady(s.ctx(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	s.apply(back, startCall(101, back.cfg.Name))
	for _, n := range alive {
		s.until(n, "the return", func(v *View) bool {
			up, _ := v.Node(back.cfg.Name)
			_, ok := v.Call("call-00101")
			return up.Up && up.Incarnation == back.cfg.Incarnation && ok
		})
	}
	sameState(t, append(alive, back)...)
}

// A node that was away for longer than the log reaches gets a snapshot.
func TestSnapshotReachesALateNode(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.tune = func(c *Config) { c.SnapshotThreshold, c.segmentBytes = 64, 16<<10 }
	nodes := s.three()
	leader := s.leader()
	late := nodes[0]
	if late == leader {
		late = nodes[1]
	}
	late.kill()
	for i := range 300 {
		s.apply(leader, startCall(i, leader.cfg.Name))
	}
	if err := leader.raft.Snapshot().Error(); err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		s.apply(leader, startCall(1000+i, leader.cfg.Name))
	}
	back := s.start(late.cfg.Name, false)
	var all atomic.Bool
	defer back.Watch(func(c Change) {
		if c.All {
			all.Store(true)
		}
	})()
	s.until(back, "the snapshot", func(v *View) bool { return v.CallCount() == 310 })
	if !all.Load() {
		t.Error("the watcher was not told that all has changed")
	}
	s.until(leader, "the return", func(v *View) bool { n, _ := v.Node(late.cfg.Name); return n.Up })
	sameState(t, leader, back)
}

// The same key gives the same answer, through any node, also after a restart.
func TestKeyIsAppliedOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	nodes := s.three()
	for _, n := range nodes {
		res, err := n.Apply(s.ctx(10*time.Second), "one-key", startCall(1, "node-2"))
		if err != nil || res.Refused != "" || res.Call == nil || res.Call.ID != "call-00001" {
			t.Fatalf("through %s: %+v, %v", n.cfg.Name, res, err)
		}
	}
	if n := nodes[0].View().CallCount(); n != 1 {
		t.Errorf("%d calls", n)
	}
}

// Without a majority nothing is promised, and Apply says so when its time is over.
func TestNoMajority(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	nodes := s.three()
	nodes[1].kill()
	nodes[2].kill()
	_, err := nodes[0].Apply(s.ctx(2*time.Second), "", startCall(1, "node-1"))
	if err == nil {
		t.Fatal("committed alone")
	}
	// Both come back: the site goes on.
	s.start("node-2", false)
	s.start("node-3", false)
	s.apply(nodes[0], startCall(2, "node-1"))
}

// The leader matches, ends what is overdue, and watches in order.
func TestLeaderDrives(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.tune = func(c *Config) {
		c.OfferTimeout = func(int64, string) time.Duration { return 100 * time.Millisecond }
	}
	n := s.start("node-1", true)
	if err := n.WaitReady(s.ctx(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	var last uint64
	defer n.Watch(func(c Change) {
		if c.Index <= last || n.View().Index() < c.Index {
			t.Errorf("change %d after %d", c.Index, last)
		}
		last = c.Index
	})()
	signIn := func(id string, life time.Duration) {
		s.apply(n, call.SignIn{Session: call.Session{Hash: []byte(id), AgentID: id, Tenant: 1, Expires: life.Microseconds()}, Queues: []string{"q"}})
		s.apply(n, call.AgentStream{AgentID: id, Node: "node-1", On: true})
		if res := s.apply(n, call.SetAgentState{AgentID: id, State: call.AgentReady}); res.Refused != "" {
			t.Fatal(res.Refused)
		}
	}
	signIn("ann", time.Hour)
	s.apply(n, startCall(1, "node-1"))
	s.apply(n, call.Enqueue{CallID: "call-00001", QueueID: "q"})
	s.until(n, "the offer", func(v *View) bool { c, _ := v.Call("call-00001"); return c.AgentID == "ann" })
	// Nobody answers, and the owner is silent: the leader ends the offer.
	s.until(n, "the end of the offer", func(v *View) bool {
		c, _ := v.Call("call-00001")
		a, _ := v.Agent("ann")
		return c.Phase == call.PhaseQueued && a.State == call.AgentNotReady && a.Reason == call.ReasonNoAnswer
	})
	signIn("bob", time.Hour)
	s.until(n, "the second offer", func(v *View) bool { c, _ := v.Call("call-00001"); return c.AgentID == "bob" })
	s.apply(n, call.Connect{CallID: "call-00001", AgentID: "bob"})
	s.apply(n, call.CallEnd{CallID: "call-00001", EndedBy: "caller", WrapUp: 50_000})
	s.until(n, "the end of the wrap-up", func(v *View) bool { a, _ := v.Agent("bob"); return a.State == call.AgentReady })
	s.apply(n, call.SignIn{Session: call.Session{Hash: []byte("c"), AgentID: "cid", Tenant: 1, Expires: 50_000}, Queues: []string{"q"}})
	s.until(n, "the session's end", func(v *View) bool { a, _ := v.Agent("cid"); return a.State == call.AgentOffline })
	sameState(t, n)
}

func TestApplyAfterStop(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	n := s.start("node-1", true)
	n.kill()
	if _, err := n.Apply(s.ctx(5*time.Second), "", startCall(1, "node-1")); !errors.Is(err, errStopped) {
		t.Errorf("got %v", err)
	}
	if st := n.Status(); st.State != "shutdown" {
		t.Errorf("state %q", st.State)
	}
}
