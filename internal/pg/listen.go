package pg

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"trunkline/internal/life"
)

// Notification is what NOTIFY sent. Payload is "" and Lost true after the
// connection broke: what was sent meanwhile is unknown, so look for yourself.
type Notification struct {
	Channel, Payload string
	Lost             bool
}

// Listener holds one connection for all channels of this process and passes on
// what NOTIFY sends. It is a life.Service; it connects again by itself.
type Listener struct {
	url  string
	loop life.Service

	mu   sync.Mutex
	subs map[string][]*subscription
}

type subscription struct {
	ch   chan Notification
	over bool // a notification did not fit; Lost is owed
}

// NewListener prepares a listener on these channels; names are fixed
// identifiers of ours, in lower case.
func NewListener(url string, channels ...string) *Listener {
	l := &Listener{url: url, subs: map[string][]*subscription{}}
	l.loop = life.Loop("pg listener", func(ctx context.Context) error { return l.run(ctx, channels) })
	return l
}

// Start begins to listen in the background.
func (l *Listener) Start(ctx context.Context) error { return l.loop.Start(ctx) }

// Stop ends it.
func (l *Listener) Stop(ctx context.Context) error { return l.loop.Stop(ctx) }

// Subscribe gives what the channel brings, until cancel. A reader too slow for
// its 64 places gets one with Lost instead of what did not fit.
func (l *Listener) Subscribe(channel string) (_ <-chan Notification, cancel func()) {
	s := &subscription{ch: make(chan Notification, 64)}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.subs[channel] = append(l.subs[channel], s)
	return s.ch, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.subs[channel] = slices.DeleteFunc(l.subs[channel], func(o *subscription) bool { return o == s })
	}
}

func (l *Listener) publish(n Notification) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for channel, subs := range l.subs {
		if n.Channel != channel && !n.Lost {
			continue
		}
		for _, s := range subs {
			s.send(Notification{Channel: channel, Payload: n.Payload, Lost: n.Lost})
		}
	}
}

func (s *subscription) send(n Notification) {
	if s.over {
		n = Notification{Channel: n.Channel, Lost: true}
	}
	select {
	case s.ch <- n:
		s.over = false
	default:
		s.over = true
		// Make room for the one that says so: the reader looks for itself anyway.
		select {
		case <-s.ch:
			s.ch <- Notification{Channel: n.Channel, Lost: true}
			s.over = false
		default:
		}
	}
}

func (l *Listener) run(ctx context.Context, channels []string) error {
	wait := 100 * time.Millisecond
	for {
		start := time.Now()
		err := l.once(ctx, channels)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		slog.WarnContext(ctx, "listening to the database interrupted", "error", err)
		if time.Since(start) > 10*time.Second {
			wait = 100 * time.Millisecond
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
		wait = min(2*wait, 5*time.Second)
	}
}

func (l *Listener) once(ctx context.Context, channels []string) error {
	conn, err := pgx.Connect(ctx, l.url)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if len(channels) == 0 {
		return errors.New("no channels")
	}
	var b strings.Builder
	for _, c := range channels {
		b.WriteString("LISTEN " + pgx.Identifier{c}.Sanitize() + ";")
	}
	if _, err := conn.Exec(ctx, b.String()); err != nil {
		return err
	}
	l.publish(Notification{Lost: true})
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		l.publish(Notification{Channel: n.Channel, Payload: n.Payload})
	}
}
