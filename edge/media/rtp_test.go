package media

import (
	"bytes"
	"testing"
	"time"

	"github.com/pion/rtp"
)

func samplePacket(extension, padding bool) []byte {
	p := rtp.Packet{
		Header:  rtp.Header{Version: 2, Marker: true, PayloadType: 8, SequenceNumber: 7, Timestamp: 9, SSRC: 11, CSRC: []uint32{1, 2}},
		Payload: []byte{1, 2, 3, 4, 5, 6, 7, 8},
	}
	if extension {
		if err := p.SetExtension(1, []byte{1, 2, 3}); err != nil {
			panic(err)
		}
	}
	if padding {
		p.Header.Padding, p.PaddingSize = true, 4
	}
	b, err := p.Marshal()
	if err != nil {
		panic(err)
	}
	return b
}

func TestParseRTP(t *testing.T) {
	for _, b := range [][]byte{samplePacket(false, false), samplePacket(true, false), samplePacket(true, true)} {
		p, ok := parseRTP(b)
		if !ok || !p.marker || p.pt != 8 || p.seq != 7 || p.ts != 9 || p.ssrc != 11 || !bytes.Equal(p.payload, []byte{1, 2, 3, 4, 5, 6, 7, 8}) {
			t.Errorf("%x: %+v, %v", b, p, ok)
		}
	}
	good := samplePacket(true, true)
	for name, b := range map[string][]byte{
		"empty":             nil,
		"short":             good[:11],
		"version":           append([]byte{0x40}, good[1:]...),
		"cut CSRC":          good[:16],
		"cut extension":     good[:22],
		"too much padding":  append(bytes.Clone(good[:len(good)-1]), 200),
		"padding of length": append(bytes.Clone(good[:len(good)-1]), 0),
	} {
		if _, ok := parseRTP(b); ok {
			t.Errorf("%s is taken for RTP", name)
		}
	}
}

// FuzzParseRTP compares with another parser and feeds whatever comes to a stream.
func FuzzParseRTP(f *testing.F) {
	f.Add(samplePacket(false, false))
	f.Add(samplePacket(true, true))
	f.Add([]byte{0x80, 101, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 5, 0x80, 3, 0x20})
	f.Add([]byte{0x81, 201, 0, 7, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	format := Format{Codec: PCMA, PayloadType: 8, DTMFType: 101}
	s, peer := &Stream{port: sink{}}, &Stream{port: sink{}}
	for _, x := range []*Stream{s, peer} {
		x.format.Store(&format)
		x.out.init(sink{})
	}
	s.peer.Store(peer)
	f.Fuzz(func(t *testing.T, b []byte) {
		p, ok := parseRTP(b)
		var want rtp.Packet
		if err := want.Unmarshal(bytes.Clone(b)); ok && err == nil {
			if p.seq != want.SequenceNumber || p.ts != want.Timestamp || p.ssrc != want.SSRC || p.pt != want.PayloadType || p.marker != want.Marker {
				t.Errorf("%x: %+v, want %v", b, p, want)
			}
			// The other parser ends a payload where ours does, but for profiles of extensions it knows.
			if !want.Extension && !bytes.Equal(p.payload, want.Payload) {
				t.Errorf("%x: payload %x, want %x", b, p.payload, want.Payload)
			}
		}
		if len(b) > maxPacket {
			return
		}
		now := time.Now()
		s.receive(b, now)
		s.receiveRTCP(b, now)
	})
}

type sink struct{}

func (sink) ReadRTP([]byte) (int, error) { select {} }
func (sink) WriteRTP([]byte) error       { return nil }
func (sink) Close() error                { return nil }
