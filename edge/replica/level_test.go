package replica

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"trunkline/edge/call"
)

// newer is the level of the next release.
const newer = call.FeatureLevel + 1

// newHold is a command with a field that came with the next release.
type newHold struct{ call.Hold }

func (newHold) Level() call.Level { return newer }

// While one node runs the old program, nothing new is written; once all run the
// new one, it is, and the old program can not come back.
func TestLevelWaitsForEveryNode(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	stopped := make(chan error, 16)
	old := map[string]bool{"node-1": true, "node-2": true, "node-3": true}
	s.tune = func(c *Config) {
		c.level = newer
		if old[c.Name] {
			c.level = call.FeatureLevel
			c.Fatal = func(err error) { stopped <- err }
		}
	}
	upgrade := func(nodes []*testNode, i int) {
		nodes[i].kill()
		name := nodes[i].cfg.Name
		old[name] = false
		nodes[i] = s.start(name, false)
		if err := nodes[i].WaitReady(s.ctx(60 * time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	nodes := s.three()
	upgrade(nodes, 0)
	upgrade(nodes, 1)
	for _, n := range nodes {
		s.until(n, "the old level", func(v *View) bool { return v.Level() == call.FeatureLevel })
	}
	s.apply(nodes[0], startCall(1, "node-1"))
	cmd := newHold{call.Hold{CallID: "call-00001", On: true}}
	for _, n := range nodes {
		if res := s.apply(n, cmd); res.Refused != call.RefusedLevel {
			t.Fatalf("with an old node, %s answered %+v", n.cfg.Name, res)
		}
	}
	if got := nodes[0].View().Level(); got != call.FeatureLevel {
		t.Fatalf("the site is at level %d with a node of level %d", got, call.FeatureLevel)
	}

	// The dead node holds it back: nobody knows what comes in its place.
	nodes[2].kill()
	leader := s.leader(nodes[2])
	s.until(leader, "the node's death", func(v *View) bool { n, _ := v.Node("node-3"); return !n.Up })
	leader.raiseLevel(t.Context())
	if got := leader.View().Level(); got != call.FeatureLevel {
		t.Fatalf("the site went to level %d without a word of the dead node", got)
	}

	upgrade(nodes, 2)
	for _, n := range nodes {
		s.until(n, "the new level", func(v *View) bool { return v.Level() == newer })
		if res := s.apply(n, cmd); res.Refused == call.RefusedLevel {
			t.Fatalf("%s still refuses: %+v", n.cfg.Name, res)
		}
	}

	nodes[2].kill()
	old["node-3"] = true
	s.start("node-3", false)
	select {
	case err := <-stopped:
		if !errors.Is(err, errUnknownCommand) || !strings.Contains(err.Error(), "install the version") {
			t.Errorf("the old program stopped with: %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the old program takes part in a site that has grown past it")
	}

	old["node-4"] = true
	late := s.start("node-4", false)
	err := late.join(s.ctx(30*time.Second), s.leader().cfg.Name)
	if err == nil || !strings.Contains(err.Error(), "fault.node.too_old") {
		t.Errorf("an old program asked to join and heard: %v", err)
	}
}

// A level that is in a snapshot stops an older program as one in the log does.
func TestLevelInSnapshot(t *testing.T) {
	m := newMachine(newer)
	if res, err := m.setLevel(call.SetLevel{Level: newer}); err != nil || res.Refused != "" {
		t.Fatal(res, err)
	}
	if res, err := m.setLevel(call.SetLevel{Level: call.FeatureLevel}); err != nil || res.Refused != call.RefusedStale {
		t.Fatalf("the level went down: %+v, %v", res, err)
	}
	var buf bytes.Buffer
	if err := m.still().write(&buf); err != nil {
		t.Fatal(err)
	}
	again, err := restore(bytes.NewReader(buf.Bytes()), newer)
	if err != nil || again.t.level != newer {
		t.Fatalf("level %d after a restart: %v", again.t.level, err)
	}
	if _, err := restore(bytes.NewReader(buf.Bytes()), call.FeatureLevel); !errors.Is(err, errUnknownCommand) {
		t.Fatalf("the old program reads the snapshot: %v", err)
	}
}

// What an older program can not read must not be in an older command: a new
// field is left out while it is not used, and stops who does not know it.
func TestOldCommandsStayAsTheyWere(t *testing.T) {
	raw, err := os.ReadFile("testdata/level0.txt")
	if err != nil {
		t.Fatal(err)
	}
	want := map[call.Type]string{}
	for line := range strings.Lines(string(raw)) {
		var typ call.Type
		var body string
		if _, err := fmt.Sscan(line, &typ, &body); err != nil {
			t.Fatal(err)
		}
		want[typ] = body
	}
	for typ := call.TypeCallStart; typ <= call.TypeDequeue; typ++ {
		cmd, err := decoders[typ]([]byte{0xa0})
		if err != nil {
			t.Fatal(err)
		}
		body, err := encoding.Marshal(cmd)
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(body); got != want[typ] {
			t.Errorf("type %d is written as\n%s, was\n%s:\na new field needs omitempty and a level", typ, got, want[typ])
		}
		if _, err := decoders[typ]([]byte{0xa1, 0x18, 0xf0, 0x01}); err == nil {
			t.Errorf("type %d: an unknown field was skipped", typ)
		}
	}
}

// Every type after level 0 says what it came with.
func TestEveryTypeHasItsLevel(t *testing.T) {
	for typ, read := range decoders {
		cmd, err := read([]byte{0xa0})
		if err != nil {
			t.Fatal(err)
		}
		level := call.LevelOf(cmd)
		switch {
		case level > call.FeatureLevel:
			t.Errorf("type %d needs level %d, this program is at %d", typ, level, call.FeatureLevel)
		case typ > call.TypeSetLevel && level == 0:
			t.Errorf("type %d has no level in edge/call/level.go: older nodes would stop", typ)
		}
	}
}
