package uplink

import (
	"context"
	"errors"
	"sync"
	"time"

	"trunkline/edge/call"
	"trunkline/internal/fault"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

const (
	batchFacts = 256
	batchBytes = 512 << 10 // of bodies; the cloud takes a megabyte
	// batchesPerAck bounds what is sent before it is acknowledged in the replica:
	// after an outage there are many batches, and each acknowledgement is a commit.
	batchesPerAck = 8
	// linger lets the facts of one moment (the call, its agent's state) go together.
	linger       = 100 * time.Millisecond
	factsTimeout = 30 * time.Second
	factsAtOnce  = 4 // tenants
	applyTimeout = 10 * time.Second
	// lookEvery is how often one looks without having been woken.
	lookEvery = 2 * time.Second
)

// errStuck is a tenant whose facts the cloud does not take; the others go on.
var errStuck = errors.New("the cloud does not take the tenant's facts")

// runFacts sends the outbox while this node leads.
func (u *Uplink) runFacts(ctx context.Context) error {
	paused := map[int64]*held{}
	var away backoff
	for {
		changed, up := u.changed.next(), u.link.up.next()
		tenants := u.due(paused)
		if len(tenants) == 0 {
			if !wait(ctx, lookEvery, changed) {
				return ctx.Err()
			}
			if !pause(ctx, linger) {
				return ctx.Err()
			}
			continue
		}
		u.sending.Store(true)
		results := u.pushAll(ctx, tenants)
		u.sending.Store(false)
		u.idle.fire()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		failed := false
		for tenant, err := range results {
			switch {
			case err == nil:
				delete(paused, tenant)
			case errors.Is(err, errStuck):
				if paused[tenant] == nil {
					paused[tenant] = &held{}
				}
				paused[tenant].again()
			default:
				failed = true
			}
		}
		if !failed {
			away.reset()
			continue
		}
		if !wait(ctx, away.next(), up) {
			return ctx.Err()
		}
	}
}

// held is a tenant whose facts are not sent until a moment.
type held struct {
	backoff
	until time.Time
}

func (h *held) again() { h.until = time.Now().Add(h.next()) }

// due gives the tenants with facts to send; none unless this node leads.
func (u *Uplink) due(paused map[int64]*held) []int64 {
	if !u.site.IsLeader() {
		return nil
	}
	var out []int64
	for _, t := range u.site.View().OutboxTenants() {
		if h := paused[t]; h == nil || !time.Now().Before(h.until) {
			out = append(out, t)
		}
	}
	return out
}

func (u *Uplink) pushAll(ctx context.Context, tenants []int64) map[int64]error {
	results := make(map[int64]error, len(tenants))
	var mu sync.Mutex
	var wg sync.WaitGroup
	slots := make(chan struct{}, factsAtOnce)
	for _, tenant := range tenants {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			err := u.pushTenant(ctx, tenant)
			mu.Lock()
			defer mu.Unlock()
			results[tenant] = err
		})
	}
	wg.Wait()
	return results
}

// pushTenant sends from the head of the tenant's outbox, then acknowledges what
// the cloud holds.
func (u *Uplink) pushTenant(ctx context.Context, tenant int64) error {
	var epoch, high uint64
	var failure error
	for range batchesPerAck {
		facts := batch(u.site.View().Outbox(tenant, epoch, high, batchFacts))
		if len(facts) == 0 || high != 0 && facts[0].Epoch != epoch {
			break
		}
		got, err := u.push(ctx, tenant, facts)
		if err != nil {
			failure = err
			break
		}
		first := facts[0].Seq
		if got < first {
			failure = u.stuck(tenant, facts[0], got)
			break
		}
		epoch, high = facts[0].Epoch, got
	}
	if high == 0 {
		return failure
	}
	actx, cancel := context.WithTimeout(ctx, applyTimeout)
	defer cancel()
	// No key: acknowledging twice changes nothing.
	_, err := u.site.ApplyLate(actx, "", call.OutboxAck{Tenant: tenant, Epoch: epoch, HighWater: high})
	return errors.Join(failure, err)
}

func (u *Uplink) push(ctx context.Context, tenant int64, facts []*edgev1.Fact) (highWater uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, factsTimeout)
	defer cancel()
	res, err := u.link.facts.PushFacts(ctx, &edgev1.PushFactsRequest{
		TenantId: tenant, Epoch: facts[0].Epoch, Facts: facts,
		ClockOffset: u.site.Now() - u.link.clock.cloudNow().UnixMicro(),
	})
	if err == nil {
		if res.HighWater >= facts[0].Seq {
			factsSent.Add(float64(min(res.HighWater-facts[0].Seq+1, uint64(len(facts)))))
		}
		if res.Quarantined > 0 {
			u.log.Warn("the cloud could not apply some facts", "tenant", tenant, "facts", res.Quarantined)
		}
		return res.HighWater, nil
	}
	switch fault.Of(err).Kind {
	case fault.Unavailable, fault.Internal, fault.Unauthenticated:
		return 0, err // not the facts' doing
	default:
		factsStuck.WithLabelValues("refused").Inc()
		u.log.Error("the cloud refuses the tenant's facts", "tenant", tenant, "epoch", facts[0].Epoch, "seq", facts[0].Seq, "error", err)
		return 0, errors.Join(errStuck, err)
	}
}

// stuck is an answer that does not reach the head of the outbox. Right below it
// nothing was stored, and sending again may help; further below facts are missing
// that the cloud acknowledged once and has lost since.
func (u *Uplink) stuck(tenant int64, head *edgev1.Fact, high uint64) error {
	if high+1 < head.Seq {
		factsStuck.WithLabelValues("gap").Inc()
		u.log.Error("the cloud has lost facts it had acknowledged", "tenant", tenant, "epoch", head.Epoch, "seq", head.Seq, "high_water", high)
	}
	return errStuck
}

// batch cuts a list where its bodies reach batchBytes; one fact always goes.
func batch(facts []*edgev1.Fact) []*edgev1.Fact {
	size := 0
	for i, f := range facts {
		if size += len(f.Body) + len(f.Kind) + 128; size > batchBytes && i > 0 {
			return facts[:i]
		}
	}
	return facts
}
