package recording

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"trunkline/internal/durable"
	"trunkline/internal/recfile"
)

// Copy is another node's recording, as far as it was copied here.
type Copy struct {
	Tenant      int64
	RecordingID string
	CallID      string // "" while its head is not whole
	Node        string // that recorded it
	Segment     uint32
	Chain       []byte // after the last whole frame here
	Bytes       int64  // of the file, a torn frame included
	ChangedAt   time.Time
}

// copies knows what was copied here, without reading it again.
type copies struct {
	dir string

	mu   sync.Mutex
	list map[copyKey]*copied
}

type copyKey struct {
	tenant int64
	id     string
}

// copied is the state of one copy.
type copied struct {
	mu    sync.Mutex
	sum   recfile.Summary // up to the last whole frame
	size  int64
	at    time.Time
	known bool // sum is worth something
	gone  bool
}

func newCopies(dir string) *copies { return &copies{dir: dir, list: map[copyKey]*copied{}} }

func (c *copies) path(k copyKey) string {
	return filepath.Join(c.dir, strconv.FormatInt(k.tenant, 10), k.id+extension)
}

// open reads what an earlier process received.
func (c *copies) open() error {
	tenants, err := os.ReadDir(c.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var errs []error
	for _, t := range tenants {
		tenant, err := strconv.ParseInt(t.Name(), 10, 64)
		files, readErr := os.ReadDir(filepath.Join(c.dir, t.Name()))
		if err != nil || readErr != nil {
			continue // not ours
		}
		for _, f := range files {
			if id, ok := strings.CutSuffix(f.Name(), extension); ok && safeName(id) {
				k := copyKey{tenant, id}
				errs = append(errs, c.look(k))
			}
		}
	}
	return errors.Join(errs...)
}

// look reads a copy of before.
func (c *copies) look(k copyKey) error {
	f, err := os.Open(c.path(k))
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	x := c.get(k)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.size, x.at = st.Size(), st.ModTime()
	x.read(f)
	return nil
}

func (c *copies) get(k copyKey) *copied {
	c.mu.Lock()
	defer c.mu.Unlock()
	x := c.list[k]
	if x == nil {
		x = &copied{}
		c.list[k] = x
	}
	return x
}

// read takes in the frames that came since.
func (x *copied) read(f io.ReadSeeker) {
	if _, err := f.Seek(x.sum.Bytes, io.SeekStart); err != nil {
		return
	}
	if sum, err := recfile.Continue(f, x.sum); err == nil {
		x.sum, x.known = sum, true
	}
}

func (c *copies) has(k copyKey) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.list[k] != nil
}

// receive writes a piece of a copy and gives the size it has then.
func (c *copies) receive(k copyKey, offset int64, data []byte, last bool) (int64, error) {
	if !c.has(k) && (offset > 0 || len(data) == 0) {
		return 0, nil
	}
	x := c.get(k)
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.gone {
		return 0, fmt.Errorf("recording: the copy of %s was taken up: %w", k.id, fs.ErrNotExist)
	}
	if offset > x.size || len(data) == 0 && !last {
		return x.size, nil
	}
	path := c.path(k)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return 0, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	// Bytes sent again replace themselves.
	n, err := f.WriteAt(data, offset)
	x.size, x.at = max(x.size, offset+int64(n)), time.Now()
	x.read(f)
	if err == nil && last {
		err = f.Sync()
	}
	return x.size, err
}

// forget ends a copy: it went elsewhere, or away.
func (c *copies) forget(k copyKey, move func(path string) error) error {
	x := c.get(k)
	x.mu.Lock()
	defer x.mu.Unlock()
	err := move(c.path(k))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	x.gone = true
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.list, k)
	return err
}

func (c *copies) all() []Copy {
	c.mu.Lock()
	list := make(map[copyKey]*copied, len(c.list))
	for k, x := range c.list {
		list[k] = x
	}
	c.mu.Unlock()
	out := make([]Copy, 0, len(list))
	for k, x := range list {
		x.mu.Lock()
		if !x.gone {
			y := Copy{Tenant: k.tenant, RecordingID: k.id, Bytes: x.size, ChangedAt: x.at}
			if h := x.sum.Header; x.known {
				y.CallID, y.Node, y.Segment, y.Chain = h.Call, h.Node, h.Segment, slices.Clone(x.sum.Chain[:])
			}
			out = append(out, y)
		}
		x.mu.Unlock()
	}
	return out
}

// of lists the copies of one call.
func (c *copies) of(tenant int64, call string) []Copy {
	var out []Copy
	for _, x := range c.all() {
		if x.Tenant == tenant && x.CallID == call {
			out = append(out, x)
		}
	}
	return out
}

// Copies lists what was copied here from other nodes.
func (s *Store) Copies() []Copy { return s.copies.all() }

// Receive is the other end of a Copier: it keeps a peer's recording in
// DIR/copies. It returns the size of the copy; what does not begin there is not
// written, and the peer goes on from there. Without data it only tells.
func (s *Store) Receive(tenant int64, recordingID string, offset int64, data []byte, last bool) (int64, error) {
	if !safeName(recordingID) || tenant <= 0 || offset < 0 {
		return 0, errors.New("recording: bad copy")
	}
	if s.full.Load() && len(data) > 0 {
		return 0, ErrDiskFull
	}
	return s.copies.receive(copyKey{tenant, recordingID}, offset, data, last)
}

// TakeCopy makes the copy of a dead peer's recording one of this node's, closed
// as far as it was copied. fs.ErrNotExist says that there is none.
func (s *Store) TakeCopy(tenant int64, recordingID string) (Manifest, error) {
	if !safeName(recordingID) {
		return Manifest{}, errors.New("recording: bad recording id")
	}
	var to string
	err := s.copies.forget(copyKey{tenant, recordingID}, func(from string) error {
		f, err := os.Open(from)
		if err != nil {
			return err
		}
		sum, err := recfile.Scan(f)
		f.Close()
		if err != nil {
			return err
		}
		to = s.path(Spec{Tenant: tenant, RecordingID: recordingID, StartedAt: sum.Header.StartedAt})
		if err := durable.MkdirAll(filepath.Dir(to)); err != nil {
			return err
		}
		return os.Rename(from, to)
	})
	if err != nil {
		return Manifest{}, err
	}
	return closeFile(to)
}

// DropCopy removes a copy that is no longer needed.
func (s *Store) DropCopy(tenant int64, recordingID string) error {
	if !safeName(recordingID) {
		return errors.New("recording: bad recording id")
	}
	err := s.copies.forget(copyKey{tenant, recordingID}, os.Remove)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
