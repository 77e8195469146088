package seal_test

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"trunkline/internal/seal"
)

func TestSealedForOnePurpose(t *testing.T) {
	box, err := seal.Load(filepath.Join(t.TempDir(), "secret.key"))
	if err != nil {
		t.Fatal(err)
	}
	sealed := box.Seal([]byte("secret"), "totp:a")
	if bytes.Contains(sealed, []byte("secret")) {
		t.Error("not encrypted")
	}
	if plain, err := box.Open(sealed, "totp:a"); err != nil || string(plain) != "secret" {
		t.Errorf("%q, %v", plain, err)
	}
	if _, err := box.Open(sealed, "totp:b"); err == nil {
		t.Error("opened for another purpose")
	}
	if _, err := box.Open([]byte("short"), "totp:a"); err == nil {
		t.Error("opened rubbish")
	}
	if bytes.Equal(box.Seal([]byte("x"), "p"), box.Seal([]byte("x"), "p")) {
		t.Error("the same nonce twice")
	}
	if bytes.Equal(box.MAC([]byte("x"), "p"), box.MAC([]byte("x"), "q")) {
		t.Error("one MAC for two purposes")
	}
}

// Programs that start at once end up with one key, and the next start has it
// still.
func TestTheFirstKeyWins(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret.key")
	boxes := make([]*seal.Box, 8)
	var wait sync.WaitGroup
	for i := range boxes {
		wait.Go(func() {
			var err error
			if boxes[i], err = seal.Load(path); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	again, err := seal.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range boxes {
		if _, err := again.Open(b.Seal(nil, "p"), "p"); err != nil {
			t.Error(err)
		}
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Error(info.Mode())
	}
	if err := os.WriteFile(path, []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := seal.Load(path); err == nil {
		t.Error("took a broken key")
	}
}
