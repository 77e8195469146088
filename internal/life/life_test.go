package life_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"trunkline/internal/life"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recorder notes what happens to its services, in order.
type recorder struct{ log []string }

func (r *recorder) service(name string, startErr error) life.Service {
	return life.Funcs{
		OnStart: func(context.Context) error {
			r.log = append(r.log, "start "+name)
			return startErr
		},
		OnStop: func(context.Context) error {
			r.log = append(r.log, "stop "+name)
			return nil
		},
	}
}

func TestGroupStartsInOrderAndStopsInReverse(t *testing.T) {
	var r recorder
	var g life.Group
	g.Add("a", r.service("a", nil))
	g.Add("b", r.service("b", nil))
	if err := g.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 { // twice is no error and does nothing
		if err := g.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"start a", "start b", "stop b", "stop a"}; !slices.Equal(r.log, want) {
		t.Fatal(r.log)
	}
}

func TestGroupStopsWhatStartedBeforeAFailure(t *testing.T) {
	var r recorder
	var g life.Group
	g.Add("a", r.service("a", nil))
	g.Add("b", r.service("b", errors.New("port taken")))
	g.Add("c", r.service("c", nil))
	err := g.Start(t.Context())
	if err == nil || !strings.Contains(err.Error(), "start b: port taken") {
		t.Fatal(err)
	}
	if want := []string{"start a", "start b", "stop a"}; !slices.Equal(r.log, want) {
		t.Fatal(r.log)
	}
}

func TestLoopEndsWithStop(t *testing.T) {
	running := make(chan struct{})
	l := life.Loop("x", func(ctx context.Context) error {
		close(running)
		<-ctx.Done()
		return ctx.Err()
	})
	ctx, cancel := context.WithCancel(t.Context())
	if err := l.Start(ctx); err != nil {
		t.Fatal(err)
	}
	cancel() // bounds the start only
	<-running
	if err := l.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := l.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestLoopTellsItsFailureWhenStopped(t *testing.T) {
	boom := errors.New("boom")
	l := life.Loop("x", func(context.Context) error { return boom })
	if err := l.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := l.Stop(t.Context()); !errors.Is(err, boom) {
		t.Fatal(err)
	}
}

func TestStopGivesUpWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		l := life.Loop("deaf", func(context.Context) error { <-release; return nil })
		if err := l.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := l.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "deaf") {
			t.Fatal(err)
		}
		close(release)
		synctest.Wait()
	})
}
