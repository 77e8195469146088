package recording

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"trunkline/edge/media"
	"trunkline/edge/media/mediatest"
	"trunkline/internal/audio"
	"trunkline/internal/recfile"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		recordUntilKilled(dir)
	}
	if ports := os.Getenv(phonesEnv); ports != "" {
		speakUntilKilled(ports)
	}
	goleak.VerifyTestMain(m)
}

const id = "0193e0a0-0000-7000-8000-000000000001"

type keys struct{ public, private []byte }

func newKeys(t testing.TB) keys {
	t.Helper()
	pub, private, err := recfile.Keypair()
	if err != nil {
		t.Fatal(err)
	}
	return keys{pub, private}
}

func (k keys) unwrap(_ string, enc, wrapped []byte) ([]byte, error) {
	return recfile.Unwrap(k.private, enc, wrapped)
}

func (k keys) read(t testing.TB, path string) *recfile.Recording {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rec, err := recfile.Read(f, k.unwrap)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

func spec(k keys) Spec {
	return Spec{Tenant: 7, CallID: "call", RecordingID: id, PublicKey: k.public, KeyID: "k", StartedAt: time.Now().UnixMicro()}
}

// started gives a running store; disk is the free part it believes in.
func started(t testing.TB, cfg Config) *Store {
	t.Helper()
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	if cfg.Free == nil {
		cfg.FreePercent = -1
	}
	s := New(cfg)
	if err := s.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	return s
}

func stop(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Stop(context.Background()); err != nil {
		t.Errorf("stop: %v", err)
	}
}

func record(t testing.TB, s *Store, sp Spec) *Recorder {
	t.Helper()
	r, err := s.Record(sp)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func level(ulaw []byte, from, to time.Duration, hz float64) float64 {
	pcm := audio.AppendPCM(nil, ulaw[from/sample:to/sample])
	if hz == 0 {
		return audio.Level(pcm)
	}
	return audio.ToneLevel(pcm, hz)
}

// A whole call: what each side said is where it was said.
func TestRecordedCall(t *testing.T) {
	k, dir := newKeys(t), t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := started(t, Config{Dir: dir, Node: "a"})
		defer stop(t, s)
		near, far := mediatest.Pipe()
		phone := mediatest.NewPhone(far, media.PCMA)
		leg := media.NewStream(near, mediatest.Format(media.PCMA), media.Config{})
		defer func() { leg.Close(); <-leg.Done(); phone.Close() }()
		phone.Say(600, -10)
		<-time.After(100 * time.Millisecond)
		r := record(t, s, spec(k))
		began := time.Now()
		leg.Tap(r)
		<-time.After(time.Second)
		leg.Play(media.Clips(false, audio.AppendULaw(nil, audio.Tone(900, -20, 8000))), nil)
		<-time.After(2 * time.Second)
		phone.Quiet()
		<-time.After(1030 * time.Millisecond)
		leg.Tap(nil)
		m, err := r.Close()
		if err != nil {
			t.Fatal(err)
		}
		took := time.Since(began)
		if got := time.Duration(m.EndedAt-m.StartedAt) * time.Microsecond; (got - took).Abs() > time.Millisecond {
			t.Errorf("lasts %s, took %s", got, took)
		}
		if m.CallID != "call" || m.Tenant != 7 || m.Node != "a" || m.KeyID != "k" || m.LostWindows != 0 || m.Chunks != 11 {
			t.Errorf("manifest %+v", m)
		}
		rec := k.read(t, m.File)
		if !bytes.Equal(rec.Chain[:], m.Chain) || rec.Bytes != m.Bytes || rec.Torn {
			t.Errorf("file %+v, manifest %+v", rec.Summary, m)
		}
		const ms = time.Millisecond
		for what, c := range map[string]struct{ got, want float64 }{
			"caller":         {level(rec.Left, 40*ms, 2950*ms, 600), -10},
			"quiet caller":   {level(rec.Left, 3050*ms, 4000*ms, 0), -120},
			"before prompt":  {level(rec.Right, 0, 990*ms, 0), -120},
			"prompt":         {level(rec.Right, 1030*ms, 1990*ms, 900), -20},
			"after prompt":   {level(rec.Right, 2040*ms, 4000*ms, 0), -120},
			"caller in full": {level(rec.Left, 40*ms, 2950*ms, 0), -10},
		} {
			if math.Abs(c.got-c.want) > 1 {
				t.Errorf("%s at %.1f dB, want %.0f", what, c.got, c.want)
			}
		}
		if again, err := r.Close(); err != nil || !bytes.Equal(again.Chain, m.Chain) {
			t.Errorf("second close: %+v, %v", again, err)
		}
		list, err := List(dir)
		if err != nil || len(list) != 1 || list[0].RecordingID != id {
			t.Errorf("list %+v, %v", list, err)
		}
		if err := Remove(m.File); err != nil {
			t.Error(err)
		}
		if list, _ := List(dir); len(list) != 0 {
			t.Errorf("still there: %+v", list)
		}
	})
}

// What is spoken leaves the process within half a second.
func TestFramesLeaveInTime(t *testing.T) {
	k, dir := newKeys(t), t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := started(t, Config{Dir: dir})
		defer stop(t, s)
		r := record(t, s, spec(k))
		for range 100 {
			<-time.After(100 * time.Millisecond)
			f, err := os.Open(r.path)
			if err != nil {
				t.Fatal(err)
			}
			sum, err := recfile.Scan(f)
			f.Close()
			if err != nil {
				t.Fatal(err)
			}
			if behind := time.Since(r.began) - sum.End; behind > 560*time.Millisecond {
				t.Fatalf("%s of audio is in memory alone", behind)
			}
		}
		if _, err := r.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestLateEarlyAndMovedAudio(t *testing.T) {
	k, dir := newKeys(t), t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := started(t, Config{Dir: dir})
		defer stop(t, s)
		r := record(t, s, spec(k))
		packet := bytes.Repeat([]byte{1}, 160)
		r.In(380*time.Millisecond, bytes.Repeat([]byte{2}, 320)) // over the edge of a window
		<-time.After(450 * time.Millisecond)
		r.In(360*time.Millisecond, packet) // late, but its window is open
		r.Out(0, packet)
		r.Out(160*sample+sample, packet) // a hole of one sample is filled
		<-time.After(time.Second)
		r.In(0, packet)         // too late
		r.In(time.Hour, packet) // nonsense
		r.From().In(0, packet)  // another leg begins now
		<-time.After(time.Second)
		m, err := r.Close()
		if err != nil {
			t.Fatal(err)
		}
		rec := k.read(t, m.File)
		at := func(ch []byte, d time.Duration) byte { return ch[d/sample] }
		const ms = time.Millisecond
		for what, c := range map[string][2]byte{
			"too late":       {at(rec.Left, 10*ms), 0xFF},
			"late":           {at(rec.Left, 370*ms), 1},
			"first window":   {at(rec.Left, 390*ms), 2},
			"second window":  {at(rec.Left, 410*ms), 2},
			"after":          {at(rec.Left, 425*ms), 0xFF},
			"hole":           {rec.Right[160], 1},
			"after the hole": {rec.Right[161], 1},
			"moved leg":      {at(rec.Left, 1460*ms), 1},
		} {
			if c[0] != c[1] {
				t.Errorf("%s: %#x, want %#x", what, c[0], c[1])
			}
		}
		if d := time.Duration(len(rec.Left)) * sample; d != 2450*time.Millisecond {
			t.Errorf("lasts %s", d)
		}
	})
}

// What is held up on its way and then comes at once is where it was said, though
// windows end meanwhile. Who stays away longer has fallen silent, and keeps
// nothing in memory.
func TestHeldUpAudio(t *testing.T) {
	const step = 20 * time.Millisecond
	k := newKeys(t)
	for _, held := range []time.Duration{step, 300 * time.Millisecond, 960 * time.Millisecond, 5 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			s := started(t, Config{})
			defer stop(t, s)
			r := record(t, s, spec(k))
			said := func(at time.Duration) []byte { return bytes.Repeat([]byte{1 + byte(at/step)%100}, 160) }
			const from, lasts = 1300 * time.Millisecond, 8 * time.Second
			for at := time.Duration(0); at < lasts; at += step {
				r.Out(at, said(at))
				switch {
				case at == from+held:
					for late := from; late <= at; late += step {
						r.In(late, said(late))
					}
				case at < from || at > from+held:
					r.In(at, said(at))
				}
				r.mu.Lock()
				if waits := at - time.Duration(r.base)*window; waits > window+max(min(held, maxHeldUp), grace)+step+writeEvery {
					t.Errorf("held up for %s: %s are in memory alone", held, waits)
				}
				r.mu.Unlock()
				<-time.After(step)
			}
			m, err := r.Close()
			if err != nil {
				t.Fatal(err)
			}
			rec := k.read(t, m.File)
			for at := time.Duration(0); at < lasts; at += step {
				i, want := int(at/sample), said(at)
				if !bytes.Equal(rec.Right[i:i+160], want) {
					t.Fatalf("held up for %s: the other side is not recorded at %s", held, at)
				}
				if held < time.Second && !bytes.Equal(rec.Left[i:i+160], want) {
					t.Fatalf("held up for %s: what was said at %s is not recorded", held, at)
				}
			}
		})
	}
}

// A packet that was due when the recording began and comes late reaches back before it: what lies before is left out.
func TestAudioFromBeforeTheBeginning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKeys(t)
		s := started(t, Config{})
		defer stop(t, s)
		r := record(t, s, spec(k))
		packet := bytes.Repeat([]byte{0x11}, 160)
		r.Out(-23*sample, packet)
		r.In(-time.Second, packet)
		r.In(-160*sample, packet)
		r.Close()
		rec := k.read(t, r.path)
		if got := bytes.Count(rec.Right, []byte{0x11}); got != 160-23 || !bytes.HasPrefix(rec.Right, packet[:137]) {
			t.Errorf("%d samples of what was heard, want 137 at the beginning", got)
		}
		if bytes.Contains(rec.Left, []byte{0x11}) {
			t.Error("what was said before the beginning is in the recording")
		}
	})
}

func TestDiskFull(t *testing.T) {
	k, dir := newKeys(t), t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		free := 50.0
		var mu sync.Mutex
		setFree := func(f float64) { mu.Lock(); free = f; mu.Unlock() }
		s := started(t, Config{Dir: dir, Free: func(string) (float64, error) { mu.Lock(); defer mu.Unlock(); return free, nil }})
		defer stop(t, s)
		reasons := make(chan string, 2)
		sp := spec(k)
		sp.OnStop = func(reason string) { reasons <- reason }
		r := record(t, s, sp)
		<-time.After(time.Second)
		if st := s.Status(); st.Stopped != "" || !st.Since.IsZero() || st.Free != 50 || st.Needed != 20 {
			t.Errorf("with room: %+v", st)
		}
		setFree(19)
		if got := <-reasons; got != ReasonDiskFull {
			t.Errorf("reason %q", got)
		}
		began := time.Now()
		if _, err := s.Record(spec(k)); !errors.Is(err, ErrDiskFull) {
			t.Errorf("recording on a full disk: %v", err)
		}
		m, err := r.Close()
		if err != nil || m.Reason != ReasonDiskFull || m.Chunks == 0 {
			t.Errorf("manifest %+v, %v", m, err)
		}
		setFree(20.5)
		<-time.After(6 * time.Second)
		if st := s.Status(); st.Stopped != ReasonDiskFull || !st.Since.Equal(began) || st.Free != 20.5 {
			t.Errorf("recording again at once, or stopped anew: %+v", st)
		}
		setFree(30)
		<-time.After(6 * time.Second)
		if st := s.Status(); st.Stopped != "" || !st.Since.IsZero() {
			t.Errorf("not recording again: %+v", st)
		}
	})
}

// What the disk refuses is said until a write works again; what is wrong with one
// recording says nothing about the disk.
func TestDiskError(t *testing.T) {
	k, dir := newKeys(t), filepath.Join(t.TempDir(), "recordings")
	synctest.Test(t, func(t *testing.T) {
		s := started(t, Config{Dir: dir})
		defer stop(t, s)
		bad := spec(k)
		bad.PublicKey = []byte("no key")
		if _, err := s.Record(bad); err == nil || s.Status().Stopped != "" {
			t.Fatalf("a bad key: %v, %+v", err, s.Status())
		}
		away := dir + " away" // also for root, whom no permission stops
		if err := errors.Join(os.Rename(dir, away), os.WriteFile(dir, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if _, err := s.Record(spec(k)); err == nil {
			t.Fatal("recorded nowhere")
		}
		<-time.After(11 * time.Second)
		if st := s.Status(); st.Stopped != ReasonDiskError || !st.Since.Equal(began) {
			t.Errorf("not written: %+v", st)
		}
		if err := errors.Join(os.Remove(dir), os.Rename(away, dir)); err != nil {
			t.Fatal(err)
		}
		<-time.After(6 * time.Second)
		if st := s.Status(); st.Stopped != "" {
			t.Errorf("written again: %+v", st)
		}
		if _, err := s.Record(spec(k)); err != nil {
			t.Error(err)
		}
	})
}

// A disk that stands still costs bounded memory, and the call nothing.
func TestStalledDisk(t *testing.T) {
	k, dir := newKeys(t), t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := New(Config{Dir: dir})
		s.stop = func() {} // it runs, but its writer does not come back
		defer stop(t, s)
		r := record(t, s, spec(k))
		packet := bytes.Repeat([]byte{3}, 160)
		for i := range 750 { // 15 s
			r.In(time.Duration(i)*20*time.Millisecond, packet)
			<-time.After(20 * time.Millisecond)
		}
		r.mu.Lock()
		if n := len(r.pending); n != maxPending {
			t.Errorf("%d windows wait", n)
		}
		r.mu.Unlock()
		m, err := r.Close()
		if err != nil || m.LostWindows < 8 || m.LostWindows > 13 {
			t.Errorf("lost %d windows, %v", m.LostWindows, err)
		}
		rec := k.read(t, m.File)
		if rec.Left[8000] != 3 || rec.Left[9*8000] != 3 || rec.Left[12*8000] != 0xFF {
			t.Error("not the windows that were lost")
		}
	})
}

func TestStoreRefuses(t *testing.T) {
	k := newKeys(t)
	s := started(t, Config{})
	sp := spec(k)
	sp.RecordingID = "../../x"
	if _, err := s.Record(sp); err == nil {
		t.Error("a name that leaves the folder")
	}
	sp = spec(k)
	sp.PublicKey = nil
	if _, err := s.Record(sp); err == nil {
		t.Error("no key")
	}
	r := record(t, s, spec(k))
	if _, err := s.Record(spec(k)); !errors.Is(err, fs.ErrExist) {
		t.Errorf("the same id twice: %v", err)
	}
	if _, err := r.Close(); err != nil {
		t.Error(err)
	}
	stop(t, s)
	sp = spec(k)
	sp.RecordingID = "b"
	if _, err := s.Record(sp); !errors.Is(err, ErrStopped) {
		t.Errorf("after stop: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(s.cfg.Dir, "*", "*", "b*")); len(left) != 0 {
		t.Errorf("left %v", left)
	}
}
