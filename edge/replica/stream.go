package replica

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"trunkline/edge/replica/nodeport"
)

// First bytes of this package's streams on the node port.
const (
	kindRaft byte = 'R'
	kindBeat byte = 'B'
)

var errGateClosed = errors.New("replica: out of Raft's traffic")

// stream carries Raft over the node port. A Raft address is a node's name: what
// the node is reached by may change. Each connection begins with the dialer's
// epoch (8 bytes): nodes of before a recovery do not mix with those after it.
type stream struct {
	port  *nodeport.Port
	epoch uint64
	log   *slog.Logger
	in    net.Listener
	ready chan net.Conn
	done  chan struct{}
	once  sync.Once
	wg    sync.WaitGroup

	mu     sync.Mutex
	closed bool // the gate
	conns  map[*streamConn]struct{}
}

type streamConn struct {
	net.Conn
	s *stream
}

func (c *streamConn) Close() error {
	c.s.mu.Lock()
	delete(c.s.conns, c)
	c.s.mu.Unlock()
	return c.Conn.Close()
}

func newStream(port *nodeport.Port, in net.Listener, epoch uint64, log *slog.Logger) *stream {
	s := &stream{
		port: port, epoch: epoch, log: log, in: in,
		ready: make(chan net.Conn), done: make(chan struct{}), conns: map[*streamConn]struct{}{},
	}
	s.wg.Go(s.listen)
	return s
}

func (s *stream) listen() {
	for {
		c, err := s.in.Accept()
		if err != nil {
			return
		}
		s.wg.Go(func() {
			conn, err := s.keep(c)
			if err != nil {
				return
			}
			var epoch [8]byte
			_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
			if _, err := io.ReadFull(c, epoch[:]); err != nil {
				_ = conn.Close()
				return
			}
			if theirs := binary.BigEndian.Uint64(epoch[:]); theirs != s.epoch {
				id, _ := nodeport.PeerOf(c)
				s.log.Warn("a node of another epoch was refused", "peer", id.Node, "theirs", theirs, "ours", s.epoch)
				_ = conn.Close()
				return
			}
			_ = c.SetReadDeadline(time.Time{})
			select {
			case s.ready <- conn:
			case <-s.done:
				_ = conn.Close()
			}
		})
	}
}

// keep registers a connection; with the gate closed it is closed at once.
func (s *stream) keep(c net.Conn) (*streamConn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = c.Close()
		return nil, errGateClosed
	}
	conn := &streamConn{c, s}
	s.conns[conn] = struct{}{}
	return conn, nil
}

// gate takes the node out of Raft's traffic or back in.
func (s *stream) gate(closed bool) {
	s.mu.Lock()
	s.closed = closed
	var conns []*streamConn
	if closed {
		for c := range s.conns {
			conns = append(conns, c)
		}
	}
	s.mu.Unlock()
	for _, c := range conns {
		_ = c.Close()
	}
}

// Accept implements net.Listener for Raft.
func (s *stream) Accept() (net.Conn, error) {
	select {
	case c := <-s.ready:
		return c, nil
	case <-s.done:
		return nil, net.ErrClosed
	}
}

// Dial implements raft.StreamLayer.
func (s *stream) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	s.mu.Lock()
	closed := s.closed
	s.mu.Unlock()
	if closed {
		return nil, errGateClosed
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	c, err := s.port.Dial(ctx, string(address), kindRaft)
	if err != nil {
		return nil, err
	}
	conn, err := s.keep(c)
	if err != nil {
		return nil, err
	}
	if _, err := c.Write(binary.BigEndian.AppendUint64(nil, s.epoch)); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("replica: greet %s: %w", address, err)
	}
	return conn, nil
}

// Close implements net.Listener: no connection is accepted any more.
func (s *stream) Close() error {
	s.once.Do(func() {
		close(s.done)
		_ = s.in.Close()
	})
	return nil
}

// stop closes what is open and waits.
func (s *stream) stop() {
	s.gate(true)
	_ = s.Close()
	s.wg.Wait()
}

// Addr implements net.Listener: the node's name is its Raft address.
func (s *stream) Addr() net.Addr { return nodeName(s.port.Name()) }

type nodeName string

func (nodeName) Network() string  { return "trunkline" }
func (n nodeName) String() string { return string(n) }
