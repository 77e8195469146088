package sip

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"trunkline/edge/media"
)

// session is what offer and answer agreed on (RFC 3264); a part of the dialog.
type session struct {
	// Ours: id and version of the o= line, grows with each changed description.
	ID      uint64 `cbor:"1,keyasint"`
	Version uint64 `cbor:"2,keyasint"`

	Codec       uint8  `cbor:"3,keyasint"`
	PayloadType uint8  `cbor:"4,keyasint"`
	DTMFType    uint8  `cbor:"5,keyasint,omitempty"`
	PTime       uint16 `cbor:"6,keyasint"` // ms
	// Direction is ours: recvonly = the peer holds.
	Direction string `cbor:"7,keyasint"`
	Remote    string `cbor:"8,keyasint,omitempty"` // media address, empty = not known
	// Lines are the media lines in their order; the one that is ours is empty.
	// A later offer must repeat them all (RFC 3264 8).
	Lines []string `cbor:"9,keyasint,omitempty"`
}

// defaultSession is what an offer of ours starts from.
func defaultSession(id uint64) session {
	return session{ID: id, Version: id, Codec: uint8(media.PCMU), DTMFType: 101, PTime: 20, Direction: SendRecv, Lines: []string{""}}
}

func (s *session) format() Format {
	return Format{
		Codec: media.Codec(s.Codec), PayloadType: s.PayloadType, DTMFType: s.DTMFType,
		PTime: time.Duration(s.PTime) * time.Millisecond,
	}
}

func (s *session) remote() netip.AddrPort {
	a, _ := netip.ParseAddrPort(s.Remote)
	return a
}

// accept takes a peer's offer: errors wrap ErrNoCodec. v4 is our family.
func (s *session) accept(d *description, v4 bool) error {
	ours, lines := -1, make([]string, len(d.media))
	var format Format
	for i := range d.media {
		m := &d.media[i]
		if ours < 0 && m.audio(v4) {
			if f, ok := m.format(); ok {
				ours, format = i, f
				continue
			}
		}
		lines[i] = m.refused()
	}
	if ours < 0 {
		return fmt.Errorf("%w: none of %d media lines", ErrNoCodec, len(d.media))
	}
	s.take(&d.media[ours], format)
	s.Lines = lines
	return nil
}

// answered takes a peer's answer to our offer.
func (s *session) answered(d *description, v4 bool) error {
	for i := range d.media {
		m := &d.media[i]
		if i < len(s.Lines) && s.Lines[i] != "" || !m.audio(v4) {
			continue
		}
		if f, ok := m.format(); ok {
			s.take(m, f)
			return nil
		}
	}
	return fmt.Errorf("%w: not in the answer", ErrNoCodec)
}

func (s *session) take(m *mediaLine, f Format) {
	s.Codec, s.PayloadType, s.DTMFType = uint8(f.Codec), f.PayloadType, f.DTMFType
	s.PTime = uint16(f.PTime / time.Millisecond)
	s.Direction = mirrored(m.direction)
	if m.addr.IsUnspecified() { // hold as RFC 2543 did it
		s.Direction = mirrored(SendOnly)
		return
	}
	s.Remote = netip.AddrPortFrom(m.addr, m.port).String()
}

// mirrored is our direction for a peer's (RFC 3264 6.1).
func mirrored(peer string) string {
	switch peer {
	case SendOnly:
		return RecvOnly
	case RecvOnly:
		return SendOnly
	}
	return peer
}

// describe writes our side: an answer with what was agreed, or an offer with
// all we speak, the agreed codec first.
func (s *session) describe(local netip.AddrPort, offer bool) []byte {
	family := "IP4"
	if local.Addr().Is6() {
		family = "IP6"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "v=0\r\no=- %d %d IN %s %s\r\ns=-\r\nc=IN %s %s\r\nt=0 0\r\n",
		s.ID, s.Version, family, local.Addr(), family, local.Addr())
	for _, line := range s.Lines {
		if line != "" {
			b.WriteString("m=" + line + "\r\n")
			continue
		}
		s.describeAudio(&b, local.Port(), offer)
	}
	return []byte(b.String())
}

func (s *session) describeAudio(b *strings.Builder, port uint16, offer bool) {
	type entry struct {
		pt   uint8
		name string
	}
	list := []entry{{s.PayloadType, media.Codec(s.Codec).String() + "/8000"}}
	if offer {
		other := media.PCMA
		if media.Codec(s.Codec) == media.PCMA {
			other = media.PCMU
		}
		if uint8(other) != s.PayloadType {
			list = append(list, entry{uint8(other), other.String() + "/8000"})
		}
	}
	if s.DTMFType != 0 {
		list = append(list, entry{s.DTMFType, "telephone-event/8000"})
	}
	b.WriteString("m=audio " + strconv.Itoa(int(port)) + " RTP/AVP")
	for _, e := range list {
		b.WriteString(" " + strconv.Itoa(int(e.pt)))
	}
	b.WriteString("\r\n")
	for _, e := range list {
		fmt.Fprintf(b, "a=rtpmap:%d %s\r\n", e.pt, e.name)
	}
	if s.DTMFType != 0 {
		fmt.Fprintf(b, "a=fmtp:%d 0-15\r\n", s.DTMFType)
	}
	fmt.Fprintf(b, "a=ptime:%d\r\na=%s\r\n", s.PTime, s.Direction)
}
