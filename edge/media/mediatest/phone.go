package mediatest

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pion/rtp"

	"trunkline/edge/media"
	"trunkline/internal/audio"
)

// Payload types of a Phone.
const (
	DTMFType = 101
	ptime    = 20 * time.Millisecond
)

// Format is what a Phone of a codec speaks.
func Format(c media.Codec) media.Format {
	return media.Format{Codec: c, PayloadType: uint8(c), DTMFType: DTMFType}
}

// Phone is the far end of a leg: it sends a tone in packets of 20 ms and keeps
// what it hears. It reads RTP with other code than the one it tests.
type Phone struct {
	port  media.Port
	codec media.Codec
	done  sync.WaitGroup
	stop  chan struct{}

	mu    sync.Mutex
	hz    float64
	level float64
	quiet bool
	seq   uint16
	ts    uint32
	at    int
	ssrc  uint32
	heard []Heard
}

// Heard is a packet that arrived at a Phone.
type Heard struct {
	At time.Time
	rtp.Packet
}

// NewPhone starts a phone that sends silence.
func NewPhone(port media.Port, codec media.Codec) *Phone {
	p := &Phone{port: port, codec: codec, stop: make(chan struct{}), ssrc: 0x5EED0000 + uint32(codec), seq: 65500, ts: 1 << 31, level: -120}
	p.done.Go(p.listen)
	p.done.Go(p.speak)
	return p
}

// Close ends the phone and closes its port.
func (p *Phone) Close() {
	close(p.stop)
	p.port.Close()
	p.done.Wait()
}

// Say changes what the phone says: a tone at a level in dB of full scale.
func (p *Phone) Say(hz, level float64) {
	p.mu.Lock()
	p.hz, p.level, p.quiet = hz, level, false
	p.mu.Unlock()
}

// Quiet makes the phone send no audio at all.
func (p *Phone) Quiet() {
	p.mu.Lock()
	p.quiet = true
	p.mu.Unlock()
}

// Restart makes the phone a new RTP source, as after a re-INVITE.
func (p *Phone) Restart(ssrc uint32, seq uint16, ts uint32) {
	p.mu.Lock()
	p.ssrc, p.seq, p.ts = ssrc, seq, ts
	p.mu.Unlock()
}

// Press sends a key for 100 ms as RFC 4733 events, the end three times, and
// returns when it is over. The tone pauses meanwhile.
func (p *Phone) Press(key byte) {
	p.mu.Lock()
	was := p.quiet
	p.quiet = true
	ts := p.ts
	p.mu.Unlock()
	for i := 1; i <= 7; i++ {
		n := min(i, 5) * 160
		end := byte(0)
		if i >= 5 {
			end = 0x80
		}
		code := byte(strings.IndexByte(audio.Keys, key))
		p.mu.Lock()
		p.send(i == 1, DTMFType, ts, []byte{code, end | 10, byte(n >> 8), byte(n)})
		p.mu.Unlock()
		wait(ptime)
	}
	p.mu.Lock()
	p.quiet = was
	p.mu.Unlock()
}

func (p *Phone) send(marker bool, pt uint8, ts uint32, payload []byte) {
	pkt := rtp.Packet{
		Header:  rtp.Header{Version: 2, Marker: marker, PayloadType: pt, SequenceNumber: p.seq, Timestamp: ts, SSRC: p.ssrc},
		Payload: payload,
	}
	p.seq++
	if b, err := pkt.Marshal(); err == nil {
		_ = p.port.WriteRTP(b) // like a network, it may lose it
	}
}

// Send sends one packet of silence with numbers of choice.
func (p *Phone) Send(seq uint16, ts uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seq = seq
	p.send(false, uint8(p.codec), ts, slices.Repeat([]byte{audio.SilenceULaw}, 160))
}

func (p *Phone) speak() {
	t := time.NewTicker(ptime)
	defer t.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-t.C:
		}
		p.mu.Lock()
		if !p.quiet {
			pcm := audio.Tone(p.hz, p.level, p.at+160)[p.at:]
			p.at = (p.at + 160) % audio.Rate
			if p.codec == media.PCMA {
				p.send(false, uint8(p.codec), p.ts, audio.AppendALaw(nil, pcm))
			} else {
				p.send(false, uint8(p.codec), p.ts, audio.AppendULaw(nil, pcm))
			}
		}
		p.ts += 160
		p.mu.Unlock()
	}
}

func (p *Phone) listen() {
	buf := make([]byte, 2000)
	for {
		n, err := p.port.ReadRTP(buf)
		if err != nil {
			return
		}
		h := Heard{At: time.Now()}
		if h.Unmarshal(slices.Clone(buf[:n])) != nil {
			continue
		}
		p.mu.Lock()
		p.heard = append(p.heard, h)
		p.mu.Unlock()
	}
}

// Packets gives all that arrived so far.
func (p *Phone) Packets() []Heard {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.heard)
}

// Listen gives the audio that arrives in the next d, in order of arrival.
func (p *Phone) Listen(d time.Duration) []int16 {
	from := len(p.Packets())
	wait(d)
	return Decode(p.Packets()[from:])
}

// Decode gives the audio of packets, events left out.
func Decode(packets []Heard) []int16 {
	var pcm []int16
	for _, h := range packets {
		switch media.Codec(h.PayloadType) {
		case media.PCMU:
			pcm = audio.AppendPCM(pcm, h.Payload)
		case media.PCMA:
			pcm = audio.AppendPCMFromALaw(pcm, h.Payload)
		}
	}
	return pcm
}

// Digits gives the keys pressed by the far end: one for each timestamp of an event.
func (p *Phone) Digits() string {
	keys := ""
	seen := make(map[uint32]bool)
	for _, h := range p.Packets() {
		if h.PayloadType == DTMFType && len(h.Payload) == 4 && !seen[h.Timestamp] {
			seen[h.Timestamp] = true
			keys += string(audio.Keys[h.Payload[0]])
		}
	}
	return keys
}
