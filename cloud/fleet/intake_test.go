package fleet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"google.golang.org/protobuf/proto"

	"trunkline/internal/chain"
	"trunkline/internal/fault"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
	"trunkline/tenants/jobs"
)

// facts makes a chain of n facts of a kind with bodies "1", "2" ...
func facts(tenant int64, epoch uint64, n int, kinds ...string) []*edgev1.Fact {
	out, prev := make([]*edgev1.Fact, n), []byte(nil)
	for i := range out {
		f := &edgev1.Fact{TenantId: tenant, Epoch: epoch, Seq: uint64(i + 1), Kind: "call", At: time.Now().UnixMicro(), Body: fmt.Append(nil, i+1)}
		if i < len(kinds) {
			f.Kind = kinds[i]
		}
		f.PrevHash = prev
		f.Hash = chain.Hash(prev, f.Epoch, f.Seq, f.Kind, f.At, f.Body)
		out[i], prev = f, f.Hash
	}
	return out
}

func (c *cloud) push(tenant int64, epoch uint64, list []*edgev1.Fact) (*edgev1.PushFactsResponse, error) {
	return c.fleet().PushFacts(c.t.Context(), &edgev1.PushFactsRequest{TenantId: tenant, Epoch: epoch, Facts: list})
}

func (c *cloud) mustPush(tenant int64, epoch uint64, list []*edgev1.Fact, highWater uint64) *edgev1.PushFactsResponse {
	c.t.Helper()
	res, err := c.push(tenant, epoch, list)
	if err != nil {
		c.t.Fatal(fault.Of(err))
	}
	if res.HighWater != highWater {
		c.t.Fatalf("high water %d, want %d", res.HighWater, highWater)
	}
	return res
}

func TestTwiceSentIsOnceCounted(t *testing.T) {
	c := newCloud(t)
	tenant := c.tenant("one")
	list := facts(tenant, 1, 5)
	c.mustPush(tenant, 1, list[:3], 3)
	c.mustPush(tenant, 1, list[:3], 3)
	c.mustPush(tenant, 1, list[1:], 5)
	if n := c.count(tenant, "facts"); n != 5 {
		t.Errorf("%d facts stored", n)
	}
	if n := c.count(tenant, "audit WHERE actor = 'site-1'"); n != 5 {
		t.Errorf("applied %d times", n)
	}
	c.mustPush(tenant, 1, nil, 5)
}

func TestAGapWaits(t *testing.T) {
	c := newCloud(t)
	tenant := c.tenant("one")
	list := facts(tenant, 1, 5)
	c.mustPush(tenant, 1, list[2:], 0)
	c.mustPush(tenant, 1, []*edgev1.Fact{list[0], list[1], list[3]}, 2)
	c.mustPush(tenant, 1, list[2:], 5)
}

func TestABrokenChainIsRefused(t *testing.T) {
	c := newCloud(t)
	tenant := c.tenant("one")
	changes := map[string]func(*edgev1.Fact){
		"body":   func(f *edgev1.Fact) { f.Body = []byte("forged") },
		"kind":   func(f *edgev1.Fact) { f.Kind = "wrap_up" },
		"time":   func(f *edgev1.Fact) { f.At++ },
		"hash":   func(f *edgev1.Fact) { f.Hash = make([]byte, 32) },
		"link":   func(f *edgev1.Fact) { f.PrevHash = make([]byte, 32) },
		"tenant": func(f *edgev1.Fact) { f.TenantId++ },
		"epoch":  func(f *edgev1.Fact) { f.Epoch++ },
	}
	epoch := uint64(10)
	for name, change := range changes {
		epoch++
		list := facts(tenant, epoch, 4)
		good := proto.CloneOf(list[2])
		change(list[2])
		_, err := c.push(tenant, epoch, list)
		f := wantFault(t, err, fault.Conflict, "fault.facts.chain_broken")
		if f.Params["high_water"] != "2" {
			t.Errorf("%s: %v", name, f.Params)
		}
		list[2] = good
		c.mustPush(tenant, epoch, list[2:], 4)
	}
}

func TestAChainBegunAgainIsNoticed(t *testing.T) {
	c := newCloud(t)
	tenant := c.tenant("one")
	c.mustPush(tenant, 1, facts(tenant, 1, 5), 5)
	_, err := c.push(tenant, 1, facts(tenant, 1, 2, "other"))
	wantFault(t, err, fault.Conflict, "fault.facts.chain_broken")
	c.mustPush(tenant, 2, facts(tenant, 2, 2, "other"), 2) // an epoch of its own is right
	if n := c.count(tenant, "fact_cursors"); n != 2 {
		t.Errorf("%d chains", n)
	}
}

func TestAFactThatFailsGoesToQuarantine(t *testing.T) {
	c := newCloud(t)
	tenant := c.tenant("one")
	c.applied.failOn("bad", errors.New("no such queue\x00"))
	res := c.mustPush(tenant, 1, facts(tenant, 1, 4, "good", "bad", "panic", "good"), 4)
	if res.Quarantined != 2 {
		t.Errorf("%d quarantined", res.Quarantined)
	}
	if n := c.count(tenant, "audit WHERE actor = 'site-1'"); n != 2 {
		t.Errorf("%d facts had an effect", n)
	}
	if n := c.count(tenant, "quarantine WHERE error LIKE 'no such queue%' OR error LIKE 'panic%'"); n != 2 {
		t.Errorf("%d in quarantine with their reason", n)
	}
	c.applied.failOn("", nil)
	n, err := c.RetryQuarantine(t.Context(), tenant)
	if err != nil || n != 1 {
		t.Errorf("recovered %d, %v", n, err)
	}
	if n := c.count(tenant, "quarantine WHERE attempts = 2"); n != 1 {
		t.Error("the one that still fails must stay")
	}
}

// What was held is tried again by itself when its time has come.
func TestQuarantineIsTriedAgain(t *testing.T) {
	c := newCloud(t)
	tenant := c.tenant("one")
	c.applied.failOn("bad", errors.New("no such queue"))
	c.mustPush(tenant, 1, facts(tenant, 1, 2, "good", "bad"), 2)
	c.applied.failOn("", nil)
	c.pg.Rows(t, "UPDATE quarantine SET last_at = last_at - interval '1 minute' RETURNING site_id")
	j := jobs.New(c.pg.App, slog.New(slog.DiscardHandler))
	c.AddJobs(j)
	if err := j.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := j.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	c.pg.Await(t, "SELECT count(*)::text FROM quarantine", "0")
	if n := c.count(tenant, "audit WHERE actor = 'site-1'"); n != 2 {
		t.Errorf("%d facts had an effect", n)
	}
}

func TestAFailureOfOursUndoesTheBatch(t *testing.T) {
	c := newCloud(t)
	tenant := c.tenant("one")
	c.applied.failOn("bad", &pgconn.PgError{Code: "40P01", Message: "deadlock"})
	list := facts(tenant, 1, 2, "good", "bad")
	_, err := c.push(tenant, 1, list)
	wantFault(t, err, fault.Internal, "fault.internal")
	if n := c.count(tenant, "facts"); n != 0 {
		t.Errorf("%d facts stored", n)
	}
	c.applied.failOn("", nil)
	c.mustPush(tenant, 1, list, 2)
}

func TestOnlyTenantsOfTheSite(t *testing.T) {
	c := newCloud(t)
	tenant := c.tenant("one")
	c.registry.set(func() { delete(c.registry.serves, "site-1") })
	_, err := c.push(tenant, 1, facts(tenant, 1, 1))
	wantFault(t, err, fault.Forbidden, "fault.fleet.not_assigned")
	_, err = c.push(0, 1, nil)
	wantFault(t, err, fault.Forbidden, "fault.fleet.not_assigned")
	_, err = c.fleet().GetTenantConfig(t.Context(), &edgev1.GetTenantConfigRequest{TenantId: tenant})
	wantFault(t, err, fault.Forbidden, "fault.fleet.not_assigned")
	_, err = c.fleet().GetBlob(t.Context(), &edgev1.GetBlobRequest{TenantId: tenant, Hash: "x"})
	wantFault(t, err, fault.Forbidden, "fault.fleet.not_assigned")
	_, err = c.fleet().RecordingOffset(t.Context(), &edgev1.RecordingOffsetRequest{TenantId: tenant})
	wantFault(t, err, fault.Forbidden, "fault.fleet.not_assigned")
	if n := c.count(tenant, "facts"); n != 0 {
		t.Errorf("%d facts stored", n)
	}
}

func TestFactsOfATenantThatLeft(t *testing.T) {
	c := newCloud(t)
	tenant := c.tenant("one")
	list := facts(tenant, 1, 2)
	c.registry.set(func() {
		delete(c.registry.serves, "site-1")
		c.registry.left["site-1"] = time.Now().Add(-time.Hour)
	})
	c.mustPush(tenant, 1, list[:1], 1) // calls of then may have gone on
	c.registry.set(func() { c.registry.left["site-1"] = time.Now().Add(-2 * afterEnd) })
	if res := c.mustPush(tenant, 1, list[1:], 2); res.Quarantined != 1 {
		t.Error("a fact from long after the end must be held")
	}
	if n := c.count(tenant, "audit WHERE actor = 'site-1'"); n != 1 {
		t.Errorf("%d applied", n)
	}
	if n, err := c.RetryQuarantine(t.Context(), tenant); err != nil || n != 0 {
		t.Errorf("held for good, and yet applied: %d, %v", n, err)
	}
}

func TestTwoNodesPushAtOnce(t *testing.T) {
	c := newCloud(t)
	tenant := c.tenant("one")
	list := facts(tenant, 1, 200)
	done := make(chan error, 2)
	for range 2 {
		go func() {
			for i := 0; i < len(list); i += 20 {
				if _, err := c.push(tenant, 1, list[i:i+20]); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range 2 {
		if err := <-done; err != nil {
			t.Fatal(fault.Of(err))
		}
	}
	c.mustPush(tenant, 1, nil, 200)
	if n := c.count(tenant, "audit WHERE actor = 'site-1'"); n != 200 {
		t.Errorf("%d applied", n)
	}
}

func BenchmarkChain(b *testing.B) {
	list := facts(1, 1, 1000)
	for b.Loop() {
		var c cursor
		if t := c.take(1, 1, list); len(t.fresh) != 1000 {
			b.Fatal(t)
		}
	}
}

func FuzzTake(f *testing.F) {
	f.Add(uint64(1), uint64(3), []byte("x"))
	f.Fuzz(func(t *testing.T, seq, at uint64, body []byte) {
		list := facts(1, 1, 3)
		list[1].Seq, list[1].Body = seq, body
		var c cursor
		out := c.take(1, 1, list)
		if uint64(len(out.fresh)) != c.seq {
			t.Fatalf("%d taken, cursor at %d", len(out.fresh), c.seq)
		}
	})
}
