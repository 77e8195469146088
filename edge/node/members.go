package node

import (
	"context"
	"slices"

	"trunkline/edge/call"
)

// followMembers brings the signed-in agents' queues in line with the
// configuration, and signs out who may not work here any more. The leader does
// it for the site.
func (n *Node) followMembers() {
	if _, self := n.replica.Leader(); !self {
		return
	}
	v := n.replica.View()
	for id, t := range n.dir.Load().tenants {
		if t.suspended() {
			n.propose(call.SignOut{Tenant: id, Reason: call.ReasonSuspended})
			continue
		}
		known := map[string][]string{}
		for _, p := range t.cfg.GetAgents() {
			if !p.GetDisabled() {
				known[p.GetId()] = slices.Sorted(slices.Values(p.GetQueueIds()))
			}
		}
		for _, a := range v.AgentsOf(id) {
			queues, ok := known[a.ID]
			switch {
			case a.State == call.AgentOffline:
			case !ok:
				n.propose(call.SignOut{Tenant: id, AgentID: a.ID, Reason: call.ReasonRevoked})
			case !slices.Equal(queues, a.Queues):
				n.propose(call.SetAgentState{AgentID: a.ID, Queues: append([]string{}, queues...)})
			}
		}
	}
}

// propose commits a command nobody waits for.
func (n *Node) propose(cmd call.Command) {
	ctx, cancel := context.WithTimeout(context.Background(), reportTimeout)
	defer cancel()
	if res, err := n.replica.Apply(ctx, "", cmd); err != nil || res.Refused != "" {
		n.log.Warn("command not applied", "type", cmd.CommandType(), "refused", res.Refused, "error", err)
	}
}
