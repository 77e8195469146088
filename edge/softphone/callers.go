package softphone

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"time"

	"connectrpc.com/connect"
	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"trunkline/edge/call"
	"trunkline/edge/media"
	"trunkline/internal/fault"
	agentv1 "trunkline/proto/gen/trunkline/agent/v1"
)

// watchEvery is how often a browser caller's screen is brought up to date.
const watchEvery = 200 * time.Millisecond

// Callers serves CallerService with the same Service.
type Callers struct{ *Service }

// Dial begins a call with a ticket; the ticket is spent by it.
func (s Callers) Dial(ctx context.Context, req *agentv1.DialRequest) (*agentv1.DialResponse, error) {
	hash := sha256.Sum256([]byte(req.GetTicket()))
	// Anybody may ask: what is no ticket does not become an entry of the log.
	known := false
	if err := poll(ctx, func(waited time.Duration) bool {
		known = s.site.Ticket(hash[:])
		return known || waited > lagWait
	}); err != nil {
		return nil, err
	}
	if !known {
		return nil, fault.New(fault.NotFound, "fault.ticket.spent").WithAction("action.start_again")
	}
	res, err := s.site.Apply(ctx, uuid.Must(uuid.NewV7()).String(), call.TicketUse{Hash: hash[:]})
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "fault.site.no_quorum").WithRetry(time.Second)
	}
	if res.Refused != "" || res.Ticket == nil {
		return nil, fault.New(fault.NotFound, "fault.ticket.spent").WithAction("action.start_again")
	}
	answer, leg, err := s.api.Answer(ctx, req.GetSdpOffer())
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "fault.webrtc.offer").WithField("sdp_offer")
	}
	id := uuid.Must(uuid.NewV7()).String()
	audio := media.NewStream(leg, leg.Format(), media.Config{
		OnDigit:   func(d media.Digit) { s.calls.Digit(id, d.Key) },
		OnTimeout: func() { s.calls.CallerGone(id, "media_timeout") },
		Log:       s.log,
	})
	leg.OnState(func(state string) {
		if state == "failed" || state == "closed" {
			s.calls.CallerGone(id, "browser_gone")
		}
	})
	secret := make([]byte, 24)
	_, _ = rand.Read(secret)
	text := base64.RawURLEncoding.EncodeToString(secret)
	secretHash := sha256.Sum256([]byte(text))
	if err := s.calls.BrowserCall(*res.Ticket, secretHash[:], id, audio, func() { audio.Close() }); err != nil {
		audio.Close()
		return nil, err
	}
	return &agentv1.DialResponse{CallId: id, SdpAnswer: answer, CallSecret: text}, nil
}

// unseenWait is how long a call may take to be seen here after it was dialled.
const unseenWait = 10 * time.Second

// Watch shows a browser caller where the call stands, until it ends.
func (s Callers) Watch(ctx context.Context, req *agentv1.WatchRequest, out *connect.ServerStream[agentv1.CallerEvent]) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	var last *agentv1.CallerEvent
	since := time.Now()
	for began := false; ; {
		c, ok := s.site.Call(req.GetCallId())
		if ok && !provesSecret(c, req.GetCallSecret()) {
			return fault.New(fault.NotFound, "fault.call.gone")
		}
		began = began || ok
		ev := s.callerEvent(c, ok)
		if (ok || began) && !proto.Equal(ev, last) {
			if err := out.Send(ev); err != nil {
				return err
			}
			last = ev
		}
		if began && !ok {
			return nil
		}
		if !began && time.Since(since) > unseenWait {
			return fault.New(fault.NotFound, "fault.call.gone")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (s Callers) callerEvent(c call.Call, ok bool) *agentv1.CallerEvent {
	if !ok {
		return &agentv1.CallerEvent{State: "ended"}
	}
	ev := &agentv1.CallerEvent{QueueName: queueName(s.site.Config(c.Tenant), c.QueueID)}
	switch c.Phase {
	case call.PhaseQueued:
		ev.State, ev.Position = "queued", uint32(s.site.Position(c.ID))
	case call.PhaseOffered:
		ev.State = "ringing"
	case call.PhaseTalking:
		ev.State = "talking"
	case call.PhaseOutside:
		if ev.State = "talking"; c.Outside.AnsweredAt == 0 {
			ev.State = "ringing"
		}
	default:
		ev.State = "menu"
	}
	return ev
}

// Press is a key of the browser caller's keypad.
func (s Callers) Press(_ context.Context, req *agentv1.PressRequest) (*agentv1.Done, error) {
	c, err := s.proven(req.GetCallId(), req.GetCallSecret())
	if err != nil {
		return nil, err
	}
	key := req.GetDigit()
	if len(key) != 1 || !isDigit(rune(key[0])) {
		return nil, fault.New(fault.Invalid, "fault.digits").WithField("digit")
	}
	s.calls.Digit(c.ID, key[0])
	return &agentv1.Done{}, nil
}

// End hangs up for the browser caller.
func (s Callers) End(_ context.Context, req *agentv1.EndRequest) (*agentv1.Done, error) {
	c, err := s.proven(req.GetCallId(), req.GetCallSecret())
	if err != nil {
		return nil, err
	}
	s.calls.CallerGone(c.ID, "caller_hung_up")
	return &agentv1.Done{}, nil
}

func (s Callers) proven(id, secret string) (call.Call, error) {
	c, ok := s.site.Call(id)
	if !ok || !provesSecret(c, secret) {
		return call.Call{}, fault.New(fault.NotFound, "fault.call.gone")
	}
	return c, nil
}

func provesSecret(c call.Call, secret string) bool {
	hash := sha256.Sum256([]byte(secret))
	return c.Kind == call.KindBrowser && subtle.ConstantTimeCompare(hash[:], c.SecretHash) == 1
}
