package recording

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"trunkline/internal/durable"
	"trunkline/internal/recfile"
)

const (
	extension         = ".tlr"
	manifestExtension = ".json"
	copiesDir         = "copies" // of recordings other nodes write
)

func manifestOf(sum recfile.Summary, path string) Manifest {
	h := sum.Header
	return Manifest{
		RecordingID: h.Recording, CallID: h.Call, Tenant: h.Tenant, Node: h.Node, Segment: h.Segment,
		StartedAt: h.StartedAt, EndedAt: h.StartedAt + sum.End.Microseconds(),
		Bytes: sum.Bytes, Chunks: sum.Chunks, Chain: sum.Chain[:], KeyID: h.KeyID, PrevChain: h.PrevChain, File: path,
	}
}

func manifestPath(recording string) string {
	return strings.TrimSuffix(recording, extension) + manifestExtension
}

// save writes the manifest beside its recording, whole or not at all.
func (m *Manifest) save() error {
	js, err := json.MarshalIndent(m, "", "\t")
	if err != nil {
		return err
	}
	return durable.WriteFile(manifestPath(m.File), append(js, '\n'))
}

func loadManifest(recording string) (Manifest, error) {
	js, err := os.ReadFile(manifestPath(recording))
	if err != nil {
		return Manifest{}, err
	}
	m := Manifest{}
	if err := json.Unmarshal(js, &m); err != nil {
		return Manifest{}, fmt.Errorf("recording: manifest of %s: %w", filepath.Base(recording), err)
	}
	m.File = recording
	return m, nil
}

// List gives the manifests of all closed recordings in a directory.
func List(dir string) ([]Manifest, error) {
	var list []Manifest
	err := walk(dir, func(path string) error {
		m, err := loadManifest(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // still being written
		}
		if err == nil {
			list = append(list, m)
		}
		return err
	})
	return list, err
}

// Reported notes that the manifest's fact is safe, so that Recover does not give it again.
func Reported(m Manifest) error {
	m.Reported = true
	return m.save()
}

// Remove deletes a closed recording, by its file, after it was uploaded.
func Remove(recording string) error {
	// The manifest last: a recording without one would be recovered.
	if err := os.Remove(recording); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Remove(manifestPath(recording)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// walk visits the recordings in a directory, without the copies. None is no error.
func walk(dir string, visit func(path string) error) error {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == copiesDir {
			return filepath.SkipDir
		}
		if d.Type().IsRegular() && strings.HasSuffix(path, extension) {
			return visit(path)
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
