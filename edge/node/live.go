package node

import (
	"maps"
	"slices"

	"trunkline/edge/call"
	"trunkline/edge/replica"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

// Live is each tenant's floor at this site, whole, for the wallboard.
func (n *Node) Live() []*edgev1.LiveTenant {
	v, dir := n.replica.View(), n.dir.Load()
	out := make([]*edgev1.LiveTenant, 0, len(dir.tenants))
	for _, id := range slices.Sorted(maps.Keys(dir.tenants)) {
		out = append(out, n.liveTenant(v, id, dir.tenants[id]))
	}
	return out
}

func (n *Node) liveTenant(v *replica.View, id int64, t *tenantRules) *edgev1.LiveTenant {
	now := n.replica.Now()
	days := map[string]*call.QueueDay{}
	for _, d := range v.QueueDays(id) {
		if d.Start == t.dayStart(now) {
			days[d.QueueID] = d
		}
	}
	live := &edgev1.LiveTenant{TenantId: id, At: now, CallsActive: v.CallCountOf(id)}
	for _, q := range t.cfg.GetQueues() {
		lq := &edgev1.LiveQueue{
			QueueId: q.GetId(), Waiting: v.Waiting(id, q.GetId()), LongestSince: longestSince(v, id, q.GetId()),
		}
		if d := days[q.GetId()]; d != nil {
			lq.Offered, lq.Answered, lq.AnsweredInLevel = d.Offered, d.Answered, d.AnsweredInLevel
			lq.Abandoned, lq.AbandonedShort = d.Abandoned, d.AbandonedShort
			lq.Failed = d.Lost
		}
		live.Queues = append(live.Queues, lq)
	}
	for _, a := range v.AgentsOf(id) {
		if a.State == call.AgentOffline {
			continue
		}
		live.Agents = append(live.Agents, &edgev1.LiveAgent{
			AgentId: a.ID, State: a.State.String(), Reason: a.Reason, Since: a.Since, CallId: a.CallID,
		})
	}
	return live
}

// longestSince is when the caller who has waited longest was put into the
// queue; 0 when nobody waits. Rank is by priority first, so all are looked at.
func longestSince(v *replica.View, tenant int64, queue string) int64 {
	var oldest int64
	for c := range v.Queue(tenant, queue) {
		if since := c.WaitingSince(); oldest == 0 || since < oldest {
			oldest = since
		}
	}
	return oldest
}
