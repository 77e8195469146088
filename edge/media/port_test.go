package media_test

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/rtp"

	"trunkline/edge/media"
	"trunkline/edge/media/mediatest"
)

// mediaSender sends packets of silence into a leg, with numbers of choice.
func mediaSender(l *leg) func(seq uint16, ts uint32) {
	return func(seq uint16, ts uint32) { l.phone.Send(seq, ts) }
}

func listen(t *testing.T) *media.UDPPort {
	t.Helper()
	p, err := media.ListenUDP(media.PortConfig{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestUDPPortConforms(t *testing.T) {
	mediatest.Conformance(t, func(t *testing.T) (media.Port, media.Port) {
		a, b := listen(t), listen(t)
		a.SetRemote(b.LocalAddr())
		b.SetRemote(a.LocalAddr())
		return a, b
	})
}

func TestPipeConforms(t *testing.T) {
	mediatest.Conformance(t, func(*testing.T) (media.Port, media.Port) { return mediatest.Pipe() })
}

func TestPortRange(t *testing.T) {
	probe := listen(t)
	base := int(probe.LocalAddr().Port()) &^ 1
	probe.Close()
	cfg := media.PortConfig{IP: net.IPv4(127, 0, 0, 1), AdvertisedIP: net.IPv4(192, 0, 2, 7), PortMin: base, PortMax: base + 3}
	a, err := media.ListenUDP(cfg)
	if err != nil {
		t.Skipf("somebody took the ports meanwhile: %v", err)
	}
	defer a.Close()
	if addr := a.LocalAddr(); addr.Addr() != netip.MustParseAddr("192.0.2.7") || addr.Port()%2 != 0 || int(addr.Port()) < base || int(addr.Port()) > base+3 {
		t.Errorf("advertises %s", addr)
	}
	if b, err := media.ListenUDP(cfg); err == nil {
		defer b.Close()
		if _, err := media.ListenUDP(cfg); err == nil {
			t.Error("a third port in a range of two")
		}
	}
	if _, err := media.ListenUDP(media.PortConfig{PortMin: 20, PortMax: 10}); err == nil {
		t.Error("an empty range")
	}
}

// A far end behind a NAT is found by its packets; nobody else is heard then.
func TestUDPPortLearnsItsFarEnd(t *testing.T) {
	p := listen(t)
	defer p.Close()
	far, stranger, moved := listen(t), listen(t), listen(t)
	for _, f := range []*media.UDPPort{far, stranger, moved} {
		defer f.Close()
		f.SetRemote(p.LocalAddr())
	}
	got := make(chan uint32, 100)
	go func() {
		defer close(got)
		buf := make([]byte, 1500)
		for {
			n, err := p.ReadRTP(buf)
			if err != nil {
				return
			}
			var pkt rtp.Packet
			if pkt.Unmarshal(buf[:n]) == nil {
				got <- pkt.SSRC
			}
		}
	}()
	send := func(from *media.UDPPort, ssrc uint32, n int) {
		t.Helper()
		for i := range n {
			b, _ := (&rtp.Packet{Header: rtp.Header{Version: 2, SSRC: ssrc, SequenceNumber: uint16(i)}, Payload: make([]byte, 160)}).Marshal()
			if err := from.WriteRTP(b); err != nil {
				t.Fatal(err)
			}
		}
	}
	heard := func(want uint32) {
		t.Helper()
		select {
		case ssrc := <-got:
			if ssrc != want {
				t.Fatalf("heard %d, want %d", ssrc, want)
			}
		case <-time.After(5 * time.Second):
			t.Fatal("heard nothing")
		}
	}
	// The SDP names an inside address: four packets are not enough to believe another, the fifth is.
	p.SetRemote(netip.MustParseAddrPort("192.0.2.1:4000"))
	send(far, 1, 6)
	heard(1)
	heard(1)
	if p.Remote() != far.LocalAddr() {
		t.Errorf("sends to %s", p.Remote())
	}
	send(stranger, 2, 20)
	send(far, 3, 1)
	heard(3)
	if n := p.WrongSource(); n != 24 {
		t.Errorf("%d packets of wrong sources, want 4 while learning and 20", n)
	}
	// After a re-INVITE the far end is elsewhere; its last packets from the old place do not win.
	p.SetRemote(moved.LocalAddr())
	send(far, 4, 1)
	send(moved, 5, 1)
	for ssrc := range got {
		if ssrc == 5 {
			break // a packet from the old place on the same host counts as a new port of it
		}
	}
	if p.Remote() != moved.LocalAddr() {
		t.Errorf("sends to %s, not to %s", p.Remote(), moved.LocalAddr())
	}
}
