package softphone

import (
	"context"
	"errors"
	"math"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/webrtc/v4"
	"go.uber.org/goleak"

	"trunkline/edge/media"
	"trunkline/edge/media/mediatest"
	"trunkline/internal/audio"
)

func newTestAPI(t testing.TB) *API {
	t.Helper()
	api, err := NewAPI(APIConfig{UDPAddr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := api.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return api
}

// browser offers audio as a browser would: Opus first, its own number for telephone-event.
func browser(t testing.TB, codecs ...string) *Leg {
	t.Helper()
	var engine webrtc.MediaEngine
	types := map[string]webrtc.PayloadType{webrtc.MimeTypeOpus: 111, webrtc.MimeTypePCMU: 0, webrtc.MimeTypePCMA: 8, "audio/telephone-event": mediatest.DTMFType}
	for _, mime := range codecs {
		c := webrtc.RTPCodecCapability{MimeType: mime, ClockRate: 8000}
		if mime == webrtc.MimeTypeOpus {
			c.ClockRate, c.Channels = 48000, 2
		}
		if err := engine.RegisterCodec(webrtc.RTPCodecParameters{RTPCodecCapability: c, PayloadType: types[mime]}, webrtc.RTPCodecTypeAudio); err != nil {
			t.Fatal(err)
		}
	}
	var s webrtc.SettingEngine
	s.SetIncludeLoopbackCandidate(true)
	s.SetIPFilter(func(ip net.IP) bool { return ip.IsLoopback() })
	s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	pc, err := webrtc.NewAPI(webrtc.WithMediaEngine(&engine), webrtc.WithSettingEngine(s), webrtc.WithInterceptorRegistry(&interceptor.Registry{})).
		NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	f := mediatest.Format(media.PCMU)
	if codecs[len(codecs)-2] == webrtc.MimeTypePCMA {
		f = mediatest.Format(media.PCMA)
	}
	leg, err := newLeg(pc, f)
	if err != nil {
		t.Fatal(err)
	}
	return leg
}

var chromium = []string{webrtc.MimeTypeOpus, webrtc.MimeTypePCMA, webrtc.MimeTypePCMU, "audio/telephone-event"}

func (l *Leg) offer(t testing.TB) string {
	t.Helper()
	offer, err := l.pc.CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	gathered := webrtc.GatheringCompletePromise(l.pc)
	if err := l.pc.SetLocalDescription(offer); err != nil {
		t.Fatal(err)
	}
	<-gathered
	return l.pc.LocalDescription().SDP
}

// connectLegs gives both ends of a connected leg.
func connectLegs(t testing.TB, api *API, codecs ...string) (server, client *Leg) {
	t.Helper()
	client = browser(t, codecs...)
	answer, server, err := api.Answer(context.Background(), client.offer(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := client.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: answer}); err != nil {
		t.Fatal(err)
	}
	for _, l := range []*Leg{server, client} {
		select {
		case <-l.Connected():
		case <-time.After(10 * time.Second):
			t.Fatal("not connected")
		}
	}
	return server, client
}

func TestLegConforms(t *testing.T) {
	defer goleak.VerifyNone(t)
	api, err := NewAPI(APIConfig{UDPAddr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer api.Close()
	mediatest.Conformance(t, func(t *testing.T) (media.Port, media.Port) { return connectLegs(t, api, chromium...) })
}

// A browser and a telephone talk: tones and digits arrive both ways.
func TestBrowserCall(t *testing.T) {
	for _, codec := range []media.Codec{media.PCMU, media.PCMA} {
		t.Run(codec.String(), func(t *testing.T) {
			codecs := chromium
			if codec == media.PCMA {
				codecs = []string{webrtc.MimeTypeOpus, webrtc.MimeTypePCMA, "audio/telephone-event"}
			}
			server, client := connectLegs(t, newTestAPI(t), codecs...)
			if f := server.Format(); f != mediatest.Format(codec) {
				t.Fatalf("agreed on %+v", f)
			}
			digits := make(chan byte, 10)
			agent := media.NewStream(server, server.Format(), media.Config{OnDigit: func(d media.Digit) { digits <- d.Key }})
			near, far := mediatest.Pipe()
			caller := media.NewStream(near, mediatest.Format(media.PCMU), media.Config{})
			desk, phone := mediatest.NewPhone(client, codec), mediatest.NewPhone(far, media.PCMU)
			defer func() {
				agent.Close()
				caller.Close()
				<-agent.Done()
				<-caller.Done()
				desk.Close()
				phone.Close()
			}()
			media.Join(agent, caller)
			desk.Say(600, -10)
			phone.Say(900, -20)
			for what, c := range map[string]struct {
				p         *mediatest.Phone
				hz, level float64
			}{"browser": {desk, 900, -20}, "phone": {phone, 600, -10}} {
				c.p.Listen(300 * time.Millisecond)
				var pcm []int16
				for len(pcm) < 2400 { // however long that takes a busy machine
					pcm = append(pcm, c.p.Listen(500*time.Millisecond)...)
				}
				if got := audio.ToneLevel(pcm, c.hz); math.Abs(got-c.level) > 2 {
					t.Errorf("%s hears %.0f Hz at %.1f dB in %d samples, want %.0f", what, c.hz, got, len(pcm), c.level)
				}
			}
			desk.Press('7')
			if got := <-digits; got != '7' {
				t.Errorf("digit %c", got)
			}
			agent.SendDigits("3#")
			deadline := time.After(5 * time.Second)
			for desk.Digits() != "3#" {
				select {
				case <-deadline:
					t.Fatalf("browser got digits %q", desk.Digits())
				case <-time.After(20 * time.Millisecond):
				}
			}
		})
	}
}

func TestAnswer(t *testing.T) {
	api := newTestAPI(t)
	client := browser(t, chromium...)
	defer client.Close()
	answer, leg, err := api.Answer(context.Background(), client.offer(t))
	if err != nil {
		t.Fatal(err)
	}
	defer leg.Close()
	for _, want := range []string{"m=audio 9 UDP/TLS/RTP/SAVPF 0 101\r\n", "a=setup:passive", "a=candidate:", " 127.0.0.1 ", "a=end-of-candidates", "a=sendrecv", "a=rtcp-mux"} {
		if !strings.Contains(answer, want) {
			t.Errorf("answer lacks %q:\n%s", want, answer)
		}
	}
	if strings.Contains(answer, "a=ice-lite") {
		t.Error("answer is ICE-lite")
	}
}

func TestAdvertisedAddress(t *testing.T) {
	api, err := NewAPI(APIConfig{UDPAddr: "127.0.0.1:0", AdvertisedIPs: []string{"192.0.2.10"}, ICETCPAddr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer api.Close()
	client := browser(t, chromium...)
	defer client.Close()
	answer, leg, err := api.Answer(context.Background(), client.offer(t))
	if err != nil {
		t.Fatal(err)
	}
	defer leg.Close()
	if !strings.Contains(answer, " 192.0.2.10 ") || !strings.Contains(answer, "tcptype passive") {
		t.Errorf("answer:\n%s", answer)
	}
	if _, err := NewAPI(APIConfig{UDPAddr: "127.0.0.1:0", AdvertisedIPs: []string{"nowhere"}}); err == nil {
		t.Error("an address that is none")
	}
}

func TestOffersAreRefused(t *testing.T) {
	api := newTestAPI(t)
	noCodec := browser(t, webrtc.MimeTypeOpus, "audio/telephone-event")
	defer noCodec.Close()
	good := browser(t, chromium...)
	defer good.Close()
	offer := good.offer(t)
	video := offer + "m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=rtpmap:96 VP8/90000\r\n"
	for name, c := range map[string]struct {
		sdp  string
		want error
	}{
		"nothing":     {"", ErrOffer},
		"noise":       {"v=0\r\nthis is not SDP", ErrOffer},
		"long":        {offer + strings.Repeat("a=x\r\n", 20000), ErrOffer},
		"video":       {video, ErrOffer},
		"other codec": {noCodec.offer(t), ErrCodec},
		"no keys":     {strings.ReplaceAll(offer, "a=fingerprint", "a=no"), ErrOffer},
	} {
		if _, leg, err := api.Answer(context.Background(), c.sdp); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
			if leg != nil {
				leg.Close()
			}
		}
	}
}

// The switchboard learns that a browser went away.
func TestStates(t *testing.T) {
	server, client := connectLegs(t, newTestAPI(t), chromium...)
	states := make(chan string, 10)
	server.OnState(func(s string) { states <- s })
	if s := <-states; s != "connected" {
		t.Errorf("state %q", s)
	}
	client.Close()
	for s := range states {
		if s == "closed" || s == "failed" {
			break
		}
	}
	server.Close()
	if _, err := server.ReadRTP(make([]byte, 1500)); err == nil {
		t.Error("read from a closed leg")
	}
}

func FuzzReadOffer(f *testing.F) {
	f.Add("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111 0 126\r\na=rtpmap:126 telephone-event/8000\r\n")
	f.Fuzz(func(t *testing.T, offer string) {
		if format, err := readOffer(offer); err == nil && format.DTMFType != 0 && format.DTMFType < 96 {
			t.Errorf("%+v", format)
		}
	})
}

// BenchmarkAnswer is what a browser's leg costs to set up, with the browser's own
// half in the same process.
func BenchmarkAnswer(b *testing.B) {
	api := newTestAPI(b)
	for b.Loop() {
		server, client := connectLegs(b, api, chromium...)
		server.Close()
		client.Close()
	}
}

// A node runs longer than the month pion gives a certificate by itself.
func TestCertificateOutlivesTheNode(t *testing.T) {
	if ends := newTestAPI(t).cert.Expires(); time.Until(ends) < 10*365*24*time.Hour {
		t.Errorf("no leg can be made after %v", ends)
	}
}
