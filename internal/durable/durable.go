// Package durable writes small files so that a reader, and a machine whose
// power failed, finds the old content or the new one: never a part, never none.
package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// WriteFile replaces a file as a whole (mode 0600), on disk when it returns: it
// syncs a temporary file beside it, renames that, and syncs the folder. The folder must
// exist. A process killed in between leaves a file named .new-*.
func WriteFile(path string, data []byte) error {
	tmp, err := temporary(path, data)
	if err != nil {
		return err
	}
	defer os.Remove(tmp)
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// CreateFile is WriteFile for a file that nobody may have made before: of two
// programs that start at once one makes it, the other gets fs.ErrExist and finds
// it whole.
func CreateFile(path string, data []byte) error {
	tmp, err := temporary(path, data)
	if err != nil {
		return err
	}
	defer os.Remove(tmp)
	if err := os.Link(tmp, path); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// temporary writes a synced file beside path and gives its name.
func temporary(path string, data []byte) (string, error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // 0600
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	if err == nil {
		err = syncFile(f)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// MkdirAll makes a folder and those above it (mode 0700), each of them on disk
// when it returns.
func MkdirAll(dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := MkdirAll(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return SyncDir(parent)
}

// SyncDir makes the names in a folder durable: files made, renamed or removed.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(syncFile(d), d.Close())
}

// syncFile is (*os.File).Sync; the test looks at what is there when it is called.
var syncFile = (*os.File).Sync
