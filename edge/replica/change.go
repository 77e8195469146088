package replica

import (
	"slices"
	"sync"
)

// QueueKey names a queue of a tenant.
type QueueKey struct {
	Tenant int64
	Queue  string
}

// Change says which rows one batch changed or removed; look them up in the View
// of at least this Index. Each list is without doubles, in no special order.
type Change struct {
	Index uint64
	At    int64
	// All: the state was replaced (a snapshot was installed); the lists are empty.
	All    bool
	Calls  []string   // call ids
	Agents []string   // membership ids; also when a session began or ended
	Queues []QueueKey // waiting calls or counters
	Nodes  []string   // node names
	Config bool       // the site configuration
	Outbox []int64    // tenants with new facts
}

// Empty says whether nothing changed that a watcher could look up.
func (c *Change) Empty() bool {
	return !c.All && !c.Config && len(c.Calls)+len(c.Agents)+len(c.Queues)+len(c.Nodes)+len(c.Outbox) == 0
}

// watchers is a list of functions called in order.
type watchers[T any] struct {
	mu   sync.Mutex
	next int
	list []watcher[T]
}

type watcher[T any] struct {
	id int
	fn func(T)
}

func (w *watchers[T]) add(fn func(T)) (cancel func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.next++
	id := w.next
	w.list = append(w.list, watcher[T]{id, fn})
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		for i := range w.list {
			if w.list[i].id == id {
				// A new list: tell may be going through the old one.
				w.list = append(append([]watcher[T]{}, w.list[:i]...), w.list[i+1:]...)
				return
			}
		}
	}
}

func (w *watchers[T]) tell(v T) {
	w.mu.Lock()
	list := w.list[:len(w.list):len(w.list)]
	w.mu.Unlock()
	for _, x := range list {
		x.fn(v)
	}
}

// changes collects what a batch touched.
type changes struct {
	calls, agents, nodes set[string]
	queues               set[QueueKey]
	outbox               set[int64]
	config               bool
}

func (c *changes) reset() { *c = changes{} }

// take gives what was collected and starts afresh.
func (c *changes) take(index uint64, at int64) Change {
	out := Change{
		Index: index, At: at, Config: c.config,
		Calls: c.calls.list, Agents: c.agents.list, Nodes: c.nodes.list, Queues: c.queues.list, Outbox: c.outbox.list,
	}
	c.reset()
	return out
}

// set is a list without doubles, in order of arrival.
type set[T comparable] struct {
	list []T
	seen map[T]struct{}
}

func (s *set[T]) add(v T) {
	if s.seen == nil {
		if slices.Contains(s.list, v) {
			return
		}
		if s.list = append(s.list, v); len(s.list) > 16 {
			s.seen = make(map[T]struct{}, 64)
			for _, x := range s.list {
				s.seen[x] = struct{}{}
			}
		}
		return
	}
	if _, ok := s.seen[v]; !ok {
		s.seen[v] = struct{}{}
		s.list = append(s.list, v)
	}
}
