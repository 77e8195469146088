package sip

import "sync"

// mailbox runs functions one after another, on a goroutine that lives only
// while there is something to run: most calls are silent most of the time.
type mailbox struct {
	group *sync.WaitGroup

	mu      sync.Mutex
	queue   []func()
	running bool
	closed  bool
}

// post adds fn at the end; after close it is dropped.
func (b *mailbox) post(fn func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	b.queue = append(b.queue, fn)
	b.start()
}

// last adds fn as the last function ever run.
func (b *mailbox) last(fn func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	b.closed = true
	b.queue = append(b.queue, fn)
	b.start()
}

// close drops what is queued; a function that runs already may still finish.
func (b *mailbox) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed, b.queue = true, nil
}

func (b *mailbox) start() {
	if b.running {
		return
	}
	b.running = true
	b.group.Go(b.run)
}

func (b *mailbox) run() {
	for {
		b.mu.Lock()
		if len(b.queue) == 0 {
			b.running, b.queue = false, nil
			b.mu.Unlock()
			return
		}
		fn := b.queue[0]
		b.queue[0] = nil
		b.queue = b.queue[1:]
		b.mu.Unlock()
		fn()
	}
}
