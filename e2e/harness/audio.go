package harness

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/pion/interceptor"
	"github.com/pion/webrtc/v4"
	wmedia "github.com/pion/webrtc/v4/pkg/media"

	"trunkline/e2e/carrier"
	agentv1 "trunkline/proto/gen/trunkline/agent/v1"
)

// Audio is a browser-like WebRTC leg: it says a u-law clip in a loop and keeps
// what it hears.
type Audio struct {
	pc        *webrtc.PeerConnection
	done      chan struct{}
	once      sync.Once
	connected chan struct{}

	mu    sync.Mutex
	heard []byte
	last  time.Time
}

const keepHeard = 8000 * 30

// newAudio makes the leg and its offer, candidates included.
func newAudio(ctx context.Context, says []byte) (*Audio, string, error) {
	var m webrtc.MediaEngine
	pcmu := webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypePCMU, ClockRate: 8000}
	if err := m.RegisterCodec(webrtc.RTPCodecParameters{RTPCodecCapability: pcmu}, webrtc.RTPCodecTypeAudio); err != nil {
		return nil, "", err
	}
	var s webrtc.SettingEngine
	s.SetIncludeLoopbackCandidate(true)
	api := webrtc.NewAPI(webrtc.WithMediaEngine(&m), webrtc.WithSettingEngine(s), webrtc.WithInterceptorRegistry(&interceptor.Registry{}))
	pc, err := api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return nil, "", err
	}
	a := &Audio{pc: pc, done: make(chan struct{}), connected: make(chan struct{})}
	track, err := webrtc.NewTrackLocalStaticSample(pcmu, "audio", "mic")
	if err != nil {
		return nil, "", errors.Join(err, pc.Close())
	}
	if _, err := pc.AddTrack(track); err != nil {
		return nil, "", errors.Join(err, pc.Close())
	}
	pc.OnTrack(func(t *webrtc.TrackRemote, _ *webrtc.RTPReceiver) { a.hear(t) })
	var once sync.Once
	pc.OnConnectionStateChange(func(st webrtc.PeerConnectionState) {
		if st == webrtc.PeerConnectionStateConnected {
			once.Do(func() { close(a.connected) })
		}
	})
	gathered := webrtc.GatheringCompletePromise(pc)
	offer, err := pc.CreateOffer(nil)
	if err == nil {
		err = pc.SetLocalDescription(offer)
	}
	if err != nil {
		return nil, "", errors.Join(err, pc.Close())
	}
	select {
	case <-gathered:
	case <-ctx.Done():
		return nil, "", errors.Join(ctx.Err(), pc.Close())
	}
	go a.speak(track, says)
	return a, pc.LocalDescription().SDP, nil
}

func (a *Audio) answer(ctx context.Context, sdp string) error {
	if err := a.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: sdp}); err != nil {
		return err
	}
	select {
	case <-a.connected:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("audio leg is not connected: %w", ctx.Err())
	}
}

func (a *Audio) speak(track *webrtc.TrackLocalStaticSample, says []byte) {
	at := 0
	carrier.Pace(a.done, func() {
		frame := make([]byte, 160)
		for i := range frame {
			frame[i] = 0xff
			if len(says) > 0 {
				frame[i] = says[at]
				at = (at + 1) % len(says)
			}
		}
		_ = track.WriteSample(wmedia.Sample{Data: frame, Duration: 20 * time.Millisecond})
	})
}

func (a *Audio) hear(t *webrtc.TrackRemote) {
	for {
		p, _, err := t.ReadRTP()
		if err != nil {
			return
		}
		a.mu.Lock()
		a.heard = append(a.heard, p.Payload...)
		if len(a.heard) > keepHeard {
			a.heard = append([]byte(nil), a.heard[len(a.heard)-keepHeard*3/4:]...)
		}
		a.last = time.Now()
		a.mu.Unlock()
	}
}

// Heard is what came in: the last 30 s of u-law.
func (a *Audio) Heard() []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]byte(nil), a.heard...)
}

// Close ends the leg.
func (a *Audio) Close() {
	a.once.Do(func() {
		close(a.done)
		_ = a.pc.Close()
	})
}

// Negotiate makes the audio leg of a call with its owner node.
func (d *Desk) Negotiate(ctx context.Context, c *agentv1.Call, says []byte) (*Audio, error) {
	a, offer, err := newAudio(ctx, says)
	if err != nil {
		return nil, err
	}
	res, err := d.At(c.GetNodeUrl()).Negotiate(ctx, &agentv1.NegotiateRequest{
		CallId: c.GetId(), SdpOffer: offer, LegId: uuid.NewString(),
	})
	if err == nil {
		err = a.answer(ctx, res.GetSdpAnswer())
	}
	if err != nil {
		a.Close()
		return nil, fmt.Errorf("negotiate: %w", err)
	}
	return a, nil
}

// Answer takes the offered call: leg while it rings, then accept.
func (d *Desk) Answer(ctx context.Context, c *agentv1.Call, says []byte) (*Audio, error) {
	a, err := d.Negotiate(ctx, c, says)
	if err != nil {
		return nil, err
	}
	if _, err := d.At(c.GetNodeUrl()).Accept(ctx, Command(c)); err != nil {
		a.Close()
		return nil, fmt.Errorf("accept: %w", err)
	}
	return a, nil
}
