package conversations

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"

	"trunkline/internal/durable"
)

// folder keeps recordings as files: DIR/<tenant>/<recording>.tlr.
type folder struct{ dir string }

// plainID is what ids look like; nothing else becomes part of a path.
var plainID = regexp.MustCompile(`^[0-9a-f-]{36}$`)

func (f folder) path(tenant int64, id string) (string, error) {
	if !plainID.MatchString(id) {
		return "", fmt.Errorf("recording id %q", id)
	}
	return filepath.Join(f.dir, strconv.FormatInt(tenant, 10), id+".tlr"), nil
}

// size of what is there; 0 when nothing is.
func (f folder) size(tenant int64, id string) (int64, error) {
	p, err := f.path(tenant, id)
	if err != nil {
		return 0, err
	}
	info, err := os.Stat(p)
	if os.IsNotExist(err) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// write puts data at offset, which must not be past the end, and syncs it: a
// piece that is acknowledged survives.
func (f folder) write(tenant int64, id string, offset int64, data []byte) error {
	p, err := f.path(tenant, id)
	if err != nil {
		return err
	}
	if err := durable.MkdirAll(filepath.Dir(p)); err != nil {
		return err
	}
	file, err := os.OpenFile(p, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := file.WriteAt(data, offset); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	// The first piece made the name, the site removes its copy once it has sent the last.
	if offset == 0 {
		return durable.SyncDir(filepath.Dir(p))
	}
	return nil
}

// remove forgets a file that turned out wrong; the site sends it again.
func (f folder) remove(tenant int64, id string) error {
	p, err := f.path(tenant, id)
	if err != nil {
		return err
	}
	return os.Remove(p)
}

func (f folder) open(tenant int64, id string) (*os.File, error) {
	p, err := f.path(tenant, id)
	if err != nil {
		return nil, err
	}
	return os.Open(p)
}

func (f folder) hash(tenant int64, id string) ([]byte, error) {
	file, err := f.open(tenant, id)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	h := sha256.New()
	if _, err := io.Copy(h, file); err != nil {
		return nil, err
	}
	return h.Sum(nil), nil
}
