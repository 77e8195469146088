// Package join holds the words a node and the cloud share at first contact: the
// join token, the name in a node's certificate and the name of the cloud's own.
package join

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/url"
	"strings"
)

const (
	// ServerName is what the cloud's certificate on the node port is valid for.
	ServerName = "cloud.trunkline.internal"
	// WellKnown is where a node finds the node port, on the cloud's web address.
	WellKnown = "/.well-known/trunkline"

	prefix     = "tlj1_"
	secretSize = 24
	secretLen  = 32 // base64url of secretSize bytes
	caLen      = 2 * sha256.Size
)

// ErrToken means that the text is no join token.
var ErrToken = errors.New("not a join token")

// Discovery is the JSON at WellKnown.
type Discovery struct {
	// NodeAddr is the node port's host:port.
	NodeAddr string `json:"node_addr"`
	Version  string `json:"version"`
	// Time is the cloud's clock in Unix microseconds: a node whose own differs by
	// more than two seconds says so instead of failing on a certificate.
	Time int64 `json:"time"`
}

// Token lets one node join one site, once. Its text is
// tlj1_<secret, base64url of 24 bytes>_<hex SHA-256 of the CA's certificate>.
type Token struct {
	// Secret is the part only the holder knows; the cloud keeps its hash.
	Secret string
	// CA is the SHA-256 of the DER of the CA that the cloud's node port must show.
	CA [sha256.Size]byte
}

// NewToken makes a token for the CA with this certificate (DER).
func NewToken(ca []byte) Token {
	var b [secretSize]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	return Token{Secret: base64.RawURLEncoding.EncodeToString(b[:]), CA: sha256.Sum256(ca)}
}

func (t Token) String() string {
	return prefix + t.Secret + "_" + hex.EncodeToString(t.CA[:])
}

// Hash is what the cloud stores instead of the token.
func (t Token) Hash() []byte {
	h := sha256.Sum256([]byte(t.Secret))
	return h[:]
}

// Parse reads a token. The secret may hold "_" itself, so parts are found by
// their length. The only error is ErrToken.
func Parse(s string) (Token, error) {
	rest, ok := strings.CutPrefix(strings.TrimSpace(s), prefix)
	if !ok || len(rest) != secretLen+1+caLen || rest[secretLen] != '_' {
		return Token{}, ErrToken
	}
	t := Token{Secret: rest[:secretLen]}
	if _, err := base64.RawURLEncoding.DecodeString(t.Secret); err != nil {
		return Token{}, ErrToken
	}
	ca, err := hex.DecodeString(rest[secretLen+1:])
	if err != nil {
		return Token{}, ErrToken
	}
	copy(t.CA[:], ca)
	return t, nil
}

// NodeURI is the URI in a node certificate's subject alternative names:
// trunkline://site/<site id>/node/<name>.
func NodeURI(site, node string) *url.URL {
	return &url.URL{Scheme: "trunkline", Host: "site", Path: "/" + site + "/node/" + node}
}

// ParseNodeURI is the reverse of NodeURI; ok is false for any other URI.
func ParseNodeURI(u *url.URL) (site, node string, ok bool) {
	if u == nil || u.Scheme != "trunkline" || u.Host != "site" {
		return "", "", false
	}
	p := strings.Split(u.Path, "/")
	if len(p) != 4 || p[0] != "" || p[1] == "" || p[2] != "node" || p[3] == "" {
		return "", "", false
	}
	return p[1], p[3], true
}

// ValidNodeName says whether the name may stand in a certificate and a host
// name: a DNS label (RFC 1123) of at most 63 lower-case letters, digits, hyphens.
func ValidNodeName(name string) bool {
	if name == "" || len(name) > 63 || name[0] == '-' || name[len(name)-1] == '-' {
		return false
	}
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}
