package sip

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"trunkline/edge/media"
)

const offerHead = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"

func TestNegotiation(t *testing.T) {
	for name, c := range map[string]struct {
		media     string
		format    Format
		direction string
		remote    string
		lines     []string
		fails     bool
	}{
		"u-law first": {
			media:     "m=audio 4000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\n",
			format:    Format{Codec: media.PCMU, DTMFType: 101, PTime: 20 * time.Millisecond},
			direction: SendRecv, remote: "192.0.2.1:4000", lines: []string{""},
		},
		"a-law under a name of its own": {
			media:     "m=audio 4000 RTP/AVP 9 96\r\na=rtpmap:96 pcma/8000/1\r\na=ptime:30\r\na=sendonly\r\n",
			format:    Format{Codec: media.PCMA, PayloadType: 96, PTime: 30 * time.Millisecond},
			direction: RecvOnly, remote: "192.0.2.1:4000", lines: []string{""},
		},
		"a static number that means something else": {
			media: "m=audio 4000 RTP/AVP 0\r\na=rtpmap:0 opus/48000/2\r\n", fails: true,
		},
		"other media are refused in their place": {
			media: "m=video 5000 RTP/AVP 31\r\nm=audio 0 RTP/AVP 0\r\nm=audio 4002 RTP/AVP 8\r\nc=IN IP4 192.0.2.7\r\n" +
				"m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n",
			format:    Format{Codec: media.PCMA, PayloadType: 8, PTime: 20 * time.Millisecond},
			direction: SendRecv, remote: "192.0.2.7:4002",
			lines: []string{"video 0 RTP/AVP 31", "audio 0 RTP/AVP 0", "", "application 0 UDP/DTLS/SCTP webrtc-datachannel"},
		},
		"hold of old": {
			media:     "m=audio 4000 RTP/AVP 0\r\nc=IN IP4 0.0.0.0\r\n",
			format:    Format{Codec: media.PCMU, PTime: 20 * time.Millisecond},
			direction: RecvOnly, lines: []string{""},
		},
		"packets no longer than 10 ms": {
			media:     "m=audio 4000 RTP/AVP 0\r\na=maxptime:10\r\n",
			format:    Format{Codec: media.PCMU, PTime: 10 * time.Millisecond},
			direction: SendRecv, remote: "192.0.2.1:4000", lines: []string{""},
		},
		"the other family":   {media: "m=audio 4000 RTP/AVP 0\r\nc=IN IP6 2001:db8::1\r\n", fails: true},
		"a name, no address": {media: "m=audio 4000 RTP/AVP 0\r\nc=IN IP4 pbx.example\r\n", fails: true},
		"encrypted":          {media: "m=audio 4000 RTP/SAVP 0\r\n", fails: true},
	} {
		d, err := parseSDP([]byte(offerHead + c.media))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		s := defaultSession(1)
		err = s.accept(d, true)
		if c.fails {
			if !errors.Is(err, ErrNoCodec) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil || s.format() != c.format || s.Direction != c.direction || s.Remote != c.remote || strings.Join(s.Lines, "|") != strings.Join(c.lines, "|") {
			t.Errorf("%s: %+v %v", name, s, err)
		}
		// What we answer can be read, and every line has its place.
		answer, err := parseSDP(s.describe(netip.MustParseAddrPort("192.0.2.2:9000"), false))
		if err != nil || len(answer.media) != len(c.lines) {
			t.Errorf("%s: answer %+v %v", name, answer, err)
		}
	}
}

func TestDescriptionsThatAreNone(t *testing.T) {
	for _, s := range []string{
		"x", "v=0\r\n", "v=1\r\no=-\r\nm=audio 1 RTP/AVP 0\r\n", "v=0\r\nm=audio 1 RTP/AVP 0\r\n",
		offerHead + "m=audio\r\n", offerHead + "m=audio 99999 RTP/AVP 0\r\n", offerHead + "m=audio -1 RTP/AVP 0\r\n",
		offerHead + "m=audio 1 RTP/AVP 0\r\nnonsense\r\n", offerHead + "m=audio 1 RTP/AVP 0\r\na=rtpmap:x y\r\n",
		offerHead + "c=IN IP5 x\r\nm=audio 1 RTP/AVP 0\r\n",
		offerHead + strings.Repeat("m=audio 1 RTP/AVP 0\r\n", maxMedia+1),
		offerHead + "m=audio 1 RTP/AVP" + strings.Repeat(" 0", maxFormats+1) + "\r\n",
		offerHead + strings.Repeat("a=x\r\n", maxSDPLines), offerHead + strings.Repeat("a", maxSDP),
	} {
		if _, err := parseSDP([]byte(s)); !errors.Is(err, ErrBadSDP) {
			t.Errorf("%.60q: %v", s, err)
		}
	}
}

func TestDescriptionInMultipart(t *testing.T) {
	body := "--b\r\nContent-Type: application/isup\r\n\r\nxx\r\n--b\r\nContent-Type: application/sdp\r\n\r\n" +
		offerHead + "m=audio 4000 RTP/AVP 0\r\n\r\n--b--\r\n"
	d, err := readDescription([]byte(body), "multipart/mixed;boundary=b")
	if err != nil || len(d.media) != 1 {
		t.Errorf("%+v %v", d, err)
	}
	if _, err := readDescription([]byte(body), "multipart/mixed"); !errors.Is(err, ErrBadSDP) {
		t.Errorf("%v", err)
	}
}

func FuzzSDP(f *testing.F) {
	f.Add([]byte(offerHead + "m=audio 4000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\n"))
	f.Add([]byte(offerHead + "m=video 1 RTP/AVP 31\r\nc=IN IP6 ::1\r\nm=audio 4 RTP/AVP 8\r\na=inactive\r\n"))
	local := netip.MustParseAddrPort("192.0.2.2:9000")
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := parseSDP(b)
		if err != nil {
			if !errors.Is(err, ErrBadSDP) {
				t.Fatal(err)
			}
			return
		}
		s := defaultSession(1)
		if s.accept(d, true) != nil {
			return
		}
		for _, offer := range []bool{false, true} {
			again, err := parseSDP(s.describe(local, offer))
			if err != nil || len(again.media) != len(d.media) {
				t.Fatalf("answer %q: %v", s.describe(local, offer), err)
			}
		}
	})
}
