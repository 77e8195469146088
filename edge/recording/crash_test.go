package recording

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"trunkline/internal/audio"
)

// The child process of TestCrash finds the folder here and the public key in it.
const childEnv = "TRUNKLINE_RECORDING_TEST"

// recordUntilKilled records a tone in real time and prints how much it was given.
func recordUntilKilled(dir string) {
	public, err := os.ReadFile(filepath.Join(dir, "public"))
	if err != nil {
		panic(err)
	}
	s := New(Config{Dir: dir, Node: "a", FreePercent: -1})
	if err := s.Start(context.Background()); err != nil {
		panic(err)
	}
	r, err := s.Record(spec(keys{public: public}))
	if err != nil {
		panic(err)
	}
	tone := audio.AppendULaw(nil, audio.Tone(1000, -10, 160))
	tick := time.NewTicker(20 * time.Millisecond)
	began := time.Now()
	for at := time.Duration(0); ; at += 20 * time.Millisecond {
		if time.Since(began) < at {
			<-tick.C // else a busy machine slept: its audio is late, its time goes on
		}
		r.In(at, tone)
		r.Out(at, tone)
		fmt.Println(int64(at))
	}
}

// A process that is killed loses less than a second, and what is left is readable.
func TestCrash(t *testing.T) {
	k, dir := newKeys(t), t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "public"), k.public, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	var given time.Duration
	for given < 2100*time.Millisecond && lines.Scan() {
		n, err := strconv.ParseInt(lines.Text(), 10, 64)
		if err != nil {
			t.Fatalf("child says %q", lines.Text())
		}
		given = time.Duration(n)
	}
	cmd.Process.Kill()
	cmd.Wait()

	found, err := Recover(dir)
	if err != nil || len(found) != 1 {
		t.Fatalf("recovered %+v, %v", found, err)
	}
	m := found[0]
	kept := time.Duration(m.EndedAt-m.StartedAt) * time.Microsecond
	if !m.Recovered || given-kept > time.Second {
		t.Errorf("%s of %s were kept: %+v", kept, given, m)
	}
	rec := k.read(t, m.File)
	if rec.Torn || rec.Bytes != m.Bytes {
		t.Errorf("file %+v", rec.Summary)
	}
	for _, ch := range [][]byte{rec.Left, rec.Right} {
		said := spoken(ch)
		if len(said) < len(ch)/2 {
			t.Errorf("%d of %d bytes are not silence", len(said), len(ch))
		}
		if got := level(said, 100*time.Millisecond, duration(said)-100*time.Millisecond, 1000); math.Abs(got+10) > 1 {
			t.Errorf("tone at %.1f dB", got)
		}
	}
	// Until its fact is safe, it is given again.
	if again, _ := Recover(dir); len(again) != 1 {
		t.Errorf("second time: %+v", again)
	}
	if err := Reported(m); err != nil {
		t.Fatal(err)
	}
	if again, _ := Recover(dir); len(again) != 0 {
		t.Errorf("after it was reported: %+v", again)
	}
}

// spoken leaves out packets of silence: what a busy machine brought too late.
func spoken(ulaw []byte) (said []byte) {
	for packet := range slices.Chunk(ulaw, 160) {
		if !bytes.Equal(packet, silence[:len(packet)]) {
			said = append(said, packet...)
		}
	}
	return said
}

func duration(ulaw []byte) time.Duration { return time.Duration(len(ulaw)) * sample }

func TestRecoverOddFiles(t *testing.T) {
	k, dir := newKeys(t), t.TempDir()
	if found, err := Recover(filepath.Join(dir, "none")); err != nil || found != nil {
		t.Errorf("no folder: %v, %v", found, err)
	}
	s := started(t, Config{Dir: dir})
	names := []string{"good", "torn", "nothing", "short", "changed", "foreign"}
	path := make(map[string]string)
	for _, name := range names {
		sp := spec(k)
		sp.RecordingID = name
		r := record(t, s, sp)
		path[name] = r.path
		if name != "nothing" {
			r.file.Lock()
			for i := range int64(3) {
				r.writeFrame(i, silence, silence)
			}
			r.file.Unlock()
		}
	}
	// As after a crash: no manifests, and no recorder.
	s.mu.Lock()
	for r := range s.active {
		r.f.Close()
	}
	clear(s.active)
	s.mu.Unlock()
	stop(t, s)
	change := func(name string, f func([]byte) []byte) {
		b, err := os.ReadFile(path[name])
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path[name], f(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	change("torn", func(b []byte) []byte { return b[:len(b)-100] })
	change("short", func(b []byte) []byte { return b[:50] })
	change("changed", func(b []byte) []byte { b[len(b)-9000] ^= 1; return b })
	change("foreign", func([]byte) []byte { return make([]byte, 5000) })

	found, err := Recover(dir)
	if err == nil {
		t.Error("damaged files are not reported")
	}
	chunks := make(map[string]uint32)
	for _, m := range found {
		chunks[m.RecordingID] = m.Chunks
	}
	if len(found) != 2 || chunks["good"] != 3 || chunks["torn"] != 2 {
		t.Errorf("recovered %v", chunks)
	}
	for name, want := range map[string]string{"nothing": "", "short": "", "changed": ".damaged", "foreign": ".damaged"} {
		if _, err := os.Stat(path[name]); err == nil {
			t.Errorf("%s is still there", name)
		}
		if _, err := os.Stat(path[name] + want); want != "" && err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
