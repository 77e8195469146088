package softphone

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"trunkline/edge/call"
	"trunkline/internal/fault"
	agentv1 "trunkline/proto/gen/trunkline/agent/v1"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

// Passing callers on. A transfer is a change of the call's row, so any node takes
// it and a repeated one is answered by its key; the call's owner follows the row.

// ringFor is how long a colleague is rung when the call's queue says nothing.
const ringFor = 20_000_000

// Transfer gives the caller away to a queue, an agent or a number outside.
func (s *Service) Transfer(ctx context.Context, req *agentv1.TransferRequest) (*agentv1.Done, error) {
	ses, err := s.session(ctx)
	if err != nil {
		return nil, err
	}
	cmd := call.TransferCall{CallID: req.GetCallId(), By: ses.AgentID, QueueID: req.GetQueueId(), AgentID: req.GetAgentId()}
	if targets(req) != 1 {
		return nil, fault.New(fault.Invalid, "fault.transfer.one_target").WithField("queue_id")
	}
	cfg := s.site.Config(ses.Tenant)
	queue, agent := queueOf(cfg, cmd.QueueID), profileOf(cfg, cmd.AgentID)
	if cmd.QueueID != "" && queue == nil || cmd.AgentID != "" && (agent == nil || agent.GetDisabled()) {
		return nil, fault.New(fault.NotFound, "fault.transfer.target_unknown")
	}
	cmd.MaxWaiting, cmd.Timeout = queue.GetMaxWaiting(), ringFor
	// After a lost answer the call is another's already: then the key answers.
	if c, ok := s.site.Call(cmd.CallID); ok && c.AgentID == ses.AgentID {
		from := queueOf(cfg, c.QueueID)
		cmd.WrapUp = int64(from.GetWrapUpMs()) * 1000
		cmd.Timeout = cmp.Or(int64(from.GetOfferTimeoutMs())*1000, ringFor)
	}
	if req.GetNumber() != "" {
		to := s.outside(ses.Tenant, cmd.CallID, req.GetNumber())
		if to.problem != "" {
			return nil, problems[to.problem]
		}
		cmd.Number, cmd.MaxOutside, cmd.Timeout = to.number, to.max, ringOutsideFor
	}
	res, err := s.apply(ctx, req.GetIdempotencyKey(), cmd)
	if cmd.Number != "" && res.Refused == call.RefusedLimit {
		err = fault.New(fault.Conflict, "fault.transfer.lines_busy")
	}
	return &agentv1.Done{}, err
}

// targets counts whom the caller is to be passed on to.
func targets(req *agentv1.TransferRequest) int {
	n := 0
	for _, to := range [...]string{req.GetQueueId(), req.GetAgentId(), req.GetNumber()} {
		if to != "" {
			n++
		}
	}
	return n
}

func queueOf(cfg *edgev1.TenantConfig, id string) *edgev1.Queue {
	for _, q := range cfg.GetQueues() {
		if q.GetId() == id {
			return q
		}
	}
	return nil
}

// usualTargets is how many of each kind ListTargets gives unless asked for another number.
const usualTargets = 20

// ListTargets says who a caller can be passed to now.
func (s *Service) ListTargets(ctx context.Context, req *agentv1.ListTargetsRequest) (*agentv1.ListTargetsResponse, error) {
	ses, err := s.session(ctx)
	if err != nil {
		return nil, err
	}
	limit := int(cmp.Or(req.GetLimit(), usualTargets))
	query := strings.ToLower(strings.TrimSpace(req.GetQuery()))
	matches := func(name string) bool { return strings.Contains(strings.ToLower(name), query) }

	var agents []*agentv1.TargetAgent
	ready := map[string]uint32{}
	for _, a := range s.site.Agents(ses.Tenant) {
		if a.State == call.AgentReady {
			for _, q := range a.Queues {
				ready[q]++
			}
		}
		if a.ID != ses.AgentID && a.State != call.AgentOffline && matches(a.Name) {
			agents = append(agents, &agentv1.TargetAgent{
				Id: a.ID, Name: a.Name, State: agentState(a.State), Since: stamp(a.Since), Ringable: a.Ringable(),
			})
		}
	}
	slices.SortFunc(agents, byRinging)
	var queues []*agentv1.TargetQueue
	for _, q := range s.site.Config(ses.Tenant).GetQueues() {
		if matches(q.GetName()) {
			n, since := s.site.Waiting(ses.Tenant, q.GetId())
			queues = append(queues, &agentv1.TargetQueue{
				Id: q.GetId(), Name: q.GetName(), Waiting: uint32(n), Ready: ready[q.GetId()], LongestSince: stamp(since),
			})
		}
	}
	slices.SortFunc(queues, func(a, b *agentv1.TargetQueue) int {
		return cmp.Or(cmp.Compare(a.GetName(), b.GetName()), cmp.Compare(a.GetId(), b.GetId()))
	})
	return &agentv1.ListTargetsResponse{
		Queues: queues[:min(limit, len(queues))], Agents: agents[:min(limit, len(agents))],
		More:   len(queues) > limit || len(agents) > limit,
		Number: s.targetNumber(ses.Tenant, req),
	}, nil
}

// byRinging puts those who are free first, then those at rest, then the busy; each by name.
func byRinging(a, b *agentv1.TargetAgent) int {
	rank := func(t *agentv1.TargetAgent) int {
		switch {
		case t.GetRingable() && t.GetState() == agentv1.AgentState_AGENT_STATE_READY:
			return 0
		case t.GetRingable():
			return 1
		}
		return 2
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.GetName(), b.GetName()), cmp.Compare(a.GetId(), b.GetId()))
}
