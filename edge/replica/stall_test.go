package replica

import (
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// slowLog is a disk that can be made to hang.
type slowLog struct {
	raft.LogStore
	mu   sync.Mutex
	hung chan struct{}
}

func (s *slowLog) hang() (resume func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := make(chan struct{})
	s.hung = c
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.hung = nil
		close(c)
	})
}

func (s *slowLog) StoreLogs(logs []*raft.Log) error {
	s.mu.Lock()
	c := s.hung
	s.mu.Unlock()
	if c != nil {
		<-c
	}
	return s.LogStore.StoreLogs(logs)
}

func (s *slowLog) StoreLog(l *raft.Log) error { return s.StoreLogs([]*raft.Log{l}) }

func (s *slowLog) IsMonotonic() bool { return true }

// A leader whose disk hangs gives way: the site goes on, that node's own
// commands go to the new leader, and when the disk writes again it follows.
func TestHungDiskOfTheLeader(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var mu sync.Mutex
	logs := map[string]*slowLog{}
	s.tune = func(c *Config) {
		name := c.Name
		c.wrapLog = func(below raft.LogStore) raft.LogStore {
			mu.Lock()
			defer mu.Unlock()
			logs[name] = &slowLog{LogStore: below}
			return logs[name]
		}
	}
	nodes := s.three()
	stuck := s.leader()
	resume := logs[stuck.cfg.Name].hang()
	t.Cleanup(resume)
	begin := time.Now()
	// Proposed on the node whose disk hangs, committed by another leader.
	if res := s.apply(stuck, startCall(1, stuck.cfg.Name)); res.Refused != "" {
		t.Fatal(res.Refused)
	}
	t.Logf("commit %v after the disk hung", time.Since(begin))
	if !stuck.Status().DiskStall {
		t.Error("the node does not say that its disk hangs")
	}
	next := s.leader(stuck)
	for i := range 20 {
		s.apply(next, startCall(10+i, next.cfg.Name))
	}
	resume()
	for _, n := range nodes {
		s.until(n, "what was missed", func(v *View) bool { return v.CallCount() == 21 })
	}
	s.apply(stuck, startCall(2, stuck.cfg.Name))
	sameState(t, nodes...)
}
