package media

import "time"

// timeline turns RTP timestamps into offsets.
type timeline struct {
	set   bool
	ts    uint32
	base  time.Duration
	skew  time.Duration // mean of how much later packets come than their timestamps say
	late  bool          // the newest packet was later than maxLateness
	since time.Duration // the first such packet
}

// Offsets follow the timestamps as long as these agree with the clock. The clocks
// of two machines drift apart by some 100 us each second; beyond slewSkew each
// packet moves the timeline by one sample.
//
// What waited somewhere and comes in one burst is where its timestamps say. A
// source that paused and did not count the pause stays late, and is believed after
// believeLate: a recording writes what is older than its grace of 100 ms and leaves
// out what comes after.
const (
	maxLateness = 80 * time.Millisecond
	maxEarly    = 250 * time.Millisecond
	maxBurst    = 2 * time.Second // later than this is another count, not a burst
	believeLate = 100 * time.Millisecond
	slewSkew    = 10 * time.Millisecond
)

// offset of a packet that came at elapsed.
func (t *timeline) offset(ts uint32, elapsed time.Duration) time.Duration {
	at := t.base + fromSamples(int64(int32(ts-t.ts)))
	if !t.set || !t.agrees(elapsed-at, elapsed) {
		*t = timeline{set: true, ts: ts, base: elapsed}
		return elapsed
	}
	// Keeps the difference of timestamps far from overflow.
	t.base, t.ts = at, ts
	if !t.late {
		t.slew(elapsed - at)
	}
	return max(at, 0)
}

// agrees says whether a packet so much later than its timestamp says still belongs
// to the same count.
func (t *timeline) agrees(late, elapsed time.Duration) bool {
	was := t.late
	t.late = late > maxLateness
	if !t.late {
		return late >= -maxEarly
	}
	if !was {
		t.since = elapsed
	}
	return late <= maxBurst && elapsed-t.since <= believeLate
}

func (t *timeline) slew(late time.Duration) {
	t.skew += (late - t.skew) / 64
	if t.skew.Abs() <= slewSkew {
		return
	}
	step := fromSamples(1)
	if t.skew < 0 {
		step = -step
	}
	t.base += step
	t.skew -= step
}
