package enroll

import (
	"bytes"
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"trunkline/internal/durable"
	"trunkline/internal/join"
	"trunkline/internal/pki/pkitest"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

// enrolled makes the directory of a joined node without a join.
func enrolled(t *testing.T, ca *pkitest.CA, site, name string, life time.Duration) *Enrolment {
	t.Helper()
	dir := t.TempDir()
	cert := ca.Node(site, name, life)
	text, err := encodeIdentity(cert.PrivateKey.(crypto.Signer), cert.Certificate, ca.Cert.Raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := durable.WriteFile(filepath.Join(dir, identityFile), text); err != nil {
		t.Fatal(err)
	}
	if err := saveNode(dir, Node{Format: format, Name: name, Site: site, Cloud: "https://cloud.example.com", CloudNode: "192.0.2.1:9400"}); err != nil {
		t.Fatal(err)
	}
	e, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// shake does a handshake and gives both sides' errors; with TLS 1.3 the client
// learns the server's verdict by reading.
func shake(t *testing.T, server, client *tls.Config) (serverErr, clientErr error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		conn := tls.Server(s, server)
		err := conn.Handshake()
		if err == nil {
			_, err = conn.Write([]byte{1})
		}
		_ = s.Close()
		done <- err
	}()
	conn := tls.Client(c, client)
	err = conn.Handshake()
	if err == nil {
		_, err = conn.Read(make([]byte, 1))
	}
	_ = c.Close()
	return <-done, err
}

func TestPeersKnowEachOther(t *testing.T) {
	ca := pkitest.NewCA(t)
	a, b := enrolled(t, ca, "site-1", "a", time.Hour), enrolled(t, ca, "site-1", "b", time.Hour)
	stranger := enrolled(t, ca, "site-2", "b", time.Hour)
	expired := enrolled(t, ca, "site-1", "b", -time.Second)
	foreign := enrolled(t, pkitest.NewCA(t), "site-1", "b", time.Hour)

	if serr, cerr := shake(t, b.ServerTLS(), a.ClientTLS("b")); serr != nil || cerr != nil {
		t.Errorf("a to b: %v, %v", serr, cerr)
	}
	if _, cerr := shake(t, b.ServerTLS(), a.ClientTLS("c")); !errors.Is(cerr, ErrPeer) {
		t.Errorf("b taken for c: %v", cerr)
	}
	for name, other := range map[string]*Enrolment{"other site": stranger, "expired": expired, "other authority": foreign} {
		if _, cerr := shake(t, other.ServerTLS(), a.ClientTLS("b")); cerr == nil {
			t.Errorf("%s: taken as server", name)
		}
		if serr, _ := shake(t, a.ServerTLS(), other.ClientTLS("a")); serr == nil {
			t.Errorf("%s: taken as client", name)
		}
	}
	if serr, _ := shake(t, a.ServerTLS(), &tls.Config{InsecureSkipVerify: true}); serr == nil {
		t.Error("a client without a certificate came in")
	}
}

func TestCloudIsKnownByNameAndAuthority(t *testing.T) {
	ca := pkitest.NewCA(t)
	a := enrolled(t, ca, "site-1", "a", time.Hour)
	server := func(ca *pkitest.CA, name string) *tls.Config {
		return &tls.Config{Certificates: []tls.Certificate{ca.Server(name)}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.Pool()}
	}
	if serr, cerr := shake(t, server(ca, join.ServerName), a.CloudTLS()); serr != nil || cerr != nil {
		t.Errorf("the cloud: %v, %v", serr, cerr)
	}
	if _, cerr := shake(t, server(ca, "other.internal"), a.CloudTLS()); cerr == nil {
		t.Error("another name was taken for the cloud")
	}
	if _, cerr := shake(t, server(pkitest.NewCA(t), join.ServerName), a.CloudTLS()); cerr == nil {
		t.Error("another authority was taken")
	}
	// A node of the site must not pass for the cloud.
	if _, cerr := shake(t, &tls.Config{Certificates: []tls.Certificate{*a.Certificate()}}, a.CloudTLS()); cerr == nil {
		t.Error("a node was taken for the cloud")
	}
}

func TestLoadNamesWhatIsWrong(t *testing.T) {
	ca := pkitest.NewCA(t)
	a := enrolled(t, ca, "site-1", "a", time.Hour)
	if _, err := Load(t.TempDir()); !errors.Is(err, ErrNotJoined) {
		t.Errorf("empty directory: %v", err)
	}
	n := a.Node()
	n.Name = "b"
	if err := saveNode(a.Dir(), n); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(a.Dir()); !errors.Is(err, ErrIncomplete) {
		t.Errorf("another node's certificate: %v", err)
	}
	if err := os.Remove(filepath.Join(a.Dir(), identityFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(a.Dir()); !errors.Is(err, ErrIncomplete) {
		t.Errorf("no certificate: %v", err)
	}
}

func TestSetCloudNodeIsKept(t *testing.T) {
	e := enrolled(t, pkitest.NewCA(t), "site-1", "a", time.Hour)
	if err := e.SetCloudNode("198.51.100.7:9400"); err != nil {
		t.Fatal(err)
	}
	again, err := Load(e.Dir())
	if err != nil || again.Node().CloudNode != "198.51.100.7:9400" {
		t.Errorf("%v %v", again.Node(), err)
	}
}

// renewing signs, after some failures.
type renewing struct {
	ca    *pkitest.CA
	fails int
	life  time.Duration

	mu   sync.Mutex
	made []time.Time
}

func (r *renewing) calls() []time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.made)
}

func (r *renewing) RenewCertificate(_ context.Context, req *edgev1.RenewCertificateRequest) (*edgev1.RenewCertificateResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.made = append(r.made, time.Now())
	if r.fails > 0 {
		r.fails--
		return nil, errors.New("away")
	}
	csr, err := x509.ParseCertificateRequest(req.Csr)
	if err != nil {
		return nil, err
	}
	return &edgev1.RenewCertificateResponse{CertificateChain: [][]byte{r.ca.SignNode(csr.PublicKey, "site-1", "a", r.life)}}, nil
}

func TestRenewalInTime(t *testing.T) {
	const life = 30 * 24 * time.Hour
	synctest.Test(t, func(t *testing.T) {
		ca := pkitest.NewCA(t)
		e := enrolled(t, ca, "site-1", "a", life)
		before := e.Certificate()
		begin := time.Now()
		cloud := &renewing{ca: ca, fails: 3, life: life}
		s := e.Renewer(cloud, slog.New(slog.DiscardHandler))
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(19 * 24 * time.Hour)
		synctest.Wait()
		if len(cloud.calls()) != 0 {
			t.Errorf("renewed after %v", cloud.calls()[0].Sub(begin))
		}
		time.Sleep(36 * time.Hour)
		synctest.Wait()
		if len(cloud.calls()) != 4 {
			t.Errorf("%d calls", len(cloud.calls()))
		}
		after := e.Certificate()
		if !after.Leaf.NotAfter.After(before.Leaf.NotAfter) || bytes.Equal(after.Leaf.RawSubjectPublicKeyInfo, before.Leaf.RawSubjectPublicKeyInfo) {
			t.Error("the certificate was not replaced by one for a new key")
		}
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		loaded, err := Load(e.Dir())
		if err != nil || !loaded.Certificate().Leaf.Equal(after.Leaf) {
			t.Errorf("on disk: %v", err)
		}
		// A certificate of somebody else is neither saved nor used.
		cloud.ca = pkitest.NewCA(t)
		if err := e.Renew(t.Context(), cloud); err == nil || e.Certificate() != after {
			t.Errorf("a foreign certificate was taken: %v", err)
		}
	})
}
