// Package life is the one contract by which parts of a program start and stop.
package life

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// Service is a part of a program that runs.
type Service interface {
	// Start returns when the part serves, or with the reason why it cannot.
	// ctx bounds the starting only; what runs on is ended by Stop.
	Start(ctx context.Context) error
	// Stop ends the part and waits for its goroutines, at most until ctx ends.
	// Stopping twice, or what never started, is no error.
	Stop(ctx context.Context) error
}

// Group starts services in the order they were added and stops them in the
// reverse order. It is a Service itself.
type Group struct {
	mu      sync.Mutex
	parts   []part
	started int
}

type part struct {
	name string
	s    Service
}

// Add puts a service at the end of the order. Not after Start.
func (g *Group) Add(name string, s Service) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.parts = append(g.parts, part{name, s})
}

// Start starts each part in order. When one fails, those before it are stopped
// and the error names it.
func (g *Group) Start(ctx context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for ; g.started < len(g.parts); g.started++ {
		p := g.parts[g.started]
		if err := p.s.Start(ctx); err != nil {
			stopErr := g.stopLocked(context.WithoutCancel(ctx))
			return errors.Join(fmt.Errorf("start %s: %w", p.name, err), stopErr)
		}
	}
	return nil
}

// Stop stops what was started, last first, and reports every failure.
func (g *Group) Stop(ctx context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.stopLocked(ctx)
}

func (g *Group) stopLocked(ctx context.Context) error {
	var errs []error
	for ; g.started > 0; g.started-- {
		p := g.parts[g.started-1]
		if err := p.s.Stop(ctx); err != nil {
			errs = append(errs, fmt.Errorf("stop %s: %w", p.name, err))
		}
	}
	return errors.Join(errs...)
}

// Funcs is a Service of two functions; either may be nil.
type Funcs struct {
	OnStart func(ctx context.Context) error
	OnStop  func(ctx context.Context) error
}

// Start calls OnStart.
func (f Funcs) Start(ctx context.Context) error {
	if f.OnStart == nil {
		return nil
	}
	return f.OnStart(ctx)
}

// Stop calls OnStop.
func (f Funcs) Stop(ctx context.Context) error {
	if f.OnStop == nil {
		return nil
	}
	return f.OnStop(ctx)
}
