// Package mediatest holds what tests of audio need: ports in memory, a telephone
// that speaks and listens, and the conformance test every media.Port must pass.
package mediatest

import (
	"net"
	"sync"
	"time"

	"trunkline/edge/media"
)

// Pipe connects two ports in memory. Like a socket it drops what is not read: a
// direction holds 1,000 packets.
func Pipe() (near, far media.Port) {
	a, b := make(chan []byte, 1000), make(chan []byte, 1000)
	return newPipePort(a, b), newPipePort(b, a)
}

type pipePort struct {
	in   <-chan []byte
	out  chan<- []byte
	once sync.Once
	shut chan struct{}
}

func newPipePort(in <-chan []byte, out chan<- []byte) *pipePort {
	return &pipePort{in: in, out: out, shut: make(chan struct{})}
}

func (p *pipePort) ReadRTP(buf []byte) (int, error) {
	select {
	case <-p.shut:
		return 0, net.ErrClosed
	case b := <-p.in:
		return copy(buf, b), nil
	}
}

func (p *pipePort) WriteRTP(pkt []byte) error {
	select {
	case <-p.shut:
		return net.ErrClosed
	default:
	}
	select {
	case p.out <- append([]byte(nil), pkt...):
	default:
	}
	return nil
}

func (p *pipePort) Close() error {
	p.once.Do(func() { close(p.shut) })
	return nil
}

// wait blocks for a while; inside synctest that costs no time.
func wait(d time.Duration) { <-time.After(d) }
