// Package media moves the audio of calls: RTP in and out of ports, prompts and
// music played to a leg, two legs joined, digits in both directions (RFC 4733), and
// a tap for the recorder. It knows nothing of calls.
//
//	              Port                              Port
//	caller  <->  Stream  <------- Join --------->  Stream  <->  agent
//	              |  ^ Play, SendDigits
//	              v
//	             Tap (both directions of this leg, u-law)
//
// Payloads are passed on as they are where both legs speak the same codec and
// recoded by table where not. To the far end each leg looks like one source: its
// SSRC, sequence numbers and timestamps go on without a break when prompt, music
// and peer take turns; the marker bit starts each of them (RFC 3550, RFC 3551).
//
// Each Stream has one goroutine that reads its port. One goroutine for the whole
// process, the pacer, sends what is played and looks after timeouts and RTCP. To pass
// a packet on allocates nothing.
package media

import (
	"time"
)

// Port carries raw RTP packets of one leg.
type Port interface {
	// ReadRTP blocks for the next packet and returns net.ErrClosed or io.EOF after
	// Close. Packets longer than buf are cut.
	ReadRTP(buf []byte) (n int, err error)
	// WriteRTP sends a packet, which it does not keep. It may drop it.
	WriteRTP(pkt []byte) error
	Close() error
}

// RTCPPort is a Port that carries RTCP too. RTCP that arrives among the RTP
// (RFC 5761) is understood in any case.
type RTCPPort interface {
	Port
	ReadRTCP(buf []byte) (n int, err error)
	WriteRTCP(pkt []byte) error
}

// Codec is an audio codec.
type Codec uint8

// Codecs, by their static payload types of RFC 3551.
const (
	PCMU Codec = 0
	PCMA Codec = 8
)

func (c Codec) String() string {
	if c == PCMA {
		return "PCMA"
	}
	return "PCMU"
}

// Format is what was negotiated for a leg.
type Format struct {
	Codec       Codec
	PayloadType uint8
	// DTMFType is the payload type of telephone-event/8000, 0 if there is none.
	DTMFType uint8
	// PTime is the length of the packets we make, 10 to 60 ms; 0 is 20 ms. Packets of
	// a peer keep their own.
	PTime time.Duration
}

func (f Format) ptime() time.Duration {
	if f.PTime < 10*time.Millisecond || f.PTime > 60*time.Millisecond {
		return tick
	}
	return f.PTime.Round(10 * time.Millisecond)
}

// Digit is a key pressed by the far end.
type Digit struct {
	// Key is one of "0123456789*#ABCD".
	Key byte
	// Duration so far: a digit is reported when it starts.
	Duration time.Duration
}

// Tap is given both directions of a leg, as u-law. Offsets count from the moment
// it was set and follow the RTP timestamps, so lost packets leave gaps and
// late ones find their place. It must be quick and not keep the slices.
type Tap interface {
	// In is what the far end says.
	In(offset time.Duration, ulaw []byte)
	// Out is what the far end hears. In and Out come from different goroutines.
	Out(offset time.Duration, ulaw []byte)
}

const (
	rate = 8000
	// maxPacket is the longest packet read or made: an Ethernet frame.
	maxPacket = 1500
	// DefaultRTPTimeout is how long a leg may be silent on the wire before OnTimeout.
	DefaultRTPTimeout = 30 * time.Second
)

func toSamples(d time.Duration) int64 { return int64(d) * rate / int64(time.Second) }

func fromSamples(n int64) time.Duration { return time.Duration(n) * (time.Second / rate) }
