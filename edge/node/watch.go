package node

import (
	"trunkline/edge/call"
	"trunkline/edge/replica"
)

// changed passes what the replica applied on to whoever lives by it here. It is
// called in order after each batch and must not block.
func (n *Node) changed(c replica.Change) {
	v := n.replica.View()
	if c.All {
		n.sweep(v)
		n.phones.EverythingChanged()
	}
	for _, id := range c.Calls {
		row, ok := v.Call(id)
		if !ok {
			n.board.RowChanged(id, nil)
			continue
		}
		n.callChanged(row)
		for _, agent := range [...]string{row.AgentID, row.Consulted()} {
			if agent != "" {
				n.phones.AgentChanged(agent)
			}
		}
	}
	for _, id := range c.Agents {
		n.phones.AgentChanged(id)
	}
	if c.Config {
		n.configChanged()
	}
	if c.Config || len(c.Nodes) > 0 {
		n.phones.EverythingChanged()
	}
	n.wakeUplink()
}

func (n *Node) callChanged(row *call.Call) {
	if row.Owner == n.cfg.Name && !n.board.Drives(row.ID) {
		n.claim(*row)
		return
	}
	n.board.RowChanged(row.ID, row)
}

// claim takes a call over once; further changes of its row find the mailbox.
func (n *Node) claim(row call.Call) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.stopping || n.claiming[row.ID] {
		return
	}
	n.claiming[row.ID] = true
	n.work.Go(func() {
		n.takeOver(row)
		n.mu.Lock()
		delete(n.claiming, row.ID)
		n.mu.Unlock()
		// The row may have moved on while the caller was being fetched.
		if now, ok := n.replica.View().Call(row.ID); ok {
			n.board.RowChanged(row.ID, now)
		} else {
			n.board.RowChanged(row.ID, nil)
		}
	})
}

// sweep looks at every call: after a start, and when the state was replaced.
func (n *Node) sweep(v *replica.View) {
	for _, row := range v.CallsByOwner(n.cfg.Name) {
		n.callChanged(row)
	}
}
