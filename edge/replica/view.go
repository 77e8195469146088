package replica

import (
	"iter"
	"sort"

	"trunkline/edge/call"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

// View is the replicated state as of one batch. It never changes; what it
// returns belongs to everybody and must not be changed either.
type View struct{ t *tables }

// Index is that of the last log entry in this view; it only grows.
func (v *View) Index() uint64 { return v.t.index }

// At is the site time of the last batch in this view.
func (v *View) At() int64 { return v.t.at }

// Epoch is that of new outbox rows.
func (v *View) Epoch() uint64 { return v.t.epoch }

// Level is what every node of the site understands; see Allows.
func (v *View) Level() call.Level { return v.t.level }

// Allows says whether the site's nodes all understand a command. Apply refuses
// others with RefusedLevel; who offers it to a person asks first.
func (v *View) Allows(cmd call.Command) bool { return call.LevelOf(cmd) <= v.t.level }

// InboxSeq is the sequence number of the last applied piece of work from the cloud.
func (v *View) InboxSeq() uint64 { return v.t.inbox }

// Site is the active configuration, nil before the first.
func (v *View) Site() *edgev1.SiteConfig { return v.t.site }

// Call gives a live call; ok is false when it has ended or never was.
func (v *View) Call(id string) (*call.Call, bool) { return v.t.calls.Get(&call.Call{ID: id}) }

// Calls goes through every live call, by id.
func (v *View) Calls() iter.Seq[*call.Call] {
	return func(yield func(*call.Call) bool) { v.t.calls.Scan(yield) }
}

// CallCount is the number of live calls at the site.
func (v *View) CallCount() int { return v.t.calls.Len() }

// CallsByOwner gives the live calls a node drives, by id.
func (v *View) CallsByOwner(node string) []*call.Call { return v.t.callsByOwner(node) }

// CallsOf gives a tenant's live calls, by id.
func (v *View) CallsOf(tenant int64) []*call.Call {
	var out []*call.Call
	v.t.byTenant.Ascend(&call.Call{Tenant: tenant}, func(c *call.Call) bool {
		if c.Tenant != tenant {
			return false
		}
		out = append(out, c)
		return true
	})
	return out
}

// CallCountOf is the number of a tenant's live calls, in O(log n).
func (v *View) CallCountOf(tenant int64) uint32 {
	c, _ := v.t.live.Get(count{tenant: tenant})
	return c.n
}

// CallBySIP gives the live call of a SIP Call-ID, by the lowest id if there are several.
func (v *View) CallBySIP(callID string) (*call.Call, bool) {
	var found *call.Call
	if callID != "" {
		v.t.bySIP.Ascend(&call.Call{SIPCallID: callID}, func(c *call.Call) bool {
			if c.SIPCallID == callID {
				found = c
			}
			return false
		})
	}
	return found, found != nil
}

// Queue goes through the calls that wait in a queue, in rank order: priority,
// then who waits longest. Offered calls keep their place and are included.
func (v *View) Queue(tenant int64, queue string) iter.Seq[*call.Call] {
	return func(yield func(*call.Call) bool) {
		v.t.waiting.Ascend(firstOf(tenant, queue), func(c *call.Call) bool {
			return c.Tenant == tenant && c.QueueID == queue && yield(c)
		})
	}
}

// Waiting is how many calls wait in a queue, offered ones included, in O(log n).
func (v *View) Waiting(tenant int64, queue string) uint32 { return v.t.waitingIn(tenant, queue) }

// Position is a waiting call's place in its queue, the first is 1; 0 when it
// does not wait. O(log² n).
func (v *View) Position(callID string) int {
	c, ok := v.Call(callID)
	if !ok || !waits(c) {
		return 0
	}
	return v.rank(c) - v.rank(firstOf(c.Tenant, c.QueueID)) + 1
}

// rank counts the waiting calls that come before c.
func (v *View) rank(c *call.Call) int {
	return sort.Search(v.t.waiting.Len(), func(i int) bool {
		at, _ := v.t.waiting.GetAt(i)
		return !rankLess(at, c)
	})
}

// Agent gives an agent by membership id; they stay known after signing out.
func (v *View) Agent(id string) (*call.Agent, bool) { return v.t.agents.Get(&call.Agent{ID: id}) }

// Agents goes through all agents of all tenants, by id.
func (v *View) Agents() iter.Seq[*call.Agent] {
	return func(yield func(*call.Agent) bool) { v.t.agents.Scan(yield) }
}

// AgentsOf gives a tenant's agents, by id.
func (v *View) AgentsOf(tenant int64) []*call.Agent { return v.t.agentsOf(tenant) }

// Session gives the session of a token's SHA-256. It is there until the leader
// has ended it, which may be later than Expires.
func (v *View) Session(hash []byte) (*call.Session, bool) {
	return v.t.session.Get(&call.Session{Hash: hash})
}

// Ticket gives an unspent ticket without spending it.
func (v *View) Ticket(hash []byte) (*call.Ticket, bool) {
	k, ok := v.t.tickets.Get(&call.Ticket{Hash: hash})
	if !ok || k.Expires <= v.t.at {
		return nil, false
	}
	return k, true
}

// Nodes gives the site's nodes, by name, also those that are down.
func (v *View) Nodes() []*call.NodeInfo { return v.t.nodes.Items() }

// Node gives a node by name.
func (v *View) Node(name string) (*call.NodeInfo, bool) {
	return v.t.nodes.Get(&call.NodeInfo{Name: name})
}

// QueueDays gives a tenant's counters, by queue. A queue without calls has none.
func (v *View) QueueDays(tenant int64) []*call.QueueDay {
	var out []*call.QueueDay
	v.t.days.Ascend(&call.QueueDay{Tenant: tenant}, func(d *call.QueueDay) bool {
		if d.Tenant != tenant {
			return false
		}
		out = append(out, d)
		return true
	})
	return out
}

// OutboxTenants gives the tenants with facts that the cloud has not acknowledged.
func (v *View) OutboxTenants() []int64 {
	var out []int64
	v.t.heads.Scan(func(h *head) bool {
		if h.Rows > 0 {
			out = append(out, h.Tenant)
		}
		return true
	})
	return out
}

// OutboxLen is how many facts of a tenant the cloud has not acknowledged.
func (v *View) OutboxLen(tenant int64) uint64 {
	if h, ok := v.t.heads.Get(&head{Tenant: tenant}); ok {
		return h.Rows
	}
	return 0
}

// Outbox gives at most limit facts of a tenant that come after (epoch, seq), in
// order and all of one epoch, as PushFacts wants them. Start with 0, 0.
func (v *View) Outbox(tenant int64, epoch, after uint64, limit int) []*edgev1.Fact {
	var out []*edgev1.Fact
	v.t.outbox.Ascend(&factRow{Tenant: tenant, Epoch: epoch, Seq: after}, func(f *factRow) bool {
		if f.Tenant != tenant || len(out) >= limit || len(out) > 0 && out[0].Epoch != f.Epoch {
			return false
		}
		if f.Epoch != epoch || f.Seq > after {
			out = append(out, &edgev1.Fact{
				TenantId: f.Tenant, Epoch: f.Epoch, Seq: f.Seq, Hash: f.Hash, PrevHash: f.Prev, Kind: f.Kind, At: f.At, Body: f.Body,
			})
		}
		return true
	})
	return out
}

func firstOf(tenant int64, queue string) *call.Call {
	return &call.Call{Tenant: tenant, QueueID: queue, Priority: maxPriority}
}

const maxPriority = 1<<31 - 1

func (t *tables) callsByOwner(node string) []*call.Call {
	var out []*call.Call
	t.byOwner.Ascend(&call.Call{Owner: node}, func(c *call.Call) bool {
		if c.Owner != node {
			return false
		}
		out = append(out, c)
		return true
	})
	return out
}

func (t *tables) agentsOf(tenant int64) []*call.Agent {
	var out []*call.Agent
	t.staff.Ascend(&call.Agent{Tenant: tenant}, func(a *call.Agent) bool {
		if a.Tenant != tenant {
			return false
		}
		out = append(out, a)
		return true
	})
	return out
}

func (t *tables) waitingIn(tenant int64, queue string) uint32 {
	c, _ := t.queued.Get(queueLen{tenant: tenant, queue: queue})
	return c.n
}
