package audio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"time"
)

// Problem says why a WAV file is refused, so that a caller can tell a person.
type Problem string

// Problems of WAV files.
const (
	NotWAV      Problem = "not_wav"     // no RIFF/WAVE, or its chunks make no sense
	Unsupported Problem = "unsupported" // a coding, rate or number of channels we do not read
	TooLong     Problem = "too_long"    // longer than the caller allows
	Empty       Problem = "empty"       // no audio in it
)

// WAVError is what ReadWAV returns for a file it refuses. Errors of the reader
// itself are returned as they are.
type WAVError struct {
	Problem Problem
	Detail  string
}

func (e *WAVError) Error() string { return "wav: " + string(e.Problem) + ": " + e.Detail }

func wavError(p Problem, format string, args ...any) error {
	return &WAVError{p, fmt.Sprintf(format, args...)}
}

// Codings of the format chunk.
const (
	formatPCM        = 1
	formatALaw       = 6
	formatULaw       = 7
	formatExtensible = 0xFFFE
)

// wavFormat is the part of a format chunk that matters.
type wavFormat struct {
	coding, channels, bits int
	rate                   int
}

// ReadWAV reads a WAV file with PCM of 8 or 16 bit or G.711, mono or stereo, at
// 8 to 48 kHz, and returns it as mono at 8 kHz. longest bounds its duration and so the
// memory: 4 bytes a sample of the file. Chunks cut short at the end of the
// file and lengths of 0 or 0xFFFFFFFF, as streaming writers leave them, are
// accepted.
func ReadWAV(r io.Reader, longest time.Duration) ([]int16, error) {
	var riff [12]byte
	if _, err := io.ReadFull(r, riff[:]); err != nil {
		return nil, ended(err, "shorter than its header")
	}
	if string(riff[:4]) != "RIFF" || string(riff[8:]) != "WAVE" {
		return nil, wavError(NotWAV, "does not start with RIFF and WAVE")
	}
	var format wavFormat
	for {
		var head [8]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return nil, ended(err, "ends before the audio")
		}
		id, size := string(head[:4]), int64(binary.LittleEndian.Uint32(head[4:]))
		switch id {
		case "fmt ":
			var err error
			if format, err = readFormat(r, size); err != nil {
				return nil, err
			}
		case "data":
			if format.coding == 0 {
				return nil, wavError(NotWAV, "audio before its format")
			}
			return readData(r, format, size, longest)
		default:
			// Chunks are padded to even lengths. Others than ours carry names and notes.
			if _, err := io.CopyN(io.Discard, r, size+size&1); err != nil {
				return nil, ended(err, "ends inside chunk %q", id)
			}
		}
	}
}

// ended turns the end of the file into a refusal and keeps other errors.
func ended(err error, format string, args ...any) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return wavError(NotWAV, format, args...)
	}
	return err
}

func readFormat(r io.Reader, size int64) (wavFormat, error) {
	if size < 16 || size > 1024 {
		return wavFormat{}, wavError(NotWAV, "format chunk of %d bytes", size)
	}
	b := make([]byte, size+size&1)
	if _, err := io.ReadFull(r, b); err != nil {
		return wavFormat{}, ended(err, "ends inside its format")
	}
	f := wavFormat{
		coding:   int(binary.LittleEndian.Uint16(b)),
		channels: int(binary.LittleEndian.Uint16(b[2:])),
		bits:     int(binary.LittleEndian.Uint16(b[14:])),
	}
	rate := binary.LittleEndian.Uint32(b[4:])
	if f.coding == formatExtensible && size >= 26 {
		f.coding = int(binary.LittleEndian.Uint16(b[24:])) // start of the GUID that names the coding
	}
	switch {
	case f.coding == formatPCM && (f.bits == 8 || f.bits == 16):
	case (f.coding == formatALaw || f.coding == formatULaw) && f.bits == 8:
	default:
		return wavFormat{}, wavError(Unsupported, "coding %d with %d bits", f.coding, f.bits)
	}
	if f.channels != 1 && f.channels != 2 {
		return wavFormat{}, wavError(Unsupported, "%d channels", f.channels)
	}
	if rate < 8000 || rate > 48000 {
		return wavFormat{}, wavError(Unsupported, "%d Hz", rate)
	}
	f.rate = int(rate)
	return f, nil
}

func readData(r io.Reader, f wavFormat, size int64, longest time.Duration) ([]int16, error) {
	if size == 0 || size == math.MaxUint32 {
		size = math.MaxInt64 // a streaming writer did not come back to fill it in
	}
	block := int64(f.channels * f.bits / 8)
	most := int64(longest.Seconds() * float64(f.rate))
	var pcm []int16
	buf := make([]byte, 8192) // a multiple of every block
	for size >= block {
		n, err := io.ReadFull(r, buf[:min(int64(len(buf)), size)])
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, err
		}
		pcm = appendMono(pcm, buf[:n-n%int(block)], f)
		if int64(len(pcm)) > most {
			return nil, wavError(TooLong, "longer than %s", longest)
		}
		if err != nil {
			break
		}
		size -= int64(n)
	}
	if len(pcm) == 0 {
		return nil, wavError(Empty, "no samples")
	}
	return Resample(pcm, f.rate), nil
}

// appendMono decodes whole blocks and takes the mean of their channels.
func appendMono(pcm []int16, b []byte, f wavFormat) []int16 {
	width := f.bits / 8
	for ; len(b) >= width*f.channels; b = b[width*f.channels:] {
		sum := 0
		for c := range f.channels {
			sum += sample(b[c*width:], f)
		}
		pcm = append(pcm, int16(sum/f.channels))
	}
	return pcm
}

func sample(b []byte, f wavFormat) int {
	switch {
	case f.coding == formatULaw:
		return int(ulawPCM[b[0]])
	case f.coding == formatALaw:
		return int(alawPCM[b[0]])
	case f.bits == 8:
		return (int(b[0]) - 128) << 8 // WAV's 8 bit samples are unsigned
	default:
		return int(int16(binary.LittleEndian.Uint16(b)))
	}
}

// WAVHeader is the header of a file of 16 bit PCM at 8 kHz with the given
// channels and samples in each: 44 bytes, then the audio follows.
func WAVHeader(channels int, samples int64) []byte {
	data := uint32(min(samples*2*int64(channels), math.MaxUint32-36))
	h := make([]byte, 0, 44)
	h = append(h, "RIFF"...)
	h = binary.LittleEndian.AppendUint32(h, data+36)
	h = append(h, "WAVEfmt "...)
	h = binary.LittleEndian.AppendUint32(h, 16)
	h = binary.LittleEndian.AppendUint16(h, formatPCM)
	h = binary.LittleEndian.AppendUint16(h, uint16(channels))
	h = binary.LittleEndian.AppendUint32(h, Rate)
	h = binary.LittleEndian.AppendUint32(h, uint32(Rate*2*channels))
	h = binary.LittleEndian.AppendUint16(h, uint16(2*channels))
	h = binary.LittleEndian.AppendUint16(h, 16)
	h = append(h, "data"...)
	return binary.LittleEndian.AppendUint32(h, data)
}

// WriteWAV writes a WAV file of 16 bit PCM at 8 kHz with one channel for each
// slice; shorter ones end in silence.
func WriteWAV(w io.Writer, channels ...[]int16) error {
	samples := 0
	for _, c := range channels {
		samples = max(samples, len(c))
	}
	if _, err := w.Write(WAVHeader(len(channels), int64(samples))); err != nil {
		return err
	}
	buf := make([]byte, 0, 8192)
	for i := range samples {
		for _, c := range channels {
			s := int16(0)
			if i < len(c) {
				s = c[i]
			}
			buf = binary.LittleEndian.AppendUint16(buf, uint16(s))
		}
		if len(buf) > cap(buf)-2*len(channels) {
			if _, err := w.Write(buf); err != nil {
				return err
			}
			buf = buf[:0]
		}
	}
	_, err := w.Write(buf)
	return err
}
