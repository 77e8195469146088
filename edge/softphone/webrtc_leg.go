package softphone

import (
	"errors"
	"io"
	"net"
	"sync"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"trunkline/edge/media"
)

// Leg is the audio of one browser: a media.Port with RTCP.
type Leg struct {
	pc     *webrtc.PeerConnection
	sender *webrtc.RTPSender
	format media.Format
	ssrc   uint32

	connected chan struct{}
	receiving chan struct{} // track is set
	closed    chan struct{}
	closing   sync.Once

	mu      sync.Mutex
	track   *webrtc.TrackRemote
	state   string
	onState func(string)

	send   sync.Mutex
	writer webrtc.TrackLocalWriter // nil until the browser can receive
	header rtp.Header
}

func newLeg(pc *webrtc.PeerConnection, format media.Format) (*Leg, error) {
	l := &Leg{
		pc: pc, format: format, state: "new",
		connected: make(chan struct{}), receiving: make(chan struct{}), closed: make(chan struct{}),
	}
	pc.OnConnectionStateChange(l.changed)
	pc.OnTrack(l.heard)
	sender, err := pc.AddTrack((*legTrack)(l))
	if err != nil {
		return nil, err
	}
	l.sender = sender
	l.ssrc = uint32(sender.GetParameters().Encodings[0].SSRC)
	return l, nil
}

// Format is what was agreed with the browser.
func (l *Leg) Format() media.Format { return l.format }

// SSRC is the number the browser knows our audio by.
func (l *Leg) SSRC() uint32 { return l.ssrc }

// Connected is closed when audio can pass for the first time.
func (l *Leg) Connected() <-chan struct{} { return l.connected }

// OnState sets the function that is told of each new state: "connecting", "connected",
// "disconnected", "failed", "closed". It is told the present one at once, unless
// that is "new". It must not block.
func (l *Leg) OnState(f func(state string)) {
	l.mu.Lock()
	l.onState = f
	state := l.state
	l.mu.Unlock()
	if state != "new" {
		f(state)
	}
}

func (l *Leg) changed(s webrtc.PeerConnectionState) {
	l.mu.Lock()
	if l.state == s.String() || l.state == "closed" {
		l.mu.Unlock()
		return
	}
	l.state = s.String()
	f := l.onState
	if s == webrtc.PeerConnectionStateConnected {
		select {
		case <-l.connected:
		default:
			close(l.connected)
		}
	}
	l.mu.Unlock()
	if f != nil {
		f(s.String())
	}
}

// ReadRTP gives the browser's next packet.
func (l *Leg) ReadRTP(buf []byte) (int, error) {
	select {
	case <-l.closed:
		return 0, net.ErrClosed
	case <-l.receiving:
	}
	for {
		n, _, err := l.track.Read(buf)
		// A payload type nobody agreed to comes with an error, and with the packet.
		if n > 0 {
			return n, nil
		}
		if err != nil {
			return 0, ended(err)
		}
	}
}

// ended gives one error for all ways of pion to say that a connection is closed.
func ended(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) {
		return net.ErrClosed
	}
	return err
}

// WriteRTP sends a packet to the browser; before it is connected, to nobody.
func (l *Leg) WriteRTP(pkt []byte) error {
	l.send.Lock()
	defer l.send.Unlock()
	select {
	case <-l.closed:
		return net.ErrClosed
	default:
	}
	if l.writer == nil {
		return nil
	}
	n, err := l.header.Unmarshal(pkt)
	if err != nil {
		return err
	}
	l.header.SSRC = l.ssrc
	_, err = l.writer.WriteRTP(&l.header, pkt[n:])
	if errors.Is(err, io.ErrClosedPipe) {
		return net.ErrClosed
	}
	return err
}

// ReadRTCP gives the browser's next report on what it hears.
func (l *Leg) ReadRTCP(buf []byte) (int, error) {
	select {
	case <-l.closed:
		return 0, net.ErrClosed
	case <-l.receiving:
	}
	n, _, err := l.sender.Read(buf)
	if err != nil {
		return 0, ended(err)
	}
	return n, nil
}

// heard is called, in a goroutine of its own, when the browser's audio is there.
func (l *Leg) heard(track *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
	l.mu.Lock()
	first := l.track == nil
	if first {
		l.track = track
		close(l.receiving)
	}
	l.mu.Unlock()
	// Reports come twice: with the audio they are about, which ReadRTCP reads, and
	// with the browser's. These would pile up if nobody read them.
	buf := make([]byte, receiveMTU)
	for {
		if _, _, err := receiver.Read(buf); err != nil {
			return
		}
	}
}

// WriteRTCP sends a report to the browser.
func (l *Leg) WriteRTCP(pkt []byte) error {
	packets, err := rtcp.Unmarshal(pkt)
	if err != nil {
		return err
	}
	return l.pc.WriteRTCP(packets)
}

// Close ends the leg. The browser is told.
func (l *Leg) Close() error {
	var err error
	l.closing.Do(func() {
		close(l.closed)
		err = l.pc.Close()
		l.changed(webrtc.PeerConnectionStateClosed)
	})
	return err
}

// legTrack is the Leg as pion wants to see what it sends: a track that passes on
// packets with the payload types they have. Pion's own would turn every
// telephone-event into audio.
type legTrack Leg

// Bind is called when the browser can receive.
func (t *legTrack) Bind(c webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	for _, codec := range c.CodecParameters() {
		if codec.PayloadType == webrtc.PayloadType(t.format.PayloadType) {
			t.send.Lock()
			t.writer = c.WriteStream()
			t.send.Unlock()
			return codec, nil
		}
	}
	return webrtc.RTPCodecParameters{}, webrtc.ErrUnsupportedCodec
}

// Unbind is called when it no longer can.
func (t *legTrack) Unbind(webrtc.TrackLocalContext) error {
	t.send.Lock()
	t.writer = nil
	t.send.Unlock()
	return nil
}

func (t *legTrack) ID() string                { return "audio" }
func (t *legTrack) RID() string               { return "" }
func (t *legTrack) StreamID() string          { return "call" }
func (t *legTrack) Kind() webrtc.RTPCodecType { return webrtc.RTPCodecTypeAudio }
