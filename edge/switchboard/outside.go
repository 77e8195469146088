package switchboard

import "trunkline/edge/call"

// The other side of a caller who was passed on to a number outside: a leg this
// node dials when the row says so, and gives up when the row no longer does.

// ringback is what the caller hears while the number rings, unless its network
// lets them hear something itself.
const ringback = "ringback"

// Outcomes of a dialled number beside those of an offer.
const (
	outsideLost = "call_lost"
	outsideHung = "hung_up" // after the answer
)

// outsideSide is what this node knows of the number's leg.
type outsideSide struct {
	up     bool   // there is a leg
	leg    uint64 // its number; 0 is the one taken over from another node
	joined bool
}

// reaches says whether an event is of the leg there is.
func (m *machine) reaches(leg uint64) bool { return m.outside.up && m.outside.leg == leg && !m.ending }

// dialOutside: the agent has given the caller away. Music plays until the number
// rings or is heard.
func (m *machine) dialOutside(now int64) {
	m.interrupted = false
	m.stop(timerPosition)
	m.stop(timerMaxWait)
	m.musicOf(holdMusic)
	m.start(timerOffer, max(0, m.row.OfferDeadline-now))
	m.tokens++
	m.outside = outsideSide{up: true, leg: m.tokens}
	m.do(dial{leg: m.outside.leg})
}

// resumeOutside goes on after a takeover: with the number if its leg was had. One
// that was still ringing cannot be had, and is not called a second time: whoever
// lifts the receiver there hears nothing, and the caller is served by the queue.
func (m *machine) resumeOutside(have bool) {
	m.outside = outsideSide{up: have}
	if have && m.row.Outside.AnsweredAt != 0 {
		m.joinOutside()
		return
	}
	m.musicOf(holdMusic)
	m.outsideEnded(outsideLost)
}

func (m *machine) outsideRings(e outsideRings) {
	if m.reaches(e.leg) && !m.outside.joined {
		m.musicOf(ringback)
	}
}

// outsideHeard: the called network speaks before the answer (early media).
func (m *machine) outsideHeard(e outsideHeard) {
	if m.reaches(e.leg) {
		m.joinOutside()
	}
}

// outsideAnswered: both hear each other at once; it is committed meanwhile. When
// that is refused the row has gone another way already and shows it.
func (m *machine) outsideAnswered(e outsideAnswered) {
	if !m.reaches(e.leg) {
		return
	}
	m.stop(timerOffer)
	m.joinOutside()
	m.do(commit{call.OutsideAnswered{CallID: m.row.ID, Dialog: e.dialog}})
}

func (m *machine) outsideGone(e outsideGone) {
	if !m.reaches(e.leg) {
		return
	}
	if e.outcome == outsideHung {
		m.end(call.CallEnd{CallID: m.row.ID, EndedBy: "outside", Reason: outsideHung})
		return
	}
	m.dropOutside()
	m.musicOf(holdMusic) // until the row is in the queue again
	m.outsideEnded(e.outcome)
}

func (m *machine) outsideEnded(outcome string) {
	m.do(commit{call.OutsideEnd{CallID: m.row.ID, Outcome: outcome}})
}

func (m *machine) outsideDialog(e outsideDialog) {
	if m.reaches(e.leg) && m.row.Phase == call.PhaseOutside && m.row.Outside.AnsweredAt != 0 {
		m.do(commit{call.Dialog{CallID: m.row.ID, Dialog: e.dialog, Outside: true}})
	}
}

func (m *machine) joinOutside() {
	if m.outside.joined {
		return
	}
	m.outside.joined = true
	m.saying, m.place = 0, false
	m.do(stopSay{})
	m.do(joinOutside{})
}

// dropOutside gives the number's leg up: CANCEL while it rings, BYE after that.
func (m *machine) dropOutside() {
	if m.outside.up {
		m.outside = outsideSide{}
		m.do(hangupOutside{})
	}
}

// musicOf loops a prompt to the caller.
func (m *machine) musicOf(prompt string) {
	m.saying, m.place = 0, false
	m.do(music{prompt: prompt, language: m.doc.Language})
}
