package uplink

import (
	"context"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memNet is a network without a kernel, so that a test's own time passes while
// everybody waits for it. It can be cut.
type memNet struct {
	accept chan net.Conn
	closed chan struct{}
	once   sync.Once

	mu    sync.Mutex
	down  bool
	hung  bool
	dials int
	conns []net.Conn
}

func newMemNet() *memNet { return &memNet{accept: make(chan net.Conn), closed: make(chan struct{})} }

func (n *memNet) dial(ctx context.Context, _ string) (net.Conn, error) {
	n.mu.Lock()
	n.dials++
	if n.down {
		n.mu.Unlock()
		return nil, syscall.ECONNREFUSED
	}
	near, far := newPipe()
	near.hang(n.hung)
	n.conns = append(n.conns, near, far)
	n.mu.Unlock()
	select {
	case n.accept <- far:
		return near, nil
	case <-n.closed:
		return nil, syscall.ECONNREFUSED
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// cut ends all connections and refuses new ones, until it is called with false.
func (n *memNet) cut(down bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down = down
	for _, c := range n.conns {
		_ = c.Close()
	}
	n.conns = nil
}

// hang lets all connections stay open and carry nothing, as the kernel of a
// stopped process does; with false what was written arrives.
func (n *memNet) hang(hung bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hung = hung
	for _, c := range n.conns {
		c.(*pipeEnd).hang(hung)
	}
}

func (n *memNet) Accept() (net.Conn, error) {
	select {
	case c := <-n.accept:
		return c, nil
	case <-n.closed:
		return nil, net.ErrClosed
	}
}

func (n *memNet) Close() error {
	n.once.Do(func() { close(n.closed) })
	return nil
}

func (n *memNet) Addr() net.Addr { return memAddr{} }

type memAddr struct{}

func (memAddr) Network() string { return "mem" }
func (memAddr) String() string  { return "192.0.2.1:9400" }

// half is one direction of a connection: what is written waits to be read.
type half struct {
	mu     sync.Mutex
	cond   *sync.Cond
	data   []byte
	closed bool
	hung   bool
	due    time.Time
	timer  *time.Timer
}

func newHalf() *half {
	h := &half{}
	h.cond = sync.NewCond(&h.mu)
	return h
}

func (h *half) read(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(h.data) == 0 || h.hung {
		if h.closed {
			return 0, io.EOF
		}
		if !h.due.IsZero() && !time.Now().Before(h.due) {
			return 0, os.ErrDeadlineExceeded
		}
		h.cond.Wait()
	}
	n := copy(p, h.data)
	h.data = h.data[n:]
	return n, nil
}

func (h *half) write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return 0, net.ErrClosed
	}
	h.data = append(h.data, p...)
	h.cond.Broadcast()
	return len(p), nil
}

func (h *half) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	if h.timer != nil {
		h.timer.Stop()
	}
	h.cond.Broadcast()
}

func (h *half) deadline(t time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.timer != nil {
		h.timer.Stop()
	}
	h.due = t
	if !t.IsZero() {
		h.timer = time.AfterFunc(time.Until(t), func() {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.cond.Broadcast()
		})
	}
	h.cond.Broadcast()
}

func (h *half) hang(hung bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.hung = hung
	h.cond.Broadcast()
}

type pipeEnd struct{ in, out *half }

func newPipe() (a, b *pipeEnd) {
	x, y := newHalf(), newHalf()
	return &pipeEnd{x, y}, &pipeEnd{y, x}
}

func (c *pipeEnd) Read(p []byte) (int, error)         { return c.in.read(p) }
func (c *pipeEnd) Write(p []byte) (int, error)        { return c.out.write(p) }
func (c *pipeEnd) Close() error                       { c.in.close(); c.out.close(); return nil }
func (c *pipeEnd) hang(hung bool)                     { c.in.hang(hung); c.out.hang(hung) }
func (c *pipeEnd) LocalAddr() net.Addr                { return memAddr{} }
func (c *pipeEnd) RemoteAddr() net.Addr               { return memAddr{} }
func (c *pipeEnd) SetDeadline(t time.Time) error      { return c.SetReadDeadline(t) }
func (c *pipeEnd) SetReadDeadline(t time.Time) error  { c.in.deadline(t); return nil }
func (c *pipeEnd) SetWriteDeadline(t time.Time) error { return nil }
