// Package seal encrypts small secrets at rest (AES-256-GCM) under one key kept
// beside the data, so that a copy of the database alone gives nothing away.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"trunkline/internal/durable"
)

const keySize = 32 // bytes, AES-256

// Box seals and opens with one key.
type Box struct {
	aead cipher.AEAD
	key  []byte
}

// Load reads the key file (64 hex digits), or makes one with mode 0600. Replicas
// must share the file; without it what was sealed is lost.
func Load(path string) (*Box, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		text, err = create(path)
	}
	if err != nil {
		return nil, err
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != keySize {
		return nil, fmt.Errorf("%s does not hold %d hex digits", path, 2*keySize)
	}
	return New(key)
}

// create makes the key: of two programs that start at once both use the one that
// was first. It is on disk before anything is sealed with it.
func create(path string) ([]byte, error) {
	key := make([]byte, keySize)
	_, _ = rand.Read(key) // never fails, see crypto/rand
	err := durable.CreateFile(path, []byte(hex.EncodeToString(key)+"\n"))
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return os.ReadFile(path)
}

// New makes a box from a key of 32 bytes.
func New(key []byte) (*Box, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return &Box{aead, key}, nil
}

// Seal encrypts plain. purpose ("token_key", "totp:<account>") must be given
// again to open it, so that one secret cannot stand in for another.
func (b *Box) Seal(plain []byte, purpose string) []byte {
	nonce := make([]byte, b.aead.NonceSize(), b.aead.NonceSize()+len(plain)+b.aead.Overhead())
	_, _ = rand.Read(nonce)
	return b.aead.Seal(nonce, nonce, plain, []byte(purpose))
}

// Open decrypts what Seal made for the same purpose.
func (b *Box) Open(sealed []byte, purpose string) ([]byte, error) {
	n := b.aead.NonceSize()
	if len(sealed) < n {
		return nil, errors.New("seal: too short")
	}
	plain, err := b.aead.Open(nil, sealed[:n], sealed[n:], []byte(purpose))
	if err != nil {
		return nil, fmt.Errorf("seal: %s was sealed with another key", purpose)
	}
	return plain, nil
}

// MAC authenticates data for a purpose (HMAC-SHA256 under a key derived for it).
func (b *Box) MAC(data []byte, purpose string) []byte {
	derive := hmac.New(sha256.New, b.key)
	derive.Write([]byte("mac:" + purpose))
	m := hmac.New(sha256.New, derive.Sum(nil))
	m.Write(data)
	return m.Sum(nil)
}
