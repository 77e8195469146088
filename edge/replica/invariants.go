package replica

import (
	"bytes"
	"fmt"
	"slices"

	"trunkline/edge/call"
	"trunkline/internal/chain"
)

// CheckInvariants says what is wrong with a view, nothing when all is well: the
// leader runs it now and then, tests run it after each step. It reads all rows.
func CheckInvariants(v *View) []string {
	c := &checker{t: v.t}
	c.calls()
	c.agents()
	c.queues()
	c.outbox()
	c.indexes()
	return c.wrong
}

type checker struct {
	t     *tables
	wrong []string
}

func (c *checker) say(format string, args ...any) {
	if len(c.wrong) < 100 {
		c.wrong = append(c.wrong, fmt.Sprintf(format, args...))
	}
}

// calls: each live call is in exactly one place, and that place knows it.
func (c *checker) calls() {
	c.t.calls.Scan(func(row *call.Call) bool {
		if row.Owner == "" || row.Owner == row.Successor {
			c.say("call %s: owner %q, successor %q", row.ID, row.Owner, row.Successor)
		}
		if n, ok := c.t.nodes.Get(&call.NodeInfo{Name: row.Owner}); ok && !n.Up && c.anyUp() {
			c.say("call %s: its owner %s is down", row.ID, row.Owner)
		}
		if (row.Outside != nil) != (row.Phase == call.PhaseOutside) {
			c.say("call %s: in phase %s with a number outside %v", row.ID, row.Phase, row.Outside)
		}
		if row.Held && row.Phase != call.PhaseTalking {
			c.say("call %s: held in phase %s", row.ID, row.Phase)
		}
		if row.Consult != nil && row.Phase != call.PhaseTalking {
			c.say("call %s: a colleague is asked in phase %s", row.ID, row.Phase)
		}
		switch row.Phase {
		case call.PhaseFlow:
			if row.AgentID != "" || row.QueueID != "" || row.OfferDeadline != 0 {
				c.say("call %s: in the flow with queue %q, agent %q", row.ID, row.QueueID, row.AgentID)
			}
		case call.PhaseQueued:
			if row.AgentID != "" || row.QueueID == "" || row.EnqueuedAt == 0 || row.OfferDeadline != 0 {
				c.say("call %s: queued in %q with agent %q", row.ID, row.QueueID, row.AgentID)
			}
		case call.PhaseOffered:
			if row.QueueID == "" || row.OfferDeadline <= row.OfferedAt {
				c.say("call %s: offered without a queue or a deadline", row.ID)
			}
			c.link(row, row.AgentID, call.AgentReserved)
		case call.PhaseTalking:
			want := call.AgentTalking
			if row.Held {
				want = call.AgentHeld
			}
			c.link(row, row.AgentID, want)
			c.consult(row)
		case call.PhaseOutside:
			if row.AgentID != "" || row.QueueID == "" || row.Direct {
				c.say("call %s: outside with agent %q, came from queue %q", row.ID, row.AgentID, row.QueueID)
			}
			if row.Outside != nil && (row.Outside.AnsweredAt == 0) != (row.OfferDeadline > row.OfferedAt) {
				c.say("call %s: the number outside rings without a deadline, or has one and talks", row.ID)
			}
		default:
			c.say("call %s: phase %d", row.ID, row.Phase)
		}
		return true
	})
}

func (c *checker) anyUp() bool {
	any := false
	c.t.nodes.Scan(func(n *call.NodeInfo) bool {
		any = n.Up
		return !any
	})
	return any
}

// consult: who is asked is another agent, rung until a deadline or in the talk;
// and each such talk is told once.
func (c *checker) consult(row *call.Call) {
	rings := row.Consult != nil && !row.Consult.Joined()
	if rings != (row.OfferDeadline != 0) || rings && row.OfferDeadline <= row.OfferedAt {
		c.say("call %s: talking, a colleague rings %v, until %d", row.ID, rings, row.OfferDeadline)
	}
	open := 0
	for _, t := range row.Transfers {
		if t.Consult && t.EndedAt == 0 {
			open++
		}
	}
	if (open == 1) != (row.Consult != nil) || open > 1 {
		c.say("call %s: %q is asked, %d are told of", row.ID, row.Consulted(), open)
	}
	switch {
	case row.Consult == nil:
	case row.Consulted() == row.AgentID:
		c.say("call %s: its agent %s asks themself", row.ID, row.AgentID)
	case rings:
		c.link(row, row.Consulted(), call.AgentReserved)
	default:
		c.link(row, row.Consulted(), call.AgentTalking)
	}
}

// link: the agent is with the call, in the state it asks for.
func (c *checker) link(row *call.Call, agentID string, want call.AgentState) {
	a, ok := c.t.agents.Get(&call.Agent{ID: agentID})
	switch {
	case !ok:
		c.say("call %s: no agent %q", row.ID, agentID)
	case a.CallID != row.ID:
		c.say("call %s: its agent %s is with %q", row.ID, a.ID, a.CallID)
	case a.State != want:
		c.say("call %s: its agent %s is %s, not %s", row.ID, a.ID, a.State, want)
	case a.Tenant != row.Tenant:
		c.say("call %s of tenant %d has an agent of tenant %d", row.ID, row.Tenant, a.Tenant)
	}
}

// agents: nobody over capacity, no lease without a deadline, one session each.
func (c *checker) agents() {
	c.t.agents.Scan(func(a *call.Agent) bool {
		if inCall(a.State) != (a.CallID != "") {
			c.say("agent %s: %s with call %q", a.ID, a.State, a.CallID)
		}
		if a.CallID != "" {
			if row, ok := c.t.calls.Get(&call.Call{ID: a.CallID}); !ok || !row.Has(a.ID) {
				c.say("agent %s: call %s does not know", a.ID, a.CallID)
			}
		}
		if a.State == call.AgentReady && (len(a.Streams) == 0 && a.StreamsLost == 0 || a.ReadySince == 0) {
			c.say("agent %s: ready without a lease", a.ID)
		}
		if a.State == call.AgentWrapUp && (a.LastCall == nil || a.WrapStarted == 0) {
			c.say("agent %s: wrap-up of nothing", a.ID)
		}
		if !slices.IsSorted(a.Queues) || !slices.IsSorted(a.Streams) {
			c.say("agent %s: unsorted", a.ID)
		}
		return true
	})
	var last string
	c.t.byAgent.Scan(func(s *call.Session) bool {
		if s.AgentID == last {
			c.say("agent %s: two sessions", s.AgentID)
		}
		if _, ok := c.t.agents.Get(&call.Agent{ID: s.AgentID}); !ok {
			c.say("agent %s: a session, but no record", s.AgentID)
		}
		last = s.AgentID
		return true
	})
}

// queues: whoever waits is in the order, once; first in, first of equal rank.
func (c *checker) queues() {
	waiting := 0
	var prev *call.Call
	sizes := map[QueueKey]uint32{}
	c.t.waiting.Scan(func(row *call.Call) bool {
		if prev != nil && !rankLess(prev, row) {
			c.say("queue %s: %s before %s", row.QueueID, prev.ID, row.ID)
		}
		if cur, ok := c.t.calls.Get(row); !ok || cur != row {
			c.say("queue %s: call %s is another one by now", row.QueueID, row.ID)
		}
		prev = row
		sizes[QueueKey{row.Tenant, row.QueueID}]++
		return true
	})
	c.t.calls.Scan(func(row *call.Call) bool {
		if waits(row) {
			waiting++
		}
		return true
	})
	if waiting != c.t.waiting.Len() {
		c.say("%d calls wait, the queues hold %d", waiting, c.t.waiting.Len())
	}
	for key, n := range sizes {
		if got := c.t.waitingIn(key.Tenant, key.Queue); got != n {
			c.say("queue %s: counted %d, holds %d", key.Queue, got, n)
		}
	}
	if len(sizes) != c.t.queued.Len() {
		c.say("%d queues with callers, %d counted", len(sizes), c.t.queued.Len())
	}
}

// outbox: numbers without a gap and an unbroken chain for each tenant and epoch.
func (c *checker) outbox() {
	rows := map[int64]uint64{}
	var prev *factRow
	c.t.outbox.Scan(func(f *factRow) bool {
		rows[f.Tenant]++
		if !bytes.Equal(f.Hash, chain.Hash(f.Prev, f.Epoch, f.Seq, f.Kind, f.At, f.Body)) {
			c.say("tenant %d: fact %d has a wrong hash", f.Tenant, f.Seq)
		}
		if prev != nil && prev.Tenant == f.Tenant && prev.Epoch == f.Epoch &&
			(prev.Seq+1 != f.Seq || !bytes.Equal(prev.Hash, f.Prev)) {
			c.say("tenant %d: fact %d does not follow %d", f.Tenant, f.Seq, prev.Seq)
		}
		prev = f
		return true
	})
	c.t.heads.Scan(func(h *head) bool {
		if rows[h.Tenant] != h.Rows {
			c.say("tenant %d: %d facts wait, %d counted", h.Tenant, rows[h.Tenant], h.Rows)
		}
		return true
	})
}

// outside: the bound of a tenant's calls with numbers outside counts all of them.
func (c *checker) outside() {
	n := map[int64]uint32{}
	c.t.calls.Scan(func(row *call.Call) bool {
		if row.Phase == call.PhaseOutside {
			n[row.Tenant]++
		}
		return true
	})
	if len(n) != c.t.outside.Len() {
		c.say("%d tenants with calls outside, %d counted", len(n), c.t.outside.Len())
	}
	for tenant, want := range n {
		if got, _ := c.t.outside.Get(count{tenant: tenant}); got.n != want {
			c.say("tenant %d: %d calls outside, %d counted", tenant, want, got.n)
		}
	}
}

func (c *checker) indexes() {
	if n := c.t.calls.Len(); c.t.byOwner.Len() != n || c.t.byTenant.Len() != n {
		c.say("%d calls, %d by owner, %d by tenant", n, c.t.byOwner.Len(), c.t.byTenant.Len())
	}
	var live uint32
	c.t.live.Scan(func(x count) bool {
		live += x.n
		return true
	})
	if int(live) != c.t.calls.Len() {
		c.say("%d calls, %d counted", c.t.calls.Len(), live)
	}
	c.outside()
	if c.t.agents.Len() != c.t.staff.Len() || c.t.session.Len() != c.t.byAgent.Len() || c.t.tickets.Len() != c.t.expiring.Len() {
		c.say("an index of agents, sessions or tickets has lost count")
	}
	due := map[deadline]bool{}
	c.t.calls.Scan(func(row *call.Call) bool {
		if row.OfferDeadline != 0 {
			due[deadline{row.OfferDeadline + offerSafety, dueOffer, row.ID}] = true
		}
		return true
	})
	c.t.agents.Scan(func(a *call.Agent) bool {
		for _, d := range agentDeadlines(a) {
			due[d] = true
		}
		return true
	})
	c.t.session.Scan(func(s *call.Session) bool {
		due[deadline{s.Expires, dueSession, s.AgentID}] = true
		return true
	})
	if len(due) != c.t.deadlines.Len() {
		c.say("%d deadlines, %d in order", len(due), c.t.deadlines.Len())
	}
	c.t.deadlines.Scan(func(d deadline) bool {
		if !due[d] {
			c.say("deadline %d of %s belongs to nobody", d.kind, d.id)
		}
		return true
	})
}
