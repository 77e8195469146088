package nodeport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Conn is a connection to a peer that has proved who it is.
type Conn struct {
	net.Conn // *tls.Conn, hidden so that nobody negotiates on it again
	peer     Identity
	once     sync.Once
	drop     func()
}

// Close closes the connection, without waiting for the peer.
func (c *Conn) Close() error {
	c.once.Do(c.drop)
	if t, ok := c.Conn.(*tls.Conn); ok {
		return t.NetConn().Close()
	}
	return c.Conn.Close()
}

func (c *Conn) tlsState() *tls.ConnectionState {
	if t, ok := c.Conn.(*tls.Conn); ok {
		s := t.ConnectionState()
		return &s
	}
	return nil
}

// receive ends the handshake of an accepted connection and reads its first byte.
func receive(t *tls.Conn) (Identity, byte, error) {
	if err := t.Handshake(); err != nil {
		return Identity{}, 0, err
	}
	var kind [1]byte
	if _, err := io.ReadFull(t, kind[:]); err != nil {
		return Identity{}, 0, err
	}
	id, err := identify(t.ConnectionState())
	return id, kind[0], err
}

// ErrUnknownPeer is returned when no address of the peer is known.
var ErrUnknownPeer = errors.New("nodeport: the peer's address is not known")

// Dial connects to the peer and says what follows. It tries each known address;
// the error of the last one is returned, so that a refused connection (no
// process listens) can be told from silence with errors.Is.
func (p *Port) Dial(ctx context.Context, peer string, kind byte) (*Conn, error) {
	p.mu.Lock()
	resolve := p.resolve
	p.mu.Unlock()
	var addrs []string
	if resolve != nil {
		addrs = resolve(peer)
	}
	err := fmt.Errorf("%w: %s", ErrUnknownPeer, peer)
	for _, addr := range addrs {
		var c *Conn
		if c, err = p.dial(ctx, peer, addr, kind); err == nil {
			return c, nil
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, err
}

func (p *Port) dial(ctx context.Context, peer, addr string, kind byte) (*Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	d := net.Dialer{KeepAlive: 5 * time.Second}
	raw, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	if !p.keep(raw) {
		_ = raw.Close()
		return nil, net.ErrClosed
	}
	t := tls.Client(raw, p.clientTLS(peer))
	conn := &Conn{Conn: t, peer: Identity{Site: p.cfg.Site, Node: peer}, drop: func() { p.forget(raw) }}
	if err := t.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	deadline, _ := ctx.Deadline()
	_ = raw.SetDeadline(deadline)
	if _, err := t.Write([]byte{kind}); err != nil {
		_ = conn.Close()
		return nil, err
	}
	_ = raw.SetDeadline(time.Time{})
	return conn, nil
}

// queueListener gives accepted connections to whoever serves their kind.
type queueListener struct {
	addr  net.Addr
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newQueueListener(addr net.Addr) *queueListener {
	return &queueListener{addr: addr, conns: make(chan net.Conn), done: make(chan struct{})}
}

// push waits until somebody accepts, not for ever; false when nobody does.
func (l *queueListener) push(c net.Conn) bool {
	select {
	case <-l.done:
		return false
	default:
	}
	select {
	case l.conns <- c:
		return true
	case <-l.done:
	case <-time.After(handshakeTimeout):
	}
	return false
}

// Accept implements net.Listener.
func (l *queueListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *queueListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Addr implements net.Listener.
func (l *queueListener) Addr() net.Addr { return l.addr }
