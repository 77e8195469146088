package sip

import (
	"errors"
	"maps"
	"net"
	"net/netip"
	"sync"

	"github.com/emiago/sipgo/sip"
)

// datagrams is the UDP socket as sipgo sees it: only what the guard admits.
// sipgo would end its listener at the first error and keep each source it
// hears of.
type datagrams struct {
	net.PacketConn
	udp   *net.UDPConn // the same socket, when it is one
	ua    *UA
	local sip.Addr
	ready chan struct{} // closed when sipgo reads, so after it knows the socket
	once  sync.Once
}

// receiveErrors in a row end the listener.
const receiveErrors = 1000

// ReadFrom implements net.PacketConn.
func (d *datagrams) ReadFrom(p []byte) (int, net.Addr, error) {
	d.once.Do(func() { close(d.ready) })
	for failed := 0; ; {
		n, src, err := d.receive(p)
		if err != nil {
			if failed++; errors.Is(err, net.ErrClosed) || failed > receiveErrors {
				return 0, nil, err
			}
			continue
		}
		failed = 0
		if msg := d.ua.guard.admit(p[:n], src, d.reply); msg != nil {
			return copy(p, msg), net.UDPAddrFromAddrPort(src), nil
		}
	}
}

func (d *datagrams) receive(p []byte) (int, netip.AddrPort, error) {
	if d.udp != nil {
		n, src, err := d.udp.ReadFromUDPAddrPort(p)
		return n, netip.AddrPortFrom(src.Addr().Unmap(), src.Port()), err
	}
	n, addr, err := d.PacketConn.ReadFrom(p)
	if err != nil {
		return 0, netip.AddrPort{}, err
	}
	return n, addrPortOf(addr), nil
}

// LocalAddr implements net.PacketConn; sipgo finds the socket by it.
func (d *datagrams) LocalAddr() net.Addr {
	return &net.UDPAddr{IP: d.local.IP, Port: d.local.Port}
}

func (d *datagrams) reply(answer []byte, to netip.AddrPort) {
	_, _ = d.PacketConn.WriteTo(answer, net.UDPAddrFromAddrPort(to)) // lost like any datagram
}

// headerParsers are sipgo's, without those we have no use for: a peer can not
// fail with what nobody reads.
func headerParsers() map[string]sip.HeaderParser {
	m := maps.Clone(sip.DefaultHeadersParser())
	delete(m, "refer-to")
	delete(m, "referred-by")
	return m
}
