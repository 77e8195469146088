package media

import (
	"bytes"
	"time"

	"trunkline/internal/audio"
)

// Source is audio to play: clips of u-law, one after the other.
type Source struct {
	clips [][]byte
	loop  bool
}

// Clips makes a Source of 8 kHz u-law, which must not change while it is played.
// With loop it starts again at its end, until it is stopped.
func Clips(loop bool, ulaw ...[]byte) Source {
	s := Source{loop: loop}
	for _, clip := range ulaw {
		if len(clip) > 0 {
			s.clips = append(s.clips, clip)
		}
	}
	return s
}

// Duration of the source, once through.
func (s Source) Duration() time.Duration {
	n := 0
	for _, c := range s.clips {
		n += len(c)
	}
	return fromSamples(int64(n))
}

// playing is a Source on its way.
type playing struct {
	src      Source
	clip, at int
	begun    bool
	due      time.Duration // time to fill since the last packet
	onDone   func(bool)
}

// end reports, in a goroutine of its own, that the source is over.
func (p *playing) end(completed bool) {
	if p != nil && p.onDone != nil {
		go p.onDone(completed)
	}
}

// silence fills the last packet of a source.
var silence = bytes.Repeat([]byte{audio.SilenceULaw}, 480)

// next fills dst, and says whether anything was left to play.
func (p *playing) next(dst []byte) bool {
	n := 0
	for n < len(dst) && p.clip < len(p.src.clips) {
		c := p.src.clips[p.clip]
		copied := copy(dst[n:], c[p.at:])
		n += copied
		p.at += copied
		if p.at < len(c) {
			continue
		}
		p.clip, p.at = p.clip+1, 0
		if p.src.loop && p.clip == len(p.src.clips) {
			p.clip = 0
		}
	}
	copy(dst[n:], silence)
	return n > 0
}

func (p *playing) over() bool { return p.clip >= len(p.src.clips) }

// Play plays to the far end instead of whatever it hears, starting within
// 20 ms. onDone (may be nil) is called once, in a goroutine of its own: true
// when the last packet was sent, false when it was stopped, replaced or the leg closed. A peer is
// heard again afterwards.
func (s *Stream) Play(src Source, onDone func(completed bool)) {
	o := &s.out
	o.mu.Lock()
	was := o.playing
	next := &playing{src: src, onDone: onDone}
	if o.dead {
		o.mu.Unlock()
		next.end(false)
		return
	}
	o.playing, o.from = next, nil
	add := !o.pacing
	o.pacing = true
	o.mu.Unlock()
	was.end(false)
	if add {
		theClock.pace(s)
	}
}

// StopPlay stops what is played, if anything is.
func (s *Stream) StopPlay() {
	s.out.mu.Lock()
	was := s.out.playing
	s.out.playing = nil
	s.out.mu.Unlock()
	was.end(false)
}

// Playing says whether something is played to the far end.
func (s *Stream) Playing() bool {
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	return s.out.playing != nil
}

// pace sends what is due at a tick and says whether there will be more.
func (s *Stream) pace(now time.Time) bool {
	o := &s.out
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.dead:
	case o.dialing.active():
		s.dial(now)
	case o.playing != nil:
		s.playTick(now)
	}
	o.pacing = !o.dead && (o.playing != nil || o.dialing.active())
	return o.pacing
}

func (s *Stream) playTick(now time.Time) {
	o, p, f := &s.out, s.out.playing, s.format.Load()
	ptime := f.ptime()
	p.due += tick
	if !p.begun {
		p.due = ptime
	}
	for ; p.due >= ptime && !p.over(); p.due -= ptime {
		n := int(toSamples(ptime))
		ulaw := o.ulaw[:n]
		if !p.next(ulaw) {
			break
		}
		ts, marker := o.ts+o.span, false
		// A process that was not scheduled for long goes on at the right time.
		if late := o.start(now); !p.begun || late-ts > rate/5 {
			ts, marker = late, true
		}
		s.recode(ulaw, PCMU, f.Codec)
		s.tapOut(ulaw, PCMU, ts, now)
		o.emit(marker, f.PayloadType, o.seq, ts, n)
		o.seq++
		o.ts, o.span, o.at = ts, uint32(n), now
		p.begun = true
	}
	if p.over() {
		o.playing = nil
		p.end(true)
	}
}
