package recording

import (
	"bytes"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// The next part of a call names where the one before ended, as far as it was
// copied; also after a restart of the node that has the copy.
func TestNextPartNamesTheOneBefore(t *testing.T) {
	k, here, there := newKeys(t), t.TempDir(), t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		p := &peer{store: started(t, Config{Dir: there, Node: "b"})}
		s := started(t, Config{Dir: here, Node: "a", Copier: p})
		r := record(t, s, spec(k))
		if _, ok := p.store.Previous(7, "call"); ok {
			t.Error("a part before anything was copied")
		}
		<-time.After(5 * time.Second)
		// The owner dies; what it had on its disk is more than what was copied.
		p.set(true, false)
		<-time.After(3 * time.Second)
		part, ok := p.store.Previous(7, "call")
		if !ok || part.Segment != 0 || len(part.Chain) == 0 {
			t.Fatalf("%+v %v", part, ok)
		}
		if _, ok := p.store.Previous(8, "call"); ok {
			t.Error("another tenant's part")
		}
		again := func() {
			stop(t, p.store)
			p.store = started(t, Config{Dir: there, Node: "b"})
			synctest.Wait() // it reads what is there
		}
		again()
		if now, ok := p.store.Previous(7, "call"); !ok || !bytes.Equal(now.Chain, part.Chain) {
			t.Errorf("after a restart %+v %v, before %+v", now, ok, part)
		}
		// The second part's own manifest carries it.
		next := spec(k)
		next.RecordingID, next.Segment, next.PrevChain = "0193e0a0-0000-7000-8000-000000000002", part.Segment+1, part.Chain
		second := record(t, p.store, next)
		<-time.After(time.Second)
		m, err := second.Close()
		if err != nil || m.Segment != 1 || !bytes.Equal(m.PrevChain, part.Chain) {
			t.Errorf("%+v %v", m, err)
		}
		// A copy that is taken up ends where the next part says.
		if list := p.store.Copies(); len(list) != 1 || list[0].CallID != "call" || list[0].Node != "a" || list[0].Tenant != 7 {
			t.Fatalf("copies %+v", list)
		}
		taken, err := p.store.TakeCopy(7, id)
		if err != nil || !bytes.Equal(taken.Chain, part.Chain) || taken.Node != "a" || !taken.Recovered {
			t.Errorf("taken %+v, %v", taken, err)
		}
		if list := p.store.Copies(); len(list) != 0 {
			t.Errorf("copies after it was taken: %+v", list)
		}
		whole, err := r.Close()
		if err != nil || bytes.Equal(whole.Chain, part.Chain) {
			t.Errorf("the owner's own has nothing more: %+v, %v", whole, err)
		}
		stop(t, s)
		// What this node itself left behind counts after its restart.
		again()
		left, err := List(there)
		if err != nil {
			t.Fatal(err)
		}
		p.store.Left(left)
		if now, ok := p.store.Previous(7, "call"); !ok || now.Segment != 1 || !bytes.Equal(now.Chain, m.Chain) {
			t.Errorf("of its own: %+v %v", now, ok)
		}
		stop(t, p.store)
	})
}

// Asked without data a node tells what it has, and keeps nothing.
func TestReceiveTells(t *testing.T) {
	s := started(t, Config{})
	defer stop(t, s)
	if n, err := s.Receive(7, "r", 100, nil, false); err != nil || n != 0 {
		t.Errorf("%d %v", n, err)
	}
	if _, err := os.Stat(s.copyPath(7, "r")); err == nil {
		t.Error("a file was made")
	}
	if err := s.DropCopy(7, "r"); err != nil {
		t.Error(err)
	}
}
