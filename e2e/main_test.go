// Package e2e drives the built programs from outside: callers over SIP, agents
// in browsers, people over the cloud's RPCs. Tests share one cluster, each with
// a tenant of its own; tests that kill start their own cluster.
package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"trunkline/e2e/carrier"
	"trunkline/e2e/harness"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
)

var screens = flag.Bool("screens", false, "take pictures of every route")

// shared is the cluster of all tests that leave nodes and cloud alone.
var shared struct {
	once    sync.Once
	cluster *harness.Cluster
	carrier *carrier.Carrier
	err     error
}

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if shared.carrier != nil {
		shared.carrier.Stop()
	}
	if shared.cluster != nil {
		if err := shared.cluster.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// root is the repository.
func root() string {
	dir, err := filepath.Abs("..")
	if err != nil {
		panic(err)
	}
	return dir
}

// outDir is a fresh folder under .out for state and logs of a cluster.
func outDir(name string) (string, error) {
	base := filepath.Join(root(), ".out", "e2e")
	if err := os.MkdirAll(base, 0o755); err != nil {
		return "", err
	}
	return os.MkdirTemp(base, name+"-")
}

// startCluster starts a carrier, and a cluster whose trunk it is.
func startCluster(
	ctx context.Context, name string, nodes int, timing string, with ...func(*harness.Options),
) (*harness.Cluster, *carrier.Carrier, error) {
	dir, err := outDir(name)
	if err != nil {
		return nil, nil, err
	}
	ua, err := carrier.Start("127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	o := harness.Options{
		Dir: dir, Bin: filepath.Join(root(), "bin"), Nodes: nodes, Timing: timing, FastDatabase: true, Carrier: ua.Addr(),
	}
	for _, set := range with {
		set(&o)
	}
	c, err := harness.Start(ctx, o)
	if err != nil {
		ua.Stop()
	}
	return c, ua, err
}

// cluster gives the shared one.
func cluster(t *testing.T) (*harness.Cluster, *carrier.Carrier) {
	t.Helper()
	shared.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		shared.cluster, shared.carrier, shared.err = startCluster(ctx, "shared", 3, "ordinary")
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.cluster, shared.carrier
}

// ownCluster starts a cluster for one test that kills, or whose programs are
// started in another way; it ends with the test.
func ownCluster(ctx context.Context, t *testing.T, name string, nodes int, timing string, with ...func(*harness.Options)) (*harness.Cluster, *carrier.Carrier) {
	t.Helper()
	c, ua, err := startCluster(ctx, name, nodes, timing, with...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(ua.Stop)
	return c, ua
}

// patience bounds a test that should take seconds: on a busy machine it says
// nothing of the product that a step took long, only that it never came.
const patience = 3 * time.Minute

// testContext bounds one test.
func testContext(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

var tenants atomic.Int64

// tenant is one company of a test: an owner, a number, a site that knows both.
type tenant struct {
	c      *harness.Cluster
	owner  *harness.Person
	number string
	domain string
}

// newTenant signs a company up on the cluster and waits until its number is answered for.
func newTenant(ctx context.Context, t *testing.T, c *harness.Cluster) *tenant {
	t.Helper()
	return newTenantIn(ctx, t, c, "en", func(q *cloudv1.Queue) {
		q.OfferTimeoutS = 60 // a busy machine's agents answer late
	})
}

// newTenantIn is a tenant that speaks a language, with a queue of its own rules.
func newTenantIn(ctx context.Context, t *testing.T, c *harness.Cluster, language string, rules func(*cloudv1.Queue)) *tenant {
	t.Helper()
	n := tenants.Add(1)
	tn := &tenant{c: c, number: fmt.Sprintf("+4989%08d", n), domain: fmt.Sprintf("company%d.example", n)}
	owner, err := c.SignUp(ctx, "owner@"+tn.domain, fmt.Sprintf("Company %d", n), language)
	if err != nil {
		t.Fatal(err)
	}
	tn.owner = owner
	tn.editQueue(ctx, t, rules)
	if err := c.UseHostedSite(ctx, owner, tn.number); err != nil {
		t.Fatal(err)
	}
	return tn
}

// desk invites an agent and opens their desktop at a node.
func (tn *tenant) desk(ctx context.Context, t *testing.T, name string, node int) *harness.Desk {
	t.Helper()
	p, err := tn.c.Invite(ctx, tn.owner, name+"@"+tn.domain, name, "agent")
	if err != nil {
		t.Fatal(err)
	}
	var d *harness.Desk
	eventually(ctx, t, "the site knows "+name, func() error {
		d, err = harness.OpenDesk(ctx, p, tn.c.Nodes[node].Ready.Web)
		return err
	})
	t.Cleanup(d.Close)
	return d
}

// dial calls the tenant's number at a node, again until the site knows it.
func (tn *tenant) dial(ctx context.Context, t *testing.T, ua *carrier.Carrier, node int, audio []byte) *carrier.Call {
	t.Helper()
	return tn.dialFrom(ctx, t, ua, node, "+4930111222", audio)
}

// dialFrom is dial with a caller's number.
func (tn *tenant) dialFrom(ctx context.Context, t *testing.T, ua *carrier.Carrier, node int, from string, audio []byte) *carrier.Call {
	t.Helper()
	var call *carrier.Call
	eventually(ctx, t, "the call is answered", func() (err error) {
		try, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		call, err = ua.Call(try, carrier.Dial{
			Node: tn.c.Nodes[node].Ready.SIPUDP, From: from, To: tn.number, Audio: audio,
		})
		return err
	})
	t.Cleanup(func() { call.Hangup(context.WithoutCancel(ctx)) })
	return call
}

// eventually tries until nil or the context's end, and names the last failure.
func eventually(ctx context.Context, t *testing.T, what string, try func() error) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		if last = try(); last == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: %v", what, last)
		case <-tick.C:
		}
	}
}
