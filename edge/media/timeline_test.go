package media

import (
	"math/rand/v2"
	"testing"
	"time"
)

// feed gives a timeline packets of 20 ms that are said at their time, plus what the
// source paused without counting, and come when the way lets them through. It
// returns how far each is placed after it was said.
func feed(packets int, pause func(n int) time.Duration, way func(said time.Duration) (arrives time.Duration)) []time.Duration {
	var line timeline
	var off []time.Duration
	ts, paused := rand.Uint32(), time.Duration(0)
	for n := range packets {
		paused += pause(n)
		said := time.Duration(n)*tick + paused
		off = append(off, line.offset(ts+uint32(toSamples(time.Duration(n)*tick)), way(said))-said)
	}
	return off
}

func straight(said time.Duration) time.Duration { return said }
func noPause(int) time.Duration                 { return 0 }

// What was held up on its way and comes at once is placed where it was said.
func TestTimelineOfABurst(t *testing.T) {
	for _, held := range []time.Duration{40 * time.Millisecond, 200 * time.Millisecond, 700 * time.Millisecond, 1900 * time.Millisecond} {
		way := func(said time.Duration) time.Duration {
			if opens := 2*time.Second + held; said >= 2*time.Second && said < opens {
				return opens
			}
			return said
		}
		for n, off := range feed(1000, noPause, way) {
			if off.Abs() > 10*time.Millisecond {
				t.Fatalf("held for %s: packet %d is placed %s off", held, n, off)
			}
		}
	}
}

// A source that stops without counting is a while placed too early, then right.
func TestTimelineOfAStop(t *testing.T) {
	for _, stop := range []time.Duration{100 * time.Millisecond, 200 * time.Millisecond, time.Second, time.Minute} {
		pause := func(n int) time.Duration {
			if n == 100 {
				return stop
			}
			return 0
		}
		for n, off := range feed(300, pause, straight) {
			late := n >= 100 && n <= 105 && stop <= 2*time.Second // believed after 100 ms
			if off > 0 || off < 0 && !late || off < -stop {
				t.Fatalf("stopped for %s: packet %d is placed %s off", stop, n, off)
			}
		}
	}
}

// Whatever happens, nothing is long placed further back than a recording takes it.
func TestTimelineIsNeverLongLate(t *testing.T) {
	for range 200 {
		var lateSince time.Duration
		at, free := time.Duration(0), time.Duration(0)
		var line timeline
		ts := rand.Uint32()
		for range 2000 {
			ts += 160
			at += tick
			switch rand.IntN(300) {
			case 0:
				at += rand.N(500 * time.Millisecond) // a stop that is not counted
			case 1:
				free = at + rand.N(500*time.Millisecond) // held up on the way
			case 2:
				ts = rand.Uint32() // another source
			}
			arrives := max(free, at) + rand.N(5*time.Millisecond)
			off := line.offset(ts, arrives)
			if off >= arrives-maxLateness {
				lateSince = arrives
			}
			// While the way is held up nothing comes.
			if arrives-lateSince > 700*time.Millisecond {
				t.Fatalf("placed %s back, the last one in time was %s ago", arrives-off, arrives-lateSince)
			}
			if off > arrives+maxEarly {
				t.Fatalf("placed %s ahead", off-arrives)
			}
		}
	}
}
