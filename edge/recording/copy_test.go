package recording

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// peer copies into another store, as the RPC does.
type peer struct {
	store *Store
	mu    sync.Mutex
	down  bool
	slow  bool
}

func (p *peer) set(down, slow bool) { p.mu.Lock(); p.down, p.slow = down, slow; p.mu.Unlock() }

func (p *peer) Copy(ctx context.Context, tenant int64, recordingID string, offset int64, data []byte, last bool) (int64, error) {
	p.mu.Lock()
	down, slow := p.down, p.slow
	p.mu.Unlock()
	if slow {
		<-ctx.Done()
		return 0, ctx.Err()
	}
	if down {
		return 0, errors.New("peer is down")
	}
	return p.store.Receive(tenant, recordingID, offset, data, last)
}

func TestCopies(t *testing.T) {
	k, here, there := newKeys(t), t.TempDir(), t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		p := &peer{store: started(t, Config{Dir: there, Node: "b"})}
		defer stop(t, p.store)
		s := started(t, Config{Dir: here, Node: "a", Copier: p})
		defer stop(t, s)
		r := record(t, s, spec(k))
		// 50 ms from one tick to the next, so look between them.
		<-time.After(5025 * time.Millisecond)
		size := func() int64 {
			st, err := os.Stat(p.store.copyPath(7, id))
			if err != nil {
				t.Fatal(err)
			}
			return st.Size()
		}
		r.file.Lock()
		written := r.w.Summary().Bytes
		r.file.Unlock()
		if behind := written - size(); behind > 3*6500 {
			t.Errorf("the copy is %d bytes behind", behind)
		}
		p.set(false, true)
		<-time.After(5 * time.Second)
		p.set(true, false)
		<-time.After(5 * time.Second)
		if n := s.Status().CopyFailures; n == 0 {
			t.Error("failures are not counted")
		}
		p.set(false, false)
		<-time.After(2 * time.Second)
		m, err := r.Close()
		if err != nil || m.LostWindows != 0 {
			t.Fatalf("lost %d windows: %v", m.LostWindows, err)
		}
		<-time.After(2 * time.Second)
		if st := s.Status(); st.Copying != 0 || st.Active != 0 {
			t.Errorf("status %+v", st)
		}
		whole, _ := os.ReadFile(m.File)
		copied, _ := os.ReadFile(p.store.copyPath(7, id))
		if !bytes.Equal(whole, copied) {
			t.Errorf("copy of %d bytes differs from %d", len(copied), len(whole))
		}
		if found, err := Recover(there); err != nil || len(found) != 0 {
			t.Errorf("a copy was taken for a recording of the peer: %v, %v", found, err)
		}
		taken, err := p.store.TakeCopy(7, id)
		if err != nil || !bytes.Equal(taken.Chain, m.Chain) || taken.Node != "a" {
			t.Errorf("taken %+v, %v", taken, err)
		}
		if _, err := p.store.TakeCopy(7, id); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("taken twice: %v", err)
		}
		if err := p.store.DropCopy(7, id); err != nil {
			t.Error(err)
		}
	})
}

func TestReceiveKeepsOrder(t *testing.T) {
	s := started(t, Config{})
	defer stop(t, s)
	for _, c := range []struct {
		offset int64
		data   string
		want   int64
	}{{0, "abc", 3}, {5, "no", 3}, {3, "def", 6}, {2, "cd", 6}, {6, "", 6}} {
		if got, err := s.Receive(7, "r", c.offset, []byte(c.data), false); err != nil || got != c.want {
			t.Errorf("at %d: size %d, %v", c.offset, got, err)
		}
	}
	if b, _ := os.ReadFile(s.copyPath(7, "r")); string(b) != "abcdef" {
		t.Errorf("copy %q", b)
	}
	for _, bad := range []string{"", "../x", "A", "a/b"} {
		if _, err := s.Receive(7, bad, 0, nil, false); err == nil {
			t.Errorf("name %q", bad)
		}
	}
}
