package recfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

func keys(t testing.TB) (pub []byte, unwrap UnwrapFunc) {
	t.Helper()
	pub, private, err := Keypair()
	if err != nil {
		t.Fatal(err)
	}
	return pub, func(keyID string, enc, wrapped []byte) ([]byte, error) {
		if keyID != "key-1" {
			return nil, fmt.Errorf("asked for key %q", keyID)
		}
		return Unwrap(private, enc, wrapped)
	}
}

// window is half a second whose samples differ by channel and number.
func window(n, channel byte) []byte { return bytes.Repeat([]byte{n*2 + channel}, 4000) }

func sampleFile(t testing.TB, pub []byte, frames int) ([]byte, Summary) {
	t.Helper()
	var b bytes.Buffer
	w, err := Create(&b, Header{Tenant: 7, Call: "c", Recording: "r", Segment: 2, StartedAt: 1, KeyID: "key-1"}, pub)
	if err != nil {
		t.Fatal(err)
	}
	for i := range frames {
		if err := w.Frame(int64(i)*500_000, window(byte(i), 0), window(byte(i), 1)); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes(), w.Summary()
}

func TestRoundTrip(t *testing.T) {
	pub, unwrap := keys(t)
	file, sum := sampleFile(t, pub, 5)
	if sum.Chunks != 5 || sum.Bytes != int64(len(file)) || sum.End != 2500*time.Millisecond {
		t.Errorf("writer says %+v of %d bytes", sum, len(file))
	}
	rec, err := Read(bytes.NewReader(file), unwrap)
	if err != nil {
		t.Fatal(err)
	}
	if rec.Chain != sum.Chain || rec.Chunks != 5 || rec.End != sum.End || rec.Torn || rec.Header.Segment != 2 {
		t.Errorf("reader says %+v, writer %+v", rec.Summary, sum)
	}
	for i := range 5 {
		if !bytes.Equal(rec.Left[i*4000:(i+1)*4000], window(byte(i), 0)) || !bytes.Equal(rec.Right[i*4000:(i+1)*4000], window(byte(i), 1)) {
			t.Errorf("frame %d differs", i)
		}
	}
	scanned, err := Scan(bytes.NewReader(file))
	if err != nil || scanned.Chain != sum.Chain || scanned.End != sum.End || scanned.Bytes != sum.Bytes {
		t.Errorf("scan says %+v, %v", scanned, err)
	}
	if bytes.Contains(file, window(1, 0)[:64]) {
		t.Error("audio is readable in the file")
	}
}

func TestGapsAreSilence(t *testing.T) {
	pub, unwrap := keys(t)
	var b bytes.Buffer
	w, _ := Create(&b, Header{KeyID: "key-1"}, pub)
	w.Frame(0, []byte{1}, []byte{2})
	w.Frame(1_000_000, []byte{3}, []byte{4})
	rec, err := Read(&b, unwrap)
	if err != nil || len(rec.Left) != 8001 || rec.Left[0] != 1 || rec.Left[4000] != 0xFF || rec.Right[8000] != 4 {
		t.Errorf("%d samples, %v", len(rec.Left), err)
	}
}

// A process killed at any byte leaves a file of which all whole frames are read.
func TestTornTail(t *testing.T) {
	pub, unwrap := keys(t)
	two, _ := sampleFile(t, pub, 0)
	head := len(two)
	file, _ := sampleFile(t, pub, 3)
	frame := (len(file) - head) / 3
	for cut := head; cut <= len(file); cut += 397 {
		rec, err := Read(bytes.NewReader(file[:cut]), unwrap)
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		whole := (cut - head) / frame
		if int(rec.Chunks) != whole || rec.Torn != ((cut-head)%frame != 0) || rec.Bytes != int64(head+whole*frame) {
			t.Errorf("cut at %d: %+v, want %d frames", cut, rec.Summary, whole)
		}
	}
	// A machine that lost power may leave the length but not the content.
	zeros := bytes.Clone(file)
	clear(zeros[head+2*frame+100:])
	zeros = append(zeros, make([]byte, 8000)...)
	rec, err := Read(bytes.NewReader(zeros), unwrap)
	if err != nil || rec.Chunks != 2 || !rec.Torn {
		t.Errorf("zeros at the end: %+v, %v", rec, err)
	}
	if _, err := Read(bytes.NewReader(file[:head-1]), unwrap); !errors.Is(err, ErrFormat) {
		t.Errorf("cut head: %v", err)
	}
}

func TestTamperedIsNoticed(t *testing.T) {
	pub, unwrap := keys(t)
	empty, _ := sampleFile(t, pub, 0)
	head := len(empty)
	file, sum := sampleFile(t, pub, 3)
	frame := (len(file) - head) / 3
	for _, at := range []int{head, head + 5, head + 9, head + 17, head + frameHeader, head + frame - 1, head + frame + 50} {
		changed := bytes.Clone(file)
		changed[at] ^= 1
		if _, err := Read(bytes.NewReader(changed), unwrap); !errors.Is(err, ErrTampered) {
			t.Errorf("byte %d changed: %v", at, err)
		}
		if s, err := Scan(bytes.NewReader(changed)); err == nil && s.Chain == sum.Chain {
			t.Errorf("byte %d changed: the chain is the same", at)
		}
	}
	// Frames in another order, with their crcs right.
	moved := bytes.Clone(file[:head])
	moved = append(append(append(moved, file[head+frame:head+2*frame]...), file[head:head+frame]...), file[head+2*frame:]...)
	if _, err := Read(bytes.NewReader(moved), unwrap); !errors.Is(err, ErrTampered) {
		t.Errorf("moved frames: %v", err)
	}
	// Another call's name in the header.
	renamed := bytes.Replace(bytes.Clone(file), []byte(`"call":"c"`), []byte(`"call":"d"`), 1)
	if _, err := Read(bytes.NewReader(renamed), unwrap); !errors.Is(err, ErrTampered) {
		t.Errorf("changed header: %v", err)
	}
	// The last frame cut off whole: only the chain tells.
	rec, err := Read(bytes.NewReader(file[:head+2*frame]), unwrap)
	if err != nil || rec.Chain == sum.Chain {
		t.Errorf("cut at a frame's end: %v", err)
	}
}

func TestForeignKeyDoesNotOpen(t *testing.T) {
	pub, _ := keys(t)
	_, foreign := keys(t)
	file, _ := sampleFile(t, pub, 1)
	if _, err := Read(bytes.NewReader(file), foreign); !errors.Is(err, ErrKey) {
		t.Errorf("foreign key: %v", err)
	}
	if _, err := Create(io.Discard, Header{}, []byte("short")); err == nil {
		t.Error("a public key of 5 bytes")
	}
}

func TestWriterRefuses(t *testing.T) {
	pub, _ := keys(t)
	w, err := Create(io.Discard, Header{}, pub)
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"unequal":  w.Frame(0, make([]byte, 2), make([]byte, 1)),
		"empty":    w.Frame(0, nil, nil),
		"long":     w.Frame(0, make([]byte, 8001), make([]byte, 8001)),
		"negative": w.Frame(-1, []byte{1}, []byte{1}),
	} {
		if err == nil {
			t.Errorf("%s was written", name)
		}
	}
	if w.Summary().Chunks != 0 {
		t.Error("something was written")
	}
}

func BenchmarkFrame(b *testing.B) {
	pub, _ := keys(b)
	w, _ := Create(io.Discard, Header{}, pub)
	l, r := window(1, 0), window(1, 1)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		w.Frame(int64(i%1000)*500_000, l, r)
	}
}

func FuzzRead(f *testing.F) {
	// Short frames: a fuzzer that works on kilobytes of noise finds nothing.
	pub, unwrap := keys(f)
	var b bytes.Buffer
	w, err := Create(&b, Header{KeyID: "key-1"}, pub)
	if err != nil {
		f.Fatal(err)
	}
	for i := range 3 {
		if err := w.Frame(int64(i)*1000, []byte{1, 2, 3}, []byte{4, 5, 6}); err != nil {
			f.Fatal(err)
		}
	}
	f.Add(b.Bytes())
	f.Add(b.Bytes()[:b.Len()-20])
	f.Add([]byte("TLREC\x00\x01\x00\x02\x00\x00\x00{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		sum, err := Scan(bytes.NewReader(b))
		if err == nil && (sum.Bytes > int64(len(b)) || sum.Torn == (sum.Bytes == int64(len(b)))) {
			t.Errorf("%d bytes: %+v", len(b), sum)
		}
		rec, err := Read(bytes.NewReader(b), unwrap)
		if err == nil && len(rec.Left) != len(rec.Right) {
			t.Error("channels differ in length")
		}
	})
}

// A file that grows is read on from where it was read before, wherever the
// reader caught it; and of a whole file one can tell where it was once.
func TestContinue(t *testing.T) {
	public, _, err := Keypair()
	if err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	w, err := Create(&buf, Header{Tenant: 7, Call: "c", Recording: "r", KeyID: "k"}, public)
	if err != nil {
		t.Fatal(err)
	}
	audio := make([]byte, 400)
	for i := range 20 {
		if err := w.Frame(int64(i)*50_000, audio, audio); err != nil {
			t.Fatal(err)
		}
	}
	data := buf.Bytes()
	whole, err := Scan(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		var sum Summary
		for size := r.IntN(len(data)); ; size = min(len(data), size+r.IntN(2000)) {
			next, err := Continue(bytes.NewReader(data[sum.Bytes:size]), sum)
			if sum.Bytes == 0 && errors.Is(err, ErrFormat) {
				continue // inside its head
			}
			if err != nil || next.Bytes < sum.Bytes || next.Bytes > int64(size) {
				t.Fatalf("seed %d: %+v, %v", seed, next, err)
			}
			sum = next
			if ok, err := Contains(bytes.NewReader(data), sum.Chain[:]); err != nil || !ok {
				t.Fatalf("seed %d: the file was never at frame %d: %v", seed, sum.Chunks, err)
			}
			if size == len(data) {
				break
			}
		}
		if !reflect.DeepEqual(sum, whole) {
			t.Fatalf("seed %d: %+v, want %+v", seed, sum, whole)
		}
	}
	if ok, err := Contains(bytes.NewReader(data), make([]byte, 32)); err != nil || ok {
		t.Errorf("it contains what never was: %v %v", ok, err)
	}
}
