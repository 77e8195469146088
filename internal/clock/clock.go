// Package clock compares the clock of this machine with those of others: how
// far is it from what most of them show, however wrong some of them are.
package clock

import (
	"slices"
	"time"
)

// Limit is how far a node's clock may be from the majority's. Beyond it the node
// alarms and does not lead its site.
const Limit = 2 * time.Second

const (
	// MaxRTT is the longest exchange that says something: what a clock shows is
	// known to half of it.
	MaxRTT = time.Second
	// keepSamples of a clock are compared; of those the quickest counts.
	keepSamples = 8
	// keepFor is how long a clock that is not heard any more still counts.
	keepFor = 30 * time.Second
)

// Meter estimates another machine's clock from exchanges with it. The zero value
// knows nothing. It is not for several goroutines.
type Meter struct {
	samples []sample // newest last
}

// sample is what a clock showed in the middle of an exchange. Of the moment only
// the monotonic reading is used: a step of this machine's own clock changes
// nothing about what is known of the other's.
type sample struct {
	wall time.Time
	at   time.Time
	rtt  time.Duration
}

// Add takes one exchange: asked and answered are this machine's time.Now before
// and after, wall is what the other clock showed in between.
func (m *Meter) Add(asked, answered, wall time.Time) {
	rtt := answered.Sub(asked)
	if rtt < 0 || rtt > MaxRTT {
		return
	}
	s := sample{wall: wall.Round(0), at: asked.Add(rtt / 2), rtt: rtt}
	// Two exchanges that cannot both be right: the other clock was set in between.
	m.samples = slices.DeleteFunc(m.samples, func(old sample) bool {
		return old.at.Before(s.at.Add(-keepFor)) || old.on(s.at).Sub(s.wall).Abs() > (old.rtt+s.rtt)/2+step
	})
	m.samples = append(m.samples, s)
	if len(m.samples) > keepSamples {
		m.samples = slices.Delete(m.samples, 0, 1)
	}
}

// step is less than anybody sets a clock by, and more than it drifts meanwhile.
const step = 10 * time.Millisecond

// on is what the clock shows at a moment.
func (s sample) on(now time.Time) time.Time { return s.wall.Add(now.Sub(s.at)) }

// Ahead says how far the other clock is ahead of one that shows wall now. now is
// time.Now, for its monotonic reading. False: not heard of late.
func (m *Meter) Ahead(now, wall time.Time) (ahead time.Duration, ok bool) {
	best := sample{rtt: 2 * MaxRTT}
	for _, s := range m.samples {
		if s.rtt <= best.rtt && now.Sub(s.at) <= keepFor {
			best = s
		}
	}
	if best.rtt > MaxRTT {
		return 0, false
	}
	return best.on(now).Sub(wall.Round(0)), true
}

// Ahead says how far a clock is ahead of the majority, itself included, given how
// far each other is ahead of it: less than half of them, wrong as they may be,
// cannot move it beyond what the right ones show. Of two clocks in the middle
// the nearer counts, so nobody is wrong by the word of as many as speak for it.
func Ahead(others []time.Duration) time.Duration {
	all := append([]time.Duration{0}, others...)
	slices.Sort(all)
	low, high := all[(len(all)-1)/2], all[len(all)/2]
	if low.Abs() < high.Abs() {
		return -low
	}
	return -high
}
