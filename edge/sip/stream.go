package sip

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

// stream is the TCP side: a listener that gives sipgo both the connections
// peers open and those we dial, so that all of them are framed and guarded
// alike. sipgo serves it like any other listener.
type stream struct {
	ua    *UA
	inner net.Listener // nil: only dialled connections
	conns chan net.Conn
	done  chan struct{}

	mu      sync.Mutex
	open    map[*streamConn]struct{}
	dialing map[netip.AddrPort]*dialling
	closed  bool
}

type dialling struct {
	done chan struct{}
	err  error
}

// Limits of connections; a message that has begun must be complete soon.
const (
	maxConns      = 1024
	idleTimeout   = 30 * time.Minute
	messageWithin = 10 * time.Second
	writeWithin   = 5 * time.Second
	dialWithin    = 4 * time.Second
	maxMessage    = 64 << 10
)

func newStream(ua *UA, inner net.Listener) *stream {
	return &stream{
		ua: ua, inner: inner, conns: make(chan net.Conn), done: make(chan struct{}),
		open: map[*streamConn]struct{}{}, dialing: map[netip.AddrPort]*dialling{},
	}
}

// accept takes connections from listed addresses until the listener closes.
func (s *stream) accept() {
	for {
		c, err := s.inner.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			s.ua.log.Warn("sip connection not accepted", "error", err)
			select {
			case <-s.done:
				return
			case <-time.After(100 * time.Millisecond): // out of file descriptors, mostly
			}
			continue
		}
		src := addrPortOf(c.RemoteAddr())
		if !s.ua.listed(src.Addr()) {
			s.ua.metrics.dropped.WithLabelValues("unlisted").Inc()
			_ = c.Close()
			continue
		}
		s.hand(c, src)
	}
}

// hand gives a connection to sipgo and returns when it is in its pool.
func (s *stream) hand(c net.Conn, src netip.AddrPort) bool {
	sc := &streamConn{Conn: c, s: s, src: src, pooled: make(chan struct{})}
	s.mu.Lock()
	full := s.closed || len(s.open) >= maxConns
	if !full {
		s.open[sc] = struct{}{}
	}
	s.mu.Unlock()
	if full {
		_ = c.Close()
		return false
	}
	select {
	case s.conns <- sc:
	case <-s.done:
		_ = sc.Close()
		return false
	}
	select {
	case <-sc.pooled:
		return true
	case <-s.done:
		return false
	}
}

// Accept implements net.Listener for sipgo.
func (s *stream) Accept() (net.Conn, error) {
	select {
	case c := <-s.conns:
		return c, nil
	case <-s.done:
		return nil, net.ErrClosed
	}
}

// Addr implements net.Listener.
func (s *stream) Addr() net.Addr {
	if s.inner != nil {
		return s.inner.Addr()
	}
	return &net.TCPAddr{IP: net.IPv4zero}
}

// Close implements net.Listener: it closes every connection too.
func (s *stream) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	close(s.done)
	open := make([]*streamConn, 0, len(s.open))
	for c := range s.open {
		open = append(open, c)
	}
	s.mu.Unlock()
	for _, c := range open {
		_ = c.Close()
	}
	if s.inner != nil {
		return s.inner.Close()
	}
	return nil
}

// connect sees to a connection to a peer, one dial at a time for each.
func (s *stream) connect(ctx context.Context, to netip.AddrPort) error {
	if s.pooled(to.String()) {
		return nil
	}
	s.mu.Lock()
	d, busy := s.dialing[to]
	if !busy {
		d = &dialling{done: make(chan struct{})}
		s.dialing[to] = d
		s.ua.running.Go(func() { s.dial(to, d) })
	}
	s.mu.Unlock()
	select {
	case <-d.done:
		return d.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// pooled tells whether sipgo has a connection to a peer.
func (s *stream) pooled(to string) bool {
	c, err := s.ua.tp.GetConnection(tcp, to)
	if err != nil {
		return false
	}
	_, _ = c.TryClose() // gives back the reference only
	return true
}

func (s *stream) dial(to netip.AddrPort, d *dialling) {
	ctx, cancel := context.WithTimeout(s.ua.ctx, dialWithin)
	defer cancel()
	var dialer net.Dialer
	c, err := dialer.DialContext(ctx, "tcp", to.String())
	if err == nil && !s.hand(c, to) {
		err = ErrStopped
	}
	s.mu.Lock()
	delete(s.dialing, to)
	s.mu.Unlock()
	d.err = err
	close(d.done)
}

// streamConn reads whole messages and passes on those the guard lets through.
type streamConn struct {
	net.Conn
	s      *stream
	src    netip.AddrPort
	pooled chan struct{} // closed by the first Read: sipgo has it in its pool
	once   sync.Once
	ending sync.Once

	buf  []byte // received, not framed yet
	pass []byte // admitted, not read by sipgo yet
	fail error
}

// Read implements net.Conn.
func (c *streamConn) Read(p []byte) (int, error) {
	c.once.Do(func() { close(c.pooled) })
	for len(c.pass) == 0 {
		if c.fail != nil {
			return 0, c.fail
		}
		if c.frame() {
			continue
		}
		if err := c.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, c.pass)
	c.pass = c.pass[n:]
	return n, nil
}

func (c *streamConn) fill() error {
	wait := idleTimeout
	if len(c.buf) > 0 {
		wait = messageWithin
	}
	if err := c.Conn.SetReadDeadline(time.Now().Add(wait)); err != nil {
		return err
	}
	var chunk [4096]byte
	n, err := c.Conn.Read(chunk[:])
	c.buf = append(c.buf, chunk[:n]...)
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// frame takes one message off the buffer; false = more bytes are needed.
func (c *streamConn) frame() bool {
	// Empty lines between messages are kept alive with (RFC 5626 3.5.1).
	for bytes.HasPrefix(c.buf, []byte("\r\n")) {
		if bytes.HasPrefix(c.buf, []byte("\r\n\r\n")) {
			_, _ = c.Write([]byte("\r\n"))
			c.buf = c.buf[2:]
		}
		c.buf = c.buf[2:]
	}
	end := bytes.Index(c.buf, []byte("\r\n\r\n"))
	if end < 0 {
		if len(c.buf) > maxMessage {
			c.fail = io.ErrShortBuffer
			return true
		}
		return false
	}
	size, ok := messageSize(c.buf[:end+4])
	if !ok || size > maxMessage {
		// Where the next message starts is unknown: say why and close.
		m, f := scan(c.buf[:end+4])
		c.s.ua.guard.flawed(c.buf[:end+4], &m, firstFlaw(f, bad("Content-Length is needed")), c.src, c.reply)
		c.fail = io.ErrUnexpectedEOF
		return true
	}
	if len(c.buf) < size {
		return false
	}
	c.pass = bytes.Clone(c.s.ua.guard.admit(c.buf[:size], c.src, c.reply))
	c.buf = append(c.buf[:0], c.buf[size:]...)
	return true
}

// messageSize is header and body by Content-Length, which streams must have
// (RFC 3261 18.3).
func messageSize(head []byte) (int, bool) {
	size, seen := 0, false
	_, off, ok := cutLine(head, 0)
	for ok && off < len(head) {
		var line []byte
		line, off, ok = cutHeader(head, off)
		name, value, _ := bytes.Cut(line, []byte{':'})
		if !is(bytes.TrimRight(name, " \t"), "content-length", 'l') {
			continue
		}
		n := -1
		m := raw{}
		if seen || m.number(&n, trim(value), 1<<24, "") != nil {
			return 0, false
		}
		size, seen = n, true
	}
	return len(head) + size, ok && seen
}

func (c *streamConn) reply(answer []byte, _ netip.AddrPort) { _, _ = c.Write(answer) }

// Write implements net.Conn; a peer that does not read is cut off.
func (c *streamConn) Write(b []byte) (int, error) {
	if err := c.Conn.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil {
		return 0, err
	}
	n, err := c.Conn.Write(b)
	if err != nil {
		_ = c.Close()
	}
	return n, err
}

// Close implements net.Conn.
func (c *streamConn) Close() error {
	var err error
	c.ending.Do(func() {
		c.s.mu.Lock()
		delete(c.s.open, c)
		c.s.mu.Unlock()
		err = c.Conn.Close()
	})
	return err
}

func addrPortOf(a net.Addr) netip.AddrPort {
	var ap netip.AddrPort
	switch a := a.(type) {
	case *net.UDPAddr:
		ap = a.AddrPort()
	case *net.TCPAddr:
		ap = a.AddrPort()
	default:
		ap, _ = netip.ParseAddrPort(a.String())
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
