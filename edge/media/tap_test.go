package media_test

import (
	"bytes"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"trunkline/edge/media"
	"trunkline/internal/audio"
)

// tape places what a tap hears by its offsets.
type tape struct {
	mu      sync.Mutex
	in, out []byte
}

func (p *tape) In(at time.Duration, ulaw []byte)  { p.put(&p.in, at, ulaw) }
func (p *tape) Out(at time.Duration, ulaw []byte) { p.put(&p.out, at, ulaw) }

func (p *tape) put(dst *[]byte, at time.Duration, ulaw []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := int(at / (125 * time.Microsecond))
	if need := i + len(ulaw) - len(*dst); need > 0 {
		*dst = append(*dst, bytes.Repeat([]byte{0xFF}, need)...)
	}
	copy((*dst)[i:], ulaw)
}

func TestTapHearsBothDirections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newLeg(t, media.PCMA), newLeg(t, media.PCMU)
		defer a.end()
		defer b.end()
		a.phone.Say(600, -10)
		b.phone.Say(900, -20)
		settle()
		var tp tape
		a.Tap(&tp)
		began := time.Now()
		at := func(d time.Duration) { <-time.After(time.Until(began.Add(d))) }
		a.Play(media.Clips(false, tone(1500, -15, time.Second)), nil)
		at(1500 * time.Millisecond)
		media.Join(a.Stream, b.Stream)
		at(3 * time.Second)
		a.Mask(true)
		a.phone.Press('4')
		at(4 * time.Second)
		a.Mask(false)
		at(5 * time.Second)
		a.Tap(nil)
		at(6 * time.Second)

		expect := func(what string, ch []byte, from, to time.Duration, hz, level float64) {
			t.Helper()
			i, j := int(from/(125*time.Microsecond)), int(to/(125*time.Microsecond))
			pcm := audio.AppendPCM(nil, ch[i:min(j, len(ch))])
			got := audio.Level(pcm)
			if hz > 0 {
				got = audio.ToneLevel(pcm, hz)
			}
			if math.Abs(got-level) > 1 {
				t.Errorf("%s from %s to %s: %.1f dB, want %.1f", what, from, to, got, level)
			}
		}
		const ms = time.Millisecond
		expect("caller", tp.in, 40*ms, 2980*ms, 600, -10)
		expect("prompt", tp.out, 40*ms, 980*ms, 1500, -15)
		expect("nothing", tp.out, 1040*ms, 1480*ms, 0, -120)
		expect("agent", tp.out, 1540*ms, 2980*ms, 900, -20)
		expect("masked caller", tp.in, 3040*ms, 3980*ms, 0, -120)
		expect("masked agent", tp.out, 3040*ms, 3980*ms, 0, -120)
		expect("caller again", tp.in, 4040*ms, 4950*ms, 600, -10)
		if n := len(tp.in); n > 40200 {
			t.Errorf("tap went on for %d samples after its end", n-40000)
		}
		if a.pressed() != "4" {
			t.Error("a masked digit was not reported")
		}
	})
}

// A far end whose clock runs fast by 1 in 1,000 does not move out of place.
func TestTapFollowsADriftingClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newLeg(t, media.PCMU)
		defer a.end()
		a.phone.Quiet()
		settle()
		var tp offsets
		a.Tap(&tp)
		began := time.Now()
		send := mediaSender(a)
		for i := range 9000 { // three minutes; 180 ms of drift
			<-time.After(time.Until(began.Add(time.Duration(i) * 19980 * time.Microsecond)))
			send(uint16(i), uint32(i)*160)
		}
		settle()
		synctest.Wait()
		if off := tp.last - time.Since(began); off.Abs() > 150*time.Millisecond {
			t.Errorf("last packet is placed %s off", off)
		}
		if tp.step > 21*time.Millisecond {
			t.Errorf("a jump of %s", tp.step)
		}
	})
}

type offsets struct{ last, step time.Duration }

func (o *offsets) In(at time.Duration, _ []byte) {
	if o.last > 0 {
		o.step = max(o.step, at-o.last)
	}
	o.last = at
}

func (o *offsets) Out(time.Duration, []byte) {}
