package media

import (
	"encoding/binary"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

type countTap struct{ n atomic.Int64 }

func (c *countTap) In(_ time.Duration, b []byte)  { c.n.Add(int64(len(b))) }
func (c *countTap) Out(_ time.Duration, b []byte) { c.n.Add(int64(len(b))) }

// joinedPair makes two joined streams that are fed by hand.
func joinedPair(x, y Codec, port Port) (*Stream, *Stream) {
	a, b := &Stream{port: sink{}}, &Stream{port: port}
	a.format.Store(&Format{Codec: x, PayloadType: uint8(x)})
	b.format.Store(&Format{Codec: y, PayloadType: uint8(y)})
	a.out.init(sink{})
	b.out.init(port)
	a.peer.Store(b)
	return a, b
}

func audioPacket(codec Codec) []byte {
	p := make([]byte, rtpHeader+160)
	putRTP(p, false, uint8(codec), 0, 0, 5)
	return p
}

func number(p []byte, n int) {
	binary.BigEndian.PutUint16(p[2:], uint16(n))
	binary.BigEndian.PutUint32(p[4:], uint32(n)*160)
}

func TestForwardingAllocatesNothing(t *testing.T) {
	for _, y := range []Codec{PCMU, PCMA} {
		a, b := joinedPair(PCMU, y, sink{})
		tap := &countTap{}
		b.Tap(tap)
		p, n := audioPacket(PCMU), 0
		now := time.Now()
		if got := testing.AllocsPerRun(1000, func() {
			n++
			number(p, n)
			a.receive(p, now)
		}); got != 0 {
			t.Errorf("to %s: %v allocations a packet", y, got)
		}
		if tap.n.Load() != int64(n)*160 {
			t.Errorf("tap heard %d bytes of %d packets", tap.n.Load(), n)
		}
	}
}

// BenchmarkForward is what a packet costs above the sockets: parsed, counted,
// renumbered, recoded.
func BenchmarkForward(b *testing.B) {
	for name, y := range map[string]Codec{"same": PCMU, "recoded": PCMA} {
		b.Run(name, func(b *testing.B) {
			a, _ := joinedPair(PCMU, y, sink{})
			p := audioPacket(PCMU)
			now := time.Now()
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				number(p, n)
				a.receive(p, now)
			}
		})
	}
}

// BenchmarkForwardUDP forwards between two ports over loopback, with a tap. The CPU
// time of the test's own sending and receiving is measured without a forwarder
// first and taken off.
func BenchmarkForwardUDP(b *testing.B) {
	ends := func() (from, to *net.UDPConn) {
		for _, c := range []**net.UDPConn{&from, &to} {
			conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { conn.Close() })
			*c = conn
		}
		return from, to
	}
	from, to := ends()
	bare := pump(b, from, to, to.LocalAddr().(*net.UDPAddr).AddrPort(), 20000)
	from, to = ends()
	var legs [2]*Stream
	var addr netip.AddrPort
	for i, far := range []*net.UDPConn{from, to} {
		port, err := ListenUDP(PortConfig{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			b.Fatal(err)
		}
		port.SetRemote(far.LocalAddr().(*net.UDPAddr).AddrPort())
		legs[i] = NewStream(port, Format{}, Config{})
		defer func(s *Stream) { s.Close(); <-s.Done() }(legs[i])
		if i == 0 {
			addr = port.LocalAddr()
		}
	}
	legs[0].Tap(&countTap{})
	Join(legs[0], legs[1])
	b.ResetTimer()
	cpu := pump(b, from, to, addr, b.N)
	b.ReportMetric(float64(cpu.Nanoseconds())/float64(b.N)/1e3-float64(bare.Nanoseconds())/20000/1e3, "cpu-us/packet")
}

// pump sends n packets, never more than 32 ahead of what arrived, and gives the
// CPU time of the process.
func pump(b *testing.B, from, to *net.UDPConn, addr netip.AddrPort, n int) time.Duration {
	p, buf := audioPacket(PCMU), make([]byte, 2000)
	began := cpuTime(b)
	for sent, got := 0, 0; got < n; {
		for ; sent < n && sent < got+32; sent++ {
			number(p, sent)
			if _, err := from.WriteToUDPAddrPort(p, addr); err != nil {
				b.Fatal(err)
			}
		}
		to.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, _, err := to.ReadFromUDPAddrPort(buf); err != nil {
			b.Fatalf("after %d of %d packets: %v", got, n, err)
		}
		got++
	}
	return cpuTime(b) - began
}

func cpuTime(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
