package doctor

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"trunkline/edge/enroll"
	"trunkline/internal/fault"
	"trunkline/internal/join"
	"trunkline/internal/pki/pkitest"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
	"trunkline/proto/gen/trunkline/edge/v1/edgev1connect"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a cloud, a carrier, and the directory of a node that has joined.
type world struct {
	edgev1connect.UnimplementedFleetServiceHandler
	edgev1connect.UnimplementedJoinServiceHandler
	t       *testing.T
	ca      *pkitest.CA
	web     *httptest.Server
	port    *httptest.Server
	ahead   time.Duration
	refused error // of the node's certificate
	node    enroll.Node
	site    *edgev1.SiteConfig
	life    time.Duration
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, ca: pkitest.NewCA(t), life: 720 * time.Hour}
	mux := http.NewServeMux()
	mux.Handle(edgev1connect.NewFleetServiceHandler(w))
	mux.Handle(edgev1connect.NewJoinServiceHandler(w))
	w.port = httptest.NewUnstartedServer(mux)
	w.port.TLS = &tls.Config{Certificates: []tls.Certificate{w.ca.Cloud()}, ClientCAs: w.ca.Pool(), ClientAuth: tls.VerifyClientCertIfGiven, MinVersion: tls.VersionTLS13}
	w.port.EnableHTTP2 = true
	w.port.StartTLS()
	t.Cleanup(w.port.Close)
	w.web = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(rw).Encode(join.Discovery{NodeAddr: w.port.Listener.Addr().String(), Version: "1", Time: time.Now().Add(w.ahead).UnixMicro()})
	}))
	t.Cleanup(w.web.Close)
	free := func() string { return freePort(t) }
	w.node = enroll.Node{
		Format: 1, Name: "node-1", Site: "site-1", SiteName: "Berlin", Cloud: w.web.URL, CloudNode: w.port.Listener.Addr().String(),
		Listen: enroll.Addrs{Web: free(), Node: free(), SIP: free(), WebRTC: free(), Metrics: free(), MediaIP: "127.0.0.1", MediaPorts: "0"},
	}
	w.node.Public = enroll.Public{Web: "http://" + w.node.Listen.Web, Node: w.node.Listen.Node, SIP: w.node.Listen.SIP}
	w.site = &edgev1.SiteConfig{SiteId: "site-1", Nodes: []*edgev1.SiteNode{{Name: "node-1", NodeAddr: w.node.Listen.Node}}}
	return w
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (w *world) TurnCredentials(context.Context, *edgev1.TurnCredentialsRequest) (*edgev1.TurnCredentialsResponse, error) {
	if w.refused != nil {
		return nil, fault.ToConnect(w.refused)
	}
	return nil, fault.ToConnect(fault.New(fault.Invalid, "fault.field.required"))
}

func (w *world) ReportJoin(_ context.Context, r *edgev1.ReportJoinRequest) (*edgev1.Done, error) {
	if strings.Contains(r.Token, "expired") {
		return nil, fault.ToConnect(fault.New(fault.Conflict, "fault.join.token_expired"))
	}
	return &edgev1.Done{}, nil
}

// dir writes the node's directory.
func (w *world) dir() string {
	w.t.Helper()
	dir := w.t.TempDir()
	cert := w.ca.Node(w.node.Site, w.node.Name, w.life)
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey.(crypto.Signer))
	if err != nil {
		w.t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})
	text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]})...)
	text = append(text, pem.EncodeToMemory(&pem.Block{Type: "TRUSTED CERTIFICATE", Bytes: w.ca.Cert.Raw})...)
	node, err := json.Marshal(w.node)
	if err != nil {
		w.t.Fatal(err)
	}
	site, err := proto.Marshal(w.site)
	if err != nil {
		w.t.Fatal(err)
	}
	for name, data := range map[string][]byte{"identity.pem": text, "node.json": node, "site.pb": site} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
	return dir
}

// of gives the findings of a check.
func of(all []Finding, check string) (out []Finding) {
	for _, f := range all {
		if f.Check == check {
			out = append(out, f)
		}
	}
	return out
}

func want(t *testing.T, all []Finding, check string, state State, says string) {
	t.Helper()
	found := of(all, check)
	if !slices.ContainsFunc(found, func(f Finding) bool { return f.State == state && strings.Contains(f.Message, says) }) {
		t.Errorf("%s is not %s with %q: %+v", check, state, says, found)
	}
	for _, f := range found {
		if (f.State == Failed || f.State == Warning) && f.Fix == "" {
			t.Errorf("%s says nothing to do: %+v", check, f)
		}
	}
}

// sipServer answers every request, at UDP and TCP; listed false only counts them.
func sipServer(t *testing.T, answer string) (udp net.PacketConn) {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 65535)
		for {
			n, from, err := c.ReadFrom(buf)
			if err != nil {
				return
			}
			if answer != "" && strings.HasPrefix(string(buf[:n]), "OPTIONS sip:") {
				_, _ = c.WriteTo([]byte("SIP/2.0 "+answer+"\r\n\r\n"), from)
			}
		}
	}()
	t.Cleanup(func() { c.Close(); <-done })
	return c
}

func TestHealthyMachine(t *testing.T) {
	w := newWorld(t)
	carrier := sipServer(t, "405 Method Not Allowed")
	w.site.Trunks = []*edgev1.Trunk{{Id: "t", Name: "Carrier", Target: carrier.LocalAddr().String(), Transport: "udp", Allowed: []string{"192.0.2.0/24"}}}
	all := Run(t.Context(), Options{Dir: w.dir()})
	want(t, all, "joined", OK, "node-1")
	want(t, all, "dns", OK, "127.0.0.1")
	want(t, all, "cloud", OK, "answers")
	want(t, all, "clock", OK, "ms")
	want(t, all, "node port", OK, "takes this node")
	want(t, all, "certificate", OK, "valid until")
	want(t, all, "ports", OK, "is free")
	want(t, all, "addresses", Warning, "this machine only")
	want(t, all, "trunks", OK, "405")
	want(t, all, "token", Skipped, "")
	if !slices.ContainsFunc(all, func(f Finding) bool { return f.Check == "disk speed" && strings.Contains(f.Message, "fsync") }) {
		t.Errorf("the disk's speed was not measured: %+v", all)
	}
	for _, f := range all {
		// The machine of the test may be full, or busy.
		if f.State == Failed && f.Check != "disk space" && f.Check != "disk speed" {
			t.Errorf("%+v", f)
		}
	}
}

func TestEachFailureIsNamed(t *testing.T) {
	w := newWorld(t)
	w.ahead = time.Hour
	w.life = -time.Second
	held, err := net.ListenPacket("udp", w.node.Listen.SIP)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	shut := freePort(t)
	w.site.Nodes = append(w.site.Nodes, &edgev1.SiteNode{Name: "node-2", NodeAddr: shut}, &edgev1.SiteNode{Name: "node-3", NodeAddr: w.port.Listener.Addr().String()})
	silent := sipServer(t, "")
	w.site.Trunks = []*edgev1.Trunk{
		{Id: "a", Name: "Closed", Target: shut, Transport: "tcp"},
		{Id: "b", Name: "Silent", Target: silent.LocalAddr().String(), Transport: "udp"},
	}
	w.node.Public.Node = "203.0.113.9:9500"
	start := time.Now()
	all := Run(t.Context(), Options{Dir: w.dir()})
	if took := time.Since(start); took > TotalTime {
		t.Errorf("it took %v", took)
	}
	if !Bad(all) {
		t.Error("nothing is bad")
	}
	want(t, all, "clock", Failed, "ms from the cloud's")
	want(t, all, "certificate", Failed, "ran out")
	want(t, all, "node port", Failed, "")
	want(t, all, "ports", Failed, "SIP port")
	want(t, all, "peers", Failed, "node-2 does not answer")
	want(t, all, "peers", Failed, "is not node node-3")
	want(t, all, "trunks", Failed, "closed")
	want(t, all, "trunks", Failed, "does not answer")
	want(t, all, "addresses", Warning, "NAT")
}

func TestRemovedNode(t *testing.T) {
	w := newWorld(t)
	w.refused = fault.New(fault.Unauthenticated, "fault.node.certificate_replaced")
	want(t, Run(t.Context(), Options{Dir: w.dir()}), "node port", Failed, "certificate")
}

func TestBeforeTheJoin(t *testing.T) {
	w := newWorld(t)
	good := join.NewToken(w.ca.Cert.Raw).String()
	all := Run(t.Context(), Options{Dir: t.TempDir(), Cloud: w.web.URL, Token: good})
	want(t, all, "joined", Skipped, "not joined")
	want(t, all, "node port", OK, "open")
	want(t, all, "token", OK, "knows")
	if Bad(all) && !slices.ContainsFunc(all, func(f Finding) bool { return f.State == Failed && f.Check == "disk space" }) {
		t.Errorf("%+v", all)
	}
	other := join.NewToken(pkitest.NewCA(t).Cert.Raw).String()
	want(t, Run(t.Context(), Options{Dir: t.TempDir(), Cloud: w.web.URL, Token: other}), "token", Failed, "another certificate authority")
	want(t, Run(t.Context(), Options{Dir: t.TempDir(), Cloud: w.web.URL, Token: "x"}), "token", Failed, "no join token")
	want(t, Run(t.Context(), Options{Dir: t.TempDir(), Cloud: "https://cloud.invalid"}), "dns", Failed, "cloud.invalid")
	want(t, Run(t.Context(), Options{Dir: t.TempDir()}), "dns", Failed, "no cloud is known")
}

// A running node, as far as the doctor sees one.
func TestRunningNode(t *testing.T) {
	w := newWorld(t)
	var dropped atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/metrics", func(rw http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(rw, "trunkline_sip_dropped_messages_total{reason=\"unlisted\"} %d\n", dropped.Add(1))
	})
	metrics := httptest.NewServer(mux)
	t.Cleanup(metrics.Close)
	sip := sipServer(t, "200 OK")
	tcp, err := net.Listen("tcp", sip.LocalAddr().String())
	for try := 0; err != nil && try < 20; try++ { // somebody has that port for TCP
		sip = sipServer(t, "200 OK")
		tcp, err = net.Listen("tcp", sip.LocalAddr().String())
	}
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := tcp.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { tcp.Close(); <-done })
	w.node.Listen.Metrics = metrics.Listener.Addr().String()
	w.node.Listen.SIP = sip.LocalAddr().String()
	w.site.Trunks = []*edgev1.Trunk{{Id: "t", Name: "Local", Allowed: []string{"10.0.0.0/8"}}}
	all := Run(t.Context(), Options{Dir: w.dir()})
	want(t, all, "joined", OK, "it runs")
	want(t, all, "sip", OK, "UDP at")
	want(t, all, "sip", OK, "on no trunk's list") // TCP is hung up on
	want(t, all, "ports", Failed, "web port")     // not served by our fake
	want(t, all, "ports", Failed, "does not hold its WebRTC port")
	want(t, all, "trunks", Skipped, "target")
}

func TestACheckThatHangsIsLeft(t *testing.T) {
	block := make(chan struct{})
	defer close(block)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	found := within(ctx, check{"hung", func(context.Context, *patient) []Finding { <-block; return nil }}, &patient{})
	if len(found) != 1 || found[0].State != Failed || found[0].Check != "hung" {
		t.Errorf("%+v", found)
	}
}

func TestStatusLine(t *testing.T) {
	if s, err := statusLine("SIP/2.0 200 OK\r"); err != nil || s != "200 OK" {
		t.Errorf("%q %v", s, err)
	}
	if _, err := statusLine("HTTP/1.1 400 Bad Request"); !errors.Is(err, errNotSIP) {
		t.Errorf("%v", err)
	}
}
