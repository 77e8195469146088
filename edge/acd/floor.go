// Package acd decides which caller goes to which agent. It is pure: it is told
// what changed and says what it would assign; no clock, no store. The state
// machine checks the revisions and has the last word, so this may change from
// version to version without nodes drifting apart.
//
// The rule: within a queue, callers by rank (priority, then who waits longest,
// then id) meet ready agents of that queue, longest idle first. Where one agent
// could take callers of several queues of the tenant, the caller of the best
// rank among those queues is taken. After Match nobody waits in a queue that
// has a ready agent.
package acd

import (
	"cmp"
	"container/heap"
	"slices"

	"github.com/tidwall/btree"

	"trunkline/edge/call"
)

// Assign is a proposal: offer this call to this agent, if both are as they were.
type Assign struct {
	Tenant   int64
	Queue    string
	CallID   string
	CallRev  uint64
	AgentID  string
	AgentRev uint64
}

// Floor indexes who waits and who is ready. A change costs O(log n) for each
// queue it touches, and so does a match; nothing is ever scanned. Not safe for
// use by several goroutines.
type Floor struct {
	calls  map[string]*caller
	agents map[string]*worker
	queues map[key]*queue
	dirty  map[key]struct{} // queues in which a match may have become possible
}

type key struct {
	tenant int64
	queue  string
}

type caller struct {
	row     *call.Call
	placed  bool // in its queue's order
	pending bool // proposed; the outcome is not known yet
}

type worker struct {
	row     *call.Agent
	placed  bool
	pending bool
}

type queue struct {
	waiting *btree.BTreeG[*call.Call]
	ready   *btree.BTreeG[*call.Agent]
}

// NewFloor gives an empty floor.
func NewFloor() *Floor {
	return &Floor{calls: map[string]*caller{}, agents: map[string]*worker{}, queues: map[key]*queue{}, dirty: map[key]struct{}{}}
}

// byRank orders callers.
func byRank(a, b *call.Call) int {
	return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.EnqueuedAt, b.EnqueuedAt), cmp.Compare(a.ID, b.ID))
}

// byIdle orders agents.
func byIdle(a, b *call.Agent) int {
	return cmp.Or(cmp.Compare(a.ReadySince, b.ReadySince), cmp.Compare(a.ID, b.ID))
}

// SetCall tells that a call is new or has changed. Rows must not be changed afterwards.
func (f *Floor) SetCall(row *call.Call) {
	if row.Phase != call.PhaseQueued {
		// Most calls never wait; those that have been proposed are kept until
		// the outcome is known.
		if c, ok := f.calls[row.ID]; ok {
			f.unplaceCall(c)
			if c.row = row; !c.pending {
				delete(f.calls, row.ID)
			}
		}
		return
	}
	c := f.calls[row.ID]
	if c == nil {
		c = &caller{}
		f.calls[row.ID] = c
	}
	f.unplaceCall(c)
	c.row = row
	f.placeCall(c)
}

// DropCall tells that a call has ended.
func (f *Floor) DropCall(id string) {
	if c, ok := f.calls[id]; ok {
		f.unplaceCall(c)
		delete(f.calls, id)
	}
}

// SetAgent tells that an agent is new or has changed.
func (f *Floor) SetAgent(row *call.Agent) {
	w := f.agents[row.ID]
	if w == nil {
		if !offerable(row) {
			return
		}
		w = &worker{}
		f.agents[row.ID] = w
	}
	f.unplaceAgent(w)
	w.row = row
	if !offerable(row) && !w.pending {
		delete(f.agents, row.ID)
		return
	}
	f.placeAgent(w)
}

// offerable says whether an offer would reach the agent.
func offerable(a *call.Agent) bool { return a.State == call.AgentReady && len(a.Streams) > 0 }

// Settle tells that the outcome of a proposal is known and that the floor has
// been told of what it changed.
func (f *Floor) Settle(a Assign) {
	if c, ok := f.calls[a.CallID]; ok && c.pending {
		c.pending = false
		if c.row.Phase == call.PhaseQueued {
			f.placeCall(c)
		} else {
			delete(f.calls, a.CallID)
		}
	}
	if w, ok := f.agents[a.AgentID]; ok && w.pending {
		w.pending = false
		if offerable(w.row) {
			f.placeAgent(w)
		} else {
			delete(f.agents, a.AgentID)
		}
	}
}

// Match proposes what is possible now. What it proposes is left alone until Settle.
func (f *Floor) Match() []Assign {
	if len(f.dirty) == 0 {
		return nil
	}
	heads := make(heads, 0, len(f.dirty))
	for k := range f.dirty {
		if q := f.queues[k]; q != nil && q.waiting.Len() > 0 && q.ready.Len() > 0 {
			first, _ := q.waiting.Min()
			heads = append(heads, head{k, q, first})
		}
	}
	clear(f.dirty)
	heap.Init(&heads)
	var out []Assign
	for len(heads) > 0 {
		h := &heads[0]
		// An agent of several queues may have been taken for another one, and
		// emptied this queue, since h was put here.
		first, ok := h.queue.waiting.Min()
		agent, any := h.queue.ready.Min()
		if !ok || !any {
			heap.Pop(&heads)
			continue
		}
		out = append(out, Assign{h.key.tenant, h.key.queue, first.ID, first.Rev, agent.ID, agent.Rev})
		c, w := f.calls[first.ID], f.agents[agent.ID]
		f.unplaceCall(c)
		f.unplaceAgent(w)
		c.pending, w.pending = true, true
		if h.first, ok = h.queue.waiting.Min(); ok {
			heap.Fix(&heads, 0)
		} else {
			heap.Pop(&heads)
		}
	}
	for _, a := range out {
		f.forget(key{a.Tenant, a.Queue})
	}
	return out
}

func (f *Floor) placeCall(c *caller) {
	if c.pending {
		return
	}
	k := key{c.row.Tenant, c.row.QueueID}
	f.queue(k).waiting.Set(c.row)
	c.placed = true
	f.dirty[k] = struct{}{}
}

func (f *Floor) unplaceCall(c *caller) {
	if !c.placed {
		return
	}
	c.placed = false
	k := key{c.row.Tenant, c.row.QueueID}
	f.queue(k).waiting.Delete(c.row)
	f.forget(k)
}

func (f *Floor) placeAgent(w *worker) {
	if w.pending {
		return
	}
	for _, id := range w.row.Queues {
		k := key{w.row.Tenant, id}
		f.queue(k).ready.Set(w.row)
		f.dirty[k] = struct{}{}
	}
	w.placed = true
}

func (f *Floor) unplaceAgent(w *worker) {
	if !w.placed {
		return
	}
	w.placed = false
	for _, id := range w.row.Queues {
		k := key{w.row.Tenant, id}
		f.queue(k).ready.Delete(w.row)
		f.forget(k)
	}
}

func (f *Floor) queue(k key) *queue {
	q := f.queues[k]
	if q == nil {
		noLocks := btree.Options{NoLocks: true}
		q = &queue{
			waiting: btree.NewBTreeGOptions(func(a, b *call.Call) bool { return byRank(a, b) < 0 }, noLocks),
			ready:   btree.NewBTreeGOptions(func(a, b *call.Agent) bool { return byIdle(a, b) < 0 }, noLocks),
		}
		f.queues[k] = q
	}
	return q
}

// forget drops a queue in which nobody waits and nobody is ready.
func (f *Floor) forget(k key) {
	if q := f.queues[k]; q != nil && q.waiting.Len() == 0 && q.ready.Len() == 0 {
		delete(f.queues, k)
	}
}

// head is a queue with its best caller.
type head struct {
	key   key
	queue *queue
	first *call.Call
}

// heads is a heap, the best caller of all first.
type heads []head

func (h heads) Len() int           { return len(h) }
func (h heads) Less(i, j int) bool { return byRank(h[i].first, h[j].first) < 0 }
func (h heads) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *heads) Push(x any)        { *h = append(*h, x.(head)) }
func (h *heads) Pop() any {
	n := len(*h) - 1
	x := (*h)[n]
	*h = slices.Delete(*h, n, n+1)
	return x
}
