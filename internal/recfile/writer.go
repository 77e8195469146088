package recfile

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"
)

// Writer writes one recording. It is for one goroutine at a time.
type Writer struct {
	w    io.Writer
	seal sealing
	buf  []byte
	sum  Summary
	err  error
}

// Create writes the head of a file. pub is the tenant's public key (Keypair), of
// which h.KeyID is the id. The key of the file exists in the Writer alone.
func Create(w io.Writer, h Header, pub []byte) (*Writer, error) {
	key := make([]byte, keySize)
	rand.Read(key) // never fails, see crypto/rand
	var err error
	h.Codec = codec
	if h.Enc, h.Wrapped, err = wrapKey(pub, key); err != nil {
		return nil, err
	}
	js, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	if len(js) > maxHeader {
		return nil, fmt.Errorf("recfile: header of %d bytes", len(js))
	}
	head := binary.LittleEndian.AppendUint32(append([]byte(nil), magic...), uint32(len(js)))
	head = append(head, js...)
	f := &Writer{w: w, sum: Summary{Header: h, Bytes: int64(len(head)), Chain: sha256.Sum256(head)}}
	if f.seal.gcm, err = newGCM(key); err != nil {
		return nil, err
	}
	copy(f.seal.aad[:], f.sum.Chain[:])
	if _, err := w.Write(head); err != nil {
		return nil, err
	}
	return f, nil
}

// Frame appends a window of audio that starts offset microseconds after the
// recording did: u-law, equally long channels of at most a second. One frame is
// one Write. After an error of the writer below nothing more is written, since
// half a frame in the middle would hide all that follows.
func (f *Writer) Frame(offset int64, left, right []byte) error {
	if f.err != nil {
		return f.err
	}
	if len(left) != len(right) || len(left) == 0 || len(left) > maxSamples {
		return fmt.Errorf("recfile: frame of %d and %d samples", len(left), len(right))
	}
	if offset < 0 || offset > MaxDuration.Microseconds() {
		return errors.New("recfile: offset out of range")
	}
	n := len(left)
	b := append(f.buf[:0], make([]byte, frameHeader)...)
	binary.LittleEndian.PutUint32(b, uint32(2*n+tagSize))
	binary.LittleEndian.PutUint64(b[8:], uint64(offset))
	binary.LittleEndian.PutUint32(b[16:], uint32(n))
	b = append(append(b, left...), right...)
	f.seal.frame(uint64(f.sum.Chunks), b)
	b = f.seal.gcm.Seal(b[:frameHeader], f.seal.nonce[:], b[frameHeader:], f.seal.aad[:])
	binary.LittleEndian.PutUint32(b[4:], crc32.Checksum(b[8:], crcs))
	f.buf = b
	if _, err := f.w.Write(b); err != nil {
		f.err = err
		return err
	}
	f.sum.Chain = chained(f.sum.Chain, b)
	f.sum.Chunks++
	f.sum.Bytes += int64(len(b))
	f.sum.End = time.Duration(offset)*time.Microsecond + time.Duration(n)*time.Second/Rate
	return nil
}

// Summary describes what was written so far.
func (f *Writer) Summary() Summary { return f.sum }
