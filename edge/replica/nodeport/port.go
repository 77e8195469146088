// Package nodeport is the one port on which the nodes of a site speak to each
// other: TLS 1.3 in both directions, then one byte that says what follows.
//
//	H  HTTP/2 (NodeService and whatever else the node mounts)
//	other registered letters: a raw stream, see Stream and Dial
//
// A peer is known by its certificate alone: chain to the site's CA, and one URI
// name trunkline://site/<site>/node/<name>. Another site's certificate is
// refused, whatever CA signed it.
package nodeport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"trunkline/internal/rpcx"
)

// KindHTTP is the first byte of a connection that carries HTTP/2.
const KindHTTP byte = 'H'

// handshakeTimeout bounds TLS and the first byte; who says nothing is hung up on.
const handshakeTimeout = 5 * time.Second

// maxHandshakes bounds connections that have not proved who they are.
const maxHandshakes = 256

// Config is what a Port needs.
type Config struct {
	Site string // site id
	Name string // this node's name
	// Certificate gives the node's current certificate with its key, read at
	// each handshake, so that a renewed one counts at once.
	Certificate func() *tls.Certificate
	// Roots gives the CAs a peer's certificate may end in, read at each handshake.
	Roots func() *x509.CertPool
	// Listener is owned by the Port from Start on.
	Listener net.Listener
	// Resolve gives the addresses (host:port) a peer may be reached at, best
	// first. May be set later with SetResolver.
	Resolve func(peer string) []string
	Log     *slog.Logger
}

// Port is the node port. It is a life.Service.
type Port struct {
	cfg     Config
	log     *slog.Logger
	mux     *http.ServeMux
	handler http.Handler // mux, with what rpcx wants to know of the connection
	server  *http.Server
	http    *queueListener
	client  *http.Transport

	mu      sync.Mutex
	resolve func(string) []string
	streams map[byte]*queueListener
	conns   map[net.Conn]struct{}
	started bool
	closed  bool
	wg      sync.WaitGroup
	slots   chan struct{}
}

// New makes a Port; Start lets it serve.
func New(cfg Config) (*Port, error) {
	if cfg.Site == "" || cfg.Name == "" || cfg.Certificate == nil || cfg.Roots == nil || cfg.Listener == nil {
		return nil, errors.New("nodeport: site, name, certificate, roots and listener are required")
	}
	p := &Port{
		cfg: cfg, log: cfg.Log, mux: http.NewServeMux(), resolve: cfg.Resolve,
		streams: map[byte]*queueListener{}, conns: map[net.Conn]struct{}{},
		slots: make(chan struct{}, maxHandshakes),
	}
	if p.log == nil {
		p.log = slog.Default()
	}
	p.handler = rpcx.Transport(p.mux, false)
	p.http = newQueueListener(cfg.Listener.Addr())
	p.server = p.newServer()
	p.client = p.newTransport()
	return p, nil
}

// Name is this node's name.
func (p *Port) Name() string { return p.cfg.Name }

// Site is this node's site.
func (p *Port) Site() string { return p.cfg.Site }

// Addr is the address the port listens on.
func (p *Port) Addr() net.Addr { return p.cfg.Listener.Addr() }

// SetResolver replaces Config.Resolve.
func (p *Port) SetResolver(resolve func(peer string) []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.resolve = resolve
}

// Stream claims the connections whose first byte is kind; Accept gives *Conn.
// Call it before Start. Closing the listener refuses that kind from then on.
func (p *Port) Stream(kind byte) (net.Listener, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if kind == KindHTTP || p.streams[kind] != nil {
		return nil, fmt.Errorf("nodeport: stream %q is taken", kind)
	}
	l := newQueueListener(p.cfg.Listener.Addr())
	p.streams[kind] = l
	return l, nil
}

// Start accepts connections until Stop.
func (p *Port) Start(context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.started {
		return errors.New("nodeport: started already")
	}
	p.started = true
	p.wg.Go(p.accept)
	p.wg.Go(func() { _ = p.server.Serve(p.http) })
	return nil
}

// Stop closes the listener and every connection, at once.
func (p *Port) Stop(context.Context) error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	p.closed = true
	_ = p.cfg.Listener.Close()
	_ = p.http.Close()
	for _, l := range p.streams {
		_ = l.Close()
	}
	for c := range p.conns {
		_ = c.Close()
	}
	p.mu.Unlock()
	_ = p.server.Close()
	p.client.CloseIdleConnections()
	p.wg.Wait()
	return nil
}

func (p *Port) accept() {
	var delay time.Duration
	for {
		c, err := p.cfg.Listener.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			// Out of descriptors, mostly: breathe, then go on.
			delay = min(max(2*delay, 5*time.Millisecond), time.Second)
			p.log.Error("node port can not accept", "error", err, "again_in", delay)
			<-time.After(delay)
			continue
		}
		delay = 0
		select {
		case p.slots <- struct{}{}:
		default:
			_ = c.Close()
			continue
		}
		if !p.keep(c) {
			_ = c.Close()
			<-p.slots
			continue
		}
		p.wg.Go(func() {
			defer func() { <-p.slots }()
			p.greet(c)
		})
	}
}

// greet takes a new connection through TLS and hands it to whom its first byte names.
func (p *Port) greet(raw net.Conn) {
	_ = raw.SetDeadline(time.Now().Add(handshakeTimeout))
	t := tls.Server(raw, p.serverTLS())
	id, kind, err := receive(t)
	if err == nil {
		p.mu.Lock()
		l := p.streams[kind]
		p.mu.Unlock()
		if kind == KindHTTP {
			l = p.http
		}
		_ = raw.SetDeadline(time.Time{})
		conn := &Conn{Conn: t, peer: id, drop: func() { p.forget(raw) }}
		if l != nil && l.push(conn) {
			return
		}
		err = fmt.Errorf("nobody takes stream %q", kind)
	}
	p.log.Debug("node port refused a connection", "remote", raw.RemoteAddr(), "error", err)
	p.forget(raw)
	_ = raw.Close()
}

func (p *Port) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.conns[c] = struct{}{}
	return true
}

func (p *Port) forget(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}
