package recording

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

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
