package switchboard

import (
	"trunkline/edge/call"
	"trunkline/edge/ivr"
	"trunkline/internal/fault"
	"trunkline/internal/flow"
)

// machine is one call's pure step. It knows the committed row and what this
// node does for it; now is site time, given with each event.
type machine struct {
	me    string
	rules Rules
	row   call.Call
	doc   *flow.Document
	ivr   ivr.State

	started bool // the row is committed
	ending  bool // CallEnd is proposed, or the row is gone
	gone    string
	agent   agentSide
	consult consultSide
	outside outsideSide
	tokens  uint64
	saying  uint64 // token of what is being said
	timers  [timerKinds]uint64
	// pending is what the flow does once its commit came back.
	pending *ivr.Do
	// place is set while the position is announced over the music.
	place bool
	// interrupted is set while music gave way to an answer nobody committed yet.
	interrupted bool
	// holding is set while the caller of a talking call hears music.
	holding bool
	out     []action
}

// agentSide is what this node knows of the agent's browser.
type agentSide struct {
	legID    string
	legAgent string
	joined   bool
	accepted []func(error) // waiting for the leg, then for the commit
}

// step is the one entry: event in, actions out.
func (m *machine) step(ev event, now int64) []action {
	m.out = nil
	switch e := ev.(type) {
	case begin:
		m.row = e.row
		m.do(commit{call.CallStart{Call: e.row, MaxCalls: e.maxCalls}})
	case restored:
		m.restored(e, now)
	case committed:
		m.committed(e, now)
	case rowChanged:
		m.setRow(e.row, now)
	case rowGone:
		m.over("")
	case callerGone:
		m.callerGone(e.reason)
	case digit:
		m.flowInput(ivr.Input{Kind: ivr.Digit, Digit: e.key})
	case played:
		m.played(e.token, now)
	case timer:
		m.timer(e, now)
	case agentLegUp:
		m.agentLegUp(e)
	case agentLegDown:
		m.agentLegDown(e)
	case ask:
		m.ask(e)
	case outsideRings:
		m.outsideRings(e)
	case outsideHeard:
		m.outsideHeard(e)
	case outsideAnswered:
		m.outsideAnswered(e)
	case outsideGone:
		m.outsideGone(e)
	case outsideDialog:
		m.outsideDialog(e)
	case dialogChanged:
		if m.started && !m.ending {
			m.do(commit{call.Dialog{CallID: m.row.ID, Dialog: e.dialog}})
		}
	}
	return m.out
}

func (m *machine) do(a action) { m.out = append(m.out, a) }

func (m *machine) committed(e committed, now int64) {
	if start, ok := e.cmd.(call.CallStart); ok {
		m.callStarted(start, e, now)
		return
	}
	if e.res.Call != nil {
		m.setRow(*e.res.Call, now)
	}
	switch cmd := e.cmd.(type) {
	case call.FlowStep:
		if e.res.Refused == "" {
			m.runPending()
		}
	case call.Enqueue:
		if e.res.Refused == call.RefusedLimit {
			// The queue is full: the flow goes on as if nobody could answer.
			m.flowInput(ivr.Input{Kind: ivr.LeftQueue})
		}
	case call.Connect:
		if cmd.AgentID != m.row.AgentID {
			return // the offer is another agent's by now; this one has heard
		}
		if e.res.Refused != "" {
			m.unanswer(now)
		}
		m.answerAccepts(refusal(e.res.Refused))
	case call.ConsultJoin:
		if cmd.AgentID == m.row.Consulted() {
			m.answerConsulted(refusal(e.res.Refused))
		}
	case call.CallEnd:
		m.over(cmd.Reason)
	}
}

func (m *machine) callStarted(start call.CallStart, e committed, now int64) {
	switch {
	case m.gone != "" && e.err == nil && e.res.Refused == "":
		// Cancelled while the start was being committed.
		m.started = true
		m.end(call.CallEnd{CallID: start.Call.ID, EndedBy: "caller", Reason: m.gone})
	case e.err != nil:
		m.do(rejectCaller{status: 503})
		m.do(finish{})
	case e.res.Refused == call.RefusedLimit:
		m.do(rejectCaller{status: 486})
		m.do(finish{})
	case e.res.Refused != "":
		m.do(rejectCaller{status: 500})
		m.do(finish{})
	default:
		m.started = true
		m.row = *e.res.Call
		m.do(answerCaller{})
		m.do(record{})
		m.resume(now)
	}
}

// restored: this node took the call over. The row says where the caller stands.
func (m *machine) restored(e restored, now int64) {
	m.started = true
	m.row = e.row
	m.outside.up = e.outside != nil
	if e.err != nil {
		m.end(call.CallEnd{CallID: e.row.ID, EndedBy: "lost", Reason: "takeover_failed"})
		return
	}
	m.do(commit{call.Moved{CallID: e.row.ID, Gap: e.gap, Dialog: e.dialog}})
	if e.outside != nil {
		m.do(commit{call.Dialog{CallID: e.row.ID, Dialog: e.outside, Outside: true}})
	}
	m.do(record{})
	m.resume(now)
}

// resume does what the row's phase asks for, from the beginning of the step.
func (m *machine) resume(now int64) {
	s, err := ivr.Decode(m.row.FlowState)
	if err != nil {
		s = ivr.State{Node: m.doc.Start}
	}
	m.ivr = s
	switch m.row.Phase {
	case call.PhaseFlow:
		m.flowInput(ivr.Input{Kind: ivr.Begin})
		return
	case call.PhaseOutside:
		m.resumeOutside(m.outside.up)
		return
	}
	m.enterPhase(call.Call{Phase: call.PhaseFlow}, now)
}

// setRow takes a newer row and reacts to what changed.
func (m *machine) setRow(row call.Call, now int64) {
	if row.Rev <= m.row.Rev || !m.started {
		return
	}
	old := m.row
	m.row = row
	switch {
	case row.Owner != m.me:
		m.ending = true
		m.failAccepts()
		m.answerConsulted(errState)
		m.do(abandon{})
		m.do(finish{})
	case row.Phase != old.Phase:
		m.leavePhase(old.Phase)
		m.enterPhase(old, now)
	case row.Phase == call.PhaseOffered && row.AgentID != old.AgentID:
		m.leavePhase(old.Phase)
		m.enterPhase(old, now)
	case row.Phase == call.PhaseTalking && row.AgentID != old.AgentID:
		m.leavePhase(old.Phase)
		m.enterPhase(old, now)
	case row.Phase == call.PhaseTalking && consultOf(row) != consultOf(old):
		m.consultChanged(now)
	case row.Phase == call.PhaseTalking && row.Held != old.Held:
		m.arrange()
	}
}

func (m *machine) leavePhase(p call.Phase) {
	switch p {
	case call.PhaseOffered:
		m.stop(timerOffer)
		if m.row.Phase != call.PhaseTalking {
			m.failAccepts()
			m.dropAgentLeg()
		}
	case call.PhaseTalking:
		m.stop(timerOffer)
		m.partConsulted()
		m.dropAgentLeg()
		m.endConsult()
	case call.PhaseOutside:
		m.stop(timerOffer)
		m.dropOutside()
	case call.PhaseFlow:
		m.stop(timerSilence)
	}
}

func (m *machine) enterPhase(old call.Call, now int64) {
	q := m.rules.Queue(m.row.Tenant, m.row.QueueID)
	switch m.row.Phase {
	case call.PhaseFlow:
		m.interrupted = false
		m.stop(timerPosition)
		m.stop(timerMaxWait)
		m.flowInput(ivr.Input{Kind: ivr.LeftQueue})
	case call.PhaseQueued, call.PhaseOffered:
		waited := (old.Phase == call.PhaseQueued || old.Phase == call.PhaseOffered) && !old.Direct
		if m.row.Direct || !waited || m.interrupted {
			m.wait(q, now)
		}
		if m.row.Phase == call.PhaseOffered {
			m.start(timerOffer, max(0, m.row.OfferDeadline-now))
			if len(m.agent.accepted) > 0 && m.agent.legID != "" {
				m.connect() // the colleague who was asked has answered already
			}
		}
	case call.PhaseTalking:
		m.interrupted, m.holding = false, false
		m.stop(timerPosition)
		m.stop(timerMaxWait)
		m.ringConsulted(now)
		m.arrange()
	case call.PhaseOutside:
		m.dialOutside(now)
	}
}

// wait starts music and announcements. The first position is said at once; while
// a colleague is rung there is no place to be told.
func (m *machine) wait(q QueueRules, now int64) {
	m.interrupted = false
	if m.row.Direct {
		m.music(q)
		return
	}
	if q.PositionEvery > 0 {
		m.sayPlace()
	} else {
		m.music(q)
	}
	if q.MaxWait > 0 {
		m.start(timerMaxWait, max(0, m.row.WaitingSince()+q.MaxWait-now))
	}
}

func (m *machine) music(q QueueRules) {
	name := q.Music
	if name == "" {
		name = "music"
	}
	m.musicOf(name)
}

func (m *machine) sayPlace() {
	m.place = true
	m.do(sayPlace{token: m.sayToken()})
}

func (m *machine) sayToken() uint64 {
	m.tokens++
	m.saying = m.tokens
	return m.tokens
}

func (m *machine) start(k timerKind, after int64) {
	m.tokens++
	m.timers[k] = m.tokens
	m.do(startTimer{kind: k, after: after, token: m.tokens})
}

func (m *machine) stop(k timerKind) {
	if m.timers[k] != 0 {
		m.timers[k] = 0
		m.do(stopTimer{kind: k})
	}
}

func (m *machine) timer(e timer, now int64) {
	if m.ending || m.timers[e.kind] != e.token {
		return
	}
	m.timers[e.kind] = 0
	switch e.kind {
	case timerSilence:
		m.flowInput(ivr.Input{Kind: ivr.Silence})
	case timerPosition:
		m.sayPlace()
	case timerMaxWait:
		m.do(commit{call.Dequeue{CallID: m.row.ID, Outcome: "max_wait", FlowState: m.ivr.Encode()}})
	case timerOffer:
		if left := m.row.OfferDeadline - now; left > 0 {
			m.start(timerOffer, left)
			return
		}
		switch m.row.Phase {
		case call.PhaseOutside:
			m.outsideEnded(call.ReasonNoAnswer)
			return
		case call.PhaseTalking:
			m.do(commit{call.ConsultEnd{CallID: m.row.ID, AgentID: m.row.Consulted(), Outcome: call.ReasonNoAnswer}})
			return
		}
		m.do(commit{call.OfferEnd{CallID: m.row.ID, AgentID: m.row.AgentID, Outcome: "no_answer"}})
	}
}

func (m *machine) played(token uint64, now int64) {
	if m.ending || token != m.saying {
		return
	}
	m.saying = 0
	if m.place {
		m.place = false
		q := m.rules.Queue(m.row.Tenant, m.row.QueueID)
		m.music(q)
		if q.PositionEvery > 0 {
			m.start(timerPosition, q.PositionEvery)
		}
		return
	}
	m.flowInput(ivr.Input{Kind: ivr.Spoken})
}

// flowInput steps the flow and does what it says; only in PhaseFlow and with
// no commit of the flow under way.
func (m *machine) flowInput(in ivr.Input) {
	if !m.started || m.ending || m.row.Phase != call.PhaseFlow || m.pending != nil {
		return
	}
	next, do := ivr.Step(m.doc, m.ivr, in)
	if do.Kind == ivr.Nothing {
		return
	}
	m.ivr = next
	m.stop(timerSilence)
	if do.Choice != nil && do.Kind != ivr.Enqueue {
		m.pending = &do
		m.do(stopSay{})
		m.do(commit{call.FlowStep{CallID: m.row.ID, FlowState: next.Encode(), Choice: do.Choice}})
		return
	}
	m.flowDo(do)
}

func (m *machine) runPending() {
	if m.pending == nil || m.ending {
		return
	}
	do := *m.pending
	m.pending = nil
	m.flowDo(do)
}

func (m *machine) flowDo(do ivr.Do) {
	switch do.Kind {
	case ivr.Speak:
		m.place = false
		m.do(say{prompts: do.Prompts, language: do.Language, token: m.sayToken()})
	case ivr.Wait:
		m.start(timerSilence, int64(do.WaitMS)*1000)
	case ivr.Enqueue:
		m.saying = 0
		m.do(commit{call.Enqueue{
			CallID: m.row.ID, QueueID: do.QueueID, Priority: do.Priority, FlowState: m.ivr.Encode(),
			MaxWaiting: m.rules.Queue(m.row.Tenant, do.QueueID).MaxWaiting, Choice: do.Choice,
		}})
	case ivr.End:
		m.end(call.CallEnd{CallID: m.row.ID, EndedBy: "flow", Reason: "flow_ended"})
	}
}

// end proposes the call's end once; the legs are closed when it is committed.
func (m *machine) end(cmd call.CallEnd) {
	if m.ending {
		return
	}
	m.ending = true
	m.failAccepts()
	m.answerConsulted(errState)
	for k := range m.timers {
		m.stop(timerKind(k))
	}
	cmd.WrapUp = m.rules.Queue(m.row.Tenant, m.row.QueueID).WrapUp
	if m.agent.joined {
		m.agent.joined = false
		m.do(unjoinLegs{})
	}
	m.partConsulted()
	m.dropOutside()
	m.do(stopSay{})
	m.do(commit{cmd})
}

// over: the row is gone; nothing is left to drive.
func (m *machine) over(reason string) {
	if !m.ending {
		m.failAccepts()
		m.answerConsulted(errState)
	}
	m.ending = true
	m.dropAgentLeg()
	m.dropConsulted()
	m.dropOutside()
	if m.gone == "" {
		m.do(hangupCaller{reason: reason})
	}
	m.do(finish{})
}

func (m *machine) callerGone(reason string) {
	if m.gone != "" {
		return
	}
	if reason == "" {
		reason = "caller_hung_up"
	}
	m.gone = reason
	if m.started {
		m.end(call.CallEnd{CallID: m.row.ID, EndedBy: "caller", Reason: reason})
	}
}

// refusal turns a refused command into the agent's error.
func refusal(code string) error {
	switch code {
	case "":
		return nil
	case call.RefusedNotFound:
		return fault.New(fault.NotFound, "fault.call.gone")
	default:
		return errState
	}
}

var errState = fault.New(fault.Conflict, "fault.call.state")
