package enroll

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"trunkline/internal/join"
)

// ErrPeer is returned for a certificate that is not the one expected.
var ErrPeer = errors.New("wrong peer")

// Certificate gives the certificate with its key, the renewed one once there is
// one. Read it at each handshake.
func (e *Enrolment) Certificate() *tls.Certificate {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.cert
}

// CA gives the internal CA's certificate.
func (e *Enrolment) CA() *x509.Certificate {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.ca
}

// Roots holds the internal CA alone.
func (e *Enrolment) Roots() *x509.CertPool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.pool
}

// ServerTLS is for the node port: TLS 1.3, and only nodes of the same site come in.
func (e *Enrolment) ServerTLS() *tls.Config {
	site := e.Node().Site
	base := tls.Config{
		MinVersion:             tls.VersionTLS13,
		GetCertificate:         func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return e.Certificate(), nil },
		ClientAuth:             tls.RequireAndVerifyClientCert,
		ClientCAs:              e.Roots(),
		SessionTicketsDisabled: true, // a renewed or revoked certificate counts at once
		VerifyConnection: func(s tls.ConnectionState) error {
			_, err := peerOf(s, site, "")
			return err
		},
	}
	out := base.Clone()
	out.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		c := base.Clone()
		c.ClientCAs = e.Roots()
		return c, nil
	}
	return out
}

// ClientTLS is for a connection to the named node of the same site.
func (e *Enrolment) ClientTLS(peer string) *tls.Config {
	site := e.Node().Site
	return &tls.Config{
		MinVersion:           tls.VersionTLS13,
		GetClientCertificate: e.clientCertificate,
		// The certificate names a node, not a host: VerifyConnection does the
		// whole verification, chain included.
		InsecureSkipVerify: true,
		VerifyConnection: func(s tls.ConnectionState) error {
			leaf, err := peerOf(s, site, peer)
			if err != nil {
				return err
			}
			return verify(leaf, rawOf(s.PeerCertificates[1:]), e.Roots(), "", time.Now())
		},
	}
}

// CloudTLS is for the cloud's node port.
func (e *Enrolment) CloudTLS() *tls.Config {
	return &tls.Config{
		MinVersion:           tls.VersionTLS13,
		ServerName:           join.ServerName,
		RootCAs:              e.Roots(),
		GetClientCertificate: e.clientCertificate,
	}
}

func (e *Enrolment) clientCertificate(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	return e.Certificate(), nil
}

// peerOf gives the leaf if it names a node of the site, and that node unless "".
func peerOf(s tls.ConnectionState, site, node string) (*x509.Certificate, error) {
	if len(s.PeerCertificates) == 0 {
		return nil, fmt.Errorf("%w: no certificate", ErrPeer)
	}
	leaf := s.PeerCertificates[0]
	for _, u := range leaf.URIs {
		gotSite, gotNode, ok := join.ParseNodeURI(u)
		if !ok {
			continue
		}
		if gotSite != site || node != "" && gotNode != node {
			return nil, fmt.Errorf("%w: it is node %s of site %s", ErrPeer, gotNode, gotSite)
		}
		return leaf, nil
	}
	return nil, fmt.Errorf("%w: the certificate names no node", ErrPeer)
}

func rawOf(certs []*x509.Certificate) [][]byte {
	out := make([][]byte, len(certs))
	for i, c := range certs {
		out[i] = c.Raw
	}
	return out
}

// verify checks a chain up to one of roots; host "" checks no name.
func verify(leaf *x509.Certificate, rest [][]byte, roots *x509.CertPool, host string, at time.Time) error {
	opts := x509.VerifyOptions{
		Roots: roots, Intermediates: x509.NewCertPool(), DNSName: host, CurrentTime: at,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, der := range rest {
		if c, err := x509.ParseCertificate(der); err == nil {
			opts.Intermediates.AddCert(c)
		}
	}
	_, err := leaf.Verify(opts)
	return err
}

// errWrongCA means that the node port does not show the CA of the token.
var errWrongCA = errors.New("the certificate authority is not the one in the token")

// firstTLS is for the first contact: what identifies the cloud is the CA whose
// hash the token carries. at gives the time to judge validity by.
func firstTLS(token join.Token, at func() time.Time) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		ServerName:         join.ServerName,
		InsecureSkipVerify: true, // VerifyConnection does it, with the CA of the token
		VerifyConnection: func(s tls.ConnectionState) error {
			for _, c := range s.PeerCertificates {
				if sha256.Sum256(c.Raw) != token.CA {
					continue
				}
				pool := x509.NewCertPool()
				pool.AddCert(c)
				if err := verify(s.PeerCertificates[0], rawOf(s.PeerCertificates[1:]), pool, join.ServerName, at()); err != nil {
					return err
				}
				return nil
			}
			return errWrongCA
		},
	}
}
