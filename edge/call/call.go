// Package call holds the words every edge package speaks: calls, agents,
// nodes, and the commands that change them. It is pure data: no clock, no
// network, no policy. All times are Unix microseconds of site time (stamped by
// the leader, never backward); all durations are microseconds.
package call

// Phase is where a live call stands. An ended call has no row.
type Phase uint8

const (
	PhaseFlow    Phase = iota + 1 // the flow speaks: greeting, menu, announcement
	PhaseQueued                   // waits for an agent
	PhaseOffered                  // an agent is chosen and is being asked
	PhaseTalking                  // two-way audio, or held
	PhaseOutside                  // passed on to a number outside, which rings or talks
)

// String returns the word used in logs.
func (p Phase) String() string {
	switch p {
	case PhaseFlow:
		return "flow"
	case PhaseQueued:
		return "queued"
	case PhaseOffered:
		return "offered"
	case PhaseTalking:
		return "talking"
	case PhaseOutside:
		return "outside"
	default:
		return "unknown"
	}
}

// Kind says what the caller's leg is.
type Kind uint8

const (
	KindTrunk   Kind = iota + 1 // SIP trunk
	KindBrowser                 // a browser with a ticket
)

// Call is the replicated record of one live call. Rev grows with each change;
// a command that names an older Rev is refused.
type Call struct {
	ID     string `cbor:"1,keyasint"`
	Tenant int64  `cbor:"2,keyasint"`
	Rev    uint64 `cbor:"3,keyasint"`
	Kind   Kind   `cbor:"4,keyasint"`
	Phase  Phase  `cbor:"5,keyasint"`

	// Owner drives the call; Successor takes over when it dies.
	Owner     string `cbor:"6,keyasint"`
	Successor string `cbor:"7,keyasint,omitempty"`

	Caller     string `cbor:"8,keyasint,omitempty"` // E.164, empty when withheld
	CallerName string `cbor:"9,keyasint,omitempty"`
	Called     string `cbor:"10,keyasint,omitempty"`
	TrunkID    string `cbor:"11,keyasint,omitempty"`
	SIPCallID  string `cbor:"12,keyasint,omitempty"`
	// Dialog is the SIP dialog's snapshot, opaque here (edge/sip).
	Dialog []byte `cbor:"13,keyasint,omitempty"`

	FlowID      string `cbor:"14,keyasint,omitempty"`
	FlowVersion string `cbor:"15,keyasint,omitempty"`
	// FlowState is the flow's position and variables, opaque here (edge/ivr).
	FlowState []byte `cbor:"16,keyasint,omitempty"`

	StartedAt  int64 `cbor:"17,keyasint"`
	AnsweredAt int64 `cbor:"18,keyasint,omitempty"`
	// DayStart is midnight of the tenant's zone before StartedAt.
	DayStart int64 `cbor:"19,keyasint,omitempty"`

	// The queue the call waits in; kept through offers that fail, so that the
	// caller keeps the place.
	QueueID    string `cbor:"20,keyasint,omitempty"`
	EnqueuedAt int64  `cbor:"21,keyasint,omitempty"`
	Priority   int32  `cbor:"22,keyasint,omitempty"`

	AgentID       string `cbor:"23,keyasint,omitempty"`
	OfferedAt     int64  `cbor:"24,keyasint,omitempty"`
	OfferDeadline int64  `cbor:"25,keyasint,omitempty"`
	TalkingSince  int64  `cbor:"26,keyasint,omitempty"`
	Held          bool   `cbor:"27,keyasint,omitempty"`
	HeldSince     int64  `cbor:"28,keyasint,omitempty"`

	Menu   []MenuChoice `cbor:"29,keyasint,omitempty"`
	Visits []QueueVisit `cbor:"30,keyasint,omitempty"`
	Talks  []Talk       `cbor:"31,keyasint,omitempty"`
	Moves  []Move       `cbor:"32,keyasint,omitempty"`
	Test   bool         `cbor:"33,keyasint,omitempty"`
	// Segment counts the recording segments begun (0 = none yet).
	Segment uint32 `cbor:"34,keyasint,omitempty"`
	// ServiceLevel is the wait counted as within level.
	ServiceLevel int64 `cbor:"35,keyasint,omitempty"`
	// ShortAbandon is the wait under which a hang-up is not counted as lost.
	ShortAbandon int64 `cbor:"36,keyasint,omitempty"`
	// SecretHash proves a browser caller's later commands (SHA-256).
	SecretHash []byte `cbor:"37,keyasint,omitempty"`

	// Direct: the offer is a colleague's transfer to this one agent. The call
	// keeps QueueID but waits in no queue; it goes there when the agent does not
	// answer.
	Direct    bool       `cbor:"38,keyasint,omitempty"`
	Transfers []Transfer `cbor:"39,keyasint,omitempty"`
	// WrapUps were finished by agents who had passed the call on; their facts
	// are written after the call's.
	WrapUps []WrapUp `cbor:"40,keyasint,omitempty"`
	// Outside is whom the caller was passed on to outside, in PhaseOutside only.
	// While it rings, OfferedAt and OfferDeadline say since and until when.
	Outside *Outside `cbor:"41,keyasint,omitempty"`
	// Consult is the colleague whom the call's agent asks before passing the caller
	// on, in PhaseTalking only. While the colleague is rung, OfferedAt and
	// OfferDeadline say since and until when. With Held the agent hears the
	// colleague, else the caller; whoever is not heard hears music.
	Consult *Consult `cbor:"42,keyasint,omitempty"`
}

// Consult is a colleague who is asked about a call.
type Consult struct {
	AgentID  string `cbor:"1,keyasint"`
	JoinedAt int64  `cbor:"2,keyasint,omitempty"` // 0 while it rings
}

// Joined says whether the colleague has answered.
func (c *Consult) Joined() bool { return c != nil && c.JoinedAt != 0 }

// Consulted is the colleague who is asked about the call, "" for nobody.
func (c *Call) Consulted() string {
	if c.Consult == nil {
		return ""
	}
	return c.Consult.AgentID
}

// Has says whether the agent is in the call: rung for it, its agent, or asked about it.
func (c *Call) Has(agentID string) bool {
	return agentID != "" && (c.AgentID == agentID || c.Consulted() == agentID)
}

// Outside is a number outside that the caller is being connected with, or is.
type Outside struct {
	Number     string `cbor:"1,keyasint"` // +E.164, or an emergency number as it is dialled
	AnsweredAt int64  `cbor:"2,keyasint,omitempty"`
	// Dialog is the snapshot of the SIP dialog with the number, once it answered.
	Dialog []byte `cbor:"3,keyasint,omitempty"`
}

// WaitingSince is when the caller's present wait began. EnqueuedAt, which gives
// the place, is older where a transfer brought the caller back.
func (c *Call) WaitingSince() int64 {
	if c.Direct {
		return c.OfferedAt
	}
	if n := len(c.Visits); n > 0 && c.Visits[n-1].LeftAt == 0 {
		return c.Visits[n-1].EnqueuedAt
	}
	return c.EnqueuedAt
}

// Transfer is one try of an agent to pass the call on, to a queue, an agent or a
// number outside, or to ask a colleague before that (Consult).
type Transfer struct {
	At      int64  `cbor:"1,keyasint"`
	By      string `cbor:"2,keyasint"` // agent
	QueueID string `cbor:"3,keyasint,omitempty"`
	AgentID string `cbor:"4,keyasint,omitempty"`
	EndedAt int64  `cbor:"5,keyasint,omitempty"`
	// Outcome: queued, or that of the offer to the agent: accepted, rejected,
	// no_answer, caller_hung_up, call_lost, agent_lost; or what became of the
	// number: accepted, busy, rejected, no_answer, unreachable, caller_hung_up,
	// call_lost. Of a colleague who is asked: completed (the caller was passed on to
	// them, which is the next entry), cancelled by the agent, left, rejected,
	// no_answer, caller_hung_up, call_lost, agent_lost.
	Outcome string `cbor:"6,keyasint,omitempty"`
	Number  string `cbor:"7,keyasint,omitempty"`
	Consult bool   `cbor:"8,keyasint,omitempty"`
	// AnsweredAt is when a colleague who is asked answered.
	AnsweredAt int64 `cbor:"9,keyasint,omitempty"`
}

// WrapUp is a finished wrap-up.
type WrapUp struct {
	AgentID   string `cbor:"1,keyasint"`
	Code      string `cbor:"2,keyasint,omitempty"`
	Note      string `cbor:"3,keyasint,omitempty"`
	StartedAt int64  `cbor:"4,keyasint"`
	EndedAt   int64  `cbor:"5,keyasint"`
	Automatic bool   `cbor:"6,keyasint,omitempty"`
}

// MenuChoice is one answered menu.
type MenuChoice struct {
	At     int64  `cbor:"1,keyasint"`
	NodeID string `cbor:"2,keyasint"`
	Digit  string `cbor:"3,keyasint"`
	Label  string `cbor:"4,keyasint,omitempty"`
}

// QueueVisit is one stay in a queue, offers included.
type QueueVisit struct {
	QueueID    string  `cbor:"1,keyasint"`
	EnqueuedAt int64   `cbor:"2,keyasint"`
	LeftAt     int64   `cbor:"3,keyasint,omitempty"`
	Outcome    string  `cbor:"4,keyasint,omitempty"` // answered, abandoned, max_wait, flow
	Offers     []Offer `cbor:"5,keyasint,omitempty"`
}

// Offer is one agent asked.
type Offer struct {
	AgentID   string `cbor:"1,keyasint"`
	OfferedAt int64  `cbor:"2,keyasint"`
	EndedAt   int64  `cbor:"3,keyasint,omitempty"`
	Outcome   string `cbor:"4,keyasint,omitempty"` // accepted, rejected, no_answer, caller_hung_up, caller_left, call_lost, agent_lost
}

// Talk is one conversation with one agent.
type Talk struct {
	AgentID   string `cbor:"1,keyasint"`
	StartedAt int64  `cbor:"2,keyasint"`
	EndedAt   int64  `cbor:"3,keyasint,omitempty"`
	Held      int64  `cbor:"4,keyasint,omitempty"` // total time on hold
}

// Move is a takeover by another node.
type Move struct {
	At   int64  `cbor:"1,keyasint"`
	From string `cbor:"2,keyasint"`
	To   string `cbor:"3,keyasint"`
	Gap  int64  `cbor:"4,keyasint,omitempty"` // audio gap
}
