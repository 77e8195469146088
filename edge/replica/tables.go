package replica

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/tidwall/btree"

	"trunkline/edge/call"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

// A row is immutable once it is in a table: who changes one puts a changed copy.

// tables is the whole state. Those of the first group are the state itself and
// go into snapshots; the second group are indexes, rebuilt from the first.
type tables struct {
	index   uint64 // of the last applied log entry
	at      int64  // site time of the last applied batch
	epoch   uint64
	level   call.Level // all nodes understand it
	inbox   uint64     // sequence number of the last applied inbox item
	config  []byte     // serialised edge.v1.SiteConfig
	site    *edgev1.SiteConfig
	calls   *btree.BTreeG[*call.Call]
	agents  *btree.BTreeG[*call.Agent]
	session *btree.BTreeG[*call.Session]
	tickets *btree.BTreeG[*call.Ticket]
	nodes   *btree.BTreeG[*call.NodeInfo]
	days    *btree.BTreeG[*call.QueueDay]
	heads   *btree.BTreeG[*head]
	outbox  *btree.BTreeG[*factRow]
	ring    *ring

	byOwner   *btree.BTreeG[*call.Call]    // owner, id
	bySIP     *btree.BTreeG[*call.Call]    // SIP call id, id
	byTenant  *btree.BTreeG[*call.Call]    // tenant, id
	waiting   *btree.BTreeG[*call.Call]    // tenant, queue, rank: queued and offered calls
	staff     *btree.BTreeG[*call.Agent]   // tenant, id
	byAgent   *btree.BTreeG[*call.Session] // agent, hash
	expiring  *btree.BTreeG[*call.Ticket]  // expires, hash
	deadlines *btree.BTreeG[deadline]
	live      *btree.BTreeG[count]    // calls of a tenant
	outside   *btree.BTreeG[count]    // those of them that are with a number outside
	queued    *btree.BTreeG[queueLen] // calls waiting in a queue
}

// head is the end of one tenant's chain of facts.
type head struct {
	Tenant int64  `cbor:"1,keyasint"`
	Epoch  uint64 `cbor:"2,keyasint"`
	Seq    uint64 `cbor:"3,keyasint"` // of the last fact
	Hash   []byte `cbor:"4,keyasint"`
	Acked  uint64 `cbor:"5,keyasint"` // the cloud has these
	Rows   uint64 `cbor:"6,keyasint"` // facts of any epoch still here
}

// factRow is one fact that the cloud has not acknowledged.
type factRow struct {
	Tenant int64  `cbor:"1,keyasint"`
	Epoch  uint64 `cbor:"2,keyasint"`
	Seq    uint64 `cbor:"3,keyasint"`
	Prev   []byte `cbor:"4,keyasint"`
	Hash   []byte `cbor:"5,keyasint"`
	Kind   string `cbor:"6,keyasint"`
	At     int64  `cbor:"7,keyasint"`
	Body   []byte `cbor:"8,keyasint"`
}

type count struct {
	tenant int64
	n      uint32
}

type queueLen struct {
	tenant int64
	queue  string
	n      uint32
}

// dueKind says what happens at a deadline.
type dueKind uint8

const (
	dueOffer     dueKind = iota + 1 // id: call
	dueWrapUp                       // id: agent
	dueAgentLost                    // id: agent
	dueSession                      // id: agent
)

type deadline struct {
	at   int64
	kind dueKind
	id   string
}

func newTree[T any](less func(a, b T) bool) *btree.BTreeG[T] {
	// One writer; readers only see copies. So no locks.
	return btree.NewBTreeGOptions(less, btree.Options{NoLocks: true})
}

func newTables() *tables {
	return &tables{
		calls:   newTree(func(a, b *call.Call) bool { return a.ID < b.ID }),
		agents:  newTree(func(a, b *call.Agent) bool { return a.ID < b.ID }),
		session: newTree(func(a, b *call.Session) bool { return bytes.Compare(a.Hash, b.Hash) < 0 }),
		tickets: newTree(func(a, b *call.Ticket) bool { return bytes.Compare(a.Hash, b.Hash) < 0 }),
		nodes:   newTree(func(a, b *call.NodeInfo) bool { return a.Name < b.Name }),
		days: newTree(func(a, b *call.QueueDay) bool {
			return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.QueueID, b.QueueID)) < 0
		}),
		heads: newTree(func(a, b *head) bool { return a.Tenant < b.Tenant }),
		outbox: newTree(func(a, b *factRow) bool {
			return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Epoch, b.Epoch), cmp.Compare(a.Seq, b.Seq)) < 0
		}),
		ring: newRing(),

		byOwner: newTree(func(a, b *call.Call) bool {
			return cmp.Or(cmp.Compare(a.Owner, b.Owner), cmp.Compare(a.ID, b.ID)) < 0
		}),
		bySIP: newTree(func(a, b *call.Call) bool {
			return cmp.Or(cmp.Compare(a.SIPCallID, b.SIPCallID), cmp.Compare(a.ID, b.ID)) < 0
		}),
		byTenant: newTree(func(a, b *call.Call) bool {
			return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.ID, b.ID)) < 0
		}),
		waiting: newTree(rankLess),
		staff: newTree(func(a, b *call.Agent) bool {
			return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.ID, b.ID)) < 0
		}),
		byAgent: newTree(func(a, b *call.Session) bool {
			return cmp.Or(cmp.Compare(a.AgentID, b.AgentID), bytes.Compare(a.Hash, b.Hash)) < 0
		}),
		expiring: newTree(func(a, b *call.Ticket) bool {
			return cmp.Or(cmp.Compare(a.Expires, b.Expires), bytes.Compare(a.Hash, b.Hash)) < 0
		}),
		deadlines: newTree(func(a, b deadline) bool {
			return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.kind, b.kind), cmp.Compare(a.id, b.id)) < 0
		}),
		live:    newTree(func(a, b count) bool { return a.tenant < b.tenant }),
		outside: newTree(func(a, b count) bool { return a.tenant < b.tenant }),
		queued: newTree(func(a, b queueLen) bool {
			return cmp.Or(cmp.Compare(a.tenant, b.tenant), cmp.Compare(a.queue, b.queue)) < 0
		}),
	}
}

// rankLess orders the calls of each queue: priority first, then who waits
// longest, then the id.
func rankLess(a, b *call.Call) bool {
	return cmp.Or(
		cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.QueueID, b.QueueID),
		cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.EnqueuedAt, b.EnqueuedAt), cmp.Compare(a.ID, b.ID),
	) < 0
}

// copy shares every row with t and never changes again.
func (t *tables) copy() *tables {
	c := *t
	c.calls, c.agents, c.session, c.tickets = t.calls.Copy(), t.agents.Copy(), t.session.Copy(), t.tickets.Copy()
	c.nodes, c.days, c.heads, c.outbox = t.nodes.Copy(), t.days.Copy(), t.heads.Copy(), t.outbox.Copy()
	c.ring = nil // only the state machine knows the keys it has seen
	c.byOwner, c.bySIP, c.byTenant, c.waiting = t.byOwner.Copy(), t.bySIP.Copy(), t.byTenant.Copy(), t.waiting.Copy()
	c.staff, c.byAgent, c.expiring = t.staff.Copy(), t.byAgent.Copy(), t.expiring.Copy()
	c.deadlines, c.live, c.outside, c.queued = t.deadlines.Copy(), t.live.Copy(), t.outside.Copy(), t.queued.Copy()
	return &c
}

// waits says whether a call has a place in a queue; an offer of a colleague has none.
func waits(c *call.Call) bool {
	return c.Phase == call.PhaseQueued || c.Phase == call.PhaseOffered && !c.Direct
}

// putCall replaces a call's row and everything found by it. A nil row removes
// the call. Where the key is the same, the row is only exchanged.
func (t *tables) putCall(old, row *call.Call) {
	switch {
	case row == nil:
		t.calls.Delete(old)
		t.byTenant.Delete(old)
		add(t.live, old.Tenant, ^uint32(0))
	default:
		t.calls.Set(row)
		t.byTenant.Set(row) // neither id nor tenant ever change
		if old == nil {
			add(t.live, row.Tenant, 1)
		}
	}
	if old != nil && old.Outside != nil {
		add(t.outside, old.Tenant, ^uint32(0))
	}
	if row != nil && row.Outside != nil {
		add(t.outside, row.Tenant, 1)
	}
	reindex(t.byOwner, old, row, old != nil, row != nil)
	reindex(t.bySIP, old, row, old != nil && old.SIPCallID != "", row != nil && row.SIPCallID != "")

	was, is := old != nil && waits(old), row != nil && waits(row)
	reindex(t.waiting, old, row, was, is)
	if !was || !is || old.QueueID != row.QueueID {
		if was {
			t.addQueued(old.Tenant, old.QueueID, ^uint32(0))
		}
		if is {
			t.addQueued(row.Tenant, row.QueueID, 1)
		}
	}
	if due(old) != due(row) {
		if at := due(old); at != 0 {
			t.deadlines.Delete(deadline{at, dueOffer, old.ID})
		}
		if at := due(row); at != 0 {
			t.deadlines.Set(deadline{at, dueOffer, row.ID})
		}
	}
}

// reindex exchanges old for row in an index; was and is say whether each
// belongs there.
func reindex(index *btree.BTreeG[*call.Call], old, row *call.Call, was, is bool) {
	if was && (!is || index.Less(old, row) || index.Less(row, old)) {
		index.Delete(old)
	}
	if is {
		index.Set(row)
	}
}

// due is when the leader ends a call's offer, 0 for never.
func due(c *call.Call) int64 {
	if c == nil || c.OfferDeadline == 0 {
		return 0
	}
	return c.OfferDeadline + offerSafety
}

// offerSafety is how long after an offer's deadline the leader ends it when the
// owner has not.
const offerSafety = 500_000

// add counts n more of a tenant's; none is not kept.
func add(counts *btree.BTreeG[count], tenant int64, n uint32) {
	c, _ := counts.Get(count{tenant: tenant})
	if c.n += n; c.n == 0 {
		counts.Delete(count{tenant: tenant})
		return
	}
	counts.Set(count{tenant, c.n})
}

func (t *tables) addQueued(tenant int64, queue string, n uint32) {
	c, _ := t.queued.Get(queueLen{tenant: tenant, queue: queue})
	if c.n += n; c.n == 0 {
		t.queued.Delete(queueLen{tenant: tenant, queue: queue})
		return
	}
	t.queued.Set(queueLen{tenant, queue, c.n})
}

// putAgent replaces an agent's row and everything found by it.
func (t *tables) putAgent(old, row *call.Agent) {
	t.agents.Set(row)
	t.staff.Set(row)
	now := agentDeadlines(row)
	if old != nil {
		before := agentDeadlines(old)
		if slices.Equal(before, now) {
			return
		}
		for _, d := range before {
			t.deadlines.Delete(d)
		}
	}
	for _, d := range now {
		t.deadlines.Set(d)
	}
}

func agentDeadlines(a *call.Agent) []deadline {
	var d []deadline
	if a.State == call.AgentWrapUp && a.WrapDeadline != 0 {
		d = append(d, deadline{a.WrapDeadline, dueWrapUp, a.ID})
	}
	if a.StreamsLost != 0 && a.State != call.AgentOffline {
		d = append(d, deadline{a.StreamsLost + call.LeaseGrace, dueAgentLost, a.ID})
	}
	return d
}

func (t *tables) putSession(s *call.Session) {
	t.session.Set(s)
	t.byAgent.Set(s)
	t.deadlines.Set(deadline{s.Expires, dueSession, s.AgentID})
}

func (t *tables) dropSession(s *call.Session) {
	t.session.Delete(s)
	t.byAgent.Delete(s)
	t.deadlines.Delete(deadline{s.Expires, dueSession, s.AgentID})
}

func (t *tables) putTicket(k *call.Ticket) {
	t.dropTicket(k.Hash)
	t.tickets.Set(k)
	t.expiring.Set(k)
}

func (t *tables) dropTicket(hash []byte) {
	if k, ok := t.tickets.Delete(&call.Ticket{Hash: hash}); ok {
		t.expiring.Delete(k)
	}
}
