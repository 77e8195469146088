package media

import (
	"encoding/binary"
	"strings"
	"sync"
	"time"

	"trunkline/internal/audio"
)

// eventReader reports each digit of an RFC 4733 sender once, when it begins. A
// digit is many packets with one timestamp, the last of them three times.
type eventReader struct {
	seen     bool
	ssrc, ts uint32
	key      byte
	duration uint16
	ended    bool
	at       time.Time
}

// sameDigit is how close packets of one digit follow each other, for senders
// that wrongly move the timestamp with each packet.
const sameDigit = 60 * time.Millisecond

func (e *eventReader) read(p *packet, now time.Time) (Digit, bool) {
	if len(p.payload) < 4 || int(p.payload[0]) >= len(audio.Keys) {
		return Digit{}, false // events above 15 are no keys
	}
	key := audio.Keys[p.payload[0]]
	end := p.payload[1]&0x80 != 0
	duration := binary.BigEndian.Uint16(p.payload[2:])
	if e.seen && e.ssrc == p.ssrc {
		if int32(p.ts-e.ts) < 0 && int32(p.ts-e.ts) > -rate {
			return Digit{}, false // late, of a digit before
		}
		goesOn := p.ts == e.ts ||
			key == e.key && !e.ended && !p.marker && duration > e.duration && now.Sub(e.at) < sameDigit
		if goesOn {
			e.ts, e.at = p.ts, now
			e.duration, e.ended = max(duration, e.duration), e.ended || end
			return Digit{}, false
		}
	}
	*e = eventReader{seen: true, ssrc: p.ssrc, ts: p.ts, key: key, duration: duration, ended: end, at: now}
	return Digit{Key: key, Duration: fromSamples(int64(duration))}, true
}

// A digit takes digitTicks of the pacer and is followed by gapTicks without
// one: 100 ms on and 60 ms off. Its last packet is sent three times.
const (
	digitTicks = 5
	gapTicks   = 3
	pauseTicks = 25 // a comma: half a second
	eventLevel = 10 // dBm0 below zero
	maxDialing = 128
)

// dialing is the digits still to be sent.
type dialing struct {
	keys string
	step int
	ts   uint32
}

func (d *dialing) active() bool { return len(d.keys) > 0 }

// SendDigits sends keys to the far end, as RFC 4733 events or, where the format
// has none, as tones. "," pauses for half a second; what is no key is left out,
// and so is what goes beyond 128 waiting digits. Other audio to this leg waits.
func (s *Stream) SendDigits(keys string) {
	keys = strings.Map(func(r rune) rune {
		if r == ',' || strings.ContainsRune(audio.Keys, r) {
			return r
		}
		return -1
	}, strings.ToUpper(keys))
	o := &s.out
	o.mu.Lock()
	keys = keys[:min(len(keys), max(maxDialing-len(o.dialing.keys), 0))]
	if o.dead || keys == "" {
		o.mu.Unlock()
		return
	}
	o.dialing.keys += keys
	o.from = nil
	add := !o.pacing
	o.pacing = true
	o.mu.Unlock()
	if add {
		theClock.pace(s)
	}
}

// dial sends the packet of the digit that is due.
func (s *Stream) dial(now time.Time) {
	o := &s.out
	d, f := &o.dialing, s.format.Load()
	last := digitTicks + gapTicks
	switch {
	case d.keys[0] == ',':
		last = pauseTicks
	case f.DTMFType != 0:
		s.dialEvent(f, now)
	default:
		s.dialTone(f, now)
	}
	if d.step++; d.step >= last {
		d.step, d.keys = 0, d.keys[1:]
		if o.playing != nil {
			o.playing.begun = false // it goes on where it was, with a marker
		}
	}
}

// dialEvent: steps 0 to 3 report the digit going on, 4 to 6 its end.
func (s *Stream) dialEvent(f *Format, now time.Time) {
	o, d := &s.out, &s.out.dialing
	if d.step >= digitTicks+2 {
		return
	}
	if d.step == 0 {
		d.ts = o.start(now)
		o.ts, o.span, o.at = d.ts, 0, now
	}
	elapsed := min(d.step+1, digitTicks)
	b := o.buf[rtpHeader:]
	b[0] = byte(strings.IndexByte(audio.Keys, d.keys[0]))
	b[1] = eventLevel
	if d.step >= digitTicks-1 {
		b[1] |= 0x80
	}
	binary.BigEndian.PutUint16(b[2:], uint16(elapsed*int(toSamples(tick))))
	o.emit(d.step == 0, f.DTMFType, o.seq, d.ts, 4)
	o.seq++
}

// dialTone sends the digit as audio.
func (s *Stream) dialTone(f *Format, now time.Time) {
	o, d := &s.out, &s.out.dialing
	n := int(toSamples(tick))
	ulaw := silence[:n]
	if d.step < digitTicks {
		ulaw = keyTones()[d.keys[0]][d.step*n : (d.step+1)*n]
	}
	ts := o.ts + o.span
	if d.step == 0 {
		ts = o.start(now)
	}
	s.recode(ulaw, PCMU, f.Codec)
	o.emit(d.step == 0, f.PayloadType, o.seq, ts, n)
	o.seq++
	o.ts, o.span, o.at = ts, uint32(n), now
}

var keyTones = sync.OnceValue(func() map[byte][]byte {
	tones := make(map[byte][]byte, len(audio.Keys))
	for i := range len(audio.Keys) {
		tones[audio.Keys[i]] = audio.AppendULaw(nil, audio.KeyTone(audio.Keys[i], digitTicks*int(toSamples(tick))))
	}
	return tones
})
