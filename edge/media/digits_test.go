package media_test

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"trunkline/edge/media"
	"trunkline/edge/media/mediatest"
	"trunkline/internal/audio"
)

func TestDigitsAreReportedOnceAndAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := mediatest.Pipe()
		phone := mediatest.NewPhone(far, media.PCMU)
		type press struct {
			media.Digit
			at time.Time
		}
		digits := make(chan press, 20)
		s := media.NewStream(near, mediatest.Format(media.PCMU), media.Config{OnDigit: func(d media.Digit) { digits <- press{d, time.Now()} }})
		for _, key := range []byte("1159*#0D") {
			began := time.Now()
			phone.Press(key)
			settle()
			if len(digits) != 1 {
				t.Fatalf("key %c was reported %d times", key, len(digits))
			}
			d := <-digits
			if d.Key != key || d.Duration > 20*time.Millisecond || d.at.Sub(began) > time.Millisecond {
				t.Errorf("key %c came as %c, after %s", key, d.Key, d.at.Sub(began))
			}
		}
		s.Close()
		<-s.Done()
		phone.Close()
	})
}

// The peer of a joined leg gets the digits too, with one timestamp each.
func TestDigitsCrossAJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newLeg(t, media.PCMU), newLeg(t, media.PCMA)
		defer a.end()
		defer b.end()
		a.phone.Say(600, -10)
		media.Join(a.Stream, b.Stream)
		settle()
		for _, key := range []byte("42#") {
			a.phone.Press(key)
			settle()
		}
		if got := b.phone.Digits(); got != "42#" {
			t.Errorf("peer got %q", got)
		}
		if got := a.pressed(); got != "42#" {
			t.Errorf("reported %q", got)
		}
		hears(t, "b", b.phone, 600, -10)
		continuous(t, "b", b.phone)
	})
}

func TestSendDigits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newLeg(t, media.PCMU), newLeg(t, media.PCMU)
		defer a.end()
		defer b.end()
		b.phone.Say(900, -10)
		media.Join(a.Stream, b.Stream)
		settle()
		before := len(a.phone.Packets())
		a.SendDigits("1x,9*")
		settle()
		a.SendDigits("d")
		<-time.After(2 * time.Second)
		if got := a.phone.Digits(); got != "19*D" {
			t.Errorf("far end got %q", got)
		}
		var events []mediatest.Heard
		for _, h := range a.phone.Packets()[before:] {
			if h.PayloadType == mediatest.DTMFType && h.Payload[0] == 9 {
				events = append(events, h)
			}
		}
		if len(events) != 7 {
			t.Fatalf("a digit of %d packets", len(events))
		}
		for i, e := range events {
			duration := int(e.Payload[2])<<8 | int(e.Payload[3])
			last := i >= 4
			if e.Marker != (i == 0) || e.Timestamp != events[0].Timestamp || duration != min(i+1, 5)*160 || (e.Payload[1]&0x80 != 0) != last {
				t.Errorf("packet %d: marker %v, timestamp %d, duration %d, end %v", i, e.Marker, e.Timestamp, duration, e.Payload[1]&0x80 != 0)
			}
			if i > 0 && e.At.Sub(events[i-1].At) != 20*time.Millisecond {
				t.Errorf("packet %d after %s", i, e.At.Sub(events[i-1].At))
			}
		}
		hears(t, "a after digits", a.phone, 900, -10)
		continuous(t, "a", a.phone)
	})
}

func TestSendDigitsAsTones(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newLeg(t, media.PCMA)
		defer a.end()
		a.SetFormat(media.Format{Codec: media.PCMA, PayloadType: 8})
		a.SendDigits("5")
		pcm := a.phone.Listen(120 * time.Millisecond)
		low, high := audio.ToneLevel(pcm[:800], 770), audio.ToneLevel(pcm[:800], 1336)
		if math.Abs(low+10) > 1 || math.Abs(high+8) > 1 {
			t.Errorf("key 5 at %.1f and %.1f dB", low, high)
		}
		settle()
		continuous(t, "a", a.phone)
	})
}

// Music pauses for digits and goes on.
func TestDigitsDuringPlay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newLeg(t, media.PCMU)
		defer a.end()
		done := make(chan bool, 1)
		a.Play(media.Clips(false, tone(700, -10, 500*time.Millisecond)), func(ok bool) { done <- ok })
		settle()
		a.SendDigits("7")
		if !<-done {
			t.Error("not completed")
		}
		settle()
		if n := len(mediatest.Decode(a.phone.Packets())); n != 4000 {
			t.Errorf("%d samples of the prompt were heard", n)
		}
		if got := a.phone.Digits(); got != "7" {
			t.Errorf("digits %q", got)
		}
		continuous(t, "a", a.phone)
	})
}
