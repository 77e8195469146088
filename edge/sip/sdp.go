package sip

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"trunkline/edge/media"
)

// Session descriptions (RFC 8866), as far as one audio stream of G.711 with
// telephone events needs them. Other media lines are kept to be refused in
// their place (RFC 3264 6).

// Limits of what a peer may describe.
const (
	maxSDP      = 16 << 10
	maxSDPLines = 400
	maxMedia    = 16
	maxFormats  = 64
)

// description is a peer's offer or answer.
type description struct {
	media []mediaLine
}

type mediaLine struct {
	kind, proto string // "audio", "RTP/AVP"
	port        uint16
	formats     []string
	addr        netip.Addr // not valid: a name, or none was given
	direction   string     // the peer's: sendrecv, sendonly, recvonly, inactive
	codecs      map[uint8]string
	ptime       int // ms; 0 = not said
	maxptime    int
}

// parseSDP reads a body. Errors wrap ErrBadSDP.
func parseSDP(body []byte) (*description, error) {
	if len(body) > maxSDP {
		return nil, fmt.Errorf("%w: %d bytes", ErrBadSDP, len(body))
	}
	d := &description{}
	session := mediaLine{direction: SendRecv}
	cur := &session
	lines, seen := 0, byte(0)
	for line := range strings.SplitSeq(string(body), "\n") {
		line = strings.TrimRight(line, "\r")
		if line == "" {
			continue
		}
		if lines++; lines > maxSDPLines || len(line) < 2 || line[1] != '=' {
			return nil, fmt.Errorf("%w: line %d", ErrBadSDP, lines)
		}
		if lines == 1 && line != "v=0" {
			return nil, fmt.Errorf("%w: no version", ErrBadSDP)
		}
		value := line[2:]
		var err error
		switch line[0] {
		case 'o':
			seen |= 1
		case 'c':
			cur.addr, err = parseConnection(value)
		case 'm':
			if len(d.media) == maxMedia {
				return nil, fmt.Errorf("%w: too many media lines", ErrBadSDP)
			}
			var m mediaLine
			if m, err = parseMedia(value); err == nil {
				m.addr, m.direction, m.ptime, m.maxptime = session.addr, session.direction, session.ptime, session.maxptime
				d.media = append(d.media, m)
				cur = &d.media[len(d.media)-1]
			}
		case 'a':
			err = cur.attribute(value)
		}
		if err != nil {
			return nil, err
		}
	}
	if seen == 0 || len(d.media) == 0 {
		return nil, fmt.Errorf("%w: no origin or no media", ErrBadSDP)
	}
	return d, nil
}

// parseConnection reads "IN IP4 192.0.2.1[/ttl]". A name gives an address that
// is not valid: such a stream is not usable here, but no syntax error.
func parseConnection(v string) (netip.Addr, error) {
	f := strings.Fields(v)
	if len(f) != 3 || f[0] != "IN" || f[1] != "IP4" && f[1] != "IP6" {
		return netip.Addr{}, fmt.Errorf("%w: connection %q", ErrBadSDP, printable(v, 80))
	}
	host, _, _ := strings.Cut(f[2], "/")
	addr, err := netip.ParseAddr(host)
	if err != nil || addr.Zone() != "" {
		return netip.Addr{}, nil
	}
	return addr.Unmap(), nil
}

func parseMedia(v string) (mediaLine, error) {
	f := strings.Fields(v)
	if len(f) < 4 || len(f) > 3+maxFormats {
		return mediaLine{}, fmt.Errorf("%w: media line %q", ErrBadSDP, printable(v, 80))
	}
	portText, _, _ := strings.Cut(f[1], "/")
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return mediaLine{}, fmt.Errorf("%w: media port %q", ErrBadSDP, printable(f[1], 80))
	}
	return mediaLine{kind: f[0], port: uint16(port), proto: f[2], formats: f[3:], codecs: map[uint8]string{}}, nil
}

func (m *mediaLine) attribute(v string) error {
	name, value, _ := strings.Cut(v, ":")
	switch name {
	case SendRecv, SendOnly, RecvOnly, Inactive:
		m.direction = name
	case "ptime":
		m.ptime = milliseconds(value)
	case "maxptime":
		m.maxptime = milliseconds(value)
	case "rtpmap":
		pt, encoding, ok := strings.Cut(strings.TrimSpace(value), " ")
		n, err := strconv.ParseUint(pt, 10, 7)
		if !ok || err != nil {
			return fmt.Errorf("%w: rtpmap %q", ErrBadSDP, printable(value, 80))
		}
		if m.codecs != nil {
			m.codecs[uint8(n)] = strings.ToUpper(strings.TrimSpace(encoding))
		}
	}
	return nil
}

// milliseconds reads ptime, which some write as "20.0"; 0 = not understood.
func milliseconds(v string) int {
	whole, _, _ := strings.Cut(strings.TrimSpace(v), ".")
	n, err := strconv.Atoi(whole)
	if err != nil || n < 0 || n > 10000 {
		return 0
	}
	return n
}

// encoding of a payload type: by rtpmap, else the static one of RFC 3551.
func (m *mediaLine) encoding(pt uint8) string {
	if e, ok := m.codecs[pt]; ok {
		return strings.TrimSuffix(e, "/1")
	}
	switch pt {
	case 0:
		return "PCMU/8000"
	case 8:
		return "PCMA/8000"
	}
	return ""
}

// audio tells whether a line can carry our audio to addresses of a family.
func (m *mediaLine) audio(v4 bool) bool {
	return m.kind == "audio" && m.port != 0 && m.proto == "RTP/AVP" && m.addr.IsValid() && m.addr.Is4() == v4
}

// format picks the peer's first codec we speak.
func (m *mediaLine) format() (Format, bool) {
	f, found := Format{PTime: 20 * time.Millisecond}, false
	for _, s := range m.formats {
		n, err := strconv.ParseUint(s, 10, 7)
		if err != nil {
			continue
		}
		switch pt := uint8(n); m.encoding(pt) {
		case "PCMU/8000":
			if !found {
				f.Codec, f.PayloadType, found = media.PCMU, pt, true
			}
		case "PCMA/8000":
			if !found {
				f.Codec, f.PayloadType, found = media.PCMA, pt, true
			}
		case "TELEPHONE-EVENT/8000":
			if f.DTMFType == 0 {
				f.DTMFType = pt
			}
		}
	}
	ms := m.ptime
	if m.maxptime > 0 && (ms == 0 || ms > m.maxptime) {
		ms = min(m.maxptime, 20)
	}
	if ms >= 10 && ms <= 60 {
		f.PTime = time.Duration(ms/10*10) * time.Millisecond
	}
	return f, found
}

// String is the line as it goes back refused: same place, same kind, port 0.
func (m *mediaLine) refused() string {
	formats := m.formats
	if len(formats) > 4 {
		formats = formats[:4]
	}
	return printable(m.kind+" 0 "+m.proto+" "+strings.Join(formats, " "), 200)
}
