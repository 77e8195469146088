package clock

import (
	"math/rand/v2"
	"testing"
	"time"
)

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }

// Whatever a minority shows, each clock is as far from the majority as it is from
// the true time, right ones and wrong ones.
func TestAheadOfAnyMajority(t *testing.T) {
	const right = 50 * time.Millisecond // how far right clocks are from the true time
	for seed := range uint64(20_000) {
		r := rand.New(rand.NewPCG(seed, 7))
		jitter := func() time.Duration { return time.Duration(r.Int64N(int64(2*right))) - right }
		n := 1 + 2*r.IntN(4)
		wrongs := (n - 1) / 2
		offs := make([]time.Duration, n) // from the true time
		for i := range offs {
			offs[i] = jitter()
			if i < wrongs {
				offs[i] = ms(r.IntN(20_000_000) - 10_000_000)
			}
		}
		for i, own := range offs {
			var others []time.Duration
			for j, x := range offs {
				if j != i {
					others = append(others, x-own)
				}
			}
			if got := Ahead(others); (got - own).Abs() > right {
				t.Fatalf("seed %d: of %v the one %v off is %v ahead", seed, offs, own, got)
			}
		}
	}
}

func TestAheadInDoubt(t *testing.T) {
	for name, c := range map[string]struct {
		others []time.Duration
		want   time.Duration
	}{
		"alone":                           {nil, 0},
		"one against one":                 {[]time.Duration{ms(5000)}, 0},
		"two against one":                 {[]time.Duration{ms(5000), ms(5010)}, -ms(5000)},
		"two against one, behind":         {[]time.Duration{-ms(5000), -ms(5010)}, ms(5000)},
		"all differ":                      {[]time.Duration{ms(5000), -ms(5000)}, 0},
		"two against two":                 {[]time.Duration{0, ms(5000), ms(5000)}, 0},
		"three against one":               {[]time.Duration{ms(5000), ms(5000), ms(5000)}, -ms(5000)},
		"at the end of three that differ": {[]time.Duration{ms(5000), ms(10000)}, -ms(5000)},
	} {
		if got := Ahead(c.others); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// network makes exchanges with a clock: how long each way takes is not known to
// the one who asks.
type network struct{ now time.Time }

func (n *network) ask(m *Meter, ahead, there, back time.Duration) {
	asked := n.now
	n.now = n.now.Add(there)
	wall := n.now.Add(ahead)
	n.now = n.now.Add(back)
	m.Add(asked, n.now, wall)
}

func TestMeter(t *testing.T) {
	var m Meter
	n := network{time.Now()}
	if _, ok := m.Ahead(n.now, n.now); ok {
		t.Error("it knows a clock it never heard of")
	}
	n.ask(&m, 5*time.Second, ms(4000), ms(1)) // too long to say anything
	if _, ok := m.Ahead(n.now, n.now); ok {
		t.Error("an exchange of four seconds counts")
	}
	within := func(what string, want, err time.Duration) {
		t.Helper()
		if got, ok := m.Ahead(n.now, n.now); !ok || (got-want).Abs() > err {
			t.Errorf("%s: %v ahead (%v), want %v within %v", what, got, ok, want, err)
		}
	}
	n.ask(&m, 5*time.Second, ms(900), ms(2))
	within("a slow way there", 5*time.Second, ms(451))
	n.ask(&m, 5*time.Second, ms(1), ms(1))
	n.ask(&m, 5*time.Second, ms(1), ms(700))
	within("the quickest counts", 5*time.Second, ms(1))
	for range 20 {
		n.ask(&m, 5*time.Second, ms(300), ms(300))
	}
	if len(m.samples) > keepSamples {
		t.Errorf("%d samples are kept", len(m.samples))
	}
	n.ask(&m, 0, ms(20), ms(20)) // it was set
	within("the other clock was set", 0, ms(20))
	wall := n.now.Add(-3 * time.Second) // ours was set
	if got, ok := m.Ahead(n.now, wall); !ok || (got-3*time.Second).Abs() > ms(20) {
		t.Errorf("our own was set back: %v %v", got, ok)
	}
	n.now = n.now.Add(keepFor + time.Second)
	if _, ok := m.Ahead(n.now, n.now); ok {
		t.Error("a clock not heard for long still counts")
	}
}

// However the ways are, the estimate is no further off than half the quickest exchange.
func TestMeterKnowsToHalfTheWay(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 3))
		var m Meter
		n, ahead, best := network{time.Now()}, ms(r.IntN(20_000)-10_000), MaxRTT+1
		for range 1 + r.IntN(keepSamples) {
			there, back := ms(r.IntN(700)), ms(r.IntN(700))
			n.ask(&m, ahead, there, back)
			best = min(best, there+back)
			n.now = n.now.Add(time.Second)
		}
		got, ok := m.Ahead(n.now, n.now)
		if ok != (best <= MaxRTT) || ok && (got-ahead).Abs() > best/2 {
			t.Fatalf("seed %d: %v ahead (%v), want %v within %v", seed, got, ok, ahead, best/2)
		}
	}
}
