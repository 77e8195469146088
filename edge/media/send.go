package media

import (
	"math/rand/v2"
	"sync"
	"time"

	"trunkline/internal/audio"
)

// sender is the outgoing half of a Stream: one RTP source that prompt, peer and
// digits feed in turn.
type sender struct {
	mu   sync.Mutex
	port Port
	buf  [maxPacket]byte
	ulaw [maxPacket]byte

	ssrc    uint32
	seq     uint16    // of the next packet
	ts      uint32    // of the newest packet
	span    uint32    // samples in it
	at      time.Time // when it was sent; zero before the first
	packets uint64
	bytes   uint64
	dead    bool

	// The peer whose packets are passed on: its numbers plus seqOff and tsOff are
	// ours, so that losses and reordering stay visible to the far end.
	from     *Stream
	fromSSRC uint32
	seqOff   uint16
	tsOff    uint32
	first    uint16 // no packet of the peer may come out before this number
	inTS     uint32 // newest timestamp of the peer and when it came
	inAt     time.Time

	playing *playing
	dialing dialing
	pacing  bool // the pacer knows this stream
}

// The far end starts anew, with its old SSRC, if numbers jump further than this.
const (
	maxSeqJump = 3000
	maxLate    = 500
	maxTSJump  = 2 * rate
)

func (o *sender) init(port Port) {
	o.port = port
	o.ssrc = rand.Uint32()
	if p, ok := port.(interface{ SSRC() uint32 }); ok {
		o.ssrc = p.SSRC() // announced already
	}
	o.seq = uint16(rand.Uint32())
	o.ts = rand.Uint32()
}

// start gives the timestamp for a source that begins now: as much later than the
// newest packet as the clock says, at least by its length.
func (o *sender) start(now time.Time) uint32 {
	if o.at.IsZero() {
		return o.ts
	}
	return o.ts + uint32(max(int64(o.span), toSamples(now.Sub(o.at))))
}

// emit sends the n payload bytes in buf.
func (o *sender) emit(marker bool, pt uint8, seq uint16, ts uint32, n int) {
	putRTP(o.buf[:], marker, pt, seq, ts, o.ssrc)
	if o.port.WriteRTP(o.buf[:rtpHeader+n]) == nil {
		o.packets++
		o.bytes += uint64(n)
	}
}

// forward passes on a packet of the peer: audio in codec, or an RFC 4733 event.
// It is dropped while something of our own is sent to this leg.
func (s *Stream) forward(from *Stream, p *packet, codec Codec, event bool, now time.Time) {
	o := &s.out
	f := s.format.Load()
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.dead || o.playing != nil || o.dialing.active() || len(p.payload) > maxPacket-rtpHeader || event && f.DTMFType == 0 {
		return
	}
	marker := p.marker
	if o.jumped(from, p, event, now) {
		o.from, o.fromSSRC = from, p.ssrc
		o.seqOff, o.first = o.seq-p.seq, o.seq
		o.tsOff = o.start(now) - p.ts
		marker = true
	}
	seq, ts := p.seq+o.seqOff, p.ts+o.tsOff
	if ahead := int16(seq - o.seq); ahead >= 0 {
		o.seq = seq + 1
		if o.seq-o.first > 2*maxLate {
			o.first = o.seq - maxLate
		}
		if ts != o.ts || o.at.IsZero() {
			o.ts, o.at = ts, now
			o.inTS, o.inAt = p.ts, now
		}
		o.span = 0
		if !event {
			o.span = uint32(len(p.payload))
		}
	} else if int16(seq-o.first) < 0 {
		return // late, from before the peer was heard
	}
	pt := f.DTMFType
	if !event {
		pt = f.PayloadType
		s.recode(p.payload, codec, f.Codec)
		s.tapOut(p.payload, codec, ts, now)
	} else {
		copy(o.buf[rtpHeader:], p.payload)
	}
	o.emit(marker, pt, seq, ts, len(p.payload))
}

// jumped says whether the numbers of a peer have no relation to ours yet, or lost it.
func (o *sender) jumped(from *Stream, p *packet, event bool, now time.Time) bool {
	if o.from != from || o.fromSSRC != p.ssrc {
		return true
	}
	ahead := int16(p.seq + o.seqOff - o.seq)
	if ahead > maxSeqJump || ahead < -maxLate {
		return true
	}
	if ahead < 0 || event {
		return false
	}
	d := int64(int32(p.ts-o.inTS)) - toSamples(now.Sub(o.inAt))
	return d > maxTSJump || d < -maxTSJump
}

// recode copies a payload into buf, in this leg's codec.
func (s *Stream) recode(payload []byte, from, to Codec) {
	dst := s.out.buf[rtpHeader:]
	switch {
	case from == to:
		copy(dst, payload)
	case from == PCMU:
		audio.ULawToALaw(dst, payload)
	default:
		audio.ALawToULaw(dst, payload)
	}
}

// tapOut shows the tap what the far end is about to hear.
func (s *Stream) tapOut(payload []byte, codec Codec, ts uint32, now time.Time) {
	t := s.tapFor()
	if t == nil {
		return
	}
	if codec == PCMA {
		payload = s.out.ulaw[:audio.ALawToULaw(s.out.ulaw[:], payload)]
	}
	t.tap.Out(t.out.offset(ts, now.Sub(t.since)), payload)
}

func (o *sender) close() {
	o.mu.Lock()
	o.dead = true
	was := o.playing
	o.playing, o.from, o.dialing = nil, nil, dialing{}
	o.mu.Unlock()
	was.end(false)
}
