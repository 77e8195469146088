package media

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// PortConfig says where the ports of legs are opened.
type PortConfig struct {
	// IP to listen on; nil is all of them, for which AdvertisedIP is needed.
	IP net.IP
	// AdvertisedIP is what the far end is told instead, behind a static NAT.
	AdvertisedIP net.IP
	// PortMin and PortMax bound the ports, RTP on even ones and RTCP on the next; 0 leaves
	// the choice to the kernel.
	PortMin, PortMax int
}

// ErrNoPort says that all ports of the range are taken.
var ErrNoPort = errors.New("media: no free port in the range")

var errNoRemote = errors.New("media: far end not known yet")

// UDPPort is a Port with sockets of its own. It sends where the far end's
// packets come from (symmetric RTP, RFC 4961), which is not always what its SDP
// said, and locks to that source: packets from elsewhere are dropped and counted.
type UDPPort struct {
	rtp, rtcp *net.UDPConn // rtcp is nil if its port was taken
	local     netip.AddrPort

	remote atomic.Pointer[netip.AddrPort] // where RTP goes
	locked atomic.Pointer[netip.AddrPort] // the only source listened to
	wrong  atomic.Uint64

	mu       sync.Mutex // the rest; packets take it only while unlocked
	signaled netip.AddrPort
	former   netip.AddrPort // the source before SetRemote
	formerTo time.Time      // not learned again before
	other    netip.AddrPort // a source that is not the signaled one
	otherN   int
}

// A source with another IP than the SDP's is believed after this many packets in
// a row; one that was left by SetRemote is not listened to for a while, since its last
// packets are still on the way.
const (
	probation   = 5
	formerBlock = 2 * time.Second
)

// ListenUDP opens a port.
func ListenUDP(cfg PortConfig) (*UDPPort, error) {
	p := &UDPPort{}
	if err := p.listen(cfg); err != nil {
		return nil, err
	}
	local := p.rtp.LocalAddr().(*net.UDPAddr).AddrPort()
	ip := local.Addr().Unmap()
	if cfg.AdvertisedIP != nil {
		if a, ok := netip.AddrFromSlice(cfg.AdvertisedIP); ok {
			ip = a.Unmap()
		}
	}
	p.local = netip.AddrPortFrom(ip, local.Port())
	return p, nil
}

func (p *UDPPort) listen(cfg PortConfig) error {
	if cfg.PortMin == 0 && cfg.PortMax == 0 {
		return p.open(cfg.IP, 0)
	}
	first, last := (cfg.PortMin+1)&^1, cfg.PortMax&^1
	pairs := (last-first)/2 + 1
	if first <= 0 || last > 65534 || pairs <= 0 {
		return fmt.Errorf("media: port range %d-%d", cfg.PortMin, cfg.PortMax)
	}
	// From a random start, so that ports are not reused at once.
	start := rand.IntN(pairs)
	for i := range pairs {
		err := p.open(cfg.IP, first+2*((start+i)%pairs))
		if err == nil || !errors.Is(err, syscall.EADDRINUSE) {
			return err
		}
	}
	return ErrNoPort
}

func (p *UDPPort) open(ip net.IP, port int) error {
	rtp, err := net.ListenUDP("udp", &net.UDPAddr{IP: ip, Port: port})
	if err != nil {
		return err
	}
	p.rtp = rtp
	next := rtp.LocalAddr().(*net.UDPAddr).Port + 1
	// Audio works without; then RTCP is heard only among the RTP.
	if rtcp, err := net.ListenUDP("udp", &net.UDPAddr{IP: ip, Port: next}); err == nil {
		p.rtcp = rtcp
	}
	return nil
}

// LocalAddr is what to put in the SDP.
func (p *UDPPort) LocalAddr() netip.AddrPort { return p.local }

// SetRemote tells where the far end's SDP says that it listens. Packets go there
// until its own have come from elsewhere. A new address makes the port learn again.
func (p *UDPPort) SetRemote(addr netip.AddrPort) {
	addr = netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
	p.mu.Lock()
	defer p.mu.Unlock()
	if addr == p.signaled {
		return
	}
	p.signaled = addr
	if was := p.locked.Swap(nil); was != nil && *was != addr {
		p.former, p.formerTo = *was, time.Now().Add(formerBlock)
	}
	p.other, p.otherN = netip.AddrPort{}, 0
	if addr.IsValid() && !addr.Addr().IsUnspecified() && addr.Port() != 0 {
		p.remote.Store(&addr)
	}
}

// Remote is where packets go now; not valid if that is not known.
func (p *UDPPort) Remote() netip.AddrPort {
	if a := p.remote.Load(); a != nil {
		return *a
	}
	return netip.AddrPort{}
}

// WrongSource is how many packets came from elsewhere.
func (p *UDPPort) WrongSource() uint64 { return p.wrong.Load() }

// ReadRTP gives the next packet of the far end.
func (p *UDPPort) ReadRTP(buf []byte) (int, error) {
	for {
		n, from, err := p.rtp.ReadFromUDPAddrPort(buf)
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return 0, net.ErrClosed
			}
			return 0, err
		}
		if p.accept(from, buf[:n]) {
			return n, nil
		}
		p.wrong.Add(1)
	}
}

// accept says whether a packet is the far end's, and learns its address.
func (p *UDPPort) accept(from netip.AddrPort, b []byte) bool {
	from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	if locked := p.locked.Load(); locked != nil {
		return *locked == from
	}
	if _, ok := parseRTP(b); !ok {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if from == p.former && from != p.signaled && time.Now().Before(p.formerTo) {
		return false
	}
	if from.Addr() == p.signaled.Addr() {
		p.lock(from)
		return true
	}
	// Behind a NAT the SDP names an address of the inside.
	if from != p.other {
		p.other, p.otherN = from, 0
	}
	if p.otherN++; p.otherN >= probation {
		p.lock(from)
		return true
	}
	return false
}

func (p *UDPPort) lock(from netip.AddrPort) {
	p.locked.Store(&from)
	p.remote.Store(&from)
	p.former, p.other = netip.AddrPort{}, netip.AddrPort{}
}

// WriteRTP sends a packet to the far end.
func (p *UDPPort) WriteRTP(pkt []byte) error {
	to := p.remote.Load()
	if to == nil {
		return errNoRemote
	}
	_, err := p.rtp.WriteToUDPAddrPort(pkt, *to)
	return err
}

// ReadRTCP gives the next RTCP packet that came from the far end's host.
func (p *UDPPort) ReadRTCP(buf []byte) (int, error) {
	if p.rtcp == nil {
		return 0, net.ErrClosed
	}
	for {
		n, from, err := p.rtcp.ReadFromUDPAddrPort(buf)
		if err != nil {
			return 0, err
		}
		if to := p.remote.Load(); to != nil && to.Addr() == from.Addr().Unmap() {
			return n, nil
		}
		p.wrong.Add(1)
	}
}

// WriteRTCP sends to the port after the far end's RTP port.
func (p *UDPPort) WriteRTCP(pkt []byte) error {
	to := p.remote.Load()
	if to == nil || p.rtcp == nil {
		return errNoRemote
	}
	_, err := p.rtcp.WriteToUDPAddrPort(pkt, netip.AddrPortFrom(to.Addr(), to.Port()+1))
	return err
}

// Close closes the sockets.
func (p *UDPPort) Close() error {
	err := p.rtp.Close()
	if p.rtcp != nil {
		err = errors.Join(err, p.rtcp.Close())
	}
	return err
}
