// Package recfile is the file format of recordings: written on the edge frame by
// frame while the call goes on, readable after a crash in the middle of any of
// them, and by nobody but the tenant.
//
// A file is
//
//	magic "TLREC" 0x00, version u16
//	length u32, header: JSON (Header, with the wrapped key)
//	frames: length u32 | crc u32 | offset u64 | samples u32 | sealed audio
//
// Numbers are little endian. The audio of a frame is at most a second of stereo
// u-law, first all samples of the left channel (the caller), then all of the
// right (what the caller hears), sealed with AES-128-GCM. Its nonce is the
// frame's number: each file has a key of its own, made at random and wrapped
// with the tenant's public key by HPKE (RFC 9180: X25519, HKDF-SHA256,
// AES-128-GCM). The additional data is the SHA-256 of all before the first frame
// and then the frame's own offset and samples, so no part of a file can be moved
// into another or within it.
//
// The crc (Castagnoli, over the frame without length and crc) tells a torn frame
// without the key. The chain is a SHA-256 that starts as the hash of all before
// the first frame and takes in each frame whole: two files with equal chains are
// the same. It goes into the manifest; a file cut at a frame's end is noticed only by it.
package recfile

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hpke"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"
)

// Limits of the format.
const (
	Rate = 8000
	// MaxFrame is the longest frame.
	MaxFrame = time.Second
	// MaxDuration bounds the offsets of frames.
	MaxDuration = 24 * time.Hour

	maxSamples  = Rate
	maxHeader   = 8192
	frameHeader = 20
	keySize     = 16
	tagSize     = 16
)

var (
	// ErrFormat says that this is no recording, or of a version we do not know.
	ErrFormat = errors.New("recfile: not a recording")
	// ErrTampered says that what is there was not written so.
	ErrTampered = errors.New("recfile: changed after it was written")
	// ErrKey says that the recording's key could not be unwrapped.
	ErrKey = errors.New("recfile: key does not open the recording")
)

var (
	magic = []byte("TLREC\x00\x01\x00") // version 1
	crcs  = crc32.MakeTable(crc32.Castagnoli)
	kem   = hpke.DHKEM(ecdh.X25519())
	kdf   = hpke.HKDFSHA256()
	aead  = hpke.AES128GCM()
	info  = []byte("trunkline recording key v1")
)

// Header is the readable part of a recording. Times are Unix microseconds.
type Header struct {
	Tenant    int64  `json:"tenant"`
	Call      string `json:"call"`
	Recording string `json:"recording"`
	Node      string `json:"node,omitempty"`
	// Segment counts the files of one call; PrevChain is the chain of the one before.
	Segment   uint32 `json:"segment"`
	PrevChain []byte `json:"prev_chain,omitempty"`
	StartedAt int64  `json:"started_at"`
	// Codec is "pcmu/8000/2". Create fills it in, and the key fields.
	Codec   string `json:"codec"`
	KeyID   string `json:"key_id"`
	Enc     []byte `json:"enc"`
	Wrapped []byte `json:"wrapped"`
}

const codec = "pcmu/8000/2"

// Summary is what can be said of a file without its key.
type Summary struct {
	Header Header
	// Bytes up to the end of the last whole frame.
	Bytes  int64
	Chunks uint32
	// End is where the last frame ends, counted from StartedAt.
	End   time.Duration
	Chain [32]byte
	// Torn says that half a frame followed, as a crash leaves it.
	Torn bool
}

// Keypair makes a tenant's pair of keys: 32 bytes each.
func Keypair() (public, private []byte, err error) {
	k, err := kem.GenerateKey()
	if err != nil {
		return nil, nil, err
	}
	if private, err = k.Bytes(); err != nil {
		return nil, nil, err
	}
	return k.PublicKey().Bytes(), private, nil
}

// Unwrap gives the key of a recording; the private key is one made by Keypair.
// With it a caller makes the function that Read and NewReader ask for.
func Unwrap(private, enc, wrapped []byte) ([]byte, error) {
	k, err := kem.NewPrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	r, err := hpke.NewRecipient(enc, k, kdf, aead, info)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	key, err := r.Open(nil, wrapped)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return key, nil
}

func wrapKey(public, key []byte) (enc, wrapped []byte, err error) {
	pk, err := kem.NewPublicKey(public)
	if err != nil {
		return nil, nil, fmt.Errorf("recfile: public key: %w", err)
	}
	enc, s, err := hpke.NewSender(pk, kdf, aead, info)
	if err != nil {
		return nil, nil, err
	}
	wrapped, err = s.Seal(nil, key)
	return enc, wrapped, err
}

func newGCM(key []byte) (cipher.AEAD, error) {
	if len(key) != keySize {
		return nil, fmt.Errorf("%w: %d bytes", ErrKey, len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// sealing holds what sealing and opening a frame share, without allocating.
type sealing struct {
	gcm   cipher.AEAD
	nonce [12]byte
	aad   [sha256.Size + 12]byte
}

// frame sets nonce and additional data for a frame.
func (s *sealing) frame(number uint64, head []byte) {
	binary.LittleEndian.PutUint64(s.nonce[4:], number)
	copy(s.aad[sha256.Size:], head[8:frameHeader])
}

// chained gives the chain after a frame.
func chained(chain [32]byte, frame []byte) (next [32]byte) {
	h := sha256.New()
	h.Write(chain[:])
	h.Write(frame)
	h.Sum(next[:0])
	return next
}
