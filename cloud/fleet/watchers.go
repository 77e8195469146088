package fleet

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

const (
	// settle is how long a watcher waits after the first sign of a change, so that
	// one click that writes ten rows makes one snapshot.
	settle = 30 * time.Millisecond
	// resync is how often a watcher looks without a sign: suspensions begin by
	// themselves.
	resync = 5 * time.Second
	// again is the pause after a failure.
	again = time.Second
)

// watchers keeps one watcher for each site a node of which watches here.
type watchers struct {
	service *Service
	wait    sync.WaitGroup
	end     context.CancelFunc

	mu    sync.Mutex
	ctx   context.Context // ends with Stop; nil before Start
	sites map[string]*watcher
}

// watcher keeps a site's configuration current while somebody watches it.
type watcher struct {
	site   string
	users  int
	cancel context.CancelFunc
	wake   chan struct{} // holds one

	mu      sync.Mutex
	all     bool           // every snapshot is to be made again
	dirty   map[int64]bool // those of these tenants are
	making  bool           // current is being replaced, maybe by one with more tenants
	current *edgev1.SiteConfig
	next    chan struct{} // closed when current is replaced
}

func newWatchers(s *Service) *watchers {
	return &watchers{service: s, sites: map[string]*watcher{}}
}

// Start begins to listen for changes.
func (w *watchers) Start(ctx context.Context) error {
	ctx, w.end = context.WithCancel(context.WithoutCancel(ctx))
	w.mu.Lock()
	w.ctx = ctx
	w.mu.Unlock()
	notices, cancel := w.service.cfg.Notices.Subscribe(ConfigChannel)
	w.wait.Go(func() {
		defer cancel()
		for {
			select {
			case <-ctx.Done():
				return
			case n := <-notices:
				if n.Lost {
					w.refresh()
				} else {
					w.changed(n.Payload)
				}
			}
		}
	})
	return nil
}

// Stop ends every watcher and waits.
func (w *watchers) Stop(context.Context) error {
	if w.end != nil {
		w.end()
	}
	w.wait.Wait()
	return nil
}

func (w *watchers) list() []*watcher {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make([]*watcher, 0, len(w.sites))
	for _, x := range w.sites {
		out = append(out, x)
	}
	return out
}

// refresh makes everything again.
func (w *watchers) refresh() {
	for _, x := range w.list() {
		x.mark(0, true)
	}
}

// changed marks what a notice is about.
func (w *watchers) changed(payload string) {
	kind, id, _ := strings.Cut(payload, ":")
	for _, x := range w.list() {
		switch kind {
		case "site":
			if x.site == id {
				x.mark(0, false)
			}
		case "tenant":
			if tenant, err := strconv.ParseInt(id, 10, 64); err == nil && x.concerns(tenant) {
				x.mark(tenant, false)
			}
		}
	}
}

func (x *watcher) concerns(tenant int64) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.current == nil || x.making {
		return true // being made: whether it was read before or after is unknown
	}
	for _, t := range x.current.Tenants {
		if t.TenantId == tenant {
			return true
		}
	}
	return false
}

func (x *watcher) mark(tenant int64, all bool) {
	x.mu.Lock()
	x.all = x.all || all
	if tenant != 0 {
		x.dirty[tenant] = true
	}
	x.mu.Unlock()
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

var errStopped = errors.New("fleet: stopped")

// join makes the caller a user of the site's watcher until leave is called.
func (w *watchers) join(site string) (x *watcher, leave func(), err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ctx == nil || w.ctx.Err() != nil {
		return nil, nil, errStopped
	}
	x, ok := w.sites[site]
	if !ok {
		x = &watcher{site: site, wake: make(chan struct{}, 1), dirty: map[int64]bool{}, all: true, next: make(chan struct{})}
		var ctx context.Context
		ctx, x.cancel = context.WithCancel(w.ctx)
		w.sites[site] = x
		w.wait.Go(func() { w.service.keep(ctx, x) })
	}
	x.users++
	return x, sync.OnceFunc(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if x.users--; x.users == 0 {
			delete(w.sites, site)
			x.cancel()
		}
	}), nil
}

// get gives the present configuration (nil at first) and what closes at the next.
func (x *watcher) get() (*edgev1.SiteConfig, <-chan struct{}) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.current, x.next
}

// keep runs a watcher.
func (s *Service) keep(ctx context.Context, x *watcher) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-x.wake:
			select {
			case <-ctx.Done():
				return
			case <-time.After(settle):
			}
		}
		wait := resync
		if err := s.renew(ctx, x); err != nil {
			if ctx.Err() != nil {
				return
			}
			s.log.WarnContext(ctx, "site configuration not made", "site", x.site, "error", err)
			wait = again
		}
		timer.Reset(wait)
	}
}

// renew makes the configuration again and publishes it if it differs. What was
// marked is marked again after a failure.
func (s *Service) renew(ctx context.Context, x *watcher) (err error) {
	x.mu.Lock()
	all, dirty, known := x.all, x.dirty, map[int64]string{}
	x.all, x.dirty, x.making = false, map[int64]bool{}, true
	if x.current != nil {
		for _, t := range x.current.Tenants {
			known[t.TenantId] = t.Manifest
		}
	}
	x.mu.Unlock()
	failed := map[int64]bool{}
	defer func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.making = false
		x.all = x.all || (err != nil && all)
		for t := range dirty {
			if err != nil {
				x.dirty[t] = true
			}
		}
		for t, bad := range failed {
			if bad {
				x.dirty[t] = true // until the next resync
			}
		}
	}()

	config, err := s.siteConfig(ctx, x.site)
	if err != nil {
		return err
	}
	for _, t := range config.Tenants {
		manifest, ok := known[t.TenantId]
		if all || !ok || dirty[t.TenantId] {
			var made bool
			if manifest, made, err = s.manifest(ctx, t.TenantId, x.site); err != nil {
				return err
			}
			failed[t.TenantId] = !made
		}
		t.Manifest = manifest
	}
	x.publish(config)
	return nil
}

// manifest makes a tenant's snapshot. One that can not be made does not hold up
// the others: the site keeps the newest there is ("" = none).
func (s *Service) manifest(ctx context.Context, tenant int64, site string) (m string, made bool, err error) {
	if m, err = s.assemble(ctx, tenant, site); err == nil {
		return m, true, nil
	}
	if ctx.Err() != nil {
		return "", false, err
	}
	snapshotFailures.Inc()
	s.log.ErrorContext(ctx, "snapshot not made", "tenant", tenant, "site", site, "error", err)
	m, err = s.newest(ctx, tenant, site)
	return m, false, err
}

func (x *watcher) publish(c *edgev1.SiteConfig) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.current != nil && proto.Equal(x.current, c) {
		return
	}
	x.current = c
	close(x.next)
	x.next = make(chan struct{})
}
