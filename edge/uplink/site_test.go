package uplink

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"trunkline/edge/call"
	"trunkline/internal/join"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

// fakeSite is a replica of one node. It is its own View.
type fakeSite struct {
	wake func()

	mu      sync.Mutex
	leader  bool
	outbox  map[int64][]*edgev1.Fact
	seq     map[int64]uint64
	inbox   uint64
	config  *edgev1.SiteConfig
	applied []call.Inbox
	acks    int
	configs int
	fail    func(call.Command) error
	floors  []*edgev1.LiveTenant
	report  *edgev1.ReportNodeRequest
}

func newSite(leader bool) *fakeSite {
	return &fakeSite{
		wake: func() {}, leader: leader, outbox: map[int64][]*edgev1.Fact{}, seq: map[int64]uint64{},
		report: &edgev1.ReportNodeRequest{},
	}
}

// do changes the site and wakes the uplink.
func (s *fakeSite) do(f func()) {
	s.mu.Lock()
	f()
	s.mu.Unlock()
	s.wake()
}

// add puts n facts into a tenant's outbox.
func (s *fakeSite) add(tenant int64, n int) {
	s.do(func() {
		for range n {
			s.seq[tenant]++
			seq := s.seq[tenant]
			s.outbox[tenant] = append(s.outbox[tenant], &edgev1.Fact{
				TenantId: tenant, Epoch: 1, Seq: seq, Kind: "call", At: time.Now().UnixMicro(), Body: fmt.Appendf(nil, "fact %d", seq),
			})
		}
	})
}

func (s *fakeSite) left(tenant int64) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.outbox[tenant])
}

func (s *fakeSite) View() View { return s }

func (s *fakeSite) IsLeader() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.leader
}

func (s *fakeSite) Now() int64 { return time.Now().UnixMicro() }

func (s *fakeSite) InboxSeq() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inbox
}

func (s *fakeSite) Site() *edgev1.SiteConfig {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.config
}

func (s *fakeSite) OutboxTenants() (out []int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for t, facts := range s.outbox {
		if len(facts) > 0 {
			out = append(out, t)
		}
	}
	slices.Sort(out)
	return out
}

func (s *fakeSite) Outbox(tenant int64, epoch, after uint64, limit int) (out []*edgev1.Fact) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.outbox[tenant] {
		if len(out) < limit && (f.Epoch > epoch || f.Seq > after) && (len(out) == 0 || out[0].Epoch == f.Epoch) {
			out = append(out, f)
		}
	}
	return out
}

func (s *fakeSite) Apply(_ context.Context, _ string, cmd call.Command) (res call.Result, err error) {
	s.do(func() {
		if s.fail != nil {
			if err = s.fail(cmd); err != nil {
				return
			}
		}
		switch c := cmd.(type) {
		case call.OutboxAck:
			s.acks++
			s.outbox[c.Tenant] = slices.DeleteFunc(s.outbox[c.Tenant], func(f *edgev1.Fact) bool {
				return f.Epoch == c.Epoch && f.Seq <= c.HighWater
			})
		case call.Inbox:
			if c.Seq <= s.inbox {
				res.Refused = call.RefusedStale
				return
			}
			s.inbox = c.Seq
			s.applied = append(s.applied, c)
		case call.Config:
			s.configs++
			var site edgev1.SiteConfig
			if err = proto.Unmarshal(c.Site, &site); err == nil {
				s.config = &site
			}
		}
	})
	return res, err
}

func (s *fakeSite) ApplyLate(ctx context.Context, key string, cmd call.Command) (call.Result, error) {
	return s.Apply(ctx, key, cmd)
}

func (s *fakeSite) Live() []*edgev1.LiveTenant {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*edgev1.LiveTenant
	for _, f := range s.floors {
		c := proto.CloneOf(f)
		c.At = time.Now().UnixMicro()
		out = append(out, c)
	}
	return out
}

func (s *fakeSite) NodeReport() *edgev1.ReportNodeRequest {
	s.mu.Lock()
	defer s.mu.Unlock()
	return proto.CloneOf(s.report)
}

// node is an uplink with its directory, cloud and site.
type node struct {
	*Uplink
	cert tls.Certificate
	cfg  Config
}

// start connects a site to a cloud until the test ends; change may alter the
// configuration first.
func start(t *testing.T, c *fakeCloud, s *fakeSite, dir string, change func(*Config)) *node {
	t.Helper()
	store, err := OpenStore(dir, filepath.Join(dir, "site.pb"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	n := &node{cert: c.ca.Node("site-1", "node-1", 1000*time.Hour)}
	n.cfg = Config{
		Node: "node-1", CloudAddr: "192.0.2.1:9400", Site: s, Store: store, Log: slog.New(slog.DiscardHandler), Dial: c.net.dial,
		TLS: func() *tls.Config {
			return &tls.Config{RootCAs: c.ca.Pool(), ServerName: join.ServerName, Certificates: []tls.Certificate{n.cert}}
		},
		Certificate: func() *tls.Certificate { return &n.cert },
	}
	if change != nil {
		change(&n.cfg)
	}
	if n.Uplink, err = New(n.cfg); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	s.wake = n.Wake
	s.mu.Unlock()
	if err := n.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return n
}
