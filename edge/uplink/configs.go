package uplink

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"trunkline/edge/call"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

const (
	// snapshotsWithin and promptsWithin are how long a new configuration waits for
	// what it names; then it is activated all the same, so that one tenant's
	// trouble does not hold up the others.
	snapshotsWithin = 1500 * time.Millisecond
	promptsWithin   = 10 * time.Second
	fetchTimeout    = 30 * time.Second
	fetchAtOnce     = 8
)

// runConfigs brings configurations from the cloud into the replica (leader) and
// from the replica into the store (every node).
func (u *Uplink) runConfigs(ctx context.Context) error {
	var c configs
	collected := time.Now()
	for {
		wanted, changed, up := u.wanted.next(), u.changed.next(), u.link.up.next()
		u.follow(ctx, &c)
		u.lead(ctx, &c)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Since(collected) > collectEvery {
			u.cfg.Store.Collect()
			collected = time.Now()
		}
		if !wait(ctx, c.pause(), wanted, changed, up) {
			return ctx.Err()
		}
	}
}

const collectEvery = 30 * time.Minute

// configs remembers what was tried, since every change of the site wakes the loop.
type configs struct {
	stored, fetched, applied attempt
	// The pair compared last, by pointer, and the outcome.
	left, right *edgev1.SiteConfig
	same        bool
}

// attempt is something to be done with one configuration, again after a pause
// until it is done.
type attempt struct {
	backoff
	site *edgev1.SiteConfig
	done bool
	next time.Time
}

func (a *attempt) due(site *edgev1.SiteConfig) bool {
	if site != a.site {
		*a = attempt{site: site}
	}
	return site != nil && !a.done && !time.Now().Before(a.next)
}

func (a *attempt) ended(done bool) {
	if a.done = done; !done {
		a.next = time.Now().Add(a.backoff.next())
	}
}

// pause is how long nothing is due.
func (c *configs) pause() time.Duration {
	d := lookEvery
	for _, a := range []*attempt{&c.stored, &c.fetched, &c.applied} {
		if a.site != nil && !a.done {
			d = min(d, time.Until(a.next))
		}
	}
	return max(d, time.Millisecond)
}

func (c *configs) equal(a, b *edgev1.SiteConfig) bool {
	if a != c.left || b != c.right {
		c.left, c.right, c.same = a, b, proto.Equal(a, b)
	}
	return c.same
}

// follow puts in force here what is active in the replica.
func (u *Uplink) follow(ctx context.Context, c *configs) {
	active := u.site.View().Site()
	if !c.stored.due(active) {
		return
	}
	// Another node may have activated what this one has not fetched yet.
	done := u.fetch(ctx, active, snapshotsWithin, snapshotsWithin)
	if err := u.cfg.Store.Activate(active); err != nil {
		u.log.Error("configuration can not be kept", "error", err)
		done = false
	}
	c.stored.ended(done)
}

// lead fetches what the cloud wants; the leader then activates it.
func (u *Uplink) lead(ctx context.Context, c *configs) {
	u.mu.Lock()
	desired := u.desired
	u.mu.Unlock()
	if desired == nil || c.equal(desired, u.site.View().Site()) {
		c.fetched, c.applied = attempt{}, attempt{}
		return
	}
	if c.fetched.due(desired) {
		c.fetched.ended(u.fetch(ctx, desired, snapshotsWithin, promptsWithin))
	}
	if ctx.Err() == nil && u.site.IsLeader() && c.applied.due(desired) {
		if ready := u.spread(ctx, desired); !proto.Equal(ready, u.site.View().Site()) {
			u.activate(ctx, ready)
		}
		// Done is what the replica shows, not what Apply said.
		c.applied.ended(false)
	}
}

// held says whether everything a configuration names is here.
func (u *Uplink) held(site *edgev1.SiteConfig) bool {
	return len(u.cfg.Store.missing(site)) == 0 && len(u.cfg.Store.missingPrompts(site)) == 0
}

func (u *Uplink) activate(ctx context.Context, site *edgev1.SiteConfig) {
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(site)
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, applyTimeout)
		defer cancel()
		// No key: the same configuration may come back after another one.
		var res call.Result
		if res, err = u.site.Apply(ctx, "", call.Config{Site: data}); err == nil && res.Refused != "" {
			err = fmt.Errorf("refused: %s", res.Refused)
		}
	}
	if err != nil {
		u.log.Warn("configuration not activated yet", "error", err)
	}
}

// fetch gets what a configuration names and is not here, in the given times; it
// says whether all of it is.
func (u *Uplink) fetch(ctx context.Context, site *edgev1.SiteConfig, snapshots, prompts time.Duration) bool {
	store := u.cfg.Store
	if missing := store.missing(site); len(missing) > 0 {
		u.each(ctx, snapshots, len(missing), func(ctx context.Context, i int) {
			u.fetchSnapshot(ctx, missing[i])
		})
	}
	if missing := store.missingPrompts(site); len(missing) > 0 {
		u.each(ctx, prompts, len(missing), func(ctx context.Context, i int) {
			u.fetchPrompt(ctx, missing[i])
		})
	}
	return u.held(site)
}

// each runs n jobs, some at once, for at most d.
func (u *Uplink) each(ctx context.Context, d time.Duration, n int, job func(context.Context, int)) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	slots := make(chan struct{}, fetchAtOnce)
	var wg sync.WaitGroup
	for i := range n {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			wg.Wait()
			return
		}
		wg.Go(func() {
			defer func() { <-slots }()
			job(ctx, i)
		})
	}
	wg.Wait()
}

func (u *Uplink) fetchSnapshot(ctx context.Context, a *edgev1.TenantAssignment) {
	u.fetchBlob(ctx, a.TenantId, a.Manifest, func(ctx context.Context) ([]byte, error) {
		res, err := u.link.control.GetTenantConfig(ctx, &edgev1.GetTenantConfigRequest{TenantId: a.TenantId, Manifest: a.Manifest})
		return res.GetConfig(), err
	})
}

func (u *Uplink) fetchPrompt(ctx context.Context, p wantedPrompt) {
	u.fetchBlob(ctx, p.tenant, p.hash, func(ctx context.Context) ([]byte, error) {
		res, err := u.link.bulk.GetBlob(ctx, &edgev1.GetBlobRequest{TenantId: p.tenant, Hash: p.hash})
		return res.GetData(), err
	})
}

// fetchBlob asks the cloud while it is heard, else or after that the other nodes.
func (u *Uplink) fetchBlob(ctx context.Context, tenant int64, hash string, cloud source) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	sources := u.neighbours(hash)
	if connected, _ := u.link.state(); connected {
		sources = append([]source{cloud}, sources...)
	}
	if err := u.fetchFrom(ctx, hash, sources); err != nil {
		u.log.Warn("configuration not fetched yet", "tenant", tenant, "hash", hash, "error", err)
	}
}

// source is where a blob may be had.
type source func(context.Context) ([]byte, error)

// neighbours are the other nodes as sources of a blob.
func (u *Uplink) neighbours(hash string) []source {
	if u.cfg.Peers == nil {
		return nil
	}
	var out []source
	for _, name := range u.cfg.Peers.Names() {
		out = append(out, func(ctx context.Context) ([]byte, error) { return u.cfg.Peers.Blob(ctx, name, hash) })
	}
	return out
}

var errNoSource = errors.New("neither the cloud nor another node is heard")

// fetchFrom asks the sources one after the other until one has the blob.
func (u *Uplink) fetchFrom(ctx context.Context, hash string, sources []source) error {
	err := errNoSource
	for i, ask := range sources {
		var data []byte
		if data, err = shared(ctx, len(sources)-i, ask); err == nil {
			err = u.cfg.Store.blobs.put(hash, data)
		}
		if err == nil {
			return nil
		}
	}
	return err
}

// shared gives a source its share of the time that is left.
func shared(ctx context.Context, sources int, ask source) ([]byte, error) {
	if end, ok := ctx.Deadline(); ok && sources > 1 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(end)/time.Duration(sources))
		defer cancel()
	}
	return ask(ctx)
}
