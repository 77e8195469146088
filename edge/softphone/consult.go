package softphone

import (
	"cmp"
	"context"

	"trunkline/edge/call"
	"trunkline/internal/fault"
	agentv1 "trunkline/proto/gen/trunkline/agent/v1"
)

// Asking a colleague before a caller is passed on: like a transfer a change of the
// call's row, which any node takes.

// Consult rings a colleague; the caller is held.
func (s *Service) Consult(ctx context.Context, req *agentv1.ConsultRequest) (*agentv1.Call, error) {
	ses, err := s.session(ctx)
	if err != nil {
		return nil, err
	}
	cfg := s.site.Config(ses.Tenant)
	if whom := profileOf(cfg, req.GetAgentId()); whom == nil || whom.GetDisabled() {
		return nil, fault.New(fault.NotFound, "fault.transfer.target_unknown")
	}
	cmd := call.ConsultCall{CallID: req.GetCallId(), By: ses.AgentID, AgentID: req.GetAgentId(), Timeout: ringFor}
	if c, ok := s.site.Call(cmd.CallID); ok && c.AgentID == ses.AgentID {
		cmd.Timeout = cmp.Or(int64(queueOf(cfg, c.QueueID).GetOfferTimeoutMs())*1000, ringFor)
	}
	return s.consult(ctx, ses, req.GetIdempotencyKey(), cmd)
}

// EndConsult goes back to the caller.
func (s *Service) EndConsult(ctx context.Context, req *agentv1.CallCommand) (*agentv1.Call, error) {
	ses, err := s.session(ctx)
	if err != nil {
		return nil, err
	}
	return s.consult(ctx, ses, req.GetIdempotencyKey(), call.ConsultEnd{CallID: req.GetCallId(), By: ses.AgentID, Outcome: "cancelled"})
}

func (s *Service) consult(ctx context.Context, ses call.Session, key string, cmd call.Command) (*agentv1.Call, error) {
	res, err := s.apply(ctx, key, cmd)
	if err != nil {
		return nil, err
	}
	if res.Call == nil || !res.Call.Has(ses.AgentID) { // asked again when it was over
		return nil, fault.New(fault.NotFound, "fault.call.gone")
	}
	return callMessage(s.site, *res.Call, ses.AgentID), nil
}

// showConsult adds who asks whom, as the viewer sees it.
func showConsult(m *agentv1.Call, site Site, c call.Call, viewer string) {
	if c.Consult == nil {
		m.Consult = endedConsult(site, c)
		return
	}
	x := &agentv1.Consult{AgentId: c.Consulted(), State: agentv1.ConsultState_CONSULT_STATE_RINGING, Since: stamp(c.OfferedAt)}
	if c.Consult.Joined() {
		x.State, x.Since = agentv1.ConsultState_CONSULT_STATE_WAITING, stamp(c.Consult.JoinedAt)
		if c.Held {
			x.State = agentv1.ConsultState_CONSULT_STATE_TALKING
		}
	}
	if viewer == c.Consulted() {
		x.AgentId, x.Asked = c.AgentID, true
		m.Recording, m.Held, m.TransferredBy = false, x.State == agentv1.ConsultState_CONSULT_STATE_WAITING, ""
		m.TalkingSince, m.EnqueuedAt = stamp(c.Consult.JoinedAt), nil
		m.State = map[agentv1.ConsultState]agentv1.CallState{
			agentv1.ConsultState_CONSULT_STATE_RINGING: agentv1.CallState_CALL_STATE_OFFERED,
			agentv1.ConsultState_CONSULT_STATE_TALKING: agentv1.CallState_CALL_STATE_TALKING,
			agentv1.ConsultState_CONSULT_STATE_WAITING: agentv1.CallState_CALL_STATE_HELD,
		}[x.State]
	} else {
		m.OfferedAt, m.OfferDeadline = nil, nil // the colleague's
	}
	other, _ := site.Agent(x.AgentId)
	x.Name = other.Name
	m.Consult = x
}

// endedConsult tells the agent, while they still hold the caller, why the
// colleague is not there; nil when there is nothing to tell.
func endedConsult(site Site, c call.Call) *agentv1.Consult {
	n := len(c.Transfers)
	if n == 0 || !c.Held {
		return nil
	}
	t := c.Transfers[n-1]
	if !t.Consult || t.By != c.AgentID || t.EndedAt < c.HeldSince {
		return nil
	}
	whom, _ := site.Agent(t.AgentID)
	return &agentv1.Consult{
		AgentId: t.AgentID, Name: whom.Name, State: agentv1.ConsultState_CONSULT_STATE_ENDED, Since: stamp(t.EndedAt), Outcome: t.Outcome,
	}
}
