package life

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
)

// Loop is a service of one background goroutine: run is called once, with a
// context that Stop cancels, and is expected to return soon after. An error
// other than the cancellation is logged and returned by Stop; the loop is not
// run again, because what to do about a failure is the loop's own matter.
func Loop(name string, run func(ctx context.Context) error) Service {
	return &loop{name: name, run: run}
}

type loop struct {
	name string
	run  func(ctx context.Context) error

	mu     sync.Mutex
	cancel context.CancelFunc
	done   chan struct{}
	err    error
}

// Start runs the loop in a goroutine.
func (l *loop) Start(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done != nil {
		return fmt.Errorf("%s runs already", l.name)
	}
	ctx, l.cancel = context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	l.done = done
	go func() {
		defer close(done)
		err := l.run(ctx)
		if err != nil && !(ctx.Err() != nil && errors.Is(err, context.Canceled)) {
			slog.ErrorContext(ctx, "background loop ended", "loop", l.name, "error", err)
			l.err = err // read after done is closed
		}
	}()
	return nil
}

// Stop cancels the loop and waits for it.
func (l *loop) Stop(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done == nil {
		return nil
	}
	l.cancel()
	select {
	case <-l.done:
	case <-ctx.Done():
		return fmt.Errorf("%s does not end: %w", l.name, ctx.Err())
	}
	l.done = nil
	return l.err
}
