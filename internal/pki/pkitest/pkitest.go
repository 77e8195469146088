// Package pkitest makes certificates for tests: a small internal CA, the
// cloud's certificate and those of nodes, as the cloud signs them.
package pkitest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"net/url"
	"testing"
	"time"

	"trunkline/internal/join"
)

// CA is a certificate authority that lives as long as its test.
type CA struct {
	Cert *x509.Certificate
	key  crypto.Signer
	t    testing.TB
}

// NewCA makes a CA valid for ten years from now. All failures end the test.
func NewCA(t testing.TB) *CA {
	t.Helper()
	ca := &CA{t: t, key: NewKey(t)}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: serial(t), Subject: pkix.Name{CommonName: "Trunkline test CA"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(10, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, ca.key.Public(), ca.key)
	if err != nil {
		t.Fatal(err)
	}
	if ca.Cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return ca
}

// NewKey makes a P-256 key.
func NewKey(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// Pool holds the CA alone.
func (ca *CA) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(ca.Cert)
	return pool
}

// SignNode gives the DER of a node's certificate for a public key.
func (ca *CA) SignNode(pub crypto.PublicKey, site, node string, life time.Duration) []byte {
	ca.t.Helper()
	return ca.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: node}, URIs: []*url.URL{join.NodeURI(site, node)},
	}, pub, life)
}

// Node makes a node's key and certificate; the chain holds the leaf alone.
func (ca *CA) Node(site, node string, life time.Duration) tls.Certificate {
	ca.t.Helper()
	key := NewKey(ca.t)
	return tls.Certificate{Certificate: [][]byte{ca.SignNode(key.Public(), site, node, life)}, PrivateKey: key}
}

// Cloud makes the certificate of the cloud's node port; the chain ends in the CA.
func (ca *CA) Cloud() tls.Certificate { return ca.Server(join.ServerName) }

// Server makes a server's certificate for these names or IP addresses, valid a
// year; the chain ends in the CA.
func (ca *CA) Server(names ...string) tls.Certificate {
	ca.t.Helper()
	template := &x509.Certificate{Subject: pkix.Name{CommonName: names[0]}}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, n)
		}
	}
	key := NewKey(ca.t)
	return tls.Certificate{
		Certificate: [][]byte{ca.sign(template, key.Public(), 365*24*time.Hour), ca.Cert.Raw}, PrivateKey: key,
	}
}

func (ca *CA) sign(template *x509.Certificate, pub crypto.PublicKey, life time.Duration) []byte {
	ca.t.Helper()
	now := time.Now()
	template.SerialNumber = serial(ca.t)
	template.NotBefore, template.NotAfter = now.Add(-time.Minute), now.Add(life)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.Cert, pub, ca.key)
	if err != nil {
		ca.t.Fatal(err)
	}
	return der
}

func serial(t testing.TB) *big.Int {
	t.Helper()
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		t.Fatal(err)
	}
	return n
}
