package sites

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"trunkline/internal/life"
)

// originsEvery is how often the origins are read without a sign.
const originsEvery = 10 * time.Second

// Origins keeps the web origins of all nodes in memory, for CORS and policies.
type Origins struct {
	life.Service
	list atomic.Pointer[[]string]
}

// NewOrigins makes it; it reads once started. channel is the one that tells of
// changed configuration.
func NewOrigins(r *Registry, notices Notices, channel string) *Origins {
	o := &Origins{}
	o.Service = life.Loop("web origins of nodes", func(ctx context.Context) error {
		news, cancel := notices.Subscribe(channel)
		defer cancel()
		tick := time.NewTicker(originsEvery)
		defer tick.Stop()
		for {
			if list, err := r.Origins(ctx); err == nil {
				o.list.Store(&list)
			} else if ctx.Err() == nil {
				slog.WarnContext(ctx, "web origins of nodes not read", "error", err)
			}
			for again := false; !again; {
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-tick.C:
					again = true
				case n := <-news:
					again = n.Lost || strings.HasPrefix(n.Payload, "site:")
				}
			}
		}
	})
	return o
}

// List gives them; nobody changes it.
func (o *Origins) List() []string {
	if list := o.list.Load(); list != nil {
		return *list
	}
	return nil
}
