package media

import (
	"errors"
	"io"
	"math"
	"net"
	"sync"
	"time"

	"trunkline/internal/audio"
)

// receiver is the incoming half of a Stream. The goroutine that reads owns all
// but the counters.
type receiver struct {
	events eventReader
	ulaw   [maxPacket]byte

	mu       sync.Mutex
	stats    Stats
	ssrc     uint32
	started  bool
	base     uint32 // extended sequence number of the first packet
	top      uint32 // the highest one
	received uint32 // packets since base
	transit  int64  // RFC 3550, A.8
	jitter   float64
	silent   bool // OnTimeout was called
	rtcp     rtcpState
}

func (r *receiver) init(now time.Time) { r.stats.LastReceived = now }

// read is the Stream's goroutine.
func (s *Stream) read() {
	defer s.readerEnds()
	var buf [maxPacket]byte
	for {
		n, err := s.port.ReadRTP(buf[:])
		if err != nil {
			if !errors.Is(err, net.ErrClosed) && !errors.Is(err, io.EOF) {
				s.cfg.Log.Warn("audio port failed", "error", err)
			}
			return
		}
		now := time.Now()
		if isRTCP(buf[:n]) {
			s.receiveRTCP(buf[:n], now)
			continue
		}
		s.receive(buf[:n], now)
	}
}

// receive handles one RTP packet.
func (s *Stream) receive(b []byte, now time.Time) {
	p, ok := parseRTP(b)
	if !ok || s.closed.Load() {
		s.in.mu.Lock()
		s.in.stats.Malformed++
		s.in.mu.Unlock()
		return
	}
	s.in.count(&p, now)
	f := s.format.Load()
	switch {
	case f.DTMFType != 0 && p.pt == f.DTMFType:
		s.receiveEvent(&p, now)
	case p.pt == f.PayloadType:
		s.receiveAudio(&p, f.Codec, now)
	// Some far ends send the other codec they offered although we chose one.
	case p.pt == uint8(PCMU), p.pt == uint8(PCMA):
		s.receiveAudio(&p, Codec(p.pt), now)
	}
	// Anything else, such as comfort noise, only shows that the far end lives.
}

func (s *Stream) receiveAudio(p *packet, codec Codec, now time.Time) {
	if len(p.payload) == 0 {
		return
	}
	if t := s.tapFor(); t != nil {
		ulaw := p.payload
		if codec == PCMA {
			ulaw = s.in.ulaw[:audio.ALawToULaw(s.in.ulaw[:], p.payload)]
		}
		t.tap.In(t.in.offset(p.ts, now.Sub(t.since)), ulaw)
	}
	if s.muted.Load() {
		return
	}
	if peer := s.peer.Load(); peer != nil {
		peer.forward(s, p, codec, false, now)
	}
}

func (s *Stream) receiveEvent(p *packet, now time.Time) {
	if digit, ok := s.in.events.read(p, now); ok && s.cfg.OnDigit != nil {
		s.cfg.OnDigit(digit)
	}
	if s.muted.Load() {
		return
	}
	if peer := s.peer.Load(); peer != nil {
		peer.forward(s, p, 0, true, now)
	}
}

// count keeps the figures of RFC 3550, 6.4.1 and A.3.
func (r *receiver) count(p *packet, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stats.Packets++
	r.stats.Bytes += uint64(len(p.payload))
	r.stats.LastReceived = now
	r.silent = false
	if !r.started || r.ssrc != p.ssrc {
		r.restart(p, now)
		return
	}
	step := int16(p.seq - uint16(r.top))
	if step > 3000 || step < -3000 {
		r.restart(p, now) // the far end started anew with its old SSRC
		return
	}
	r.received++
	if step <= 0 {
		return
	}
	r.top += uint32(step)
	transit := now.UnixNano()/int64(time.Second/rate) - int64(p.ts)
	d := math.Abs(float64(int32(transit - r.transit)))
	r.transit = transit
	if d < rate { // a silence without packets, or a new timestamp base, is no jitter
		r.jitter += (d - r.jitter) / 16
	}
}

func (r *receiver) restart(p *packet, now time.Time) {
	if r.started {
		r.stats.Lost += r.lost()
	}
	r.started, r.ssrc, r.received = true, p.ssrc, 1
	r.base, r.top = uint32(p.seq), uint32(p.seq)
	r.transit = now.UnixNano()/int64(time.Second/rate) - int64(p.ts)
	r.rtcp.expected, r.rtcp.received = 0, 0
}

// lost is the number of packets missing since the last restart.
func (r *receiver) lost() uint64 {
	if !r.started {
		return 0
	}
	return uint64(max(int64(r.top-r.base)+1-int64(r.received), 0))
}

// Stats are figures of one leg since it began.
type Stats struct {
	// What came: RTP packets and bytes of payload.
	Packets, Bytes uint64
	// Lost is how many of the far end's packets did not come.
	Lost uint64
	// Malformed is how many packets were no RTP.
	Malformed uint64
	// WrongSource is how many came from an address that is not the far end's.
	WrongSource uint64
	// Jitter is the mean deviation of arrival times (RFC 3550, 6.4.1).
	Jitter time.Duration
	// LastReceived is when the last packet came; the start of the leg if none did.
	LastReceived time.Time
	// What was sent.
	SentPackets, SentBytes uint64
	// RTT is the round trip by the far end's last RTCP report, 0 if there was none.
	RTT time.Duration
}

// Stats of the leg until now.
func (s *Stream) Stats() Stats {
	r := &s.in
	r.mu.Lock()
	st := r.stats
	st.Lost += r.lost()
	st.Jitter = time.Duration(r.jitter * float64(time.Second/rate))
	r.mu.Unlock()
	s.out.mu.Lock()
	st.SentPackets, st.SentBytes = s.out.packets, s.out.bytes
	s.out.mu.Unlock()
	if p, ok := s.port.(interface{ WrongSource() uint64 }); ok {
		st.WrongSource = p.WrongSource()
	}
	return st
}

// keep looks after the leg, about once a second, from the pacer.
func (s *Stream) keep(now time.Time) {
	s.in.mu.Lock()
	limit := time.Duration(s.timeout.Load())
	fire := limit > 0 && !s.in.silent && now.Sub(s.in.stats.LastReceived) >= limit
	if fire {
		s.in.silent = true
	}
	s.in.mu.Unlock()
	if fire && s.cfg.OnTimeout != nil {
		go s.cfg.OnTimeout()
	}
	s.reportRTCP(now)
}
