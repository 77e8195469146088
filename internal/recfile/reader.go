package recfile

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"
)

// UnwrapFunc gives the key of a recording from the wrapped one in its header.
type UnwrapFunc func(keyID string, enc, wrapped []byte) ([]byte, error)

// Frame is one window of audio, u-law. Its slices are good until the next one is read.
type Frame struct {
	Offset      time.Duration
	Left, Right []byte
}

// Reader reads a recording frame by frame in little memory.
type Reader struct {
	scan scanner
	seal sealing
	buf  []byte
}

// NewReader reads the head of a file and asks unwrap for its key.
func NewReader(r io.Reader, unwrap UnwrapFunc) (*Reader, error) {
	f := &Reader{scan: scanner{r: r}}
	if err := f.scan.head(); err != nil {
		return nil, err
	}
	h := f.scan.sum.Header
	key, err := unwrap(h.KeyID, h.Enc, h.Wrapped)
	if err != nil {
		return nil, err
	}
	if f.seal.gcm, err = newGCM(key); err != nil {
		return nil, err
	}
	copy(f.seal.aad[:], f.scan.sum.Chain[:])
	return f, nil
}

// Next gives the next frame, io.EOF after the last whole one, ErrTampered where a
// frame is not what was written. A torn frame at the end, as a crash leaves it,
// ends the file without an error: Summary tells.
func (f *Reader) Next() (Frame, error) {
	number := uint64(f.scan.sum.Chunks)
	raw, err := f.scan.next()
	if err != nil {
		return Frame{}, err
	}
	f.seal.frame(number, raw)
	f.buf, err = f.seal.gcm.Open(f.buf[:0], f.seal.nonce[:], raw[frameHeader:], f.seal.aad[:])
	if err != nil {
		return Frame{}, fmt.Errorf("%w: frame %d", ErrTampered, number)
	}
	n := len(f.buf) / 2
	offset := time.Duration(binary.LittleEndian.Uint64(raw[8:])) * time.Microsecond
	return Frame{offset, f.buf[:n], f.buf[n:]}, nil
}

// Header of the recording.
func (f *Reader) Header() Header { return f.scan.sum.Header }

// Summary describes what was read so far. Compare its Chain with the manifest's
// after the last frame.
func (f *Reader) Summary() Summary { return f.scan.sum }

// Recording is a whole recording in memory: a minute takes 1 MB.
type Recording struct {
	Summary
	// Both channels from the start, u-law, equally long, 0xFF where nothing was recorded.
	Left, Right []byte
}

// readLimit bounds what Read holds in memory; longer recordings are read by Reader.
const readLimit = 4 * time.Hour

// Read reads a whole recording of at most four hours. Errors as NewReader and Next.
func Read(r io.Reader, unwrap UnwrapFunc) (*Recording, error) {
	f, err := NewReader(r, unwrap)
	if err != nil {
		return nil, err
	}
	rec := &Recording{}
	for {
		frame, err := f.Next()
		if errors.Is(err, io.EOF) {
			rec.Summary = f.Summary()
			return rec, nil
		}
		if err != nil {
			return nil, err
		}
		if frame.Offset > readLimit {
			return nil, fmt.Errorf("recfile: longer than %s", readLimit)
		}
		at := int(frame.Offset * Rate / time.Second)
		rec.Left = place(rec.Left, frame.Left, at)
		rec.Right = place(rec.Right, frame.Right, at)
	}
}

// place puts samples at a position, with silence in between.
func place(dst, samples []byte, at int) []byte {
	if gap := at - len(dst); gap > 0 {
		dst = append(dst, bytes.Repeat([]byte{0xFF}, gap)...)
	}
	n := copy(dst[at:], samples)
	return append(dst, samples[n:]...)
}

// Scan reads a file without its key: what a node does after a crash, and whoever
// stores it to compare the chain. It fails only if the head is not that of a recording,
// if the reader fails, or with ErrTampered if a broken frame has others after it.
func Scan(r io.Reader) (Summary, error) {
	s := scanner{r: r}
	if err := s.head(); err != nil {
		return Summary{}, err
	}
	err := s.rest()
	return s.sum, err
}

// Continue reads on in a file that grew since sum was read of it; r begins at
// sum.Bytes. A zero Summary reads from the beginning, as Scan does.
func Continue(r io.Reader, sum Summary) (Summary, error) {
	if sum.Bytes == 0 {
		return Scan(r)
	}
	sum.Torn = false
	s := scanner{r: r, sum: sum}
	err := s.rest()
	return s.sum, err
}

// Contains says whether a file's chain was this one after some frame: the file
// is the one that ended there once, or the same continued.
func Contains(r io.Reader, chain []byte) (bool, error) {
	s := scanner{r: r}
	err := s.head()
	for err == nil && !bytes.Equal(s.sum.Chain[:], chain) {
		_, err = s.next()
	}
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	return err == nil, err
}

// scanner walks the frames of a file.
type scanner struct {
	r     io.Reader
	sum   Summary
	frame []byte
}

// rest reads all frames that are left.
func (s *scanner) rest() error {
	for {
		if _, err := s.next(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func (s *scanner) head() error {
	fixed := make([]byte, len(magic)+4)
	if _, err := io.ReadFull(s.r, fixed); err != nil {
		return headError(err)
	}
	size := binary.LittleEndian.Uint32(fixed[len(magic):])
	if !bytes.Equal(fixed[:len(magic)], magic) || size > maxHeader {
		return ErrFormat
	}
	head := append(fixed, make([]byte, size)...)
	if _, err := io.ReadFull(s.r, head[len(fixed):]); err != nil {
		return headError(err)
	}
	if err := json.Unmarshal(head[len(fixed):], &s.sum.Header); err != nil {
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if s.sum.Header.Codec != codec {
		return fmt.Errorf("%w: codec %q", ErrFormat, s.sum.Header.Codec)
	}
	s.sum.Bytes = int64(len(head))
	s.sum.Chain = sha256.Sum256(head)
	return nil
}

func headError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: ends inside its head", ErrFormat)
	}
	return err
}

// next gives the next whole frame with its head, good until the one after it.
func (s *scanner) next() ([]byte, error) {
	if s.sum.Torn {
		return nil, io.EOF
	}
	s.frame = append(s.frame[:0], make([]byte, frameHeader)...)
	n, err := io.ReadFull(s.r, s.frame)
	if n == 0 && errors.Is(err, io.EOF) {
		return nil, io.EOF
	}
	if err != nil {
		return nil, s.torn(err)
	}
	size := binary.LittleEndian.Uint32(s.frame)
	samples := binary.LittleEndian.Uint32(s.frame[16:])
	offset := binary.LittleEndian.Uint64(s.frame[8:])
	if samples == 0 || samples > maxSamples || size != 2*samples+tagSize || offset > uint64(MaxDuration.Microseconds()) {
		return nil, s.broken()
	}
	s.frame = append(s.frame, make([]byte, size)...)
	if _, err := io.ReadFull(s.r, s.frame[frameHeader:]); err != nil {
		return nil, s.torn(err)
	}
	if crc32.Checksum(s.frame[8:], crcs) != binary.LittleEndian.Uint32(s.frame[4:]) {
		return nil, s.broken()
	}
	s.sum.Chain = chained(s.sum.Chain, s.frame)
	s.sum.Chunks++
	s.sum.Bytes += int64(len(s.frame))
	s.sum.End = time.Duration(offset)*time.Microsecond + time.Duration(samples)*time.Second/Rate
	return s.frame, nil
}

// torn ends the file where a frame was cut off; other errors stay.
func (s *scanner) torn(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		s.sum.Torn = true
		return io.EOF
	}
	return err
}

// broken judges a whole frame that is not right. A crash of the machine may leave
// the last one so, or nothing but zeros from there on. Anything after it says
// that somebody changed the file.
func (s *scanner) broken() error {
	rest := make([]byte, 4096)
	for {
		n, err := s.r.Read(rest)
		if len(bytes.Trim(rest[:n], "\x00")) > 0 {
			return fmt.Errorf("%w: frame %d", ErrTampered, s.sum.Chunks)
		}
		if err != nil {
			return s.torn(err)
		}
	}
}
