package uplink

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// signal wakes all who wait for its channel.
type signal struct {
	mu sync.Mutex
	ch chan struct{}
}

// next is closed at the next fire. Take it before looking at what it tells of.
func (s *signal) next() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ch == nil {
		s.ch = make(chan struct{})
	}
	return s.ch
}

func (s *signal) fire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ch != nil {
		close(s.ch)
		s.ch = nil
	}
}

const (
	firstPause = 250 * time.Millisecond
	// maxPause is the longest pause between two tries; the cloud coming back is
	// noticed by Watch and wakes the others at once.
	maxPause = 10 * time.Second
)

// backoff gives growing pauses, each somewhere in its upper half so that many
// nodes do not come together.
type backoff struct{ pause time.Duration }

func (b *backoff) next() time.Duration {
	b.pause = min(max(2*b.pause, firstPause), maxPause)
	return b.pause/2 + rand.N(b.pause/2)
}

func (b *backoff) reset() { b.pause = 0 }

// wait ends when d is over, one of the wakes comes, or ctx ends; the latter gives
// false.
func wait(ctx context.Context, d time.Duration, wakes ...<-chan struct{}) bool {
	over := time.NewTimer(d)
	defer over.Stop()
	var w [3]<-chan struct{}
	copy(w[:], wakes)
	select {
	case <-ctx.Done():
		return false
	case <-over.C:
	case <-w[0]:
	case <-w[1]:
	case <-w[2]:
	}
	return ctx.Err() == nil
}

// pause waits for the whole of d, whatever happens; false when ctx ends.
func pause(ctx context.Context, d time.Duration) bool { return wait(ctx, d) }
