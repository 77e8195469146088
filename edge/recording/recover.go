package recording

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"trunkline/internal/durable"
	"trunkline/internal/recfile"
)

// Recover closes the recordings a crash left open: it cuts what was torn off and
// writes a manifest from what is readable. It returns those and all others not
// yet Reported. A file in which nothing was recorded is removed; one that
// is damaged is renamed to *.damaged, and the error says so beside the
// manifests of the others. Call it before Store.Start.
func Recover(dir string) ([]Manifest, error) {
	var found []Manifest
	var damaged []error
	err := walk(dir, func(path string) error {
		m, err := loadManifest(path)
		if errors.Is(err, fs.ErrNotExist) {
			m, err = closeFile(path)
		}
		switch {
		case errors.Is(err, recfile.ErrFormat) || errors.Is(err, recfile.ErrTampered):
			damaged = append(damaged, fmt.Errorf("recording: %s: %w", path, err))
			return os.Rename(path, path+".damaged")
		case err != nil:
			damaged = append(damaged, err)
		case m.File != "" && !m.Reported:
			found = append(found, m)
		}
		return nil
	})
	return found, errors.Join(append(damaged, err)...)
}

// closeFile gives a recording its manifest; an empty one if nothing was recorded.
func closeFile(path string) (Manifest, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return Manifest{}, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return Manifest{}, err
	}
	sum, err := recfile.Scan(f)
	// A crash may come before the head is written whole.
	if errors.Is(err, recfile.ErrFormat) && st.Size() < minHead || err == nil && sum.Chunks == 0 {
		return Manifest{}, os.Remove(path)
	}
	if err != nil {
		return Manifest{}, err
	}
	if err := f.Truncate(sum.Bytes); err != nil {
		return Manifest{}, err
	}
	if err := f.Sync(); err != nil {
		return Manifest{}, err
	}
	m := manifestOf(sum, path)
	m.Recovered = true
	return m, m.save()
}

// minHead is less than any head with ids in it.
const minHead = 256

// Receive is the other end of a Copier: it keeps a peer's recording in
// DIR/copies. It returns the size of the copy; what does not begin there is not
// written, and the peer goes on from there.
func (s *Store) Receive(tenant int64, recordingID string, offset int64, data []byte, last bool) (int64, error) {
	if !safeName(recordingID) || tenant <= 0 || offset < 0 {
		return 0, errors.New("recording: bad copy")
	}
	if s.full.Load() {
		return 0, ErrDiskFull
	}
	path := s.copyPath(tenant, recordingID)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return 0, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, err
	}
	if offset > size {
		return size, nil
	}
	// Bytes sent again replace themselves.
	n, err := f.WriteAt(data, offset)
	size = max(size, offset+int64(n))
	if err == nil && last {
		err = f.Sync()
	}
	return size, err
}

// TakeCopy makes the copy of a dead peer's recording one of this node's, closed
// as far as it was copied. fs.ErrNotExist says that there is none.
func (s *Store) TakeCopy(tenant int64, recordingID string) (Manifest, error) {
	if !safeName(recordingID) {
		return Manifest{}, errors.New("recording: bad recording id")
	}
	from := s.copyPath(tenant, recordingID)
	f, err := os.Open(from)
	if err != nil {
		return Manifest{}, err
	}
	sum, err := recfile.Scan(f)
	f.Close()
	if err != nil {
		return Manifest{}, err
	}
	to := s.path(Spec{Tenant: tenant, RecordingID: recordingID, StartedAt: sum.Header.StartedAt})
	if err := durable.MkdirAll(filepath.Dir(to)); err != nil {
		return Manifest{}, err
	}
	if err := os.Rename(from, to); err != nil {
		return Manifest{}, err
	}
	return closeFile(to)
}

// DropCopy removes a copy that is no longer needed.
func (s *Store) DropCopy(tenant int64, recordingID string) error {
	if !safeName(recordingID) {
		return errors.New("recording: bad recording id")
	}
	err := os.Remove(s.copyPath(tenant, recordingID))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (s *Store) copyPath(tenant int64, recordingID string) string {
	return filepath.Join(s.cfg.Dir, copiesDir, strconv.FormatInt(tenant, 10), recordingID+extension)
}
