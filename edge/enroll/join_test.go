package enroll

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"trunkline/internal/fault"
	"trunkline/internal/join"
	"trunkline/internal/pki/pkitest"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
	"trunkline/proto/gen/trunkline/edge/v1/edgev1connect"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testSite = "0192f0c4-0000-7000-8000-000000000001"

// fakeCloud is the web address and the node port of a cloud with one site.
type fakeCloud struct {
	edgev1connect.UnimplementedJoinServiceHandler
	t     *testing.T
	ca    *pkitest.CA
	web   *httptest.Server
	node  *httptest.Server
	token join.Token
	ahead time.Duration // its clock before ours
	life  time.Duration

	mu       sync.Mutex
	refuse   error
	loseNext bool // sign, but lose the answer
	spentKey []byte
	log      []*edgev1.ReportJoinRequest
}

func newFakeCloud(t *testing.T) *fakeCloud {
	c := &fakeCloud{t: t, ca: pkitest.NewCA(t), life: 30 * 24 * time.Hour}
	c.token = join.NewToken(c.ca.Cert.Raw)
	mux := http.NewServeMux()
	mux.Handle(edgev1connect.NewJoinServiceHandler(c))
	c.node = httptest.NewUnstartedServer(mux)
	c.node.TLS = &tls.Config{Certificates: []tls.Certificate{c.ca.Cloud()}, MinVersion: tls.VersionTLS13}
	c.node.EnableHTTP2 = true
	c.node.StartTLS()
	t.Cleanup(c.node.Close)
	c.web = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != join.WellKnown {
			http.NotFound(w, r)
			return
		}
		_ = json.NewEncoder(w).Encode(join.Discovery{
			NodeAddr: c.node.Listener.Addr().String(), Version: "1.2.3", Time: time.Now().Add(c.ahead).UnixMicro(),
		})
	}))
	t.Cleanup(c.web.Close)
	return c
}

func (c *fakeCloud) Join(_ context.Context, r *edgev1.JoinRequest) (*edgev1.JoinResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refuse != nil {
		return nil, fault.ToConnect(c.refuse)
	}
	csr, err := x509.ParseCertificateRequest(r.Csr)
	if err != nil {
		return nil, err
	}
	if c.spentKey != nil && !bytes.Equal(c.spentKey, csr.RawSubjectPublicKeyInfo) {
		return nil, fault.ToConnect(fault.New(fault.Conflict, "fault.join.token_spent"))
	}
	c.spentKey = csr.RawSubjectPublicKeyInfo
	if c.loseNext {
		c.loseNext = false
		return nil, fault.ToConnect(fault.New(fault.Unavailable, "fault.timeout"))
	}
	return &edgev1.JoinResponse{
		SiteId: testSite, SiteName: "Berlin", Ca: c.ca.Cert.Raw, Bootstrap: true, Epoch: 3,
		CertificateChain: [][]byte{c.ca.SignNode(csr.PublicKey, testSite, r.NodeName, c.life), c.ca.Cert.Raw},
		Config:           &edgev1.SiteConfig{SiteId: testSite, Nodes: []*edgev1.SiteNode{{Name: r.NodeName, NodeAddr: r.NodeAddr, WebUrl: r.WebUrl}}},
	}, nil
}

func (c *fakeCloud) ReportJoin(_ context.Context, r *edgev1.ReportJoinRequest) (*edgev1.Done, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.log = append(c.log, r)
	return &edgev1.Done{}, nil
}

func (c *fakeCloud) request(dir string) Request {
	free := "127.0.0.1:0"
	return Request{
		Cloud: c.web.URL, Token: c.token.String(), Dir: dir, Name: "node-1", Version: "1.0.0",
		Listen: Addrs{Web: free, Node: free, SIP: free, WebRTC: free, Metrics: free, MediaIP: "127.0.0.1", MediaPorts: "0"},
	}
}

func TestJoinThenLoad(t *testing.T) {
	c := newFakeCloud(t)
	dir := filepath.Join(t.TempDir(), "node")
	r := c.request(dir)
	var said []string
	r.Say = func(s Step) { said = append(said, s.ID) }
	if _, err := Join(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	e, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	n := e.Node()
	if n.Name != "node-1" || n.Site != testSite || n.SiteName != "Berlin" || !n.Bootstrap || n.Epoch != 3 || n.CloudNode != c.node.Listener.Addr().String() {
		t.Errorf("node.json holds %+v", n)
	}
	ports := []string{n.Listen.Web, n.Listen.Node, n.Listen.SIP, n.Listen.WebRTC, n.Listen.Metrics}
	for i, p := range ports {
		if strings.HasSuffix(p, ":0") || slices.Index(ports, p) != i {
			t.Errorf("ports are %v", ports)
		}
	}
	if n.Public.Web != "http://"+n.Listen.Web || n.Public.Node != n.Listen.Node || n.Public.SIP != n.Listen.SIP {
		t.Errorf("public addresses are %+v", n.Public)
	}
	site, err := e.SiteConfig()
	if err != nil || site.Nodes[0].NodeAddr != n.Public.Node {
		t.Errorf("site is %v, %v", site, err)
	}
	if want := []string{StepDNS, StepCloud, StepClock, StepCA, StepPorts, StepCertificate, StepSaved}; !slices.Equal(said, want) {
		t.Errorf("said %v", said)
	}
	var logged []string
	for _, l := range c.log {
		logged = append(logged, l.Step)
	}
	if want := []string{StepDNS, StepCloud, StepClock, StepCA, StepPorts, StepSaved}; !slices.Equal(logged, want) {
		t.Errorf("the site's join log has %v", logged)
	}
	checkModes(t, dir)

	if _, err := Join(t.Context(), c.request(dir)); !errors.Is(err, ErrJoined) {
		t.Errorf("a second join: %v", err)
	}
}

func checkModes(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
		if info, err := e.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", e.Name(), info.Mode(), err)
		}
	}
	if want := []string{identityFile, nodeFile, siteFile}; !slices.Equal(names, want) {
		t.Errorf("the directory holds %v", names)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("directory: %v %v", info.Mode(), err)
	}
}

func TestJoinFailures(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(c *fakeCloud, r *Request)
		step   string
		says   string
		logged bool
	}{
		"unknown name":   {func(_ *fakeCloud, r *Request) { r.Cloud = "https://cloud.invalid" }, StepDNS, "cloud.invalid", false},
		"cloud closed":   {func(c *fakeCloud, r *Request) { r.Cloud = closedURL(c.t) }, StepCloud, "port is closed", false},
		"not a cloud":    {func(c *fakeCloud, r *Request) { r.Cloud = notTrunkline(c.t) }, StepCloud, "not a Trunkline cloud", false},
		"clock behind":   {func(c *fakeCloud, _ *Request) { c.ahead = time.Hour }, StepClock, "1h0m0s behind", true},
		"clock ahead":    {func(c *fakeCloud, _ *Request) { c.ahead = -10 * time.Second }, StepClock, "10s ahead of", true},
		"node port shut": {func(c *fakeCloud, _ *Request) { c.node.Close() }, StepCA, "port is closed", false},
		"wrong authority": {func(c *fakeCloud, r *Request) {
			r.Token = join.NewToken(pkitest.NewCA(c.t).Cert.Raw).String()
		}, StepCA, "another certificate authority", false},
		"port taken": {func(c *fakeCloud, r *Request) { r.Listen.SIP = takenPort(c.t) }, StepPorts, "address already in use", true},
		"token spent": {func(c *fakeCloud, _ *Request) {
			c.refuse = fault.New(fault.Conflict, "fault.join.token_spent")
		}, StepCertificate, "used already", true},
		"token expired": {func(c *fakeCloud, _ *Request) {
			c.refuse = fault.New(fault.Conflict, "fault.join.token_expired")
		}, StepCertificate, "too old", true},
		"token unknown": {func(c *fakeCloud, _ *Request) {
			c.refuse = fault.New(fault.NotFound, "fault.join.token_unknown")
		}, StepCertificate, "does not know this token", true},
	} {
		t.Run(name, func(t *testing.T) {
			c := newFakeCloud(t)
			r := c.request(t.TempDir())
			tc.change(c, &r)
			_, err := Join(t.Context(), r)
			f, ok := errors.AsType[*Failure](err)
			if !ok {
				t.Fatalf("got %v", err)
			}
			if f.Step != tc.step || !strings.Contains(f.Message, tc.says) || f.Advice == "" {
				t.Errorf("step %s: %s", f.Step, f)
			}
			c.mu.Lock()
			defer c.mu.Unlock()
			if got := len(c.log) > 0 && c.log[len(c.log)-1].Failed && c.log[len(c.log)-1].Step == tc.step; got != tc.logged {
				t.Errorf("on the site's page: %v", c.log)
			}
			if _, err := Load(r.Dir); !errors.Is(err, ErrNotJoined) {
				t.Errorf("after a failure Load gives %v", err)
			}
		})
	}
}

func closedURL(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

func notTrunkline(t *testing.T) string {
	s := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(s.Close)
	return s.URL
}

func takenPort(t *testing.T) string {
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.LocalAddr().String()
}

func TestLostAnswerIsAskedForAgain(t *testing.T) {
	c := newFakeCloud(t)
	c.loseNext = true
	dir := t.TempDir()
	_, err := Join(t.Context(), c.request(dir))
	if f, ok := errors.AsType[*Failure](err); !ok || f.Step != StepCertificate {
		t.Fatalf("got %v", err)
	}
	if _, err := Join(t.Context(), c.request(dir)); err != nil {
		t.Fatalf("the same token with the same key: %v", err)
	}
}

func TestForceMovesAnotherIdentityAside(t *testing.T) {
	c := newFakeCloud(t)
	dir := t.TempDir()
	if _, err := Join(t.Context(), c.request(dir)); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "raft"), 0o700); err != nil {
		t.Fatal(err)
	}
	c.spentKey = nil
	r := c.request(dir)
	r.Force = true
	if _, err := Join(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "raft")); err != nil {
		t.Errorf("the same node lost its log: %v", err)
	}
	c.spentKey = nil
	r.Name = "node-2"
	e, err := Join(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if e.Node().Name != "node-2" {
		t.Errorf("it is %s", e.Node().Name)
	}
	if _, err := os.Stat(filepath.Join(dir, "raft")); err == nil {
		t.Error("node-2 got the log of node-1")
	}
	if found, _ := filepath.Glob(filepath.Join(dir, "before-node-1-*", "raft")); len(found) != 1 {
		t.Errorf("moved aside: %v", found)
	}
}

func TestRequestIsCheckedFirst(t *testing.T) {
	c := newFakeCloud(t)
	for name, change := range map[string]func(*Request){
		"token":         func(r *Request) { r.Token = "tlj1_nonsense" },
		"cloud":         func(r *Request) { r.Cloud = "cloud.example.com" },
		"name":          func(r *Request) { r.Name = "Node 1" },
		"advertised":    func(r *Request) { r.AdvertiseIP = "example.com" },
		"advertise web": func(r *Request) { r.AdvertiseWeb = "example.com" },
	} {
		r := c.request(t.TempDir())
		change(&r)
		if _, err := Join(t.Context(), r); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}
