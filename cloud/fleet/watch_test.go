package fleet

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"trunkline/internal/fault"
	"trunkline/internal/join"
	"trunkline/internal/recfile"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

// stream is a node's view of Watch.
type stream struct {
	t    *testing.T
	in   *connect.ServerStreamForClient[edgev1.SiteUpdate]
	next chan *edgev1.SiteUpdate
}

func (c *cloud) watch(after uint64) *stream {
	c.t.Helper()
	ctx, cancel := context.WithCancel(c.t.Context())
	in, err := c.fleet().Watch(ctx, &edgev1.WatchRequest{Node: "n1", InboxAfter: after})
	if err != nil {
		c.t.Fatal(err)
	}
	s := &stream{t: c.t, in: in, next: make(chan *edgev1.SiteUpdate, 1000)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(s.next)
		for in.Receive() {
			s.next <- proto.CloneOf(in.Msg())
		}
	}()
	c.t.Cleanup(func() {
		cancel()
		<-done
		_ = in.Close()
	})
	return s
}

// until reads until f is content, for at most the time.
func (s *stream) until(within time.Duration, f func(*edgev1.SiteUpdate) bool) {
	s.t.Helper()
	timeout := time.After(within)
	for {
		select {
		case u, ok := <-s.next:
			if !ok {
				s.t.Fatal("the stream ended")
			}
			if f(u) {
				return
			}
		case <-timeout:
			s.t.Fatalf("nothing of the kind within %v", within)
		}
	}
}

// config waits for a configuration f is content with.
func (s *stream) config(within time.Duration, f func(*edgev1.SiteConfig) bool) (out *edgev1.SiteConfig) {
	s.t.Helper()
	s.until(within, func(u *edgev1.SiteUpdate) bool {
		out = u.GetConfig()
		return out != nil && f(out)
	})
	return out
}

func manifestOf(c *edgev1.SiteConfig, tenant int64) string {
	for _, t := range c.Tenants {
		if t.TenantId == tenant {
			return t.Manifest
		}
	}
	return ""
}

func TestAChangeIsOnTheFloorWithinASecond(t *testing.T) {
	c := newCloud(t)
	one, two := c.tenant("one"), c.tenant("two")
	s := c.watch(0)
	first := s.config(5*time.Second, func(x *edgev1.SiteConfig) bool {
		return manifestOf(x, one) != "" && manifestOf(x, two) != ""
	})
	if len(first.TokenKeys["k"]) != 32 || first.AllowedOrigins[0] != "https://cloud.example" {
		t.Errorf("%v", first)
	}
	c.rename(one, "eins")
	second := s.config(time.Second, func(x *edgev1.SiteConfig) bool { return manifestOf(x, one) != manifestOf(first, one) })
	if manifestOf(second, two) != manifestOf(first, two) {
		t.Error("another tenant's snapshot changed")
	}
	res, err := c.fleet().GetTenantConfig(t.Context(), &edgev1.GetTenantConfigRequest{TenantId: one, Manifest: manifestOf(second, one)})
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(res.Config); hex.EncodeToString(sum[:]) != manifestOf(second, one) {
		t.Error("the manifest is not the hash of the snapshot")
	}
	var got edgev1.TenantConfig
	if err := proto.Unmarshal(res.Config, &got); err != nil {
		t.Fatal(err)
	}
	if got.TenantName != "eins" || got.Version != 2 || len(got.RecordingPublicKey) == 0 || got.RecordingKeyId == "" {
		t.Errorf("%v", &got)
	}
	old, err := c.fleet().GetTenantConfig(t.Context(), &edgev1.GetTenantConfigRequest{TenantId: one, Manifest: manifestOf(first, one)})
	if err != nil || len(old.Config) == 0 {
		t.Errorf("a snapshot calls may still run on: %v", err)
	}
	_, err = c.fleet().GetTenantConfig(t.Context(), &edgev1.GetTenantConfigRequest{TenantId: two, Manifest: manifestOf(second, one)})
	wantFault(t, err, fault.NotFound, "fault.fleet.snapshot_unknown")
}

func TestNoChangeMakesNoSnapshot(t *testing.T) {
	c := newCloud(t)
	tenant := c.tenant("one")
	a, err := c.assemble(t.Context(), tenant, "site-1")
	if err != nil {
		t.Fatal(err)
	}
	c.rename(tenant, "eins")
	b, err := c.assemble(t.Context(), tenant, "site-1")
	if err != nil || a == b {
		t.Fatalf("%s, %v", b, err)
	}
	done := make(chan string, 4)
	for range 4 {
		go func() {
			m, err := c.assemble(t.Context(), tenant, "site-1")
			if err != nil {
				t.Error(err)
			}
			done <- m
		}()
	}
	for range 4 {
		if m := <-done; m != b {
			t.Errorf("%s, want %s", m, b)
		}
	}
	if n := c.count(tenant, "config_snapshots"); n != 2 {
		t.Errorf("%d snapshots", n)
	}
}

func TestOneTenantsFailureIsItsOwn(t *testing.T) {
	c := newCloud(t)
	one, two := c.tenant("one"), c.tenant("two")
	s := c.watch(0)
	first := s.config(5*time.Second, func(x *edgev1.SiteConfig) bool { return manifestOf(x, two) != "" })
	c.rename(one, "broken")
	c.rename(two, "zwei")
	next := s.config(2*time.Second, func(x *edgev1.SiteConfig) bool { return manifestOf(x, two) != manifestOf(first, two) })
	if manifestOf(next, one) != manifestOf(first, one) {
		t.Error("a snapshot that can not be made must leave the one before")
	}
	c.rename(one, "mended")
	s.config(2*time.Second, func(x *edgev1.SiteConfig) bool { return manifestOf(x, one) != manifestOf(first, one) })
}

func TestInboxComesInOrderUntilAcknowledged(t *testing.T) {
	c := newCloud(t)
	tenant := c.tenant("one")
	s := c.watch(0)
	const n = 60
	done := make(chan error, n)
	for i := range n {
		go func() {
			_, err := c.Inbox().Send(t.Context(), tenant, "site-1", KindSetAgentState, &edgev1.AgentCommand{AgentId: fmt.Sprint(i)}, time.Hour)
			done <- err
		}()
	}
	for range n {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	var seqs []uint64
	s.until(5*time.Second, func(u *edgev1.SiteUpdate) bool {
		if item := u.GetInbox(); item != nil {
			seqs = append(seqs, item.Seq)
		}
		return len(seqs) == n
	})
	for i, seq := range seqs {
		if seq != uint64(i+1) {
			t.Fatalf("place %d has number %d", i, seq)
		}
	}
	if _, err := c.fleet().AckInbox(t.Context(), &edgev1.AckInboxRequest{Seqs: seqs[:n-1]}); err != nil {
		t.Fatal(err)
	}
	again := c.watch(0)
	again.until(5*time.Second, func(u *edgev1.SiteUpdate) bool {
		if u.GetInbox() != nil && u.GetInbox().Seq != n {
			t.Errorf("%d came again", u.GetInbox().Seq)
		}
		return u.GetInbox() != nil
	})
	_, err := c.Inbox().Send(t.Context(), tenant, "site-2", KindSetAgentState, &edgev1.AgentCommand{}, time.Hour)
	wantFault(t, err, fault.Forbidden, "fault.fleet.not_assigned")
}

func TestExpiredWorkIsNotSent(t *testing.T) {
	c := newCloud(t)
	tenant := c.tenant("one")
	ctx := t.Context()
	if _, err := c.Inbox().Send(ctx, tenant, "site-1", KindTestCall, &edgev1.TestCallTicket{}, time.Millisecond); err != nil {
		t.Fatal(err)
	}
	id, err := c.Inbox().Send(ctx, tenant, "site-1", KindTestCall, &edgev1.TestCallTicket{}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	c.watch(0).until(5*time.Second, func(u *edgev1.SiteUpdate) bool {
		if u.GetInbox() != nil && u.GetInbox().Id != id {
			t.Error("expired work was sent")
		}
		return u.GetInbox() != nil
	})
}

func TestStopEndsStreams(t *testing.T) {
	c := newCloud(t)
	c.tenant("one")
	s := c.watch(0)
	s.until(5*time.Second, func(u *edgev1.SiteUpdate) bool { return u.GetConfig() != nil })
	if err := c.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range s.next { //nolint:revive // until it ends
	}
	wantFault(t, s.in.Err(), fault.Unavailable, "fault.cloud_stopping")
	late, err := c.fleet().Watch(t.Context(), &edgev1.WatchRequest{})
	if err == nil {
		for late.Receive() {
		}
		err = late.Err()
		_ = late.Close()
	}
	wantFault(t, err, fault.Unavailable, "fault.cloud_stopping")
}

func TestDiscovery(t *testing.T) {
	c := newCloud(t)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.url+join.WellKnown, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var d join.Discovery
	if err := json.NewDecoder(res.Body).Decode(&d); err != nil {
		t.Fatal(err)
	}
	if d.NodeAddr != "127.0.0.1:9400" || d.Version != "test" || time.Since(time.UnixMicro(d.Time)).Abs() > time.Minute {
		t.Errorf("%+v", d)
	}
}

func TestTheRecordingKeyOpens(t *testing.T) {
	c := newCloud(t)
	tenant, other := c.tenant("one"), c.tenant("two")
	cfg := &edgev1.TenantConfig{TenantId: tenant}
	_ = c.manifestFor(t, cfg)
	keys := NewKeys(c.db, c.cfg.Box)
	private, err := keys.Private(t.Context(), tenant, cfg.RecordingKeyId)
	if err != nil || len(private) == 0 {
		t.Fatal(err)
	}
	_, err = keys.Private(t.Context(), other, cfg.RecordingKeyId)
	wantFault(t, err, fault.NotFound, "fault.recording.key_unknown")
	if _, err := recfile.Unwrap(private, []byte("x"), []byte("y")); err == nil {
		t.Error("nonsense was unwrapped")
	}
}

// manifestFor assembles the tenant's snapshot and fills cfg with it.
func (c *cloud) manifestFor(t *testing.T, cfg *edgev1.TenantConfig) string {
	t.Helper()
	m, err := c.assemble(t.Context(), cfg.TenantId, "site-1")
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.fleet().GetTenantConfig(t.Context(), &edgev1.GetTenantConfigRequest{TenantId: cfg.TenantId, Manifest: m})
	if err != nil {
		t.Fatal(err)
	}
	if err := proto.Unmarshal(res.Config, cfg); err != nil {
		t.Fatal(err)
	}
	return m
}
