package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// watchSyncs notes each sync as "kind: content of path at that moment".
func watchSyncs(t *testing.T, path string) *[]string {
	t.Helper()
	var seen []string
	syncFile = func(f *os.File) error {
		kind := "file"
		if info, err := f.Stat(); err == nil && info.IsDir() {
			kind = filepath.Base(f.Name())
		}
		content, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			content = []byte("none")
		}
		seen = append(seen, kind+": "+string(content))
		return f.Sync()
	}
	t.Cleanup(func() { syncFile = (*os.File).Sync })
	return &seen
}

func names(t *testing.T, dir string) (list []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

func TestWriteFileSyncsTheFileBeforeItsNameAndTheFolderAfter(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	if err := MkdirAll(dir); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "x")
	if err := WriteFile(path, []byte("old")); err != nil {
		t.Fatal(err)
	}
	seen := watchSyncs(t, path)
	if err := WriteFile(path, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if want := []string{"file: old", "d: new"}; !slices.Equal(*seen, want) {
		t.Errorf("synced %q, want %q", *seen, want)
	}
	if got := names(t, dir); !slices.Equal(got, []string{"x"}) {
		t.Errorf("the folder holds %q", got)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestWriteFileLeavesTheOldOneWhenItFails(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x")
	if err := WriteFile(path, []byte("old")); err != nil {
		t.Fatal(err)
	}
	syncFile = func(*os.File) error { return errors.New("the disk is gone") }
	t.Cleanup(func() { syncFile = (*os.File).Sync })
	if err := WriteFile(path, []byte("new")); err == nil {
		t.Error("no error")
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "old" {
		t.Errorf("%q, %v", got, err)
	}
	if got := names(t, dir); !slices.Equal(got, []string{"x"}) {
		t.Errorf("the folder holds %q", got)
	}
}

func TestCreateFileOfTwoTheFirstStays(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x")
	seen := watchSyncs(t, path)
	if err := CreateFile(path, []byte("first")); err != nil {
		t.Fatal(err)
	}
	if want := []string{"file: none", filepath.Base(dir) + ": first"}; !slices.Equal(*seen, want) {
		t.Errorf("synced %q, want %q", *seen, want)
	}
	if err := CreateFile(path, []byte("second")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("the second: %v", err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "first" {
		t.Errorf("%q, %v", got, err)
	}
	if got := names(t, dir); !slices.Equal(got, []string{"x"}) {
		t.Errorf("the folder holds %q", got)
	}
}

func TestMkdirAllSyncsEachFolderThatGotAName(t *testing.T) {
	top := filepath.Join(t.TempDir(), "top")
	if err := MkdirAll(top); err != nil {
		t.Fatal(err)
	}
	seen := watchSyncs(t, filepath.Join(top, "none"))
	if err := MkdirAll(filepath.Join(top, "a", "b")); err != nil {
		t.Fatal(err)
	}
	if want := []string{"top: none", "a: none"}; !slices.Equal(*seen, want) {
		t.Errorf("synced %q, want %q", *seen, want)
	}
	if err := MkdirAll(filepath.Join(top, "a", "b")); err != nil {
		t.Errorf("again: %v", err)
	}
	if err := os.WriteFile(filepath.Join(top, "f"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := MkdirAll(filepath.Join(top, "f", "c")); err == nil {
		t.Error("a folder below a file")
	}
}
