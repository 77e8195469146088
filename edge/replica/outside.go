package replica

import "trunkline/edge/call"

// A caller who was passed on to a number outside: it rings until the deadline of
// the row, then talks or is given up. Whom nobody talks with comes back.

// outsideAnswered: caller and number talk.
func (m *machine) outsideAnswered(c call.OutsideAnswered) call.Result {
	old, ok := m.call(c.CallID)
	if !ok {
		return refused(call.RefusedNotFound)
	}
	if old.Outside == nil || old.Outside.AnsweredAt != 0 {
		return refused(call.RefusedState)
	}
	row := editCall(old)
	m.endRinging(row, "accepted")
	row.Outside = &call.Outside{Number: old.Outside.Number, AnsweredAt: m.t.at, Dialog: c.Dialog}
	m.keepCall(old, row)
	return call.Result{Call: row}
}

// outsideEnd: the caller comes back to the queue, first as a rule.
func (m *machine) outsideEnd(c call.OutsideEnd) call.Result {
	old, ok := m.call(c.CallID)
	if !ok {
		return refused(call.RefusedNotFound)
	}
	if old.Outside == nil {
		return refused(call.RefusedState)
	}
	row := editCall(old)
	m.endRinging(row, c.Outcome)
	row.Phase, row.Outside = call.PhaseQueued, nil
	m.beginVisit(row)
	m.keepCall(old, row)
	return call.Result{Call: row}
}

// endRinging closes the transfer to a number that has not answered yet.
func (m *machine) endRinging(row *call.Call, outcome string) {
	if row.Outside.AnsweredAt == 0 {
		m.endTransfer(row, outcome)
	}
	row.OfferedAt, row.OfferDeadline = 0, 0
}
