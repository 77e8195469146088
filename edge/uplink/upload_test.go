package uplink

import (
	"bytes"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"trunkline/internal/fault"
)

// shelf is a node's closed recordings, in memory.
type shelf struct {
	mu    sync.Mutex
	order []string
	data  map[string][]byte
	told  []string
	fails int
	opens int
}

func newShelf() *shelf { return &shelf{data: map[string][]byte{}} }

func (s *shelf) add(id string, size int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.order = append(s.order, id)
	s.data[id] = bytes.Repeat([]byte(id), size/len(id)+1)[:size]
}

func (s *shelf) Closed() (out []Recording, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range s.order {
		out = append(out, Recording{ID: id, Tenant: 7, CallID: "call", Size: int64(len(s.data[id]))})
	}
	return out, nil
}

type memFile struct{ *bytes.Reader }

func (memFile) Close() error { return nil }

func (s *shelf) Open(r Recording) (File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opens++
	data, ok := s.data[r.ID]
	if !ok {
		return nil, os.ErrNotExist
	}
	return memFile{bytes.NewReader(data)}, nil
}

func (s *shelf) Uploaded(r Recording) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fails > 0 {
		s.fails--
		return errAway
	}
	s.told = append(s.told, r.ID)
	s.order = slices.DeleteFunc(s.order, func(id string) bool { return id == r.ID })
	return nil
}

func (s *shelf) heard() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.told)
}

func (c *fakeCloud) holds(t *testing.T, s *shelf, ids ...string) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range ids {
		if !c.complete[id] || !bytes.Equal(c.uploads[id], s.data[id]) {
			t.Errorf("%s: complete %v, %d of %d bytes", id, c.complete[id], len(c.uploads[id]), len(s.data[id]))
		}
	}
}

func TestRecordingsAreUploaded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, r := startCloud(t), newSite(false), newShelf()
		r.add("one", 3*chunkSize+17)
		r.add("two", chunkSize)
		r.add("empty", 0)
		r.fails = 1
		n := start(t, c, s, t.TempDir(), func(cfg *Config) { cfg.Recordings = r })
		time.Sleep(time.Second)
		synctest.Wait()
		c.holds(t, r, "one", "two", "empty")
		if c.chunks != 6 || slices.Contains(r.heard(), "one") {
			t.Errorf("%d chunks, told %v", c.chunks, r.heard())
		}
		r.add("three", 1000)
		n.RecordingClosed()
		time.Sleep(time.Minute)
		synctest.Wait()
		c.holds(t, r, "three")
		// What was not put away at first is then, and not sent or read again.
		if told := slices.Sorted(slices.Values(r.heard())); !slices.Equal(told, []string{"empty", "one", "three", "two"}) {
			t.Errorf("told %v", told)
		}
		if c.chunks != 7 || r.opens != 4 {
			t.Errorf("%d chunks, opened %d times", c.chunks, r.opens)
		}
	})
}

func TestUploadGoesOnWhereItWasCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, r := startCloud(t), newSite(false), newShelf()
		r.add("one", 20*chunkSize)
		cuts := 0
		c.onChunk = func() error {
			if c.chunks%6 == 0 && cuts < 3 {
				cuts++
				go c.net.cut(false) // the line breaks, the answer is lost
				return fault.New(fault.Unavailable, "fault.timeout")
			}
			return nil
		}
		start(t, c, s, t.TempDir(), func(cfg *Config) { cfg.Recordings = r })
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		c.holds(t, r, "one")
		if c.chunks > 20+3 || cuts != 3 {
			t.Errorf("%d chunks for 20, %d cuts", c.chunks, cuts)
		}
		if !slices.Equal(r.told, []string{"one"}) {
			t.Errorf("told %v", r.told)
		}
	})
}

func TestNothingIsPutAwayBeforeTheCloudHoldsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, r := startCloud(t), newSite(false), newShelf()
		r.add("bad", 2*chunkSize)
		r.add("good", 10)
		c.onChunk = func() error {
			if c.chunks == 1 {
				c.uploads["bad"][0] ^= 1 // damaged at the cloud: the hash of the whole will show it
			}
			return nil
		}
		start(t, c, s, t.TempDir(), func(cfg *Config) { cfg.Recordings = r })
		time.Sleep(200 * time.Millisecond)
		synctest.Wait()
		if slices.Contains(r.heard(), "bad") {
			t.Error("put away too early")
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		c.holds(t, r, "bad", "good")
	})
}

func TestUploadYieldsToFacts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &Uplink{}
		u.sending.Store(true)
		start := time.Now()
		go func() {
			time.Sleep(300 * time.Millisecond)
			u.sending.Store(false)
			u.idle.fire()
		}()
		u.yield(t.Context())
		if d := time.Since(start); d != 300*time.Millisecond {
			t.Errorf("waited %v", d)
		}
		u.sending.Store(true)
		start = time.Now()
		u.yield(t.Context())
		if d := time.Since(start); d != yieldFor {
			t.Errorf("facts that never arrive held it up for %v", d)
		}
	})
}
