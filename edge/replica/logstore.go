package replica

import (
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// logStore measures the writes of a log. It forwards IsMonotonic, without which
// Raft would leave gaps that the log below refuses.
type logStore struct {
	raft.LogStore
	disk *disk
}

// StoreLog implements raft.LogStore.
func (s *logStore) StoreLog(l *raft.Log) error { return s.StoreLogs([]*raft.Log{l}) }

// StoreLogs implements raft.LogStore.
func (s *logStore) StoreLogs(logs []*raft.Log) error {
	defer s.disk.writing()()
	return s.LogStore.StoreLogs(logs)
}

// IsMonotonic implements raft.MonotonicLogStore.
func (s *logStore) IsMonotonic() bool {
	m, ok := s.LogStore.(raft.MonotonicLogStore)
	return ok && m.IsMonotonic()
}

// disk watches the writes that a commit waits for. A hung disk under a leader
// would stop all commits for ever, because its heartbeats go on: so while a
// write hangs, the node leaves Raft's traffic and lets another lead. The write
// itself is never given up, for it may yet reach the disk.
type disk struct {
	limit time.Duration

	mu    sync.Mutex
	busy  map[int]time.Time // writes under way
	next  int
	took  [1024]time.Duration
	taken int
}

func newDisk(limit time.Duration) *disk { return &disk{limit: limit, busy: map[int]time.Time{}} }

// writing is called before a write, what it returns after.
func (d *disk) writing() (done func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	id, start := d.next, time.Now()
	d.next++
	d.busy[id] = start
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.busy, id)
		took := time.Since(start)
		writeSeconds.Observe(took.Seconds())
		d.took[d.taken%len(d.took)] = took
		d.taken++
	}
}

// stalled says whether a write has been under way for too long.
func (d *disk) stalled() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, start := range d.busy {
		if time.Since(start) > d.limit {
			return true
		}
	}
	return false
}

// p99 is of the last 1,024 writes.
func (d *disk) p99() time.Duration {
	d.mu.Lock()
	took := slices.Clone(d.took[:min(d.taken, len(d.took))])
	d.mu.Unlock()
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	return took[len(took)*99/100]
}
