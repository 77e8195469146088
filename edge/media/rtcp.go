package media

import (
	"encoding/binary"
	"time"
)

// rtcpState is what reports are made of. receiver.mu guards it.
type rtcpState struct {
	sentAt             time.Time
	expected, received uint32 // at the last report
	// The far end's last sender report: the middle of its NTP time, and when it came.
	lastSR   uint32
	lastSRAt time.Time
}

// Kinds of RTCP packets, and how often we report.
const (
	rtcpSR       = 200
	rtcpRR       = 201
	rtcpSDES     = 202
	rtcpInterval = 5 * time.Second
)

// readRTCP is the goroutine of a port that has RTCP apart.
func (s *Stream) readRTCP(port RTCPPort) {
	defer s.readerEnds()
	var buf [maxPacket]byte
	for {
		n, err := port.ReadRTCP(buf[:])
		if err != nil {
			return
		}
		if isRTCP(buf[:n]) {
			s.receiveRTCP(buf[:n], time.Now())
		}
	}
}

// receiveRTCP takes from a compound packet (RFC 3550, 6.1) the time of the
// far end's report and the round trip of ours.
func (s *Stream) receiveRTCP(b []byte, now time.Time) {
	s.out.mu.Lock()
	ours := s.out.ssrc
	s.out.mu.Unlock()
	s.in.mu.Lock()
	defer s.in.mu.Unlock()
	for len(b) >= 8 && b[0]>>6 == 2 {
		size := 4 * (int(binary.BigEndian.Uint16(b[2:])) + 1)
		if size > len(b) {
			return
		}
		p, blocks := b[:size], 0
		switch {
		case b[1] == rtcpSR && size >= 28:
			s.in.rtcp.lastSR, s.in.rtcp.lastSRAt = binary.BigEndian.Uint32(p[10:]), now
			blocks = 28
		case b[1] == rtcpRR && size >= 8:
			blocks = 8
		}
		if blocks > 0 {
			for r := p[blocks:]; len(r) >= 24; r = r[24:] {
				if binary.BigEndian.Uint32(r) == ours {
					s.in.roundTrip(r, now)
				}
			}
		}
		b = b[size:]
	}
}

// roundTrip reads LSR and DLSR of a report block.
func (r *receiver) roundTrip(block []byte, now time.Time) {
	lsr, dlsr := binary.BigEndian.Uint32(block[16:]), binary.BigEndian.Uint32(block[20:])
	if lsr == 0 {
		return
	}
	rtt := time.Duration(int32(ntpMiddle(now)-lsr-dlsr)) * time.Second / (1 << 16)
	if rtt >= 0 && rtt < time.Minute {
		r.stats.RTT = rtt
	}
}

// reportRTCP sends a report when one is due.
func (s *Stream) reportRTCP(now time.Time) {
	port, ok := s.port.(RTCPPort)
	if !ok {
		return
	}
	o, r := &s.out, &s.in
	o.mu.Lock()
	ssrc, packets, bytes, ts := o.ssrc, o.packets, o.bytes, o.start(now)
	o.mu.Unlock()
	r.mu.Lock()
	if r.rtcp.sentAt.IsZero() {
		r.rtcp.sentAt = now // the first report after the first interval
	}
	if now.Sub(r.rtcp.sentAt) < rtcpInterval-tick {
		r.mu.Unlock()
		return
	}
	r.rtcp.sentAt = now
	b := appendReport(make([]byte, 0, 128), ssrc, packets, bytes, ts, now)
	if r.started {
		b[0] |= 1
		b = r.appendBlock(b, now)
	}
	r.mu.Unlock()
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)/4-1))
	// A compound packet needs a CNAME; ours says nothing about anybody.
	b = append(b, 0x81, rtcpSDES, 0, 3)
	b = binary.BigEndian.AppendUint32(b, ssrc)
	b = append(b, 1, 5, 'm', 'e', 'd', 'i', 'a', 0)
	if err := port.WriteRTCP(b); err != nil {
		s.cfg.Log.Debug("RTCP report not sent", "error", err)
	}
}

// appendReport starts a sender report, or a receiver report if nothing was sent.
// The caller fills in its length.
func appendReport(b []byte, ssrc uint32, packets, bytes uint64, ts uint32, now time.Time) []byte {
	if packets == 0 {
		b = append(b, 0x80, rtcpRR, 0, 0)
		return binary.BigEndian.AppendUint32(b, ssrc)
	}
	b = append(b, 0x80, rtcpSR, 0, 0)
	b = binary.BigEndian.AppendUint32(b, ssrc)
	b = binary.BigEndian.AppendUint64(b, ntp(now))
	b = binary.BigEndian.AppendUint32(b, ts)
	b = binary.BigEndian.AppendUint32(b, uint32(packets))
	return binary.BigEndian.AppendUint32(b, uint32(bytes))
}

// appendBlock appends a report block (RFC 3550, 6.4.1 and A.3).
func (r *receiver) appendBlock(b []byte, now time.Time) []byte {
	expected := r.top - r.base + 1
	expectedNow, receivedNow := expected-r.rtcp.expected, r.received-r.rtcp.received
	r.rtcp.expected, r.rtcp.received = expected, r.received
	fraction := uint32(0)
	if expectedNow > receivedNow {
		fraction = min((expectedNow-receivedNow)*256/expectedNow, 255)
	}
	lost := uint32(min(r.lost(), 0x7FFFFF))
	b = binary.BigEndian.AppendUint32(b, r.ssrc)
	b = binary.BigEndian.AppendUint32(b, fraction<<24|lost)
	b = binary.BigEndian.AppendUint32(b, r.top)
	b = binary.BigEndian.AppendUint32(b, uint32(r.jitter))
	var since uint32
	if !r.rtcp.lastSRAt.IsZero() {
		since = uint32(now.Sub(r.rtcp.lastSRAt) * (1 << 16) / time.Second)
	}
	b = binary.BigEndian.AppendUint32(b, r.rtcp.lastSR)
	return binary.BigEndian.AppendUint32(b, since)
}

// ntp is a time as 32 bits of seconds since 1900 and 32 of their fraction.
func ntp(t time.Time) uint64 {
	const since1900 = 2208988800
	return uint64(t.Unix()+since1900)<<32 | uint64(t.Nanosecond())<<32/uint64(time.Second)
}

func ntpMiddle(t time.Time) uint32 { return uint32(ntp(t) >> 16) }
