package softphone

import (
	"slices"

	"google.golang.org/protobuf/types/known/timestamppb"

	"trunkline/edge/call"
	agentv1 "trunkline/proto/gen/trunkline/agent/v1"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

// Rows to the desktop's messages. Nothing here decides anything.

func stamp(us int64) *timestamppb.Timestamp {
	if us == 0 {
		return nil
	}
	return &timestamppb.Timestamp{Seconds: us / 1e6, Nanos: int32(us % 1e6 * 1000)}
}

func agentMessage(a call.Agent, ringing bool) *agentv1.Agent {
	state := agentState(a.State)
	if ringing && a.State == call.AgentReserved {
		state = agentv1.AgentState_AGENT_STATE_RINGING
	}
	return &agentv1.Agent{
		Id: a.ID, TenantId: a.Tenant, Name: a.Name,
		State: state, Since: stamp(a.Since), Reason: a.Reason, CallId: a.CallID,
		NextState: agentState(a.Next), NextReason: a.NextReason, QueueIds: a.Queues,
	}
}

func agentState(s call.AgentState) agentv1.AgentState {
	switch s {
	case call.AgentOffline:
		return agentv1.AgentState_AGENT_STATE_OFFLINE
	case call.AgentNotReady:
		return agentv1.AgentState_AGENT_STATE_NOT_READY
	case call.AgentReady:
		return agentv1.AgentState_AGENT_STATE_READY
	case call.AgentReserved:
		return agentv1.AgentState_AGENT_STATE_RESERVED
	case call.AgentTalking:
		return agentv1.AgentState_AGENT_STATE_TALKING
	case call.AgentHeld:
		return agentv1.AgentState_AGENT_STATE_HELD
	case call.AgentWrapUp:
		return agentv1.AgentState_AGENT_STATE_WRAP_UP
	default:
		return agentv1.AgentState_AGENT_STATE_UNSPECIFIED
	}
}

// callMessage shows a live call to the agent it is offered to or talks with, or to
// the colleague who is asked about it.
func callMessage(site Site, c call.Call, viewer string) *agentv1.Call {
	m := &agentv1.Call{
		Id: c.ID, Rev: c.Rev, Caller: c.Caller, CallerName: c.CallerName, Called: c.Called,
		QueueId: c.QueueID, QueueName: queueName(site.Config(c.Tenant), c.QueueID), EnqueuedAt: stamp(c.WaitingSince()),
		OfferedAt: stamp(c.OfferedAt), OfferDeadline: stamp(c.OfferDeadline),
		TalkingSince: stamp(c.TalkingSince), MenuPath: menuPath(c.Menu),
		Held: c.Held, Recording: c.Segment > 0, NodeUrl: nodeURL(site.Nodes(), c.Owner), Test: c.Test,
	}
	for _, t := range slices.Backward(c.Transfers) {
		if !t.Consult {
			by, _ := site.Agent(t.By)
			m.TransferredBy = by.Name
			break
		}
	}
	switch {
	case c.Phase == call.PhaseOffered:
		m.State = agentv1.CallState_CALL_STATE_OFFERED
	case c.Held:
		m.State = agentv1.CallState_CALL_STATE_HELD
	default:
		m.State = agentv1.CallState_CALL_STATE_TALKING
	}
	if n := len(c.Moves); n > 0 {
		m.MovedAt = stamp(c.Moves[n-1].At)
	}
	showConsult(m, site, c, viewer)
	return m
}

// wrapUpMessage shows the ended call the agent is writing up.
func wrapUpMessage(a call.Agent, queueName string) *agentv1.Call {
	s := a.LastCall
	return &agentv1.Call{
		Id: s.ID, Rev: a.Rev, State: agentv1.CallState_CALL_STATE_WRAP_UP,
		Caller: s.Caller, CallerName: s.CallerName, Test: s.Test, Called: s.Called, QueueId: s.QueueID, QueueName: queueName,
		EnqueuedAt: stamp(s.EnqueuedAt), TalkingSince: stamp(s.TalkingAt), EndedAt: stamp(s.EndedAt),
		EndReason: s.EndReason, MenuPath: menuPath(s.Menu),
		WrapUpDeadline: stamp(a.WrapDeadline), WrapUpCode: a.WrapCode, WrapUpNote: a.WrapNote,
	}
}

func menuPath(menu []call.MenuChoice) []string {
	out := make([]string, len(menu))
	for i, c := range menu {
		out[i] = c.Label
	}
	return out
}

// statsMessage adds the state in progress to the day's counts.
func statsMessage(a call.Agent, now int64) *agentv1.Stats {
	d := a.Day
	running := max(0, now-max(a.Since, d.Start))
	switch a.State {
	case call.AgentTalking:
		d.Talk += running
	case call.AgentHeld:
		d.Held += running
	case call.AgentWrapUp:
		d.WrapUp += running
	case call.AgentReady, call.AgentReserved:
		d.Ready += running
	case call.AgentNotReady:
		d.NotReady += running
	}
	return &agentv1.Stats{
		Since: stamp(d.Start), Handled: d.Handled, Missed: d.Missed,
		TalkMs: uint64(d.Talk / 1000), HoldMs: uint64(d.Held / 1000), WrapUpMs: uint64(d.WrapUp / 1000),
		ReadyMs: uint64(d.Ready / 1000), NotReadyMs: uint64(d.NotReady / 1000),
	}
}

func queueName(cfg *edgev1.TenantConfig, id string) string { return queueOf(cfg, id).GetName() }

func nodeMessages(nodes []call.NodeInfo) []*agentv1.Node {
	out := make([]*agentv1.Node, 0, len(nodes))
	for _, n := range nodes {
		out = append(out, &agentv1.Node{Name: n.Name, Url: n.WebURL, Up: n.Up})
	}
	return out
}

func nodeURL(nodes []call.NodeInfo, name string) string {
	i := slices.IndexFunc(nodes, func(n call.NodeInfo) bool { return n.Name == name })
	if i < 0 {
		return ""
	}
	return nodes[i].WebURL
}
