package replica

import (
	"sync"
	"time"
)

// siteClock knows the site's time: the leader's, as its batches tell it. It
// never goes backward.
type siteClock struct {
	now func() time.Time // with a monotonic reading

	mu   sync.Mutex
	base int64     // site time ...
	mono time.Time // ... at this moment
	last int64     // the latest that was given out
	// leads: this clock is the site's; batches do not set it, they are stamped by it.
	leads bool
}

// slack is how far a batch may lag behind the estimate before the estimate is
// taken to run fast: more than any commit takes.
const slack = 100_000

func newSiteClock(now func() time.Time) *siteClock { return &siteClock{now: now} }

// observe takes the time of a batch that was applied just now.
func (c *siteClock) observe(at int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if guess := c.guess(now); !c.leads && (at > guess || guess-at > slack) {
		c.base, c.mono = at, now
	}
	c.last = max(c.last, at)
}

func (c *siteClock) guess(now time.Time) int64 {
	if c.mono.IsZero() {
		return 0
	}
	return c.base + now.Sub(c.mono).Microseconds()
}

// lead makes this node's clock the site's: from its wall clock, corrected by how
// far that is known to be off, but not backward, and from then on by its
// monotonic clock alone.
func (c *siteClock) lead(correction time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	c.base, c.mono, c.leads = max(now.Add(correction).UnixMicro(), c.guess(now), c.last), now, true
}

// follow lets the batches of another leader set this clock.
func (c *siteClock) follow() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leads = false
}

// time gives the site time; before anything was heard of the site, the wall
// clock's, which counts for nothing later.
func (c *siteClock) time() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mono.IsZero() {
		return c.now().UnixMicro()
	}
	c.last = max(c.last, c.guess(c.now()))
	return c.last
}
