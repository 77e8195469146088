package carrier

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pion/rtp"
)

const (
	frame     = 160 // samples of 20 ms
	dtmfType  = 101
	keepHeard = 8000 * 30 // samples: the last 30 s are kept
)

// Heard is what a call's media received.
type Heard struct {
	Packets int
	// Audio is the last 30 s as u-law, in order of arrival.
	Audio []byte
	// Arrived is when each packet of Audio came; all hold the same time of audio.
	Arrived []time.Time
	// MaxGap is the longest time between two packets since the first.
	MaxGap time.Duration
	// Last is when the newest packet came.
	Last time.Time
}

// media is the RTP of one call: a socket, a sender paced at 20 ms, a receiver.
type media struct {
	conn  *net.UDPConn
	audio []byte
	done  chan struct{}
	once  sync.Once

	sending sync.Once

	mu     sync.Mutex
	remote netip.AddrPort
	in     Heard
	keys   []byte
	next   *saying // to be said from the next packet on
}

type saying struct {
	audio []byte
	began chan time.Time // gets when the first packet was sent
}

func newMedia(audio []byte) (*media, error) {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	m := &media{conn: conn, audio: audio, done: make(chan struct{})}
	go m.receive()
	return m, nil
}

func (m *media) sdp() []byte {
	port := m.conn.LocalAddr().(*net.UDPAddr).Port
	return fmt.Appendf(nil, "v=0\r\no=carrier 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"+
		"m=audio %d RTP/AVP 0 %d\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:%d telephone-event/8000\r\na=fmtp:%d 0-15\r\na=ptime:20\r\na=sendrecv\r\n",
		port, dtmfType, dtmfType, dtmfType)
}

// retarget reads where the other side wants its audio.
func (m *media) retarget(sdp []byte) error {
	var host string
	var port int
	for line := range strings.SplitSeq(string(sdp), "\n") {
		line = strings.TrimSpace(line)
		if rest, ok := strings.CutPrefix(line, "c=IN IP4 "); ok {
			host = rest
		}
		if rest, ok := strings.CutPrefix(line, "m=audio "); ok {
			first, _, _ := strings.Cut(rest, " ")
			port, _ = strconv.Atoi(first)
		}
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || port == 0 {
		return fmt.Errorf("no audio address in the session description")
	}
	m.mu.Lock()
	m.remote = netip.AddrPortFrom(ip, uint16(port))
	m.mu.Unlock()
	return nil
}

func (m *media) start(sdp []byte) error {
	if err := m.retarget(sdp); err != nil {
		return err
	}
	m.sending.Do(func() { go m.send() })
	return nil
}

func (m *media) stop() {
	m.once.Do(func() {
		close(m.done)
		_ = m.conn.Close()
	})
}

func (m *media) press(keys string) {
	m.mu.Lock()
	m.keys = append(m.keys, keys...)
	m.mu.Unlock()
}

func (m *media) say(audio []byte) <-chan time.Time {
	next := &saying{audio: audio, began: make(chan time.Time, 1)}
	m.mu.Lock()
	m.next = next
	m.mu.Unlock()
	return next.began
}

func (m *media) heard() Heard {
	m.mu.Lock()
	defer m.mu.Unlock()
	h := m.in
	h.Audio, h.Arrived = slices.Clone(h.Audio), slices.Clone(h.Arrived)
	return h
}

func (m *media) receive() {
	buf := make([]byte, 1500)
	var p rtp.Packet
	for {
		n, err := m.conn.Read(buf)
		if err != nil {
			return
		}
		if p.Unmarshal(buf[:n]) != nil || p.PayloadType != 0 {
			continue
		}
		now := time.Now()
		m.mu.Lock()
		if m.in.Packets > 0 {
			m.in.MaxGap = max(m.in.MaxGap, now.Sub(m.in.Last))
		}
		m.in.Packets++
		m.in.Last = now
		m.in.Audio, m.in.Arrived = append(m.in.Audio, p.Payload...), append(m.in.Arrived, now)
		if len(m.in.Audio) > keepHeard {
			m.in.Audio = slices.Clone(m.in.Audio[len(m.in.Audio)/4:])
			m.in.Arrived = slices.Clone(m.in.Arrived[len(m.in.Arrived)/4:])
		}
		m.mu.Unlock()
	}
}

// send speaks the audio in a loop, and keys when some are pressed.
func (m *media) send() {
	s := sender{m: m, ssrc: rand.Uint32(), seq: uint16(rand.Uint32()), ts: rand.Uint32()}
	Pace(m.done, s.tick)
}

// Pace calls send for each 20 ms that pass until done. What a busy machine slept
// through follows at once: a telephone's sound goes on in its time too.
func Pace(done <-chan struct{}, send func()) {
	const step = 20 * time.Millisecond
	tick := time.NewTicker(step)
	defer tick.Stop()
	for next := time.Now().Add(step); ; {
		select {
		case <-done:
			return
		case <-tick.C:
		}
		for ; !time.Now().Before(next); next = next.Add(step) {
			send()
		}
	}
}

type sender struct {
	m    *media
	ssrc uint32
	seq  uint16
	ts   uint32
	at   int // in the audio

	key  byte // being pressed
	step int
	keyT uint32
}

// Frames of one key: 100 ms pressed (of which the end is sent three times), then a pause.
const (
	keyFrames = 5
	endFrames = 3
	keyPause  = 5
)

func (s *sender) tick() {
	defer func() { s.ts += frame }()
	if s.key == 0 {
		s.m.mu.Lock()
		if len(s.m.keys) > 0 {
			s.key, s.m.keys = s.m.keys[0], s.m.keys[1:]
			s.step, s.keyT = 0, s.ts
		}
		s.m.mu.Unlock()
	}
	if s.key != 0 {
		s.event()
		return
	}
	s.m.mu.Lock()
	next := s.m.next
	s.m.next = nil
	s.m.mu.Unlock()
	if next != nil {
		s.m.audio, s.at = next.audio, 0
		defer func() { next.began <- time.Now() }()
	}
	payload := make([]byte, frame)
	for i := range payload {
		payload[i] = 0xff
		if len(s.m.audio) > 0 {
			payload[i] = s.m.audio[s.at]
			s.at = (s.at + 1) % len(s.m.audio)
		}
	}
	s.write(0, s.ts, false, payload)
}

func (s *sender) event() {
	switch {
	case s.step < keyFrames:
		s.write(dtmfType, s.keyT, s.step == 0, eventPayload(s.key, false, uint16((s.step+1)*frame)))
	case s.step < keyFrames+endFrames:
		s.write(dtmfType, s.keyT, false, eventPayload(s.key, true, keyFrames*frame))
	case s.step >= keyFrames+endFrames+keyPause:
		s.key = 0
	}
	s.step++
}

func eventPayload(key byte, end bool, duration uint16) []byte {
	event := byte(strings.IndexByte("0123456789*#ABCD", key))
	volume := byte(10)
	if end {
		volume |= 0x80
	}
	return []byte{event, volume, byte(duration >> 8), byte(duration)}
}

func (s *sender) write(pt uint8, ts uint32, marker bool, payload []byte) {
	s.seq++
	p := rtp.Packet{
		Header:  rtp.Header{Version: 2, Marker: marker, PayloadType: pt, SequenceNumber: s.seq, Timestamp: ts, SSRC: s.ssrc},
		Payload: payload,
	}
	b, err := p.Marshal()
	if err != nil {
		return
	}
	s.m.mu.Lock()
	remote := s.m.remote
	s.m.mu.Unlock()
	_, _ = s.m.conn.WriteToUDPAddrPort(b, remote)
}
