package softphone

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"strings"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"trunkline/edge/media"
)

// APIConfig says where browsers' audio arrives.
type APIConfig struct {
	// UDPAddr is the one UDP port of all legs, host:port; port 0 lets the kernel choose.
	UDPAddr string
	// AdvertisedIPs are told to browsers instead of the address listened on.
	AdvertisedIPs []string
	// ICETCPAddr, if given, is a TCP port for browsers that cannot send UDP.
	ICETCPAddr string
	Log        *slog.Logger
}

// API makes the WebRTC legs of this node. All share one port, one certificate and
// one set of codecs.
type API struct {
	api    *webrtc.API
	udp    net.PacketConn
	udpMux ice.UDPMux
	tcpMux ice.TCPMux
	cert   webrtc.Certificate
	log    *slog.Logger
}

// Errors of Answer: the browser's offer is at fault.
var (
	ErrOffer = errors.New("webrtc: offer is not one of audio")
	ErrCodec = errors.New("webrtc: offer has neither PCMU nor PCMA")
)

// Limits and times of a leg. A lost network shows after iceLost, and after
// iceFailed the leg is given up; the browser makes another long before.
const (
	maxOffer     = 64 << 10
	receiveMTU   = 1500
	iceLost      = 3 * time.Second
	iceFailed    = 12 * time.Second
	iceKeepalive = time.Second
	gatherTime   = 5 * time.Second
)

// audioCodecs are all we speak. Browsers give telephone-event a type of their
// choice, which the answer takes over.
var audioCodecs = []webrtc.RTPCodecParameters{
	{RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypePCMU, ClockRate: 8000}, PayloadType: 0},
	{RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypePCMA, ClockRate: 8000}, PayloadType: 8},
	{RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: "audio/telephone-event", ClockRate: 8000}, PayloadType: 126},
}

// NewAPI opens the ports. Close releases them, after the legs are closed.
func NewAPI(cfg APIConfig) (*API, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	a := &API{log: cfg.Log}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	cert, err := legCertificate(key)
	if err != nil {
		return nil, err
	}
	a.cert = *cert
	var engine webrtc.MediaEngine
	for _, c := range audioCodecs {
		if err := engine.RegisterCodec(c, webrtc.RTPCodecTypeAudio); err != nil {
			return nil, err
		}
	}
	settings, err := a.settings(cfg)
	if err != nil {
		a.Close()
		return nil, err
	}
	// The empty registry is needed: without one pion adds its own interceptors,
	// which cost more than the audio and do nothing for G.711.
	a.api = webrtc.NewAPI(webrtc.WithMediaEngine(&engine), webrtc.WithSettingEngine(settings), webrtc.WithInterceptorRegistry(&interceptor.Registry{}))
	return a, nil
}

// certLife is longer than a node runs. Browsers go by the certificate's hash, but
// pion refuses every leg once its own certificate, made for a month, has ended.
const certLife = 20 * 365 * 24 * time.Hour

func legCertificate(key *ecdsa.PrivateKey) (*webrtc.Certificate, error) {
	now := time.Now()
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 128))
	if err != nil {
		return nil, err
	}
	name := pkix.Name{CommonName: "trunkline"}
	return webrtc.NewCertificate(key, x509.Certificate{
		SerialNumber: serial, Issuer: name, Subject: name, NotBefore: now.Add(-24 * time.Hour), NotAfter: now.Add(certLife),
	})
}

// settings opens the ports and sets what was measured to be cheapest. Each leg
// keeps its own copy of the codecs: two browsers may number them differently.
func (a *API) settings(cfg APIConfig) (webrtc.SettingEngine, error) {
	var s webrtc.SettingEngine
	s.LoggerFactory = pionLog{cfg.Log}
	networks := []webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6}

	conn, err := net.ListenPacket("udp", cfg.UDPAddr)
	if err != nil {
		return s, fmt.Errorf("webrtc: %w", err)
	}
	a.udp = conn
	a.udpMux = webrtc.NewICEUDPMux(s.LoggerFactory.NewLogger("ice"), conn)
	s.SetICEUDPMux(a.udpMux)
	if cfg.ICETCPAddr != "" {
		listener, err := net.Listen("tcp", cfg.ICETCPAddr)
		if err != nil {
			return s, fmt.Errorf("webrtc: %w", err)
		}
		a.tcpMux = webrtc.NewICETCPMux(s.LoggerFactory.NewLogger("ice"), listener, 16)
		s.SetICETCPMux(a.tcpMux)
		networks = append(networks, webrtc.NetworkTypeTCP4, webrtc.NetworkTypeTCP6)
	}
	s.SetNetworkTypes(networks)
	s.DisableActiveTCP(true)

	local := conn.LocalAddr().(*net.UDPAddr).IP
	loopback := local.IsLoopback()
	var others []string
	for _, text := range cfg.AdvertisedIPs {
		ip := net.ParseIP(text)
		if ip == nil {
			return s, fmt.Errorf("webrtc: %q is no IP address", text)
		}
		loopback = loopback || ip.IsLoopback()
		if !ip.Equal(local) {
			others = append(others, text)
		}
	}
	s.SetIncludeLoopbackCandidate(loopback)
	if len(others) > 0 {
		rule := webrtc.ICEAddressRewriteRule{External: cfg.AdvertisedIPs, AsCandidateType: webrtc.ICECandidateTypeHost, Mode: webrtc.ICEAddressRewriteReplace}
		if err := s.SetICEAddressRewriteRules(rule); err != nil {
			return s, err
		}
	}
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	s.SetICETimeouts(iceLost, iceFailed, iceKeepalive)
	s.SetSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80)
	s.SetReceiveMTU(receiveMTU)
	s.SetFireOnTrackBeforeFirstRTP(true)
	return s, s.SetAnsweringDTLSRole(webrtc.DTLSRoleServer)
}

// Addr is the UDP address listened on.
func (a *API) Addr() *net.UDPAddr { return a.udp.LocalAddr().(*net.UDPAddr) }

// Close closes the ports.
func (a *API) Close() error {
	var errs []error
	if a.udpMux != nil {
		errs = append(errs, a.udpMux.Close(), a.udp.Close())
	}
	if a.tcpMux != nil {
		errs = append(errs, a.tcpMux.Close())
	}
	err := errors.Join(errs...)
	if errors.Is(err, net.ErrClosed) {
		return nil // the mux has closed its socket already
	}
	return err
}

// Answer answers a browser's offer with a leg. The answer holds all candidates.
// The leg belongs to the caller, who closes it, also if it never connects: then
// its state becomes "failed". ErrOffer and ErrCodec say what is wrong with the offer.
func (a *API) Answer(ctx context.Context, offerSDP string) (string, *Leg, error) {
	format, err := readOffer(offerSDP)
	if err != nil {
		return "", nil, err
	}
	pc, err := a.api.NewPeerConnection(webrtc.Configuration{Certificates: []webrtc.Certificate{a.cert}})
	if err != nil {
		return "", nil, err
	}
	leg, err := newLeg(pc, format)
	if err != nil {
		_ = pc.Close()
		return "", nil, err
	}
	answer, err := leg.answer(ctx, offerSDP)
	if err != nil {
		leg.Close()
		return "", nil, err
	}
	return answer, leg, nil
}

func (l *Leg) answer(ctx context.Context, offerSDP string) (string, error) {
	pc := l.pc
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offerSDP}); err != nil {
		return "", fmt.Errorf("%w: %w", ErrOffer, err)
	}
	if err := l.prefer(); err != nil {
		return "", err
	}
	answer, err := pc.CreateAnswer(nil)
	if err != nil {
		return "", err
	}
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(answer); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, gatherTime)
	defer cancel()
	select {
	case <-gathered:
		return pc.LocalDescription().SDP, nil
	case <-ctx.Done():
		return "", fmt.Errorf("webrtc: gathering candidates: %w", ctx.Err())
	}
}

// prefer leaves one codec in the answer, so that both sides know what is sent.
func (l *Leg) prefer() error {
	codecs := []webrtc.RTPCodecParameters{audioCodecs[0], audioCodecs[2]}
	if l.format.Codec == media.PCMA {
		codecs[0] = audioCodecs[1]
	}
	codecs[1].PayloadType = 0 // the offer's
	if l.format.DTMFType == 0 {
		codecs = codecs[:1]
	}
	for _, t := range l.pc.GetTransceivers() {
		if err := t.SetCodecPreferences(codecs); err != nil {
			return err
		}
	}
	return nil
}

// readOffer checks what a browser wants before anything is made for it, and
// chooses the codec.
func readOffer(offer string) (media.Format, error) {
	var d sdp.SessionDescription
	if len(offer) > maxOffer {
		return media.Format{}, fmt.Errorf("%w: %d bytes", ErrOffer, len(offer))
	}
	if err := d.UnmarshalString(offer); err != nil {
		return media.Format{}, fmt.Errorf("%w: %w", ErrOffer, err)
	}
	if len(d.MediaDescriptions) != 1 || d.MediaDescriptions[0].MediaName.Media != "audio" {
		return media.Format{}, ErrOffer
	}
	var f media.Format
	found := map[string]bool{}
	m := d.MediaDescriptions[0]
	for _, pt := range m.MediaName.Formats {
		found[pt] = true
	}
	switch {
	case found["0"]:
		f.Codec = media.PCMU
	case found["8"]:
		f.Codec = media.PCMA
	default:
		return media.Format{}, ErrCodec
	}
	f.PayloadType = uint8(f.Codec)
	for _, attr := range m.Attributes {
		var pt uint8
		if attr.Key != "rtpmap" || !strings.HasSuffix(strings.ToLower(attr.Value), " telephone-event/8000") {
			continue
		}
		if _, err := fmt.Sscanf(attr.Value, "%d ", &pt); err == nil && pt >= 96 && pt <= 127 {
			f.DTMFType = pt
			break
		}
	}
	return f, nil
}
