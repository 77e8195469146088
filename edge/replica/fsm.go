package replica

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/raft"

	"trunkline/edge/call"
)

// fsm lets Raft drive the machine, and shows each batch to readers and watchers.
type fsm struct {
	m       *machine
	view    atomic.Pointer[View]
	clock   *siteClock
	watch   watchers[Change]
	failed  error
	fail    func(error)
	stop    chan struct{}
	applied notice
}

func newFSM(knows call.Level, clock *siteClock, fail func(error), stop chan struct{}) *fsm {
	f := &fsm{m: newMachine(knows), clock: clock, fail: fail, stop: stop}
	f.view.Store(&View{t: f.m.t.copy()})
	return f
}

// Apply implements raft.FSM.
func (f *fsm) Apply(l *raft.Log) any { return f.ApplyBatch([]*raft.Log{l})[0] }

// ApplyBatch implements raft.BatchingFSM: readers see the entries at once, which
// saves work where many come together, as after a start.
func (f *fsm) ApplyBatch(logs []*raft.Log) []any {
	out := make([]any, len(logs))
	before := f.m.t.index
	for i, l := range logs {
		if l.Type != raft.LogCommand {
			continue
		}
		if f.failed == nil {
			var results []call.Result
			if results, f.failed = f.m.applyBatch(l.Index, l.Data); f.failed == nil {
				out[i] = results
				entriesApplied.Inc()
				continue
			}
			f.fail(f.failed)
			// Never skip: nothing that follows may be applied, no snapshot may
			// be taken. The process is to end.
			<-f.stop
		}
		out[i] = f.failed
	}
	if f.failed == nil && f.m.t.index != before {
		f.clock.observe(f.m.t.at)
		f.publish(f.m.changed.take(f.m.t.index, f.m.t.at))
	}
	return out
}

func (f *fsm) publish(c Change) {
	f.view.Store(&View{t: f.m.t.copy()})
	f.watch.tell(c)
	f.applied.tell()
}

// Snapshot implements raft.FSM.
func (f *fsm) Snapshot() (raft.FSMSnapshot, error) {
	if f.failed != nil {
		return nil, f.failed
	}
	return snapshot{f.m.still()}, nil
}

// Restore implements raft.FSM.
func (f *fsm) Restore(r io.ReadCloser) error {
	m, err := restore(r, f.m.knows)
	if err != nil {
		return errors.Join(err, r.Close())
	}
	f.m = m
	f.clock.observe(m.t.at)
	f.publish(Change{Index: m.t.index, At: m.t.at, All: true})
	return r.Close()
}

type snapshot struct{ s *still }

// Persist implements raft.FSMSnapshot.
func (s snapshot) Persist(sink raft.SnapshotSink) error {
	if err := s.s.write(sink); err != nil {
		return errors.Join(err, sink.Cancel())
	}
	return sink.Close()
}

// Release implements raft.FSMSnapshot.
func (s snapshot) Release() {}

// notice wakes everybody who waits for the next event.
type notice struct {
	mu sync.Mutex
	ch chan struct{}
}

// next gives a channel that the next tell closes. Ask before looking.
func (n *notice) next() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ch == nil {
		n.ch = make(chan struct{})
	}
	return n.ch
}

func (n *notice) tell() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ch != nil {
		close(n.ch)
		n.ch = nil
	}
}
