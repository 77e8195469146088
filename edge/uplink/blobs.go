package uplink

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"trunkline/internal/durable"
)

// blobs keeps files by the SHA-256 of their content, in folders by its first
// byte.
type blobs struct{ dir string }

// MaxBlob bounds one blob: two hours of a prompt, at 8,000 bytes a second.
const MaxBlob = 60 << 20

var errHash = errors.New("the content does not have the hash it was asked by")

func hashOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func validHash(hash string) bool {
	b, err := hex.DecodeString(hash)
	return err == nil && len(b) == sha256.Size && hex.EncodeToString(b) == hash
}

func (b blobs) path(hash string) string { return filepath.Join(b.dir, hash[:2], hash) }

// has says whether the blob is here; get may still find it damaged.
func (b blobs) has(hash string) bool {
	if !validHash(hash) {
		return false
	}
	_, err := os.Stat(b.path(hash))
	return err == nil
}

// get reads a blob. A damaged one is removed, so that it is fetched again.
func (b blobs) get(hash string) ([]byte, bool) {
	if !validHash(hash) {
		return nil, false
	}
	data, err := os.ReadFile(b.path(hash))
	if err != nil {
		return nil, false
	}
	if hashOf(data) != hash {
		_ = os.Remove(b.path(hash))
		return nil, false
	}
	return data, true
}

// put stores a blob if its content has that hash.
func (b blobs) put(hash string, data []byte) error {
	if !validHash(hash) || len(data) > MaxBlob || hashOf(data) != hash {
		return fmt.Errorf("blob %.12s: %w", hash, errHash)
	}
	path := b.path(hash)
	if err := durable.MkdirAll(filepath.Dir(path)); err != nil {
		return err
	}
	return durable.WriteFile(path, data)
}

const (
	// collectAge keeps a blob that nothing names yet: it may be on its way in.
	collectAge = time.Hour
	// collectMax bounds what one collection removes.
	collectMax = 1000
)

// collect removes what keep does not name. Files of an interrupted write go too.
func (b blobs) collect(keep map[string]bool, now time.Time) (removed int) {
	folders, _ := os.ReadDir(b.dir)
	for _, folder := range folders {
		files, _ := os.ReadDir(filepath.Join(b.dir, folder.Name()))
		for _, f := range files {
			info, err := f.Info()
			if err != nil || keep[f.Name()] || now.Sub(info.ModTime()) < collectAge {
				continue
			}
			if os.Remove(filepath.Join(b.dir, folder.Name(), f.Name())) == nil {
				removed++
			}
			if removed >= collectMax {
				return removed
			}
		}
	}
	return removed
}
