package switchboard

import "trunkline/edge/call"

// The colleague whom the call's agent asks: a second browser leg beside the
// agent's. While the caller is held the two hear each other; while the agent is
// with the caller, the colleague hears music.

// consultSide is what this node knows of the colleague's browser, and what agent
// and colleague are played.
type consultSide struct {
	agentSide
	whose             string // the colleague, as the row last said
	hears, agentHears string
}

// consultOf tells states of asking apart.
func consultOf(row call.Call) call.Consult {
	if row.Consult == nil {
		return call.Consult{}
	}
	return *row.Consult
}

// consultChanged: a colleague is asked, has answered, or is not asked any more.
func (m *machine) consultChanged(now int64) {
	m.stop(timerOffer)
	m.endConsult()
	m.ringConsulted(now)
	m.arrange()
}

// ringConsulted bounds the ringing, also after a takeover.
func (m *machine) ringConsulted(now int64) {
	m.consult.whose = m.row.Consulted()
	if m.row.Consult != nil && !m.row.Consult.Joined() {
		m.start(timerOffer, max(0, m.row.OfferDeadline-now))
	}
}

// endConsult: who was asked is not any more. If the caller was passed on to them
// their leg becomes that of the call's agent, else it is closed.
func (m *machine) endConsult() {
	whose := m.consult.whose
	if whose == "" || whose == m.row.Consulted() {
		return
	}
	m.partConsulted()
	m.hear(false, "")
	if whose != m.row.AgentID {
		m.dropConsulted()
		return
	}
	m.hear(true, "")
	m.agent, m.consult = m.consult.agentSide, consultSide{}
	if m.agent.legID != "" {
		m.do(promoteConsulted{})
	}
	if m.row.Phase == call.PhaseTalking {
		m.answerAccepts(nil)
	}
}

// dropConsulted forgets the colleague.
func (m *machine) dropConsulted() {
	m.partConsulted()
	m.answerConsulted(errState)
	if m.consult.legID != "" {
		m.do(closeConsulted{})
	}
	m.consult = consultSide{agentHears: m.consult.agentHears}
}

// together says whether agent and colleague are to hear each other.
func (m *machine) together() bool {
	return m.row.Phase == call.PhaseTalking && m.row.Held && m.row.Consult.Joined() && m.agent.legID != "" && m.consult.legID != ""
}

// arrange makes the sound match a talking row: who is with whom, and music for
// whoever waits.
func (m *machine) arrange() {
	if !m.together() {
		m.partConsulted() // before the agent is joined with the caller
	}
	m.connectAudio()
	m.consultAudio()
}

func (m *machine) consultAudio() {
	switch {
	case m.ending:
	case m.together():
		m.hear(false, "")
		m.hear(true, "")
		if !m.consult.joined {
			m.consult.joined = true
			m.do(joinConsulted{})
		}
	case m.row.Consult == nil || !m.row.Held:
		m.hear(false, "")
		m.hear(true, m.waitsFor())
	case !m.row.Consult.Joined():
		m.hear(false, ringback)
	default: // one of the two browsers is away
		m.hear(false, holdMusic)
		m.hear(true, m.waitsFor())
	}
}

// waitsFor is what a colleague hears who has answered, and whom nobody talks with.
func (m *machine) waitsFor() string {
	if m.row.Consult.Joined() {
		return holdMusic
	}
	return ""
}

// hear plays a prompt to the colleague or the agent, if it is another than before.
func (m *machine) hear(consulted bool, prompt string) {
	now, legID := &m.consult.agentHears, m.agent.legID
	if consulted {
		now, legID = &m.consult.hears, m.consult.legID
	}
	if legID == "" {
		prompt = ""
	}
	if *now == prompt {
		return
	}
	*now = prompt
	if legID != "" {
		m.do(hear{consulted: consulted, prompt: prompt, language: m.doc.Language})
	}
}

func (m *machine) partConsulted() {
	if m.consult.joined {
		m.consult.joined = false
		m.do(partConsulted{})
	}
}

func (m *machine) consultedLegUp(e agentLegUp) {
	m.partConsulted()
	m.consult.legID, m.consult.legAgent, m.consult.hears = e.legID, e.agentID, ""
	switch {
	case m.row.Consult.Joined():
		m.arrange()
	case len(m.consult.accepted) > 0:
		m.joinConsult()
	}
}

func (m *machine) consultedLegDown() {
	m.partConsulted()
	m.consult.legID, m.consult.hears = "", ""
	m.consultAudio()
}

func (m *machine) joinConsult() {
	m.do(commit{call.ConsultJoin{CallID: m.row.ID, AgentID: m.row.Consulted()}})
}

func (m *machine) answerConsulted(err error) {
	for _, reply := range m.consult.accepted {
		m.do(answerAsk{reply: reply, err: err})
	}
	m.consult.accepted = nil
}

// askConsulted carries out a command of the colleague's desktop.
func (m *machine) askConsulted(e ask) {
	joined := m.row.Consult.Joined()
	switch {
	case e.kind == askAccept && joined:
		m.do(answerAsk{reply: e.reply})
	case e.kind == askAccept:
		m.consult.accepted = append(m.consult.accepted, e.reply)
		if m.consult.legID != "" && len(m.consult.accepted) == 1 {
			m.joinConsult()
		}
	case e.kind == askReject && !joined, e.kind == askHangup:
		outcome := call.ReasonRejected
		if joined {
			outcome = "left"
		}
		m.do(commit{call.ConsultEnd{CallID: m.row.ID, AgentID: e.agentID, Outcome: outcome}})
		m.do(answerAsk{reply: e.reply})
	default:
		m.do(answerAsk{reply: e.reply, err: errState})
	}
}

// consult performs what concerns the colleague's leg.
func (b *mailbox) consult(act action) {
	switch a := act.(type) {
	case joinConsulted:
		if b.agent != nil && b.consulted != nil {
			b.sb.cfg.Media.Join(b.agent.Audio(), b.consulted.Audio())
		}
	case partConsulted:
		if b.agent != nil && b.consulted != nil {
			b.sb.cfg.Media.Unjoin(b.consulted.Audio(), b.agent.Audio())
		}
	case closeConsulted:
		if b.consulted != nil {
			b.consulted.Close()
			b.consulted = nil
		}
	case promoteConsulted:
		b.agent, b.consulted = b.consulted, nil
	case hear:
		leg := b.agent
		if a.consulted {
			leg = b.consulted
		}
		switch {
		case leg == nil:
		case a.prompt == "":
			leg.Audio().StopPlay()
		default:
			leg.Audio().Play(b.clips(a.language, a.prompt), true, nil)
		}
	}
}
