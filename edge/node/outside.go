package node

import (
	"context"
	"errors"
	"slices"
	"time"

	"trunkline/edge/call"
	"trunkline/edge/media"
	"trunkline/edge/sip"
	"trunkline/edge/switchboard"
)

// lines places calls to numbers outside for the switchboard (switchboard.Outside).
type lines struct{ n *Node }

var errNoLine = errors.New("no trunk to call by")

// Dial calls the number of the row by the trunks the tenant may use.
func (o lines) Dial(row call.Call, leg uint64) (switchboard.OutsideLeg, error) {
	n, dir := o.n, o.n.dir.Load()
	trunks := dir.outgoing(row)
	if len(trunks) == 0 {
		return nil, errNoLine
	}
	events, attach := n.outsideEvents(row.ID, leg, false)
	placed, err := n.sip.Call(sip.Outgoing{
		Trunks: trunks, Tenant: row.Tenant, From: dir.ownNumber(row), To: row.Outside.Number,
		// The row's deadline ends the ringing; this is for when nobody else does.
		RingFor: time.Duration(max(0, row.OfferDeadline-n.replica.Now()))*time.Microsecond + ringSpare,
	}, events)
	if err != nil {
		return nil, err
	}
	l := attach(placed)
	placed.Invite()
	n.log.Info("number outside is called", "call", row.ID, "tenant", row.Tenant, "sip_call_id", placed.SIPCallID())
	return l, nil
}

const ringSpare = 5 * time.Second

// outsideEvents connects the leg to a number outside with the switchboard, as
// callerEvents does a caller's. Silence is no fault before the answer.
func (n *Node) outsideEvents(id string, number uint64, answered bool) (sip.Events, func(*sip.Leg) *trunkLeg) {
	attached := make(chan struct{})
	l := &trunkLeg{}
	listen := func(direction string) {
		if answered {
			l.stream.SetRTPTimeout(rtpTimeout(direction))
		} else {
			l.stream.SetRTPTimeout(-1)
		}
	}
	events := sip.Events{ // one after another
		Ringing:    func() { n.board.OutsideRings(id, number) },
		EarlyMedia: func() { n.board.OutsideHeard(id, number) },
		Answered: func() {
			answered = true
			n.trunks.used(l.leg.TrunkID())
			listen(l.leg.Direction())
			n.board.OutsideAnswered(id, number, l.leg.Snapshot())
		},
		Bye: func(why sip.Reason) {
			n.log.Info("number outside hung up", "call", id, "reason", why.String())
			n.board.OutsideHungUp(id, number)
		},
		DialogChanged: func(snapshot []byte) { n.board.OutsideDialog(id, number, snapshot) },
		MediaChanged: func(f media.Format, direction string) {
			select {
			case <-attached:
				l.stream.SetFormat(f)
				listen(direction)
			default:
			}
		},
		Failed: func(err error) {
			outcome := "call_lost"
			if !answered {
				outcome = notReached(err)
			}
			n.log.Info("number outside", "call", id, "outcome", outcome, "error", err)
			n.board.OutsideGone(id, number, outcome)
		},
	}
	return events, func(leg *sip.Leg) *trunkLeg {
		l.leg = leg
		l.stream = media.NewStream(leg.Port(), leg.Format(), media.Config{
			OnTimeout: func() { n.board.OutsideGone(id, number, "call_lost") },
			Log:       n.log,
		})
		listen(leg.Direction())
		close(attached)
		return l
	}
}

// notReached is why a number did not answer, in a word of call.Transfer.
func notReached(err error) string {
	var answered *sip.StatusError
	if errors.Is(err, sip.ErrNoAnswer) {
		return call.ReasonNoAnswer
	}
	if !errors.As(err, &answered) {
		return "unreachable"
	}
	switch answered.Status {
	case 486, 600:
		return "busy"
	case 408, 480, 487:
		return call.ReasonNoAnswer
	case 603, 607:
		return call.ReasonRejected
	}
	return "unreachable"
}

// restoreOutside goes on with the number outside another node talked with; nil
// when it cannot be had, or had only been rung.
func (n *Node) restoreOutside(ctx context.Context, row call.Call) *trunkLeg {
	if row.Outside == nil || row.Outside.AnsweredAt == 0 {
		return nil
	}
	events, attach := n.outsideEvents(row.ID, switchboard.RestoredLeg, true)
	leg, err := n.sip.Restore(ctx, row.Outside.Dialog, events)
	if err != nil {
		n.log.Error("number outside could not be taken over", "call", row.ID, "tenant", row.Tenant, "error", err)
		return nil
	}
	return attach(leg)
}

// outgoing are the trunks a caller may be passed on by: those of the tenant, the
// one they came by first, and the platform's where it lets the tenant.
func (d *directory) outgoing(row call.Call) []sip.Trunk {
	shared := false
	if t := d.tenants[row.Tenant]; t != nil {
		shared = t.cfg.GetDialling().GetSharedCalls() > 0
	}
	emergency := row.Outside.Number[:1] != "+"
	var list []sip.Trunk
	for _, t := range d.trunks {
		if t.Target != "" && (t.Tenant == row.Tenant || t.Tenant == 0 && (shared || emergency)) {
			list = append(list, t)
		}
	}
	rank := func(t sip.Trunk) int {
		switch {
		case t.ID == row.TrunkID:
			return 0
		case t.Tenant != 0:
			return 1
		}
		return 2
	}
	slices.SortStableFunc(list, func(a, b sip.Trunk) int { return rank(a) - rank(b) })
	return list
}

// ownNumber is the number of ours the called side sees: the one that was called,
// else the tenant's first; "" without any.
func (d *directory) ownNumber(row call.Call) string {
	if d.numbers[row.Called].tenant == row.Tenant {
		return row.Called
	}
	if t := d.tenants[row.Tenant]; t != nil && len(t.cfg.GetNumbers()) > 0 {
		return t.cfg.GetNumbers()[0].GetE164()
	}
	return ""
}

// Lines tells which trunks of this site a tenant could call by: its own, and the
// platform's.
func (d desk) Lines(tenant int64) (own, shared bool) {
	for _, t := range d.n.dir.Load().trunks {
		own = own || t.Target != "" && t.Tenant == tenant
		shared = shared || t.Target != "" && t.Tenant == 0
	}
	return own, shared
}

// Allows tells whether all nodes of the site understand the command.
func (d desk) Allows(cmd call.Command) bool { return d.n.replica.View().Allows(cmd) }
