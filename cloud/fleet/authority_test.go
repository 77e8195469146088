package fleet

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"testing"
	"time"

	"trunkline/internal/join"
)

func authority(t *testing.T) *Authority {
	t.Helper()
	b, err := NewAuthoritySecret()
	if err != nil {
		t.Fatal(err)
	}
	a, err := OpenAuthority(b)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func csr(t *testing.T, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func p256(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func nodeCertificate(t *testing.T, a *Authority, site, node string) (tls.Certificate, Issued) {
	t.Helper()
	key := p256(t)
	req, err := ParseRequest(csr(t, key))
	if err != nil {
		t.Fatal(err)
	}
	issued, err := a.IssueNode(req, site, node)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: issued.Chain, PrivateKey: key}, issued
}

// shake does a handshake with the node port and gives the client's view of it.
func shake(t *testing.T, server *tls.Config, client *tls.Config) (serverErr, clientErr error) {
	t.Helper()
	c, s := net.Pipe()
	defer c.Close()
	defer s.Close()
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
	err := conn.Handshake()
	if err == nil {
		_, err = conn.Read(make([]byte, 1)) // with TLS 1.3 the server's verdict comes after the handshake
	}
	_ = c.Close()
	return <-done, err
}

func TestNodePortHandshake(t *testing.T) {
	a := authority(t)
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	cert, issued := nodeCertificate(t, a, "site-1", "node-1")
	var seen []string
	server := a.NodeTLS(func(site, node, serial string) error {
		seen = append(seen, site, node, serial)
		if node == "gone" {
			return errors.New("replaced")
		}
		return nil
	})
	good := &tls.Config{RootCAs: pool, ServerName: join.ServerName, Certificates: []tls.Certificate{cert}}
	if serr, cerr := shake(t, server, good); serr != nil || cerr != nil {
		t.Fatalf("handshake: %v, %v", serr, cerr)
	}
	if len(seen) != 3 || seen[0] != "site-1" || seen[1] != "node-1" || seen[2] != issued.Serial {
		t.Errorf("check saw %v, serial is %s", seen, issued.Serial)
	}
	if serr, cerr := shake(t, server, &tls.Config{RootCAs: pool, ServerName: join.ServerName}); serr != nil || cerr != nil {
		t.Errorf("without a certificate: %v, %v", serr, cerr)
	}
	gone, _ := nodeCertificate(t, a, "site-1", "gone")
	if _, cerr := shake(t, server, &tls.Config{RootCAs: pool, ServerName: join.ServerName, Certificates: []tls.Certificate{gone}}); cerr == nil {
		t.Error("a refused certificate was let in")
	}
	foreign, _ := nodeCertificate(t, authority(t), "site-1", "node-1")
	if serr, _ := shake(t, server, &tls.Config{RootCAs: pool, ServerName: join.ServerName, Certificates: []tls.Certificate{foreign}}); serr == nil {
		t.Error("a certificate of another CA was let in")
	}
	if _, cerr := shake(t, server, &tls.Config{RootCAs: pool, ServerName: join.ServerName, MaxVersion: tls.VersionTLS12}); cerr == nil {
		t.Error("TLS 1.2 was taken")
	}
}

func TestNodeCertificate(t *testing.T) {
	a := authority(t)
	_, issued := nodeCertificate(t, a, "site-1", "node-1")
	leaf, err := x509.ParseCertificate(issued.Chain[0])
	if err != nil {
		t.Fatal(err)
	}
	if leaf.Subject.CommonName != "node-1" || len(leaf.URIs) != 1 || leaf.URIs[0].String() != "trunkline://site/site-1/node/node-1" {
		t.Errorf("subject %v, URIs %v", leaf.Subject, leaf.URIs)
	}
	if life := time.Until(leaf.NotAfter); life < NodeLife-time.Minute || life > NodeLife {
		t.Errorf("valid for %v", life)
	}
	if leaf.IsCA || len(issued.Chain) != 2 {
		t.Error("a node's certificate must be a leaf with the CA behind it")
	}
}

func TestServerCertificateIsRenewed(t *testing.T) {
	a := authority(t)
	first, err := a.serverCertificate()
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := a.serverCertificate(); again != first {
		t.Error("made anew without need")
	}
	a.now = func() time.Time { return time.Now().Add(serverLife / 2) }
	if later, _ := a.serverCertificate(); later == first {
		t.Error("not renewed after a third of its life")
	}
}

func TestParseRequestRefuses(t *testing.T) {
	weak, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	broken := csr(t, p256(t))
	broken[len(broken)-1] ^= 1
	for name, der := range map[string][]byte{"rsa": csr(t, weak), "p384": csr(t, p384), "broken": broken, "empty": nil} {
		if _, err := ParseRequest(der); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseRequest(csr(t, ed)); err != nil {
		t.Errorf("ed25519: %v", err)
	}
}
