package media

import (
	"sync"
	"time"
)

// tick is the beat of the pacer.
const tick = 20 * time.Millisecond

// maxBehind is how many ticks the pacer makes good at once. After a longer pause
// of the whole process it goes on from now.
const maxBehind = 5

// keepers is how many ticks it takes to look after every stream once.
const keepers = 50

// clock is the pacer: one goroutine that sends what is played to all streams and
// looks after them. It runs while there are streams.
type clock struct {
	mu    sync.Mutex
	stop  chan struct{}                 // of the running goroutine, nil if there is none
	added []*Stream                     // to be paced from the next tick on
	kept  [keepers]map[*Stream]struct{} // each looked after every keepers ticks
	where map[*Stream]int
	next  int
}

var theClock = &clock{where: make(map[*Stream]int)}

func (c *clock) register(s *Stream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next = (c.next + 1) % keepers
	if c.kept[c.next] == nil {
		c.kept[c.next] = make(map[*Stream]struct{})
	}
	c.kept[c.next][s] = struct{}{}
	c.where[s] = c.next
	if c.stop == nil {
		c.stop = make(chan struct{})
		go c.run(c.stop)
	}
}

func (c *clock) forget(s *Stream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.kept[c.where[s]], s)
	delete(c.where, s)
	if len(c.where) == 0 && c.stop != nil {
		close(c.stop)
		c.stop = nil
		clear(c.added)
		c.added = c.added[:0]
	}
}

// pace sends for s from the next tick on, until it has nothing more to send.
func (c *clock) pace(s *Stream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.where[s]; ok {
		c.added = append(c.added, s)
	}
}

func (c *clock) run(stop chan struct{}) {
	var paced, kept []*Stream
	next := time.Now().Add(tick)
	timer := time.NewTimer(tick)
	defer timer.Stop()
	for n := 0; ; timer.Reset(time.Until(next)) {
		select {
		case <-stop:
			return
		case <-timer.C:
		}
		now := time.Now()
		if now.Sub(next) > maxBehind*tick {
			next = now
		}
		for ; !next.After(now); next = next.Add(tick) {
			n = (n + 1) % keepers
			paced, kept = c.due(stop, paced, kept[:0], n)
			paced = paceAll(paced, now)
			for _, s := range kept {
				s.keep(now)
			}
			clear(kept)
		}
	}
}

// due collects what a tick has to do; nothing for a goroutine that was stopped.
func (c *clock) due(stop chan struct{}, paced, kept []*Stream, n int) ([]*Stream, []*Stream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stop != stop {
		return paced, kept
	}
	paced = append(paced, c.added...)
	clear(c.added)
	c.added = c.added[:0]
	for s := range c.kept[n] {
		kept = append(kept, s)
	}
	return paced, kept
}

// paceAll sends for each stream and keeps those with more to send.
func paceAll(paced []*Stream, now time.Time) []*Stream {
	left := paced[:0]
	for _, s := range paced {
		if s.pace(now) {
			left = append(left, s)
		}
	}
	clear(paced[len(left):])
	return left
}
