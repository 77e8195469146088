package recording

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Config of a Store.
type Config struct {
	// Dir is where recordings are kept: not the disk of the replica.
	Dir string
	// Node is the name of this node.
	Node string
	// FreePercent of the disk must stay free; 0 is 20, negative turns the check off.
	FreePercent float64
	// Copier may be nil: then there are no copies on other nodes.
	Copier Copier
	Log    *slog.Logger
	// Free measures the free part of the disk, in percent; nil asks the system.
	Free func(dir string) (float64, error)
}

const defaultFree = 20

// Store writes the recordings of this node.
type Store struct {
	cfg          Config
	full         atomic.Bool
	health       health
	copyFailures atomic.Uint64
	copies       *copies // of other nodes' recordings

	mu      sync.Mutex
	stop    context.CancelFunc
	running sync.WaitGroup
	active  map[*Recorder]struct{}
	copying map[*Recorder]struct{} // also closed ones, until the copy is whole
	left    map[callKey]Part       // of earlier processes, see Previous
}

// New makes a Store; Start starts it.
func New(cfg Config) *Store {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.FreePercent == 0 {
		cfg.FreePercent = defaultFree
	}
	if cfg.Free == nil {
		cfg.Free = freePercent
	}
	return &Store{
		cfg: cfg, copies: newCopies(filepath.Join(cfg.Dir, copiesDir)), left: make(map[callKey]Part),
		active: make(map[*Recorder]struct{}), copying: make(map[*Recorder]struct{}),
	}
}

// Start makes the directory and starts the writer. Call Recover before it.
func (s *Store) Start(context.Context) error {
	if err := os.MkdirAll(s.cfg.Dir, 0o700); err != nil {
		return err
	}
	s.checkDisk()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stop != nil {
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	s.running.Go(func() {
		if err := s.copies.open(); err != nil {
			s.cfg.Log.Error("copies of other nodes' recordings can not all be read", "error", err)
		}
	})
	for every, what := range map[time.Duration]func(context.Context){
		writeEvery: s.writeAll, syncEvery: s.syncAll, diskEvery: func(context.Context) { s.checkDisk() }, copyEvery: s.copyAll,
	} {
		s.running.Go(func() { repeat(ctx, every, what) })
	}
	return nil
}

func repeat(ctx context.Context, every time.Duration, what func(context.Context)) {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			what(ctx)
		}
	}
}

// Stop writes and syncs what there is. Recordings still open get their manifests
// from Recover at the next start: their calls end after this.
func (s *Store) Stop(context.Context) error {
	s.mu.Lock()
	stop := s.stop
	s.stop = nil
	s.mu.Unlock()
	if stop == nil {
		return nil
	}
	stop()
	s.running.Wait()
	var errs []error
	for _, r := range s.recorders(s.active) {
		r.write()
		r.file.Lock()
		r.finish()
		errs = append(errs, r.f.Sync(), r.f.Close())
		r.file.Unlock()
	}
	for _, r := range s.recorders(s.copying) {
		_ = r.f.Close() // a second time for those above
	}
	return errors.Join(errs...)
}

// Record begins a recording. It fails with ErrDiskFull, or if the file cannot be made.
func (s *Store) Record(spec Spec) (*Recorder, error) {
	if !safeName(spec.RecordingID) {
		return nil, errors.New("recording: bad recording id")
	}
	if s.full.Load() {
		notRecorded.WithLabelValues(ReasonDiskFull).Inc()
		return nil, ErrDiskFull
	}
	r, err := newRecorder(s, spec)
	if err != nil {
		if onDisk(err) {
			s.health.fail(time.Now())
			notRecorded.WithLabelValues(ReasonDiskError).Inc()
		}
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stop == nil {
		r.f.Close()
		os.Remove(r.path)
		return nil, ErrStopped
	}
	s.active[r] = struct{}{}
	if s.cfg.Copier != nil {
		s.copying[r] = struct{}{}
	}
	return r, nil
}

// closed forgets a recorder, and its file once no copy is to be made of it.
func (s *Store) closed(r *Recorder) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.active[r]; !ok {
		return
	}
	delete(s.active, r)
	if _, ok := s.copying[r]; !ok {
		r.f.Close()
	}
}

func (s *Store) recorders(of map[*Recorder]struct{}) []*Recorder {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*Recorder, 0, len(of))
	for r := range of {
		list = append(list, r)
	}
	return list
}

func (s *Store) writeAll(context.Context) {
	for _, r := range s.recorders(s.active) {
		r.write()
	}
}

// fewFiles are synced one by one; for more, the whole file system at once costs less.
const fewFiles = 4

func (s *Store) syncAll(context.Context) {
	active := s.recorders(s.active)
	if len(active) <= fewFiles {
		for _, r := range active {
			if err := r.sync(); err != nil && !errors.Is(err, os.ErrClosed) {
				s.health.fail(time.Now())
				s.cfg.Log.Error("recording not synced", "error", err)
			}
		}
		return
	}
	dirty := false
	for _, r := range active {
		dirty = r.takeDirty() || dirty
	}
	if !dirty {
		return
	}
	dir, err := os.Open(s.cfg.Dir)
	if err == nil {
		err = unix.Syncfs(int(dir.Fd()))
		dir.Close()
	}
	if err != nil {
		s.health.fail(time.Now())
		s.cfg.Log.Error("recordings not synced", "error", err)
	}
}

// copyWorkers is how many recordings are copied at once, copyTime how long a peer may take.
const (
	copyWorkers = 8
	copyTime    = time.Second
)

func (s *Store) copyAll(ctx context.Context) {
	if s.cfg.Copier == nil {
		return
	}
	var wg sync.WaitGroup
	slots := make(chan struct{}, copyWorkers)
	for _, r := range s.recorders(s.copying) {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			ctx, cancel := context.WithTimeout(ctx, copyTime)
			defer cancel()
			if r.copy(ctx, s.cfg.Copier) {
				s.copiedWhole(r)
			}
		})
	}
	wg.Wait()
}

func (s *Store) copiedWhole(r *Recorder) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.copying, r)
	if _, ok := s.active[r]; !ok {
		r.f.Close()
	}
}

func (s *Store) path(spec Spec) string {
	day := time.UnixMicro(spec.StartedAt).UTC().Format(time.DateOnly)
	return filepath.Join(s.cfg.Dir, strconv.FormatInt(spec.Tenant, 10), day, spec.RecordingID+extension)
}

func (s *Store) copyPath(tenant int64, recordingID string) string {
	return s.copies.path(copyKey{tenant, recordingID})
}

// safeName says whether an id can be a file's name.
func safeName(id string) bool {
	if id == "" || len(id) > 64 {
		return false
	}
	for _, c := range id {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && c != '-' {
			return false
		}
	}
	return true
}
