package replica

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"trunkline/edge/call"
	"trunkline/edge/replica/nodeport"
	"trunkline/internal/join"
	"trunkline/internal/rpcx"
	"trunkline/proto/gen/trunkline/edge/v1/edgev1connect"
)

// authority is an internal CA for tests.
type authority struct {
	t    testing.TB
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	pool *x509.CertPool
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{t: t, key: key, cert: cert, pool: x509.NewCertPool()}
	a.pool.AddCert(cert)
	return a
}

func (a *authority) issue(site, node string) *tls.Certificate {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62))
	tmpl := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: node}, NotAfter: time.Now().Add(time.Hour),
		URIs: []*url.URL{join.NodeURI(site, node)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// site is a group of replicas in one process.
type site struct {
	t  testing.TB
	ca *authority

	dir    string
	timing Timing
	tune   func(*Config)

	mu    sync.Mutex
	addrs map[string]string
	nodes map[string]*testNode
}

type testNode struct {
	*Replica
	port *nodeport.Port
}

func newSite(t testing.TB) *site {
	return &site{t: t, ca: newAuthority(t), dir: t.TempDir(), timing: Ordinary(), addrs: map[string]string{}, nodes: map[string]*testNode{}}
}

func (s *site) log() *slog.Logger {
	if os.Getenv("TRUNKLINE_LOG") != "" {
		return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo}))
	}
	return slog.New(slog.DiscardHandler)
}

func (s *site) peers() []call.NodeInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []call.NodeInfo
	for name, addr := range s.addrs {
		out = append(out, call.NodeInfo{Name: name, NodeAddr: addr})
	}
	return out
}

// start starts (again) a node; one that stopped gets a new address.
func (s *site) start(name string, first bool) *testNode {
	s.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	s.mu.Lock()
	s.addrs[name] = l.Addr().String()
	s.mu.Unlock()
	cert := s.ca.issue("site-1", name)
	port, err := nodeport.New(nodeport.Config{
		Site: "site-1", Name: name, Certificate: func() *tls.Certificate { return cert },
		Roots: func() *x509.CertPool { return s.ca.pool }, Listener: l, Log: s.log(),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	cfg := Config{
		Name: name, Incarnation: uuid.NewString(), Dir: filepath.Join(s.dir, name), Port: port, Bootstrap: first,
		Peers: s.peers, Timing: s.timing, Log: s.log().With("node", name), Fatal: func(err error) { s.t.Errorf("%s: %v", name, err) },
	}
	if s.tune != nil {
		s.tune(&cfg)
	}
	r, err := New(cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	port.Handle(edgev1connect.NewNodeServiceHandler(r.RPC(), rpcx.Options(rpcx.Config{
		Authenticate: func(ctx context.Context, _ http.Header, state *tls.ConnectionState) (rpcx.Caller, error) {
			return rpcx.Caller{Node: rpcx.NodeFromTLS(state)}, nil
		},
		Log: s.log(),
	})...))
	if err := port.Start(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	if err := r.Start(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	n := &testNode{r, port}
	s.mu.Lock()
	s.nodes[name] = n
	s.mu.Unlock()
	s.t.Cleanup(func() { n.kill() })
	return n
}

// kill stops a node without a word to the others, as close to a dead process
// as one process allows.
func (n *testNode) kill() {
	ctx := context.Background()
	_ = n.port.Stop(ctx)
	_ = n.Stop(ctx)
}

func (s *site) three() []*testNode {
	s.t.Helper()
	nodes := []*testNode{s.start("node-1", true), s.start("node-2", false), s.start("node-3", false)}
	for _, n := range nodes {
		if err := n.WaitReady(s.ctx(60 * time.Second)); err != nil {
			s.t.Fatalf("%s is not ready: %v; %+v", n.cfg.Name, err, n.Status())
		}
	}
	return nodes
}

func (s *site) ctx(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	s.t.Cleanup(cancel)
	return ctx
}

// leader waits until a node leads and says which; not one of those left out.
func (s *site) leader(not ...*testNode) *testNode {
	s.t.Helper()
	for range 600 {
		s.mu.Lock()
		nodes := make([]*testNode, 0, 3)
		for _, n := range s.nodes {
			nodes = append(nodes, n)
		}
		s.mu.Unlock()
	next:
		for _, n := range nodes {
			for _, x := range not {
				if n == x {
					continue next
				}
			}
			if _, self := n.Leader(); self && n.leads() {
				return n
			}
		}
		<-time.After(50 * time.Millisecond)
	}
	s.t.Fatal("nobody leads")
	return nil
}

func (s *site) apply(n *testNode, cmd call.Command) call.Result {
	s.t.Helper()
	res, err := n.Apply(s.ctx(30*time.Second), "", cmd)
	if err != nil {
		s.t.Fatalf("%T: %v", cmd, err)
	}
	return res
}

// until waits for a condition of a node's view.
func (s *site) until(n *testNode, what string, ok func(*View) bool) {
	s.t.Helper()
	err := n.waitFor(s.ctx(30*time.Second), &n.fsm.applied, func() bool { return ok(n.View()) })
	if err != nil {
		s.t.Fatalf("%s: %s did not come: %v", n.cfg.Name, what, err)
	}
}

func startCall(i int, owner string) call.CallStart {
	return call.CallStart{Call: call.Call{ID: fmt.Sprintf("call-%05d", i), Tenant: 1, Kind: call.KindTrunk, Owner: owner}}
}
