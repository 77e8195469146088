package switchboard

import (
	"trunkline/edge/call"
	"trunkline/internal/fault"
)

// The agent's side of the machine: the leg that is negotiated while it rings,
// and the commands of the desktop.

// holdMusic is what a held caller hears.
const holdMusic = "hold_music"

// wants says whether the leg is of somebody who is rung or talks.
func (m *machine) wants(e agentLegUp) bool { return !m.ending && m.row.Has(e.agentID) }

func (m *machine) agentLegUp(e agentLegUp) {
	if !m.wants(e) {
		m.do(closeAgentLeg{})
		return
	}
	if e.agentID == m.row.Consulted() {
		m.consultedLegUp(e)
		return
	}
	m.partConsulted()
	m.agent.legID, m.agent.legAgent = e.legID, e.agentID
	m.agent.joined, m.consult.agentHears = false, ""
	switch m.row.Phase {
	case call.PhaseOffered:
		if len(m.agent.accepted) > 0 {
			m.connect()
		}
	case call.PhaseTalking:
		m.arrange()
	}
}

func (m *machine) agentLegDown(e agentLegDown) {
	if e.legID != "" && e.legID == m.consult.legID {
		m.consultedLegDown()
		return
	}
	if e.legID != m.agent.legID {
		return // an older leg, replaced by now
	}
	wasJoined := m.agent.joined
	m.partConsulted()
	m.agent.legID, m.agent.joined, m.consult.agentHears = "", false, ""
	m.consultAudio()
	if wasJoined && !m.ending {
		// The caller is not left in silence while the browser comes back.
		m.do(unjoinLegs{})
		m.do(music{prompt: holdMusic, language: m.doc.Language})
	}
}

// connectAudio makes the sound match a talking row: joined, or held with music.
func (m *machine) connectAudio() {
	want := m.row.Phase == call.PhaseTalking && !m.row.Held && m.agent.legID != ""
	switch {
	case want && !m.agent.joined:
		m.join()
	case !want:
		if m.agent.joined {
			m.agent.joined = false
			m.do(unjoinLegs{})
		}
		if !m.holding {
			m.holding = true
			m.musicOf(holdMusic)
		}
	}
}

func (m *machine) dropAgentLeg() {
	if m.agent.joined {
		m.agent.joined = false
		m.do(unjoinLegs{})
	}
	if m.agent.legID != "" {
		m.agent.legID = ""
		m.do(closeAgentLeg{})
	}
}

func (m *machine) join() {
	m.agent.joined, m.holding = true, false
	m.saying, m.place = 0, false
	m.do(stopSay{})
	m.do(joinLegs{})
}

// connect answers: the two hear each other at once, and the answer is committed
// meanwhile. The offer is this agent's reservation, so a refusal is rare (the
// offer ended in the same moment); then unanswer takes it back.
func (m *machine) connect() {
	m.interrupted = true
	m.stop(timerPosition)
	m.join()
	m.do(commit{call.Connect{CallID: m.row.ID, AgentID: m.row.AgentID}})
}

// unanswer: the answer was refused. The caller waits on, with music.
func (m *machine) unanswer(now int64) {
	if !m.interrupted || m.ending {
		return
	}
	if m.agent.joined {
		m.agent.joined = false
		m.do(unjoinLegs{})
	}
	m.wait(m.rules.Queue(m.row.Tenant, m.row.QueueID), now)
}

func (m *machine) answerAccepts(err error) {
	for _, reply := range m.agent.accepted {
		m.do(answerAsk{reply: reply, err: err})
	}
	m.agent.accepted = nil
}

func (m *machine) failAccepts() {
	m.answerAccepts(errState)
}

// ask carries out a desktop command. Repeating one that is done is no error.
func (m *machine) ask(e ask) {
	if !m.ending && m.started && e.agentID == m.row.Consulted() && e.agentID != "" {
		m.askConsulted(e)
		return
	}
	if m.ending || !m.started || e.agentID != m.row.AgentID {
		m.do(answerAsk{reply: e.reply, err: fault.New(fault.NotFound, "fault.call.gone")})
		return
	}
	talking, offered := m.row.Phase == call.PhaseTalking, m.row.Phase == call.PhaseOffered
	switch {
	case e.kind == askAccept && talking:
		m.do(answerAsk{reply: e.reply})
	case e.kind == askAccept && offered:
		m.agent.accepted = append(m.agent.accepted, e.reply)
		if m.agent.legID != "" && len(m.agent.accepted) == 1 {
			m.connect()
		}
	case (e.kind == askReject || e.kind == askHangup) && offered:
		m.do(commit{call.OfferEnd{CallID: m.row.ID, AgentID: e.agentID, Outcome: "rejected"}})
		m.do(answerAsk{reply: e.reply})
	case e.kind == askHangup && talking && m.row.Consult == nil:
		m.end(call.CallEnd{CallID: m.row.ID, EndedBy: "agent", Reason: "agent_hung_up"})
		m.do(answerAsk{reply: e.reply})
	case e.kind == askHold && talking:
		if e.on != m.row.Held {
			m.do(commit{call.Hold{CallID: m.row.ID, On: e.on}})
		}
		m.do(answerAsk{reply: e.reply})
	case e.kind == askDigits && talking:
		m.do(sendDigits{digits: e.digits})
		m.do(answerAsk{reply: e.reply})
	default:
		m.do(answerAsk{reply: e.reply, err: errState})
	}
}
