package nodeport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"

	"trunkline/internal/join"
)

// Identity is what a peer's certificate says.
type Identity struct {
	Site string
	Node string
}

// ErrPeer is returned for a certificate that is not the one expected.
var ErrPeer = errors.New("nodeport: wrong peer")

type identityKey struct{}

// PeerFrom gives the node that sent an HTTP request over the port.
func PeerFrom(ctx context.Context) (Identity, bool) {
	id, ok := ctx.Value(identityKey{}).(Identity)
	return id, ok
}

// PeerOf gives the node at the other end of a connection from Stream or Dial.
func PeerOf(c net.Conn) (Identity, bool) {
	conn, ok := c.(*Conn)
	if !ok {
		return Identity{}, false
	}
	return conn.peer, true
}

func identify(state tls.ConnectionState) (Identity, error) {
	if len(state.PeerCertificates) == 0 {
		return Identity{}, fmt.Errorf("%w: no certificate", ErrPeer)
	}
	for _, u := range state.PeerCertificates[0].URIs {
		if site, node, ok := join.ParseNodeURI(u); ok {
			return Identity{Site: site, Node: node}, nil
		}
	}
	return Identity{}, fmt.Errorf("%w: the certificate names no node", ErrPeer)
}

func (p *Port) serverTLS() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS13,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return p.ownCertificate() },
		ClientAuth:     tls.RequireAndVerifyClientCert,
		ClientCAs:      p.cfg.Roots(),
		// No resumption: a revoked or renewed certificate counts at once, and
		// these connections live long.
		SessionTicketsDisabled: true,
		VerifyConnection: func(state tls.ConnectionState) error {
			id, err := identify(state)
			if err != nil {
				return err
			}
			if id.Site != p.cfg.Site {
				return fmt.Errorf("%w: it is of site %s", ErrPeer, id.Site)
			}
			return nil
		},
	}
}

func (p *Port) clientTLS(peer string) *tls.Config {
	return &tls.Config{
		MinVersion:           tls.VersionTLS13,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return p.ownCertificate() },
		// The certificate names a node, not a host: VerifyConnection does the
		// whole verification, chain included.
		InsecureSkipVerify: true,
		VerifyConnection: func(state tls.ConnectionState) error {
			id, err := identify(state)
			if err != nil {
				return err
			}
			if id.Site != p.cfg.Site || id.Node != peer {
				return fmt.Errorf("%w: it is %s of site %s, not %s", ErrPeer, id.Node, id.Site, peer)
			}
			opts := x509.VerifyOptions{
				Roots:         p.cfg.Roots(),
				Intermediates: x509.NewCertPool(),
				KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
			}
			for _, c := range state.PeerCertificates[1:] {
				opts.Intermediates.AddCert(c)
			}
			_, err = state.PeerCertificates[0].Verify(opts)
			return err
		},
	}
}

func (p *Port) ownCertificate() (*tls.Certificate, error) {
	if c := p.cfg.Certificate(); c != nil {
		return c, nil
	}
	return nil, errors.New("nodeport: this node has no certificate yet")
}
