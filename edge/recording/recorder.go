package recording

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"trunkline/edge/media"
	"trunkline/internal/durable"
	"trunkline/internal/recfile"
)

// Recorder records one leg: set it as the leg's media.Tap. To follow a call to
// another leg, use From.
type Recorder struct {
	store *Store
	spec  Spec
	path  string
	began time.Time

	mu      sync.Mutex
	base    int64      // number of the first open window
	open    []*frame   // base and those after it that were needed
	pending []*frame   // full, to be written
	tracks  [2]channel // left and right
	high    int64      // end of the audio so far, in samples
	lost    int
	reason  string
	closed  bool

	file      sync.Mutex // what follows; taken before mu
	f         *os.File
	w         *recfile.Writer
	dirty     bool
	finished  bool
	failure   error
	final     *Manifest
	copied    int64
	copyTries int
}

// frame is one window of both channels.
type frame struct {
	number      int64
	left, right [samples]byte
}

// channel remembers where the audio of a channel ended.
type channel struct {
	end  int64
	last byte
}

var (
	frames  = sync.Pool{New: func() any { return new(frame) }}
	silence = bytes.Repeat([]byte{0xFF}, int(samples))
)

func newFrame(number int64) *frame {
	f := frames.Get().(*frame)
	f.number = number
	copy(f.left[:], silence)
	copy(f.right[:], silence)
	return f
}

func newRecorder(s *Store, spec Spec) (*Recorder, error) {
	r := &Recorder{store: s, spec: spec, path: s.path(spec), began: time.Now()}
	if err := durable.MkdirAll(filepath.Dir(r.path)); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(r.path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	r.w, err = recfile.Create(f, recfile.Header{
		Tenant: spec.Tenant, Call: spec.CallID, Recording: spec.RecordingID, Node: s.cfg.Node,
		Segment: spec.Segment, PrevChain: spec.PrevChain, StartedAt: spec.StartedAt, KeyID: spec.KeyID,
	}, spec.PublicKey)
	if err != nil {
		f.Close()
		os.Remove(r.path)
		return nil, fmt.Errorf("recording: %w", err)
	}
	r.f, r.dirty = f, true
	return r, nil
}

// In takes what the caller says.
func (r *Recorder) In(offset time.Duration, ulaw []byte) { r.put(0, offset, ulaw) }

// Out takes what the caller hears.
func (r *Recorder) Out(offset time.Duration, ulaw []byte) { r.put(1, offset, ulaw) }

// From gives a tap for another leg that takes the place of the recorded one now.
func (r *Recorder) From() media.Tap { return &shifted{r, time.Since(r.began)} }

type shifted struct {
	r  *Recorder
	by time.Duration
}

func (s *shifted) In(offset time.Duration, ulaw []byte)  { s.r.put(0, offset+s.by, ulaw) }
func (s *shifted) Out(offset time.Duration, ulaw []byte) { s.r.put(1, offset+s.by, ulaw) }

// Offsets further ahead than this are a fault of the caller's.
const maxAhead = 2 * time.Second

func (r *Recorder) put(side int, offset time.Duration, ulaw []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || offset > time.Since(r.began)+maxAhead {
		return
	}
	at := int64(offset / sample)
	if at < 0 {
		// A packet that was due when the recording began, sent a little late by a busy
		// machine: what lies before the beginning is left out.
		ulaw = ulaw[min(-at, int64(len(ulaw))):]
		at = 0
	}
	t := &r.tracks[side]
	// The timeline of a leg is moved sample by sample to follow its clock. Holes of
	// that size are filled with what came before, which nobody hears.
	if gap := at - t.end; gap > 0 && gap <= 4 && t.end > 0 {
		for i := t.end; i < at; i++ {
			r.place(side, i, []byte{t.last})
		}
	}
	r.place(side, at, ulaw)
	if n := len(ulaw); n > 0 {
		t.end, t.last = at+int64(n), ulaw[n-1]
		r.high = max(r.high, t.end)
	}
}

// place copies into the open windows. What is late for them is left out.
func (r *Recorder) place(side int, at int64, ulaw []byte) {
	for len(ulaw) > 0 {
		number, from := at/samples, at%samples
		n := min(int64(len(ulaw)), samples-from)
		for number >= r.base+maxOpen {
			r.roll()
		}
		if number >= r.base {
			r.widen(number)
			f := r.open[number-r.base]
			dst := f.left[:]
			if side == 1 {
				dst = f.right[:]
			}
			copy(dst[from:], ulaw[:n])
		}
		at, ulaw = at+n, ulaw[n:]
	}
}

// widen opens the windows up to one.
func (r *Recorder) widen(number int64) {
	for next := r.base + int64(len(r.open)); next <= number; next++ {
		r.open = append(r.open, newFrame(next))
	}
}

// roll closes the first open window.
func (r *Recorder) roll() {
	r.widen(r.base)
	if len(r.pending) < maxPending && r.reason == "" {
		r.pending = append(r.pending, r.open[0])
	} else {
		if r.reason == "" {
			r.lost++
		}
		frames.Put(r.open[0])
	}
	r.base++
	r.open = slices.Delete(r.open, 0, 1)
}

// over says whether nothing more is to be expected for the first open window.
func (r *Recorder) over(now time.Duration) bool {
	end := time.Duration(r.base+1) * window
	if now < end+grace {
		return false
	}
	for _, t := range r.tracks {
		said := time.Duration(t.end) * sample
		if t.end > 0 && said < end && now < said+maxHeldUp {
			return false
		}
	}
	return true
}

// due closes the windows whose time is over and gives what is to be written.
func (r *Recorder) due() []*frame {
	r.mu.Lock()
	defer r.mu.Unlock()
	for now := time.Since(r.began); !r.closed && r.over(now); {
		r.roll()
	}
	full := r.pending
	r.pending = nil
	return full
}

// write writes what is due. The store's writer calls it, and Close.
func (r *Recorder) write() {
	r.file.Lock()
	defer r.file.Unlock()
	for _, f := range r.due() {
		if !r.finished && r.failure == nil {
			r.writeFrame(f.number, f.left[:], f.right[:])
		}
		frames.Put(f)
	}
}

func (r *Recorder) writeFrame(number int64, left, right []byte) {
	if err := r.w.Frame(number*window.Microseconds(), left, right); err != nil {
		r.failure = err
		r.store.health.fail(time.Now())
		r.store.cfg.Log.Error("recording stopped", "tenant", r.spec.Tenant, "call", r.spec.CallID, "error", err)
		r.stop(ReasonDiskError)
		return
	}
	r.dirty = true
}

// stop ends a recording before its call.
func (r *Recorder) stop(reason string) {
	r.mu.Lock()
	first := r.reason == "" && !r.closed
	if first {
		r.reason = reason
	}
	r.mu.Unlock()
	if first {
		notRecorded.WithLabelValues(reason).Inc()
	}
	if first && r.spec.OnStop != nil {
		go r.spec.OnStop(reason)
	}
}

// Close writes the rest, syncs it and closes the recording with its manifest.
// It waits for the disk: not from where calls are decided. A second Close gives
// the same manifest.
func (r *Recorder) Close() (Manifest, error) {
	r.write()
	r.file.Lock()
	defer r.file.Unlock()
	if r.final != nil {
		return *r.final, nil
	}
	r.finish()
	m := r.manifest()
	if err := r.f.Sync(); err != nil {
		return m, err
	}
	r.dirty = false
	if err := m.save(); err != nil {
		return m, err
	}
	r.final = &m
	r.store.closed(r)
	return m, nil
}

// finish writes the open windows up to now.
func (r *Recorder) finish() {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return
	}
	r.closed = true
	end := max(r.high, int64(time.Since(r.began)/sample))
	r.widen((end - 1) / samples)
	base, ok := r.base, r.reason == ""
	rest := append(r.pending, r.open...)
	r.open, r.pending = nil, nil
	r.mu.Unlock()
	for _, f := range rest {
		n := min(end-f.number*samples, samples)
		if f.number < base {
			n = samples
		}
		if n > 0 && ok && r.failure == nil {
			r.writeFrame(f.number, f.left[:n], f.right[:n])
		}
		frames.Put(f)
	}
	r.finished = true
}

func (r *Recorder) manifest() Manifest {
	r.mu.Lock()
	lost, reason := r.lost, r.reason
	r.mu.Unlock()
	m := manifestOf(r.w.Summary(), r.path)
	m.LostWindows, m.Reason = lost, reason
	return m
}

// sync brings what was written to the disk.
func (r *Recorder) sync() error {
	r.file.Lock()
	f, dirty := r.f, r.dirty
	r.dirty = false
	r.file.Unlock()
	if !dirty {
		return nil
	}
	// Without the lock, or the writer would wait for the disk.
	return f.Sync()
}

// takeDirty says whether there is something to sync, and forgets it: the caller
// syncs the whole file system.
func (r *Recorder) takeDirty() bool {
	r.file.Lock()
	defer r.file.Unlock()
	was := r.dirty
	r.dirty = false
	return was
}

// copy hands what was appended to the copier and says whether it has all of a
// closed recording, or shall have no more of it.
func (r *Recorder) copy(ctx context.Context, c Copier) (done bool) {
	r.file.Lock()
	size, finished := r.w.Summary().Bytes, r.finished
	f, from := r.f, r.copied
	r.file.Unlock()
	if from == size && !finished {
		return false
	}
	data := make([]byte, min(size-from, 256<<10))
	_, err := f.ReadAt(data, from)
	last := finished && from+int64(len(data)) == size
	to := from
	if err == nil {
		to, err = c.Copy(ctx, r.spec.Tenant, r.spec.RecordingID, from, data, last)
	}
	r.file.Lock()
	defer r.file.Unlock()
	if err != nil || to < 0 || to > size {
		r.store.copyFailures.Add(1)
		r.copyTries++
		return finished && r.copyTries > maxCopyTries
	}
	r.copied, r.copyTries = to, 0
	return last && to == size
}

// maxCopyTries is how often a closed recording is offered to a peer that fails.
const maxCopyTries = 20
