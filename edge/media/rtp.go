package media

import "encoding/binary"

// packet is a parsed RTP packet (RFC 3550, 5.1). Its payload lies in the buffer
// it was read into.
type packet struct {
	marker  bool
	pt      uint8
	seq     uint16
	ts      uint32
	ssrc    uint32
	payload []byte
}

const rtpHeader = 12

// parseRTP reads a packet; false for anything that is not well-formed RTP.
func parseRTP(b []byte) (packet, bool) {
	if len(b) < rtpHeader || b[0]>>6 != 2 {
		return packet{}, false
	}
	p := packet{
		marker: b[1]&0x80 != 0,
		pt:     b[1] & 0x7F,
		seq:    binary.BigEndian.Uint16(b[2:]),
		ts:     binary.BigEndian.Uint32(b[4:]),
		ssrc:   binary.BigEndian.Uint32(b[8:]),
	}
	start, end := rtpHeader+4*int(b[0]&0x0F), len(b)
	if b[0]&0x10 != 0 { // extension header
		if start+4 > end {
			return packet{}, false
		}
		start += 4 + 4*int(binary.BigEndian.Uint16(b[start+2:]))
	}
	if start > end {
		return packet{}, false
	}
	if b[0]&0x20 != 0 { // padding; its last byte counts it
		if start == end || b[end-1] == 0 || int(b[end-1]) > end-start {
			return packet{}, false
		}
		end -= int(b[end-1])
	}
	p.payload = b[start:end]
	return p, true
}

// isRTCP tells RTCP from RTP on one port (RFC 5761, 4).
func isRTCP(b []byte) bool { return len(b) >= 8 && b[0]>>6 == 2 && b[1] >= 192 && b[1] <= 223 }

// putRTP writes the fixed header in front of a payload already in b.
func putRTP(b []byte, marker bool, pt uint8, seq uint16, ts, ssrc uint32) {
	b[0] = 0x80
	b[1] = pt & 0x7F
	if marker {
		b[1] |= 0x80
	}
	binary.BigEndian.PutUint16(b[2:], seq)
	binary.BigEndian.PutUint32(b[4:], ts)
	binary.BigEndian.PutUint32(b[8:], ssrc)
}
