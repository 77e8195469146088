package recording

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"trunkline/internal/durable"
)

// Status is for the node's health report.
type Status struct {
	Active int
	// Stopped is why nothing is recorded now, ReasonDiskFull or ReasonDiskError, and
	// Since from when on; empty while recordings are made. After a disk error they
	// are still tried.
	Stopped string
	Since   time.Time
	// Free is the free part of the disk in percent as last measured, negative if it
	// cannot be; below Needed nothing is recorded, 0 turns that off.
	Free, Needed float64
	// CopyFailures counts failed calls of the Copier.
	CopyFailures uint64
	// Copying is how many recordings the peer does not have whole.
	Copying int
}

// Status of the store now.
func (s *Store) Status() Status {
	s.mu.Lock()
	st := Status{Active: len(s.active), CopyFailures: s.copyFailures.Load(), Copying: len(s.copying), Needed: max(s.cfg.FreePercent, 0)}
	s.mu.Unlock()
	s.health.read(&st)
	return st
}

// health is whether recordings can be made: the disk has room, and takes what is
// written.
type health struct {
	mu                   sync.Mutex
	free                 float64
	fullSince, failSince time.Time // zero: not
}

func (h *health) read(st *Status) {
	h.mu.Lock()
	defer h.mu.Unlock()
	st.Free = h.free
	switch {
	case !h.fullSince.IsZero():
		st.Stopped, st.Since = ReasonDiskFull, h.fullSince
	case !h.failSince.IsZero():
		st.Stopped, st.Since = ReasonDiskError, h.failSince
	}
}

// onDisk tells what the disk or its file system refused from what is wrong with a
// recording itself.
func onDisk(err error) bool {
	var refused *fs.PathError
	return errors.As(err, &refused) && !errors.Is(err, fs.ErrExist)
}

// fail notes that a recording could not be written; a probe takes it back.
func (h *health) fail(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.failSince.IsZero() {
		h.failSince = now
		stoppedGauge.WithLabelValues(ReasonDiskError).Set(1)
	}
}

func (h *health) failing() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.failSince.IsZero()
}

func (h *health) wrote() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failSince = time.Time{}
	stoppedGauge.WithLabelValues(ReasonDiskError).Set(0)
}

func (h *health) measured(free float64, full bool, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.free = free
	switch {
	case !full:
		h.fullSince = time.Time{}
		stoppedGauge.WithLabelValues(ReasonDiskFull).Set(0)
	case h.fullSince.IsZero():
		h.fullSince = now
		stoppedGauge.WithLabelValues(ReasonDiskFull).Set(1)
	}
}

// checkDisk stops all recordings when the disk fills up, and allows new ones
// when there is room again. Once a write failed, it tries one until it works.
func (s *Store) checkDisk() {
	if s.health.failing() {
		if err := s.probe(); err == nil {
			s.health.wrote()
			s.cfg.Log.Info("recordings can be written again")
		}
	}
	free, err := s.cfg.Free(s.cfg.Dir)
	if err != nil {
		s.health.measured(-1, s.full.Load(), time.Now())
		s.health.fail(time.Now())
		s.cfg.Log.Error("free disk space not known", "error", err)
		return
	}
	need := s.cfg.FreePercent
	if s.full.Load() {
		need++ // not on and off with each file removed
	}
	full := s.cfg.FreePercent >= 0 && free < need
	s.health.measured(free, full, time.Now())
	if s.full.Swap(full) == full {
		return
	}
	s.cfg.Log.Warn("recording and free disk space", "full", full, "free_percent", free, "needed_percent", need)
	if full {
		for _, r := range s.recorders(s.active) {
			r.stop(ReasonDiskFull)
		}
	}
}

// probe writes and syncs a little where recordings are made.
func (s *Store) probe() error {
	path := filepath.Join(s.cfg.Dir, ".probe")
	if err := durable.WriteFile(path, []byte("can it be written\n")); err != nil {
		return err
	}
	return os.Remove(path)
}

func freePercent(dir string) (float64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return 100 * float64(st.Bavail) / float64(max(st.Blocks, 1)), nil
}
