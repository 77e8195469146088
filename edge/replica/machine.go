package replica

import (
	"fmt"

	"trunkline/edge/call"
)

// machine is the state machine: it changes the tables by one batch at a time,
// out of nothing but the tables and the batch.
type machine struct {
	t       *tables
	knows   call.Level // what this program understands
	changed changes
}

func newMachine(knows call.Level) *machine {
	m := &machine{t: newTables(), knows: knows}
	m.changed.reset()
	return m
}

// applyBatch applies one log entry. An error means that this version can not
// go on: the state is then half changed and must not be used.
func (m *machine) applyBatch(index uint64, data []byte) ([]call.Result, error) {
	var b batch
	if err := decoding.Unmarshal(data, &b); err != nil {
		return nil, fmt.Errorf("%w: entry %d: %w", errUnknownCommand, index, err)
	}
	m.t.index = index
	m.t.at = max(m.t.at, b.At)
	m.t.epoch = max(m.t.epoch, b.Epoch)
	m.expireTickets()
	results := make([]call.Result, len(b.Commands))
	for i, e := range b.Commands {
		res, err := m.applyOne(e)
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", index, err)
		}
		results[i] = res
	}
	return results, nil
}

func (m *machine) applyOne(e call.Envelope) (call.Result, error) {
	if e.Key != "" {
		if a, ok := m.t.ring.get(e.Key); ok {
			return m.recall(a), nil
		}
	}
	cmd, err := open(e)
	if err != nil {
		return call.Result{}, err
	}
	res, err := m.do(cmd)
	if err != nil {
		return call.Result{}, err
	}
	applied[e.Type].Inc()
	res.Index, res.At = m.t.index, m.t.at
	if e.Key != "" {
		a := answer{Key: e.Key, Refused: res.Refused, Index: res.Index, At: res.At, Ticket: res.Ticket}
		if res.Call != nil {
			a.Call = res.Call.ID
		}
		if res.Agent != nil {
			a.Agent = res.Agent.ID
		}
		m.t.ring.put(a)
	}
	return res, nil
}

// recall answers a command that was applied before, with the rows as they are now.
func (m *machine) recall(a answer) call.Result {
	res := call.Result{Refused: a.Refused, Index: a.Index, At: a.At, Ticket: a.Ticket}
	if c, ok := m.call(a.Call); ok {
		res.Call = c
	}
	if g, ok := m.agent(a.Agent); ok {
		res.Agent = g
	}
	return res
}

// do applies one command; each case is the whole meaning of its type.
func (m *machine) do(cmd call.Command) (call.Result, error) {
	switch c := cmd.(type) {
	case call.CallStart:
		return m.callStart(c), nil
	case call.FlowStep:
		return m.flowStep(c), nil
	case call.Enqueue:
		return m.enqueue(c), nil
	case call.Dequeue:
		return m.dequeue(c), nil
	case call.Assign:
		return m.assign(c), nil
	case call.OfferEnd:
		return m.offerEnd(c), nil
	case call.Connect:
		return m.connect(c), nil
	case call.Hold:
		return m.hold(c), nil
	case call.TransferCall:
		return m.transferCall(c), nil
	case call.OutsideAnswered:
		return m.outsideAnswered(c), nil
	case call.OutsideEnd:
		return m.outsideEnd(c), nil
	case call.ConsultCall:
		return m.consultCall(c), nil
	case call.ConsultJoin:
		return m.consultJoin(c), nil
	case call.ConsultEnd:
		return m.consultEnd(c), nil
	case call.Dialog:
		return m.dialog(c), nil
	case call.CallEnd:
		return m.callEnd(c), nil
	case call.Segment:
		return m.segment(c), nil
	case call.RecordingClosed:
		m.fact(c.Tenant, "recording", c.Body)
		return call.Result{}, nil
	case call.SignIn:
		return m.signIn(c), nil
	case call.SignOut:
		return m.signOut(c), nil
	case call.SetAgentState:
		return m.setAgentState(c), nil
	case call.AgentStream:
		return m.agentStream(c), nil
	case call.AgentLost:
		return m.agentLost(c), nil
	case call.WrapUpSave:
		return m.wrapUpSave(c), nil
	case call.WrapUpEnd:
		return m.wrapUpEnd(c), nil
	case call.NodeUp:
		return m.nodeUp(c), nil
	case call.NodeDown:
		return m.nodeDown(c), nil
	case call.Moved:
		return m.moved(c), nil
	case call.Config:
		return m.configure(c), nil
	case call.OutboxAck:
		return m.outboxAck(c), nil
	case call.Inbox:
		return m.inboxItem(c), nil
	case call.TicketUse:
		return m.ticketUse(c), nil
	case call.SetLevel:
		return m.setLevel(c)
	}
	return call.Result{}, fmt.Errorf("%w: %T", errUnknownCommand, cmd)
}

func refused(code string) call.Result { return call.Result{Refused: code} }

func (m *machine) call(id string) (*call.Call, bool) {
	return m.t.calls.Get(&call.Call{ID: id})
}

func (m *machine) agent(id string) (*call.Agent, bool) {
	return m.t.agents.Get(&call.Agent{ID: id})
}

// editCall gives a copy with the next revision, to be changed and kept. Slices
// are still the old row's: clone before changing.
func editCall(c *call.Call) *call.Call {
	n := *c
	n.Rev++
	return &n
}

func editAgent(a *call.Agent) *call.Agent {
	n := *a
	n.Rev++
	return &n
}

// keepCall puts the row in place of old; nil removes the call.
func (m *machine) keepCall(old, row *call.Call) {
	m.t.putCall(old, row)
	for _, c := range []*call.Call{old, row} {
		if c == nil {
			continue
		}
		m.changed.calls.add(c.ID)
		if waits(c) {
			m.changed.queues.add(QueueKey{c.Tenant, c.QueueID})
		}
	}
}

func (m *machine) keepAgent(old, row *call.Agent) {
	m.t.putAgent(old, row)
	m.changed.agents.add(row.ID)
}
