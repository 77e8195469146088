package fleet

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"sync"
	"time"

	"trunkline/internal/fault"
	"trunkline/internal/join"
)

const (
	caLife     = 20 * 365 * 24 * time.Hour
	serverLife = 30 * 24 * time.Hour
	// NodeLife is how long a node's certificate is valid; nodes renew from a third
	// of it on.
	NodeLife = 30 * 24 * time.Hour
	// skew is how far a node's clock may be behind when it gets a certificate.
	skew = 5 * time.Minute
)

// Authority is the internal CA: it names nodes to each other and to the cloud,
// and nobody else.
type Authority struct {
	cert *x509.Certificate
	key  crypto.Signer
	now  func() time.Time

	mu     sync.Mutex
	server *tls.Certificate // the node port's own, made anew in time
}

// secret is how the authority is kept: certificate and key in one value, so that
// one is never without the other.
type secret struct{ Certificate, Key []byte }

// NewAuthoritySecret makes a CA; what it returns is secret and goes to
// OpenAuthority.
func NewAuthoritySecret() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: serialNumber(), Subject: pkix.Name{CommonName: "Trunkline internal CA"},
		NotBefore: now.Add(-skew), NotAfter: now.Add(caLife), IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(secret{der, pkcs8})
}

// OpenAuthority reads what NewAuthoritySecret made.
func OpenAuthority(b []byte) (*Authority, error) {
	var s secret
	if _, err := asn1.Unmarshal(b, &s); err != nil {
		return nil, fmt.Errorf("internal CA: %w", err)
	}
	cert, err := x509.ParseCertificate(s.Certificate)
	if err != nil {
		return nil, fmt.Errorf("internal CA: %w", err)
	}
	key, err := x509.ParsePKCS8PrivateKey(s.Key)
	if err != nil {
		return nil, fmt.Errorf("internal CA: %w", err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("internal CA: the key does not sign")
	}
	return &Authority{cert: cert, key: signer, now: time.Now}, nil
}

// Certificate is the DER of the CA's own certificate.
func (a *Authority) Certificate() []byte { return a.cert.Raw }

// serialNumber has 119 random bits (RFC 5280 section 4.1.2.2: positive, at most
// 20 octets).
func serialNumber() *big.Int {
	b := make([]byte, 15)
	_, _ = rand.Read(b)
	b[0] = b[0]&0x7f | 1
	return new(big.Int).SetBytes(b)
}

// Request is a node's certificate request, checked.
type Request struct{ csr *x509.CertificateRequest }

var errCSR = fault.New(fault.Invalid, "fault.join.bad_request").WithField("csr")

// ParseRequest reads a PKCS#10 request: self-signed, with a P-256 or Ed25519 key.
// Names in it are ignored, for the cloud says who a node is.
func ParseRequest(der []byte) (*Request, error) {
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, errCSR.WithCause(err)
	}
	if err := csr.CheckSignature(); err != nil {
		return nil, errCSR.WithCause(err)
	}
	switch k := csr.PublicKey.(type) {
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() {
			return nil, errCSR.WithCause(errors.New("the curve is not P-256"))
		}
	case ed25519.PublicKey:
	default:
		return nil, errCSR.WithCause(fmt.Errorf("keys of type %T are not taken", k))
	}
	return &Request{csr}, nil
}

// Key is the DER of the requested public key.
func (r *Request) Key() []byte { return r.csr.RawSubjectPublicKeyInfo }

// Issued is a node's certificate.
type Issued struct {
	Chain   [][]byte // DER, leaf first, the CA last
	Serial  string   // hex
	Expires time.Time
}

// IssueNode signs a certificate for the node of a site.
func (a *Authority) IssueNode(r *Request, site, node string) (Issued, error) {
	now := a.now()
	template := &x509.Certificate{
		SerialNumber: serialNumber(), Subject: pkix.Name{CommonName: node}, URIs: []*url.URL{join.NodeURI(site, node)},
		NotBefore: now.Add(-skew), NotAfter: now.Add(NodeLife).Truncate(time.Second), BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, r.csr.PublicKey, a.key)
	if err != nil {
		return Issued{}, err
	}
	return Issued{Chain: [][]byte{der, a.cert.Raw}, Serial: template.SerialNumber.Text(16), Expires: template.NotAfter}, nil
}

// NodeTLS is the configuration of the node port: TLS 1.3, a client certificate
// of ours or none (a node that joins has none yet). check sees each presented
// one and may refuse it.
func (a *Authority) NodeTLS(check func(site, node, serial string) error) *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{"h2", "http/1.1"},
		ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: pool, Time: a.now,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return a.serverCertificate() },
		// Also for resumed sessions: a replaced certificate ends with its connection.
		VerifyConnection: func(state tls.ConnectionState) error {
			if len(state.VerifiedChains) == 0 {
				return nil
			}
			leaf := state.VerifiedChains[0][0]
			for _, u := range leaf.URIs {
				if site, node, ok := join.ParseNodeURI(u); ok {
					return check(site, node, leaf.SerialNumber.Text(16))
				}
			}
			return errors.New("the certificate names no node")
		},
	}
}

// serverCertificate is the node port's own, for join.ServerName; a new one is
// made when a third of the old one's life is over.
func (a *Authority) serverCertificate() (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	if a.server != nil && a.server.Leaf.NotAfter.Sub(now) > serverLife*2/3 {
		return a.server, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serialNumber(), Subject: pkix.Name{CommonName: join.ServerName}, DNSNames: []string{join.ServerName},
		NotBefore: now.Add(-skew), NotAfter: now.Add(serverLife), BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	a.server = &tls.Certificate{Certificate: [][]byte{der, a.cert.Raw}, PrivateKey: key, Leaf: leaf}
	return a.server, nil
}
