package softphone

import (
	"context"

	"trunkline/internal/fault"
	agentv1 "trunkline/proto/gen/trunkline/agent/v1"
)

// The call commands of the desktop. Each is safe to repeat: a command that is
// already done succeeds.

// Accept answers the offered call.
func (s *Service) Accept(ctx context.Context, req *agentv1.CallCommand) (*agentv1.Call, error) {
	return s.command(ctx, req.GetCallId(), s.calls.Accept)
}

// Hold begins or ends holding the caller.
func (s *Service) Hold(ctx context.Context, req *agentv1.ToggleCommand) (*agentv1.Call, error) {
	return s.command(ctx, req.GetCallId(), func(ctx context.Context, id, agent string) error {
		return s.calls.Hold(ctx, id, agent, req.GetOn())
	})
}

// Mute is the browser's own matter (the track is disabled there); the answer
// is the call as it stands.
func (s *Service) Mute(ctx context.Context, req *agentv1.ToggleCommand) (*agentv1.Call, error) {
	m, err := s.command(ctx, req.GetCallId(), func(context.Context, string, string) error { return nil })
	if err == nil {
		m.Muted = req.GetOn()
	}
	return m, err
}

// Reject refuses the offer.
func (s *Service) Reject(ctx context.Context, req *agentv1.CallCommand) (*agentv1.Done, error) {
	_, err := s.command(ctx, req.GetCallId(), s.calls.Reject)
	return &agentv1.Done{}, err
}

// Hangup ends the call.
func (s *Service) Hangup(ctx context.Context, req *agentv1.CallCommand) (*agentv1.Done, error) {
	_, err := s.command(ctx, req.GetCallId(), s.calls.Hangup)
	return &agentv1.Done{}, err
}

// SendDigits sends RFC 4733 events to the caller's side.
func (s *Service) SendDigits(ctx context.Context, req *agentv1.SendDigitsRequest) (*agentv1.Done, error) {
	for _, d := range req.GetDigits() {
		if !isDigit(d) {
			return nil, fault.New(fault.Invalid, "fault.digits").WithField("digits")
		}
	}
	_, err := s.command(ctx, req.GetCallId(), func(ctx context.Context, id, agent string) error {
		return s.calls.SendDigits(ctx, id, agent, req.GetDigits())
	})
	return &agentv1.Done{}, err
}

func isDigit(r rune) bool { return r >= '0' && r <= '9' || r == '*' || r == '#' }

// command runs one on the agent's own call and returns the call afterwards.
func (s *Service) command(ctx context.Context, id string, run func(ctx context.Context, id, agent string) error) (*agentv1.Call, error) {
	c, ses, err := s.ownCall(ctx, id)
	if err != nil {
		return nil, err
	}
	if err := run(ctx, c.ID, ses.AgentID); err != nil {
		return nil, err
	}
	if newer, ok := s.site.Call(id); ok {
		c = newer
	}
	return callMessage(s.site, c, ses.AgentID), nil
}
