package replica

import (
	"sync"
	"testing"
	"time"
)

// wrongClocks gives each node of a site a clock of its own.
type wrongClocks struct {
	mu    sync.Mutex
	off   map[string]time.Duration
	cloud bool // it is heard, and right
}

func (c *wrongClocks) set(name string, off time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.off[name] = off
}

func skewable(s *site) *wrongClocks {
	c := &wrongClocks{off: map[string]time.Duration{}}
	s.tune = func(cfg *Config) {
		name := cfg.Name
		cfg.Clock = func() time.Time {
			c.mu.Lock()
			defer c.mu.Unlock()
			return time.Now().Add(c.off[name])
		}
		cfg.CloudClock = func() (time.Duration, bool) {
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.off[name], c.cloud
		}
	}
	return c
}

// eventually waits for a condition of the test.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 1200 {
		if ok() {
			return
		}
		<-time.After(50 * time.Millisecond)
	}
	t.Fatalf("%s did not come", what)
}

// siteTime fails when a node's site time is not the true time.
func siteTime(t *testing.T, n *testNode) {
	t.Helper()
	if d := time.Since(time.UnixMicro(n.Now())); d.Abs() > time.Minute {
		t.Errorf("site time at %s is %v from the true one", n.cfg.Name, -d)
	}
}

// A node whose clock is off hands over and does not lead while another can;
// when its clock is right again it may.
func TestClockThatIsOffDoesNotLead(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	clocks := skewable(s)
	clocks.cloud = true
	nodes := s.three()
	wrong := s.leader()
	clocks.set(wrong.cfg.Name, time.Hour)
	began := time.Now()
	next := s.leader(wrong)
	t.Logf("another leads %v after the leader's clock went wrong", time.Since(began))
	if c := wrong.Status().Clock; !c.Off || time.Duration(c.Ahead)*time.Microsecond < 59*time.Minute {
		t.Errorf("its status: %+v", c)
	}
	if c := next.Status().Clock; c.Off {
		t.Errorf("the new leader's clock: %+v", c)
	}
	// The leader dies: the wrong clock does not stand, though it could.
	var last *testNode
	for _, n := range nodes {
		if n != wrong && n != next {
			last = n
		}
	}
	next.kill()
	// If its log alone is whole it has to stand, and hands over again.
	eventually(t, "the lead of the node with the right clock", func() bool { _, self := last.Leader(); return self && last.leads() })
	s.apply(wrong, startCall(1, wrong.cfg.Name))
	siteTime(t, last)
	clocks.set(wrong.cfg.Name, 0)
	back := s.start(next.cfg.Name, false)
	if err := back.WaitReady(s.ctx(60 * time.Second)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "its clock is right again", func() bool { return !wrong.Status().Clock.Off })
	s.apply(wrong, startCall(2, wrong.cfg.Name))
	sameState(t, wrong, last, back)
}

// When no clock can be trusted, somebody leads all the same.
func TestClocksThatAllDiffer(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	clocks := skewable(s)
	nodes := s.three()
	for i, n := range nodes {
		clocks.set(n.cfg.Name, time.Duration(i-1)*10*time.Second)
	}
	// The one in the middle leads; the others are off.
	eventually(t, "the middle leads", func() bool { _, self := nodes[1].Leader(); return self && nodes[1].leads() })
	began := time.Now()
	nodes[1].kill()
	s.apply(nodes[0], startCall(1, nodes[0].cfg.Name))
	t.Logf("a commit %v later", time.Since(began))
	for _, n := range []*testNode{nodes[0], nodes[2]} {
		s.until(n, "the call", func(v *View) bool { return v.CallCount() == 1 })
	}
}

// Nodes that start together compare clocks before one leads: the wrong one's
// time does not become the site's.
func TestClockThatIsOffAtTheStart(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	clocks := skewable(s)
	nodes := s.three()
	for _, n := range nodes {
		n.kill()
	}
	clocks.set("node-1", 24*time.Hour)
	nodes = []*testNode{s.start("node-1", false), s.start("node-2", false), s.start("node-3", false)}
	for _, n := range nodes {
		if err := n.WaitReady(s.ctx(60 * time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	if leader := s.leader(); leader == nodes[0] {
		t.Error("the wrong clock leads")
	}
	s.apply(nodes[0], startCall(1, "node-1"))
	for _, n := range nodes {
		siteTime(t, n)
	}
}
