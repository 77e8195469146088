package nodeport

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"trunkline/internal/join"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type ca struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newCA(t *testing.T) *ca {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, _ := x509.ParseCertificate(der)
	return &ca{key, cert}
}

func (c *ca) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(c.cert)
	return p
}

func (c *ca) issue(t *testing.T, uris ...*url.URL) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "node"}, NotAfter: time.Now().Add(time.Hour), URIs: uris,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, c.cert, &key.PublicKey, c.key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// open starts a port with a certificate for (site, name).
func open(t *testing.T, c *ca, site, name string, resolve func(string) []string) *Port {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cert := c.issue(t, join.NodeURI(site, name))
	p, err := New(Config{
		Site: site, Name: name, Certificate: func() *tls.Certificate { return cert }, Roots: c.pool, Listener: l,
		Resolve: resolve, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Stop(context.Background()) })
	return p
}

func start(t *testing.T, p *Port) {
	t.Helper()
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func to(p *Port) func(string) []string {
	return func(string) []string { return []string{p.Addr().String()} }
}

func TestHTTPCarriesThePeer(t *testing.T) {
	c := newCA(t)
	b := open(t, c, "s1", "b", nil)
	b.Handle("/who", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, ok := PeerFrom(r.Context())
		fmt.Fprint(w, id.Site, "/", id.Node, ok, r.ProtoMajor, len(r.TLS.VerifiedChains) > 0)
	}))
	start(t, b)
	a := open(t, c, "s1", "a", to(b))
	client, base := a.Client("b")
	for range 3 {
		resp, err := client.Get(base + "/who")
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if string(body) != "s1/a"+"true 2 true" {
			t.Errorf("%q", body)
		}
	}
}

func TestStreams(t *testing.T) {
	c := newCA(t)
	b := open(t, c, "s1", "b", nil)
	l, err := b.Stream('X')
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Stream('X'); err == nil {
		t.Error("one stream was given twice")
	}
	start(t, b)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		id, _ := PeerOf(conn)
		_, _ = fmt.Fprint(conn, "hello ", id.Node)
		_ = conn.Close()
	}()
	a := open(t, c, "s1", "a", to(b))
	conn, err := a.Dial(t.Context(), "b", 'X')
	if err != nil {
		t.Fatal(err)
	}
	got, _ := io.ReadAll(conn)
	if string(got) != "hello a" {
		t.Errorf("%q", got)
	}
	_ = conn.Close()

	// A kind nobody takes is hung up on.
	conn, err = a.Dial(t.Context(), "b", 'Y')
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(conn); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, syscall.ECONNRESET) {
		t.Error(err)
	}
	_ = conn.Close()
	if err := b.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Dial(t.Context(), "b", 'X'); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("a port that is gone: %v", err)
	}
}

// Whoever is not a node of this site, as the site's CA says, does not get in.
func TestStrangersAreRefused(t *testing.T) {
	c, other := newCA(t), newCA(t)
	b := open(t, c, "s1", "b", nil)
	l, _ := b.Stream('X')
	start(t, b)
	accepted := make(chan struct{}, 8)
	go func() {
		for {
			if _, err := l.Accept(); err != nil {
				return
			}
			accepted <- struct{}{}
		}
	}()
	try := func(name string, p *Port) {
		t.Helper()
		conn, err := p.Dial(t.Context(), "b", 'X')
		if err == nil {
			// In TLS 1.3 the server's refusal shows at the first read.
			_, err = conn.Read(make([]byte, 1))
			_ = conn.Close()
		}
		if err == nil {
			t.Errorf("%s got in", name)
		}
	}
	try("another site", open(t, c, "s2", "a", to(b)))
	try("another CA", open(t, other, "s1", "a", to(b)))

	nameless := open(t, c, "s1", "a", to(b))
	cert := c.issue(t)
	nameless.cfg.Certificate = func() *tls.Certificate { return cert }
	try("a certificate without a node", nameless)

	bare, err := tls.Dial("tcp", b.Addr().String(), &tls.Config{InsecureSkipVerify: true})
	if err == nil {
		_, err = bare.Read(make([]byte, 1))
		_ = bare.Close()
	}
	if err == nil {
		t.Error("no certificate got in")
	}
	old := open(t, c, "s1", "a", to(b))
	conf := old.clientTLS("b")
	conf.MinVersion, conf.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	if conn, err := tls.Dial("tcp", b.Addr().String(), conf); err == nil {
		_ = conn.Close()
		t.Error("TLS 1.2 got in")
	}
	// The dialer looks as closely: b is not c.
	a := open(t, c, "s1", "a", to(b))
	if _, err := a.Dial(t.Context(), "c", 'X'); !errors.Is(err, ErrPeer) {
		t.Errorf("b passed for c: %v", err)
	}
	select {
	case <-accepted:
		t.Error("a stranger reached the stream")
	default:
	}
	if _, err := a.Dial(t.Context(), "b", 'X'); err != nil {
		t.Error(err)
	}
	<-accepted
}
