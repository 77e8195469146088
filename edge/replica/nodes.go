package replica

import (
	"slices"

	"trunkline/edge/call"
)

func (m *machine) nodeUp(c call.NodeUp) call.Result {
	if c.Node.Name == "" || c.Node.Incarnation == "" {
		return refused(call.RefusedState)
	}
	old, known := m.t.nodes.Get(&c.Node)
	row := c.Node
	row.Up, row.Since = true, m.t.at
	if known && old.Up && old.Incarnation == row.Incarnation {
		row.Since = old.Since
	}
	m.t.nodes.Set(&row)
	m.changed.nodes.add(row.Name)
	if known && old.Incarnation != row.Incarnation {
		// The process is another one: what the old one held is gone.
		m.dropStreams(row.Name)
		m.moveCalls(row.Name, false)
	}
	m.adopt()
	m.chooseSuccessors()
	return call.Result{}
}

func (m *machine) nodeDown(c call.NodeDown) call.Result {
	old, ok := m.t.nodes.Get(&call.NodeInfo{Name: c.Name})
	if !ok {
		return refused(call.RefusedNotFound)
	}
	if !old.Up || old.Incarnation != c.Incarnation {
		return refused(call.RefusedStale)
	}
	row := *old
	row.Up, row.Since = false, m.t.at
	m.t.nodes.Set(&row)
	m.changed.nodes.add(row.Name)
	m.dropStreams(row.Name)
	m.moveCalls(row.Name, true)
	m.chooseSuccessors()
	return call.Result{}
}

// adopt gives away the calls of nodes that died when no other was up.
func (m *machine) adopt() {
	for _, n := range m.t.nodes.Items() {
		if !n.Up {
			m.moveCalls(n.Name, true)
		}
	}
}

func (m *machine) up(name string) bool {
	n, ok := m.t.nodes.Get(&call.NodeInfo{Name: name})
	return ok && n.Up
}

// nextUp is the node up that comes after owner in name order, round the end;
// "" when there is no other.
func (m *machine) nextUp(owner string) string {
	var first, next string
	m.t.nodes.Scan(func(n *call.NodeInfo) bool {
		if !n.Up || n.Name == owner {
			return true
		}
		if first == "" {
			first = n.Name
		}
		if n.Name > owner {
			next = n.Name
			return false
		}
		return true
	})
	if next == "" {
		return first
	}
	return next
}

// moveCalls gives a node's calls to their successors. With anyone, a call whose
// successor is down too goes to the next node up; else it stays.
func (m *machine) moveCalls(from string, anyone bool) {
	for _, old := range m.t.callsByOwner(from) {
		to := old.Successor
		if to == from || !m.up(to) {
			to = ""
			if anyone {
				to = m.nextUp(from)
			}
		}
		if to == "" {
			continue
		}
		row := editCall(old)
		row.Owner, row.Successor = to, m.nextUp(to)
		row.Moves = append(slices.Clone(row.Moves), call.Move{At: m.t.at, From: from, To: to})
		m.keepCall(old, row)
	}
}

// chooseSuccessors gives every call a successor that is up, where one is.
func (m *machine) chooseSuccessors() {
	var without []*call.Call
	m.t.calls.Scan(func(c *call.Call) bool {
		if c.Successor == "" || c.Successor == c.Owner || !m.up(c.Successor) {
			without = append(without, c)
		}
		return true
	})
	for _, old := range without {
		to := m.nextUp(old.Owner)
		if to == old.Successor {
			continue
		}
		row := editCall(old)
		row.Successor = to
		m.keepCall(old, row)
	}
}

func (m *machine) dropStreams(node string) {
	var held []*call.Agent
	m.t.agents.Scan(func(a *call.Agent) bool {
		if slices.Contains(a.Streams, node) {
			held = append(held, a)
		}
		return true
	})
	for _, agent := range held {
		g := editAgent(agent)
		m.dropStream(g, node)
		m.keepAgent(agent, g)
	}
}
