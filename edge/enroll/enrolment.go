package enroll

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"trunkline/internal/durable"
	"trunkline/internal/join"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

// Addrs are the addresses a node listens on, host:port, ports chosen for good.
type Addrs struct {
	Web     string `json:"web"`     // web app and agent RPC
	Node    string `json:"node"`    // other nodes, mutual TLS
	SIP     string `json:"sip"`     // UDP and TCP
	WebRTC  string `json:"webrtc"`  // UDP, all browsers' media
	Metrics string `json:"metrics"` // /metrics and /status
	// MediaIP is the address RTP is sent from and received on.
	MediaIP string `json:"media_ip"`
	// MediaPorts is "0" (the system chooses) or "first-last", inclusive.
	MediaPorts string `json:"media_ports"`
}

// Public is how others reach the node.
type Public struct {
	Web  string `json:"web"`  // base URL browsers open, no trailing slash
	Node string `json:"node"` // host:port for the other nodes
	SIP  string `json:"sip"`  // host:port for trunks and phones
	// IP stands in SDP and ICE instead of a private address; "" = MediaIP.
	IP string `json:"ip,omitempty"`
}

// Node is what node.json holds.
type Node struct {
	Format   int    `json:"format"` // 1
	Name     string `json:"name"`
	Site     string `json:"site"` // site id
	SiteName string `json:"site_name"`
	// Cloud is the cloud's web address; CloudNode the node port it named last.
	Cloud     string `json:"cloud"`
	CloudNode string `json:"cloud_node"`
	// Bootstrap makes this node the first of the site's Raft group.
	Bootstrap bool `json:"bootstrap"`
	// Epoch numbers the facts of that group; 0 = not told.
	Epoch  uint64    `json:"epoch,omitempty"`
	Joined time.Time `json:"joined"`
	Listen Addrs     `json:"listen"`
	Public Public    `json:"public"`
}

const format = 1

// Errors of Load.
var (
	// ErrNotJoined means that the directory has no node.json.
	ErrNotJoined = errors.New("this directory has not joined a site: run trunkline-edge join")
	// ErrIncomplete means that a join stopped half-way, or files were mixed up.
	ErrIncomplete = errors.New("the join was not completed: run trunkline-edge join --force with a new token")
)

// Enrolment is a node that has joined. Its methods may be called from any goroutine.
type Enrolment struct {
	dir string

	mu   sync.Mutex
	node Node
	cert *tls.Certificate
	ca   *x509.Certificate
	pool *x509.CertPool
}

// Load reads what Join wrote. It needs no network and accepts an expired
// certificate: a site that was without its cloud for long still takes calls.
func Load(dir string) (*Enrolment, error) {
	text, err := os.ReadFile(filepath.Join(dir, nodeFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", dir, ErrNotJoined)
	}
	if err != nil {
		return nil, err
	}
	e := &Enrolment{dir: dir}
	if err := json.Unmarshal(text, &e.node); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, nodeFile), err)
	}
	if e.node.Format != format {
		return nil, fmt.Errorf("%s is of format %d; this program reads format %d", nodeFile, e.node.Format, format)
	}
	text, err = os.ReadFile(filepath.Join(dir, identityFile))
	if err != nil {
		return nil, errors.Join(ErrIncomplete, err)
	}
	key, chain, ca, err := decodeIdentity(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", identityFile, ErrIncomplete, err)
	}
	if err := e.use(key, chain, ca); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", identityFile, ErrIncomplete, err)
	}
	return e, nil
}

// use makes key and certificate the node's own, if they are this node's.
func (e *Enrolment) use(key crypto.Signer, chain [][]byte, ca []byte) error {
	root, err := x509.ParseCertificate(ca)
	if err != nil {
		return err
	}
	leaf, err := x509.ParseCertificate(chain[0])
	if err != nil {
		return err
	}
	if err := checkLeaf(leaf, key.Public(), e.node.Site, e.node.Name); err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AddCert(root)
	// At the time of its beginning: whether it has run out is another question.
	if err := verify(leaf, chain[1:], pool, "", leaf.NotBefore.Add(time.Second)); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.cert = &tls.Certificate{Certificate: chain, PrivateKey: key, Leaf: leaf}
	e.ca, e.pool = root, pool
	return nil
}

// checkLeaf says whether a certificate is for this key and names this node.
func checkLeaf(leaf *x509.Certificate, pub crypto.PublicKey, site, name string) error {
	want, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return err
	}
	if !bytes.Equal(leaf.RawSubjectPublicKeyInfo, want) {
		return errors.New("the certificate is for another key")
	}
	for _, u := range leaf.URIs {
		if s, n, ok := join.ParseNodeURI(u); ok {
			if s != site || n != name {
				return fmt.Errorf("the certificate names node %s of site %s", n, s)
			}
			return nil
		}
	}
	return errors.New("the certificate names no node")
}

// Dir is the node's directory.
func (e *Enrolment) Dir() string { return e.dir }

// Node gives the content of node.json.
func (e *Enrolment) Node() Node {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.node
}

// SiteFile is the path of the site's configuration as last seen (serialised
// edge.v1.SiteConfig); the uplink keeps it current.
func (e *Enrolment) SiteFile() string { return filepath.Join(e.dir, siteFile) }

// SiteConfig reads SiteFile.
func (e *Enrolment) SiteConfig() (*edgev1.SiteConfig, error) {
	data, err := os.ReadFile(e.SiteFile())
	if err != nil {
		return nil, err
	}
	var c edgev1.SiteConfig
	return &c, proto.Unmarshal(data, &c)
}

// SetCloudNode keeps a new address of the cloud's node port (host:port).
func (e *Enrolment) SetCloudNode(addr string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if addr == "" || addr == e.node.CloudNode {
		return nil
	}
	n := e.node
	n.CloudNode = addr
	if err := saveNode(e.dir, n); err != nil {
		return err
	}
	e.node = n
	return nil
}

func saveNode(dir string, n Node) error {
	text, err := json.MarshalIndent(n, "", "  ")
	if err != nil {
		return err
	}
	return durable.WriteFile(filepath.Join(dir, nodeFile), append(text, '\n'))
}
