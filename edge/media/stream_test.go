package media_test

import (
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"trunkline/edge/media"
	"trunkline/edge/media/mediatest"
	"trunkline/internal/audio"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// leg is a Stream with a telephone at its far end.
type leg struct {
	*media.Stream
	phone  *mediatest.Phone
	mu     sync.Mutex
	digits string
	silent int
}

func newLeg(t *testing.T, codec media.Codec) *leg {
	t.Helper()
	near, far := mediatest.Pipe()
	l := &leg{phone: mediatest.NewPhone(far, codec)}
	l.Stream = media.NewStream(near, mediatest.Format(codec), media.Config{
		OnDigit:   func(d media.Digit) { l.mu.Lock(); l.digits += string(d.Key); l.mu.Unlock() },
		OnTimeout: func() { l.mu.Lock(); l.silent++; l.mu.Unlock() },
	})
	return l
}

func (l *leg) end() {
	l.Close()
	<-l.Done()
	l.phone.Close()
}

// timeouts is how often OnTimeout was called.
func (l *leg) timeouts() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.silent
}

func (l *leg) pressed() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.digits
}

// hears asserts that a tone, and nothing else of that strength, arrives.
func hears(t *testing.T, what string, p *mediatest.Phone, hz, level float64) {
	t.Helper()
	pcm := p.Listen(400 * time.Millisecond)
	if len(pcm) < 2400 {
		t.Errorf("%s: only %d samples in 400 ms", what, len(pcm))
		return
	}
	if got := audio.ToneLevel(pcm, hz); math.Abs(got-level) > 1 {
		t.Errorf("%s: %.0f Hz at %.1f dB, want %.1f", what, hz, got, level)
	}
	if all := audio.Level(pcm); math.Abs(all-level) > 1.5 {
		t.Errorf("%s: in all %.1f dB, want %.1f: something else is heard", what, all, level)
	}
}

// hearsNothing asserts that no packets or only silence arrives.
func hearsNothing(t *testing.T, what string, p *mediatest.Phone) {
	t.Helper()
	if all := audio.Level(p.Listen(300 * time.Millisecond)); all > -60 {
		t.Errorf("%s: hears %.1f dB", what, all)
	}
}

func settle() { <-time.After(100 * time.Millisecond) }

func tone(hz, level float64, d time.Duration) []byte {
	return audio.AppendULaw(nil, audio.Tone(hz, level, int(d*audio.Rate/time.Second)))
}

func TestJoinedLegsHearEachOther(t *testing.T) {
	codecs := []media.Codec{media.PCMU, media.PCMA}
	for _, x := range codecs {
		for _, y := range codecs {
			t.Run(x.String()+"-"+y.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					a, b := newLeg(t, x), newLeg(t, y)
					defer a.end()
					defer b.end()
					a.phone.Say(600, -10)
					b.phone.Say(900, -20)
					hearsNothing(t, "before", a.phone)
					media.Join(a.Stream, b.Stream)
					settle()
					hears(t, "a", a.phone, 900, -20)
					hears(t, "b", b.phone, 600, -10)

					a.SetMuted(true)
					settle()
					hearsNothing(t, "b of muted a", b.phone)
					hears(t, "muted a", a.phone, 900, -20)
					a.SetMuted(false)
					settle()
					hears(t, "b again", b.phone, 600, -10)

					b.Unjoin()
					settle()
					hearsNothing(t, "a alone", a.phone)
					continuous(t, "a", a.phone)
					continuous(t, "b", b.phone)
				})
			})
		}
	}
}

// A joined leg hears music while held, then its peer again.
func TestHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newLeg(t, media.PCMA), newLeg(t, media.PCMU)
		defer a.end()
		defer b.end()
		a.phone.Say(600, -10)
		b.phone.Say(900, -10)
		media.Join(a.Stream, b.Stream)
		settle()
		a.Play(media.Clips(true, tone(1500, -15, 330*time.Millisecond)), nil)
		a.SetMuted(true)
		settle()
		pcm := a.phone.Listen(2 * time.Second)
		if got := audio.ToneLevel(pcm, 1500); math.Abs(got+15) > 1.5 {
			t.Errorf("held leg hears music at %.1f dB", got)
		}
		if got := audio.ToneLevel(pcm, 900); got > -40 {
			t.Errorf("held leg hears its peer at %.1f dB", got)
		}
		hearsNothing(t, "the peer", b.phone)
		a.StopPlay()
		a.SetMuted(false)
		settle()
		hears(t, "a after hold", a.phone, 900, -10)
		hears(t, "b after hold", b.phone, 600, -10)
		continuous(t, "a", a.phone)
	})
}

// A third leg takes the place of the second, as a transfer does.
func TestJoinLeavesFormerPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, c := newLeg(t, media.PCMU), newLeg(t, media.PCMU), newLeg(t, media.PCMA)
		defer a.end()
		defer b.end()
		defer c.end()
		a.phone.Say(600, -10)
		b.phone.Say(900, -10)
		c.phone.Say(1300, -10)
		media.Join(a.Stream, b.Stream)
		settle()
		media.Join(c.Stream, a.Stream)
		settle()
		hears(t, "a", a.phone, 1300, -10)
		hears(t, "c", c.phone, 600, -10)
		hearsNothing(t, "b", b.phone)
		// The far end starts anew: new SSRC and numbers.
		c.phone.Restart(7, 9, 11)
		settle()
		hears(t, "a", a.phone, 1300, -10)
		// And once more with its old SSRC.
		c.phone.Restart(7, 40000, 3_000_000_000)
		settle()
		hears(t, "a", a.phone, 1300, -10)
		continuous(t, "a", a.phone)
		c.Close()
		settle()
		hearsNothing(t, "a after c left", a.phone)
	})
}

func TestPlay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newLeg(t, media.PCMA)
		defer a.end()
		settle()
		done := make(chan bool, 1)
		began := time.Now()
		a.Play(media.Clips(false, tone(700, -10, 130*time.Millisecond), nil, tone(700, -10, 270*time.Millisecond)), func(ok bool) { done <- ok })
		if !<-done {
			t.Error("not completed")
		}
		if took := time.Since(began); took < 370*time.Millisecond || took > 420*time.Millisecond {
			t.Errorf("400 ms took %s", took)
		}
		settle()
		got := a.phone.Packets()
		if len(got) != 20 || got[0].At.Sub(began) > 20*time.Millisecond || !got[0].Marker || got[1].Marker {
			t.Fatalf("%d packets, the first after %s", len(got), got[0].At.Sub(began))
		}
		if level := audio.ToneLevel(mediatest.Decode(got), 700); math.Abs(level+10) > 1 {
			t.Errorf("tone at %.1f dB", level)
		}
		// The next prompt follows a second later: the timestamps say so.
		<-time.After(time.Second)
		a.Play(media.Clips(true, tone(700, -10, time.Second)), func(ok bool) { done <- ok })
		settle()
		next := a.phone.Packets()[20]
		if gap := next.Timestamp - got[19].Timestamp; math.Abs(float64(gap)-float64(next.At.Sub(got[19].At)/(125*time.Microsecond))) > 160 {
			t.Errorf("timestamps moved by %d in %s", gap, next.At.Sub(got[19].At))
		}
		a.Play(media.Clips(false, tone(800, -10, time.Second)), nil)
		if <-done {
			t.Error("a replaced prompt was reported as completed")
		}
		a.Play(media.Clips(false), func(ok bool) { done <- ok })
		if !<-done {
			t.Error("nothing to play was not completed")
		}
		if a.Playing() {
			t.Error("still playing")
		}
		a.Play(media.Clips(true, tone(800, -10, time.Second)), func(ok bool) { done <- ok })
		settle()
		a.Close()
		if <-done {
			t.Error("closed leg completed its prompt")
		}
		a.Play(media.Clips(false, tone(800, -10, time.Second)), func(ok bool) { done <- ok })
		if <-done {
			t.Error("played to a closed leg")
		}
		continuous(t, "a", a.phone)
	})
}

// An hour of music is an hour long.
func TestPacerDoesNotDrift(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newLeg(t, media.PCMU)
		defer a.end()
		a.phone.Quiet()
		a.SetRTPTimeout(-1)
		a.Play(media.Clips(true, tone(700, -10, time.Second)), nil)
		<-time.After(time.Hour)
		if got := len(a.phone.Packets()); got < 179_999 || got > 180_001 {
			t.Errorf("%d packets in an hour, want 180000", got)
		}
		if a.timeouts() != 0 {
			t.Error("timeout although it is off")
		}
	})
}

func TestPacketTimes(t *testing.T) {
	for ms, want := range map[time.Duration]int{10: 100, 20: 50, 30: 33, 40: 25, 60: 16} {
		synctest.Test(t, func(t *testing.T) {
			near, far := mediatest.Pipe()
			phone := mediatest.NewPhone(far, media.PCMU)
			f := mediatest.Format(media.PCMU)
			f.PTime = ms * time.Millisecond
			s := media.NewStream(near, f, media.Config{})
			s.Play(media.Clips(true, tone(700, -10, time.Second)), nil)
			<-time.After(time.Second)
			got := phone.Packets()
			if len(got) < want-3 || len(got) > want+2 || len(got[0].Payload) != int(ms)*8 {
				t.Errorf("%d ms: %d packets of %d bytes", ms, len(got), len(got[0].Payload))
			}
			s.Close()
			<-s.Done()
			phone.Close()
		})
	}
}

func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newLeg(t, media.PCMU)
		defer a.end()
		<-time.After(time.Minute)
		if a.timeouts() != 0 {
			t.Fatal("timeout while packets came")
		}
		a.phone.Quiet()
		<-time.After(29 * time.Second)
		if a.timeouts() != 0 {
			t.Fatal("timeout too soon")
		}
		<-time.After(3 * time.Second)
		if a.timeouts() != 1 {
			t.Fatal("no timeout")
		}
		<-time.After(time.Minute)
		if a.timeouts() != 1 {
			t.Fatal("a second timeout")
		}
		a.phone.Say(600, -10)
		settle()
		a.phone.Quiet()
		<-time.After(32 * time.Second)
		if a.timeouts() != 2 {
			t.Fatal("no timeout after packets came back")
		}
		if st := a.Stats(); st.Packets == 0 || st.Lost != 0 || st.Malformed != 0 {
			t.Errorf("stats %+v", st)
		}
	})
}

// continuous asserts that a far end saw one source without a break: one SSRC,
// numbers one after the other, timestamps that move with the clock and a marker
// wherever they jump.
func continuous(t *testing.T, who string, p *mediatest.Phone) {
	t.Helper()
	got := p.Packets()
	for i := 1; i < len(got); i++ {
		a, b := got[i-1], got[i]
		if a.SSRC != b.SSRC {
			t.Fatalf("%s: SSRC changed at packet %d", who, i)
		}
		if b.SequenceNumber != a.SequenceNumber+1 {
			t.Fatalf("%s: packet %d after %d", who, b.SequenceNumber, a.SequenceNumber)
		}
		moved := time.Duration(int32(b.Timestamp-a.Timestamp)) * 125 * time.Microsecond
		if moved < 0 || (moved-b.At.Sub(a.At)).Abs() > 45*time.Millisecond && a.PayloadType != mediatest.DTMFType {
			t.Fatalf("%s: timestamp moved by %s in %s at packet %d", who, moved, b.At.Sub(a.At), i)
		}
		if moved > 60*time.Millisecond && !b.Marker && a.PayloadType != mediatest.DTMFType {
			t.Fatalf("%s: a break of %s without marker at packet %d", who, moved, i)
		}
	}
}
