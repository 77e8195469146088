package call

// AgentState is what an agent is doing; every screen shows the same one.
type AgentState uint8

const (
	AgentOffline AgentState = iota + 1
	AgentNotReady
	AgentReady
	AgentReserved // chosen by the matcher, the offer is on its way or ringing
	AgentTalking
	AgentHeld
	AgentWrapUp
)

// String returns the word of facts and wallboard.
func (s AgentState) String() string {
	switch s {
	case AgentOffline:
		return "offline"
	case AgentNotReady:
		return "not_ready"
	case AgentReady:
		return "ready"
	case AgentReserved:
		return "reserved"
	case AgentTalking:
		return "talking"
	case AgentHeld:
		return "held"
	case AgentWrapUp:
		return "wrap_up"
	default:
		return "unknown"
	}
}

// Reasons the product itself gives for a state; others are a tenant's break reasons.
const (
	ReasonSignedIn       = "signed_in"
	ReasonNoAnswer       = "no_answer"
	ReasonRejected       = "rejected"
	ReasonConnectionLost = "connection_lost"
	ReasonSupervisor     = "supervisor"
	ReasonSuspended      = "suspended" // the tenant is
	ReasonRevoked        = "revoked"   // no longer the tenant's, or disabled
)

// Agent is the replicated record of an agent who is or was signed in today.
type Agent struct {
	ID     string     `cbor:"1,keyasint"` // membership id
	Tenant int64      `cbor:"2,keyasint"`
	Rev    uint64     `cbor:"3,keyasint"`
	Name   string     `cbor:"4,keyasint,omitempty"`
	State  AgentState `cbor:"5,keyasint"`
	Reason string     `cbor:"6,keyasint,omitempty"`
	Since  int64      `cbor:"7,keyasint"`
	// ReadySince orders the longest idle; set when the agent becomes ready.
	ReadySince int64    `cbor:"8,keyasint,omitempty"`
	Queues     []string `cbor:"9,keyasint,omitempty"` // sorted
	CallID     string   `cbor:"10,keyasint,omitempty"`
	// Next is the state asked for during a call; entered when it ends.
	Next       AgentState `cbor:"11,keyasint,omitempty"`
	NextReason string     `cbor:"12,keyasint,omitempty"`
	// Streams are the nodes that hold an event stream of this agent, sorted.
	// None for LeaseGrace: not ready, connection lost.
	Streams     []string `cbor:"13,keyasint,omitempty"`
	StreamsLost int64    `cbor:"14,keyasint,omitempty"` // since when none
	// The wrap-up in progress.
	WrapCode     string `cbor:"15,keyasint,omitempty"`
	WrapNote     string `cbor:"16,keyasint,omitempty"`
	WrapDeadline int64  `cbor:"17,keyasint,omitempty"` // 0 = no limit
	WrapStarted  int64  `cbor:"18,keyasint,omitempty"`
	// LastCall is what the wrap-up screen shows after the call's row is gone.
	LastCall *CallSummary `cbor:"19,keyasint,omitempty"`
	Day      AgentDay     `cbor:"20,keyasint"`
}

// Ringable says whether a colleague's call would reach the agent: free, or at
// rest with the desktop open.
func (a *Agent) Ringable() bool {
	return len(a.Streams) > 0 && (a.State == AgentReady || a.State == AgentNotReady)
}

// CallSummary is what remains of a call for its agent's wrap-up.
type CallSummary struct {
	ID         string       `cbor:"1,keyasint"`
	Caller     string       `cbor:"2,keyasint,omitempty"`
	Called     string       `cbor:"3,keyasint,omitempty"`
	QueueID    string       `cbor:"4,keyasint,omitempty"`
	EnqueuedAt int64        `cbor:"5,keyasint,omitempty"`
	TalkingAt  int64        `cbor:"6,keyasint,omitempty"`
	EndedAt    int64        `cbor:"7,keyasint,omitempty"`
	EndReason  string       `cbor:"8,keyasint,omitempty"`
	Menu       []MenuChoice `cbor:"9,keyasint,omitempty"`
	// Since KeepsName.
	CallerName string `cbor:"10,keyasint,omitempty"`
	Test       bool   `cbor:"11,keyasint,omitempty"`
}

// AgentDay counts an agent's day; it starts afresh when DayStart changes.
type AgentDay struct {
	Start    int64  `cbor:"1,keyasint"`
	Handled  uint32 `cbor:"2,keyasint,omitempty"`
	Missed   uint32 `cbor:"3,keyasint,omitempty"`
	Talk     int64  `cbor:"4,keyasint,omitempty"` // held time not included
	Held     int64  `cbor:"5,keyasint,omitempty"`
	WrapUp   int64  `cbor:"6,keyasint,omitempty"`
	Ready    int64  `cbor:"7,keyasint,omitempty"`
	NotReady int64  `cbor:"8,keyasint,omitempty"`
}

// LeaseGrace is how long an agent without any event stream keeps the state.
const LeaseGrace = 10_000_000

// QueueDay counts a queue's day for the wallboard.
type QueueDay struct {
	Tenant          int64  `cbor:"1,keyasint"`
	QueueID         string `cbor:"2,keyasint"`
	Start           int64  `cbor:"3,keyasint"`
	Offered         uint32 `cbor:"4,keyasint,omitempty"`
	Answered        uint32 `cbor:"5,keyasint,omitempty"`
	AnsweredInLevel uint32 `cbor:"6,keyasint,omitempty"`
	Abandoned       uint32 `cbor:"7,keyasint,omitempty"`
	AbandonedShort  uint32 `cbor:"8,keyasint,omitempty"`
	Lost            uint32 `cbor:"9,keyasint,omitempty"` // by the site, not abandoned
}

// Session is an agent's signed-in browser, valid at every node of the site.
type Session struct {
	Hash    []byte   `cbor:"1,keyasint"` // SHA-256 of the token
	AgentID string   `cbor:"2,keyasint"`
	Tenant  int64    `cbor:"3,keyasint"`
	Name    string   `cbor:"4,keyasint,omitempty"`
	Email   string   `cbor:"5,keyasint,omitempty"`
	Roles   []string `cbor:"6,keyasint,omitempty"`
	Created int64    `cbor:"7,keyasint"`
	Expires int64    `cbor:"8,keyasint"`
}

// SessionGrace is how long, in microseconds, a session lasts beyond its end while
// the cloud is away, because nobody could sign in again: as long as an outage is
// promised to be survived.
const SessionGrace = 72 * 3600 * 1_000_000

// Over says whether the session is no longer good at now, however things stand.
// Before that the leader ends it: see the replica.
func (s *Session) Over(now int64) bool { return s.Expires+SessionGrace <= now }

// Ticket lets one browser call once: the cloud put it into the site's inbox.
type Ticket struct {
	Hash       []byte `cbor:"1,keyasint"`
	Tenant     int64  `cbor:"2,keyasint"`
	Called     string `cbor:"3,keyasint,omitempty"`
	FlowID     string `cbor:"4,keyasint,omitempty"`
	CallerName string `cbor:"5,keyasint,omitempty"`
	Expires    int64  `cbor:"6,keyasint"`
}

// NodeInfo is a member of the site as the replica knows it.
type NodeInfo struct {
	Name        string `cbor:"1,keyasint"`
	Incarnation string `cbor:"2,keyasint"` // new at each process start
	Up          bool   `cbor:"3,keyasint"`
	NodeAddr    string `cbor:"4,keyasint"`
	WebURL      string `cbor:"5,keyasint,omitempty"`
	SIPAddr     string `cbor:"6,keyasint,omitempty"`
	Version     string `cbor:"7,keyasint,omitempty"`
	Since       int64  `cbor:"8,keyasint"`
}
