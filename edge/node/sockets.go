package node

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"

	"trunkline/edge/enroll"
)

// sockets are what the node listens on, opened before anything else: a port in
// use is then the first and only complaint.
type sockets struct {
	web, node, sipTCP, metrics net.Listener
	sipUDP                     net.PacketConn
}

func openSockets(a enroll.Addrs) (s sockets, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	for _, l := range []struct {
		into *net.Listener
		addr string
		what string
	}{{&s.web, a.Web, "web"}, {&s.node, a.Node, "node"}, {&s.sipTCP, a.SIP, "SIP over TCP"}, {&s.metrics, a.Metrics, "metrics"}} {
		if *l.into, err = net.Listen("tcp", l.addr); err != nil {
			return s, fmt.Errorf("%s port: %w", l.what, err)
		}
	}
	if s.sipUDP, err = net.ListenPacket("udp", a.SIP); err != nil {
		return s, fmt.Errorf("SIP port: %w", err)
	}
	return s, nil
}

// close closes what is open; closing twice is no error.
func (s sockets) close() error {
	var errs []error
	for _, c := range []io.Closer{s.web, s.node, s.sipTCP, s.metrics, s.sipUDP} {
		if c == nil {
			continue
		}
		if err := c.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// addrOf reads an IP address; the zero Addr when there is none.
func addrOf(s string) netip.Addr {
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}
	}
	return a
}
