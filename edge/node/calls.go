package node

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"trunkline/edge/call"
	"trunkline/edge/ivr"
	"trunkline/edge/media"
	"trunkline/edge/sip"
	"trunkline/edge/switchboard"
	"trunkline/internal/fault"
	"trunkline/internal/flow"
)

// Reasons an INVITE is refused for, as the site page shows them.
const (
	refusedUnknownNumber = "unknown_number"
	refusedNoFlow        = "no_flow"
	refusedLimit         = "limit"
)

// Incoming takes an INVITE that passed the trunk's checks (sip.Handler).
func (n *Node) Incoming(in *sip.Incoming) {
	dir := n.dir.Load()
	number, ok := dir.numbers[in.Called]
	if !ok || in.Trunk.Tenant != 0 && in.Trunk.Tenant != number.tenant {
		in.Refuse(404, refusedUnknownNumber)
		return
	}
	start, ok := n.newCall(dir.tenants[number.tenant], number.flowID)
	if !ok {
		in.Refuse(480, refusedNoFlow)
		return
	}
	// The commit asks again, for certain. Asked here too, a flood of calls costs
	// neither ports nor commits.
	if start.MaxCalls != 0 && n.replica.View().CallCountOf(number.tenant) >= start.MaxCalls {
		in.Refuse(486, refusedLimit)
		return
	}
	row := &start.Row
	row.Kind, row.TrunkID, row.SIPCallID = call.KindTrunk, in.Trunk.ID, in.SIPCallID
	row.Caller, row.CallerName, row.Called = in.Caller, in.CallerName, in.Called

	events, attach := n.callerEvents(row.ID)
	leg, err := in.Prepare(events)
	if err != nil {
		n.log.Info("call could not be prepared", "call", row.ID, "tenant", row.Tenant, "error", err)
		return
	}
	n.trunks.used(row.TrunkID)
	row.Dialog = leg.Snapshot()
	start.Leg = attach(leg)
	n.log.Info("call", "call", row.ID, "tenant", row.Tenant, "trunk", row.TrunkID, "sip_call_id", row.SIPCallID)
	n.board.Begin(start)
}

// newCall fills the row of a call that begins at this node. False when the
// tenant has no such flow.
func (n *Node) newCall(t *tenantRules, flowID string) (switchboard.NewCall, bool) {
	if t == nil {
		return switchboard.NewCall{}, false
	}
	version, ok := t.published[flowID]
	doc := (*flow.Document)(nil)
	switch {
	case t.suspended():
		version, doc = suspendedVersion, suspendedNotice(t)
	case ok:
		doc, ok = n.rules.Document(t.cfg.GetTenantId(), flowID, version)
	}
	if doc == nil || !ok && version != suspendedVersion {
		return switchboard.NewCall{}, false
	}
	return switchboard.NewCall{
		Row: call.Call{
			ID: uuid.Must(uuid.NewV7()).String(), Tenant: t.cfg.GetTenantId(), Owner: n.cfg.Name,
			Phase: call.PhaseFlow, FlowID: flowID, FlowVersion: version,
			FlowState: ivr.State{Node: doc.Start}.Encode(), DayStart: t.dayStart(n.replica.Now()),
			ServiceLevel: int64(t.cfg.GetServiceLevelMs()) * 1000, ShortAbandon: int64(t.cfg.GetShortAbandonMs()) * 1000,
			Segment: 1,
		},
		MaxCalls: t.cfg.GetMaxCalls(), Doc: doc,
	}, true
}

// callerEvents connects a SIP leg with the switchboard. The stream exists only
// once the leg does; attach makes it. Both directions of time are safe: events
// before attach cannot concern the stream.
func (n *Node) callerEvents(id string) (sip.Events, func(*sip.Leg) *trunkLeg) {
	attached := make(chan struct{})
	l := &trunkLeg{}
	events := sip.Events{
		Cancelled: func(why sip.Reason) {
			n.log.Info("caller gave up", "call", id, "reason", why.String())
			n.board.CallerGone(id, "cancelled")
		},
		Bye: func(why sip.Reason) {
			n.log.Info("caller hung up", "call", id, "reason", why.String())
			n.board.CallerGone(id, "caller_hung_up")
		},
		DialogChanged: func(snapshot []byte) { n.board.DialogChanged(id, snapshot) },
		Digit:         func(key byte) { n.board.Digit(id, key) },
		Failed: func(err error) {
			n.log.Warn("caller's leg failed", "call", id, "error", err)
			n.board.CallerGone(id, "leg_failed")
		},
		MediaChanged: func(f media.Format, direction string) {
			select {
			case <-attached:
				l.stream.SetFormat(f)
				l.stream.SetRTPTimeout(rtpTimeout(direction))
			default:
			}
		},
	}
	return events, func(leg *sip.Leg) *trunkLeg {
		l.leg = leg
		l.stream = media.NewStream(leg.Port(), leg.Format(), media.Config{
			OnDigit:   func(d media.Digit) { n.board.Digit(id, d.Key) },
			OnTimeout: func() { n.board.CallerGone(id, "media_timeout") },
			Log:       n.log,
		})
		l.stream.SetRTPTimeout(rtpTimeout(leg.Direction()))
		close(attached)
		return l
	}
}

// rtpTimeout: a peer that holds us may be silent for as long as it likes.
func rtpTimeout(direction string) time.Duration {
	if direction == sip.SendRecv || direction == sip.SendOnly {
		return media.DefaultRTPTimeout
	}
	return -1
}

// restoreTimeout bounds the re-INVITE of a taken-over call.
const restoreTimeout = 10 * time.Second

var errBrowserCaller = errors.New("a browser caller cannot be called back")

// takeOver fetches the caller of a call that another node drove until now.
func (n *Node) takeOver(row call.Call) {
	doc, ok := n.rules.Document(row.Tenant, row.FlowID, row.FlowVersion)
	if !ok {
		doc = suspendedNotice(n.rules.tenant(row.Tenant))
	}
	r := switchboard.Restored{Row: row, Doc: doc}
	if row.Kind != call.KindTrunk {
		r.Err = errBrowserCaller
		n.board.Resume(r)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), restoreTimeout)
	defer cancel()
	outside := make(chan *trunkLeg, 1)
	go func() { outside <- n.restoreOutside(ctx, row) }()
	events, attach := n.callerEvents(row.ID)
	leg, err := n.sip.Restore(ctx, row.Dialog, events)
	if err != nil {
		n.log.Error("caller could not be taken over", "call", row.ID, "tenant", row.Tenant, "error", err)
		r.Err = err
	} else {
		r.Leg, r.Dialog = attach(leg), leg.Snapshot()
		if k := len(row.Moves); k > 0 {
			r.Gap = max(0, n.replica.Now()-row.Moves[k-1].At)
		}
		n.log.Info("call taken over", "call", row.ID, "tenant", row.Tenant, "phase", row.Phase.String(), "gap_ms", r.Gap/1000)
	}
	other := <-outside
	if other != nil {
		r.Outside, r.OutsideDialog = other, other.leg.Snapshot()
	}
	n.board.Resume(r)
	// What ended before the switchboard could hear of it.
	if leg != nil && ended(leg) {
		n.board.CallerGone(row.ID, "caller_hung_up")
	}
	if other != nil && ended(other.leg) {
		n.board.OutsideHungUp(row.ID, switchboard.RestoredLeg)
	}
}

func ended(leg *sip.Leg) bool {
	select {
	case <-leg.Done():
		return true
	default:
		return false
	}
}

// boardCalls is the desktop's way to the calls of this node (softphone.Calls).
type boardCalls struct {
	*switchboard.Switchboard
	n *Node
}

// AttachAgent hands the agent's negotiated leg over.
func (b boardCalls) AttachAgent(callID, agentID, legID string, stream *media.Stream, closeLeg func()) error {
	return b.Switchboard.AttachAgent(callID, agentID, &agentLeg{id: legID, stream: stream, close: closeLeg})
}

// BrowserCall begins a call whose caller is a browser with a spent ticket.
func (b boardCalls) BrowserCall(t call.Ticket, secretHash []byte, callID string, stream *media.Stream, closeLeg func()) error {
	dir := b.n.dir.Load()
	tenant := dir.tenants[t.Tenant]
	flowID := t.FlowID
	if number, ok := dir.numbers[t.Called]; ok && flowID == "" && number.tenant == t.Tenant {
		flowID = number.flowID
	}
	start, ok := b.n.newCall(tenant, flowID)
	if !ok {
		return fault.New(fault.NotFound, "fault.flow.unknown")
	}
	start.Row.ID, start.Row.Kind, start.Row.Test = callID, call.KindBrowser, true
	start.Row.CallerName, start.Row.Called, start.Row.SecretHash = t.CallerName, t.Called, secretHash
	start.Leg = &browserLeg{stream: stream, close: closeLeg}
	b.Begin(start)
	return nil
}
