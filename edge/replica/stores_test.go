package replica

import (
	"bytes"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// A vote's term alone never reaches the disk: a crash between the two writes
// leaves the older vote whole.
func TestVoteIsOneWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "votes.db")
	nothing := func() func() { return func() {} }
	s, err := openStable(path, nothing)
	if err != nil {
		t.Fatal(err)
	}
	set := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	set(s.SetUint64([]byte("CurrentTerm"), 7))
	set(s.SetUint64([]byte("LastVoteTerm"), 7))
	set(s.Set([]byte("LastVoteCand"), []byte("node-1")))
	set(s.SetUint64([]byte("LastVoteTerm"), 8)) // and then the power fails
	set(s.close())
	if s, err = openStable(path, nothing); err != nil {
		t.Fatal(err)
	}
	term, err := s.GetUint64([]byte("LastVoteTerm"))
	who, _ := s.Get([]byte("LastVoteCand"))
	if err != nil || term != 7 || !bytes.Equal(who, []byte("node-1")) {
		t.Errorf("term %d for %q, %v", term, who, err)
	}
	if n, err := s.GetUint64([]byte("missing")); n != 0 || err != nil {
		t.Errorf("missing: %d, %v", n, err)
	}
	set(s.close())
}

func TestLogStoreStaysMonotonic(t *testing.T) {
	var s raft.LogStore = &logStore{LogStore: &raft.MockMonotonicLogStore{}, disk: newDisk(time.Second)}
	cache, err := raft.NewLogCache(8, s)
	if err != nil {
		t.Fatal(err)
	}
	if !cache.IsMonotonic() {
		t.Error("the wrapper hides what the log is")
	}
}

func TestClockNeverGoesBack(t *testing.T) {
	now := time.Now()
	c := newSiteClock(func() time.Time { return now })
	if got := c.time(); got != now.UnixMicro() {
		t.Errorf("before anything: %d", got)
	}
	last := int64(0)
	expect := func(what string, want int64) {
		t.Helper()
		got := c.time()
		if got < last || want != 0 && got != want {
			t.Errorf("%s: %d, want %d, before %d", what, got, want, last)
		}
		last = got
	}
	c.observe(1_000_000_000) // a site whose clock is far behind ours
	expect("first batch", 1_000_000_000)
	now = now.Add(time.Second)
	expect("a second later", 1_001_000_000)
	c.observe(1_000_995_000) // took 5 ms to come
	expect("late batch", 1_001_000_000)
	c.observe(1_001_020_000)
	expect("the leader is ahead", 1_001_020_000)
	now = now.Add(10 * time.Second)
	c.observe(1_002_000_000) // we ran fast: stand still until it has caught up
	expect("ahead of the leader", 0)
	now = now.Add(time.Second)
	expect("still ahead", 0)
	c.lead(0)
	at := max(now.UnixMicro(), last)
	expect("leading", at)
	now = now.Add(time.Second)
	c.observe(at) // a commit that took a second does not set the leader's clock
	expect("slow commit", at+second)
	c.follow()
	c.observe(at + 2*second)
	expect("following again", at+2*second)
}
