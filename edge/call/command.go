package call

// A Command is one change of the replicated state. In the log it is the CBOR
// of Envelope; types are never renumbered, fields never reused; what is new has its Level. The FSM only
// checks revisions and applies; what to do was decided before.

// Type numbers a command in the log.
type Type uint16

const (
	TypeCallStart Type = iota + 1
	TypeFlowStep
	TypeEnqueue
	TypeAssign
	TypeOfferEnd
	TypeConnect
	TypeHold
	TypeDialog
	TypeCallEnd
	TypeSegment
	TypeRecordingClosed
	TypeSignIn
	TypeSignOut
	TypeSetAgentState
	TypeAgentStream
	TypeAgentLost
	TypeWrapUpSave
	TypeWrapUpEnd
	TypeNodeUp
	TypeNodeDown
	TypeMoved
	TypeConfig
	TypeOutboxAck
	TypeInbox
	TypeTicketUse
	TypeDequeue
	TypeSetLevel
	TypeTransferCall
	TypeOutsideAnswered
	TypeOutsideEnd
	TypeConsultCall
	TypeConsultJoin
	TypeConsultEnd
)

// Command is implemented by each command below.
type Command interface{ CommandType() Type }

// Envelope is what is proposed. Key makes it idempotent: a second apply of the
// same key within the last 65,536 commands returns the first result.
type Envelope struct {
	Key  string `cbor:"1,keyasint"`
	Type Type   `cbor:"2,keyasint"`
	Body []byte `cbor:"3,keyasint"`
}

// Codes of a refused command.
const (
	RefusedStale    = "stale"     // the revision moved on
	RefusedNotFound = "not_found" // no such call, agent, ticket, session
	RefusedState    = "state"     // not allowed in this state
	RefusedLimit    = "limit"     // the tenant's or site's bound is reached
	RefusedLevel    = "level"     // a node of the site is too old for this command; never from the FSM
	RefusedBusy     = "busy"      // the agent asked for cannot be rung now
)

// Result answers a command. Refused is empty when it was applied.
type Result struct {
	Refused string  `cbor:"1,keyasint,omitempty"`
	Index   uint64  `cbor:"2,keyasint,omitempty"`
	At      int64   `cbor:"3,keyasint,omitempty"` // site time of the apply
	Call    *Call   `cbor:"4,keyasint,omitempty"`
	Agent   *Agent  `cbor:"5,keyasint,omitempty"`
	Ticket  *Ticket `cbor:"6,keyasint,omitempty"`
}

// CallStart commits a call before its first 2xx. Times of the row are stamped
// by the FSM (StartedAt, AnsweredAt = site time; AnsweredAt because a caller is
// answered before a menu). The FSM chooses Successor: the next node up after Owner in name
// order. Refused with RefusedLimit at MaxCalls of the tenant (0 = no bound).
type CallStart struct {
	Call     Call   `cbor:"1,keyasint"`
	MaxCalls uint32 `cbor:"2,keyasint,omitempty"`
}

// FlowStep commits a completed input: the flow's new state and, for a menu, the choice.
type FlowStep struct {
	CallID    string      `cbor:"1,keyasint"`
	FlowState []byte      `cbor:"2,keyasint"`
	Choice    *MenuChoice `cbor:"3,keyasint,omitempty"` // At is stamped by the FSM
}

// Enqueue puts a call in PhaseFlow into a queue at site time.
type Enqueue struct {
	CallID    string `cbor:"1,keyasint"`
	QueueID   string `cbor:"2,keyasint"`
	Priority  int32  `cbor:"3,keyasint,omitempty"`
	FlowState []byte `cbor:"4,keyasint"`
	// Refused with RefusedLimit when this many wait already (0 = no bound).
	MaxWaiting uint32      `cbor:"5,keyasint,omitempty"`
	Choice     *MenuChoice `cbor:"6,keyasint,omitempty"`
}

// Dequeue takes a queued or offered call back into the flow (maximum wait, a
// key press). A running offer ends with outcome "caller_left".
type Dequeue struct {
	CallID    string `cbor:"1,keyasint"`
	Outcome   string `cbor:"2,keyasint"` // max_wait, flow
	FlowState []byte `cbor:"3,keyasint"`
}

// Assign is proposed by the leader's matcher: offer this call to this agent.
type Assign struct {
	CallID   string `cbor:"1,keyasint"`
	CallRev  uint64 `cbor:"2,keyasint"`
	AgentID  string `cbor:"3,keyasint"`
	AgentRev uint64 `cbor:"4,keyasint"`
	Timeout  int64  `cbor:"5,keyasint"` // offer time-out
}

// OfferEnd ends an offer without an answer. The call waits again at its old
// place; the agent goes not ready with the outcome as the reason, or to ready
// when Outcome is "call_lost" (never the agent's fault).
type OfferEnd struct {
	CallID  string `cbor:"1,keyasint"`
	AgentID string `cbor:"2,keyasint"`
	Outcome string `cbor:"3,keyasint"` // rejected, no_answer, agent_lost
}

// Connect: the agent answered; both talk.
type Connect struct {
	CallID  string `cbor:"1,keyasint"`
	AgentID string `cbor:"2,keyasint"`
}

// Hold begins or ends holding the caller. While a colleague is asked the agent
// hears them instead, so it is what changes between the two.
type Hold struct {
	CallID string `cbor:"1,keyasint"`
	On     bool   `cbor:"2,keyasint"`
}

// TransferCall: the talking agent By gives the caller away, to a queue, to one
// agent or to a number outside, and goes to wrap-up. While a colleague is asked
// it is only possible to them: who has answered talks with the caller at once,
// who has not is rung on. In a queue the caller waits from now on, behind
// those who wait. An agent is rung for Timeout, if Ready or NotReady with a
// stream (else RefusedBusy); who was not ready is so again afterwards. If the
// agent does not answer, the caller goes back to the queue they came from, at
// the place of their first arrival there. So they do when the number, which is
// called for Timeout, does not answer.
type TransferCall struct {
	CallID  string `cbor:"1,keyasint"`
	By      string `cbor:"2,keyasint"`
	QueueID string `cbor:"3,keyasint,omitempty"`
	AgentID string `cbor:"4,keyasint,omitempty"`
	// Refused with RefusedLimit when this many wait in the queue already (0 = no bound).
	MaxWaiting uint32 `cbor:"5,keyasint,omitempty"`
	Timeout    int64  `cbor:"6,keyasint,omitempty"`
	WrapUp     int64  `cbor:"7,keyasint,omitempty"` // as in CallEnd
	// Number is what is dialled, allowed already by whoever proposes. Since level 4.
	Number string `cbor:"8,keyasint,omitempty"`
	// Refused with RefusedLimit when so many calls of the tenant are with numbers
	// outside already (0 = no bound). Since level 4.
	MaxOutside uint32 `cbor:"9,keyasint,omitempty"`
}

// Level is what a transfer to a number outside needs.
func (c TransferCall) Level() Level {
	if c.Number != "" || c.MaxOutside != 0 {
		return CallsOutside
	}
	return 0
}

// ConsultCall: the talking agent By asks a colleague, who is rung for Timeout as
// in a transfer; the caller is held.
type ConsultCall struct {
	CallID  string `cbor:"1,keyasint"`
	By      string `cbor:"2,keyasint"`
	AgentID string `cbor:"3,keyasint"`
	Timeout int64  `cbor:"4,keyasint"`
}

// ConsultJoin: the colleague has answered.
type ConsultJoin struct {
	CallID  string `cbor:"1,keyasint"`
	AgentID string `cbor:"2,keyasint"`
}

// ConsultEnd: the colleague is no longer asked; Outcome is that of a Transfer. By
// is the call's agent where they end it, who is back with the caller then;
// however else it ends the caller stays held, and AgentID says who was asked.
type ConsultEnd struct {
	CallID  string `cbor:"1,keyasint"`
	AgentID string `cbor:"2,keyasint,omitempty"`
	By      string `cbor:"3,keyasint,omitempty"`
	Outcome string `cbor:"4,keyasint"`
}

// OutsideAnswered: the number the caller was passed on to has answered. Dialog is
// what another node would go on with.
type OutsideAnswered struct {
	CallID string `cbor:"1,keyasint"`
	Dialog []byte `cbor:"2,keyasint,omitempty"`
}

// OutsideEnd: there is nobody outside to talk with (any more), and the caller
// still is there: they go back to the queue they came from, at the place of their
// first arrival there. Outcome is one of a Transfer's; it is the transfer's if the
// number has not answered.
type OutsideEnd struct {
	CallID  string `cbor:"1,keyasint"`
	Outcome string `cbor:"2,keyasint"`
}

// Dialog replaces the SIP dialog's snapshot (target refresh, new CSeq).
type Dialog struct {
	CallID string `cbor:"1,keyasint"`
	Dialog []byte `cbor:"2,keyasint"`
	// Outside: the dialog is that with the number outside, not the caller's. Since level 4.
	Outside bool `cbor:"3,keyasint,omitempty"`
}

// Level is what the dialog of a number outside needs.
func (c Dialog) Level() Level {
	if c.Outside {
		return CallsOutside
	}
	return 0
}

// CallEnd ends a call once: it writes the call fact, closes visit, offer and
// talk, frees the agent (to wrap-up if they talked) and removes the row.
type CallEnd struct {
	CallID    string `cbor:"1,keyasint"`
	EndedBy   string `cbor:"2,keyasint"` // caller, agent, outside, flow, rejected, lost, suspended
	Reason    string `cbor:"3,keyasint,omitempty"`
	SIPStatus uint32 `cbor:"4,keyasint,omitempty"`
	// WrapUp is how long the agent may write up; 0 = until finished by hand.
	WrapUp int64 `cbor:"5,keyasint,omitempty"`
}

// Segment numbers a new recording segment of the call.
type Segment struct {
	CallID string `cbor:"1,keyasint"`
}

// RecordingClosed puts a closed segment's manifest into the outbox. Body is
// the serialised edge.v1.RecordingManifest.
type RecordingClosed struct {
	Tenant int64  `cbor:"1,keyasint"`
	ID     string `cbor:"2,keyasint"`
	Body   []byte `cbor:"3,keyasint"`
}

// SignIn stores a session and makes the agent known, not ready. Agents of the
// same membership share one record; a new session replaces the older ones.
type SignIn struct {
	Session  Session  `cbor:"1,keyasint"` // Created is stamped; Expires is a duration
	Queues   []string `cbor:"2,keyasint,omitempty"`
	DayStart int64    `cbor:"3,keyasint"`
}

// SignOut removes the agent's sessions and sets offline (after a running call).
// AgentID empty: every agent of the tenant.
type SignOut struct {
	Tenant  int64  `cbor:"1,keyasint"`
	AgentID string `cbor:"2,keyasint,omitempty"`
	Reason  string `cbor:"3,keyasint,omitempty"`
}

// SetAgentState sets ready or not ready; during a call it is kept for after.
// Queues, when not nil, replaces the agent's queues (configuration changed).
type SetAgentState struct {
	AgentID  string     `cbor:"1,keyasint"`
	State    AgentState `cbor:"2,keyasint"`
	Reason   string     `cbor:"3,keyasint,omitempty"`
	DayStart int64      `cbor:"4,keyasint,omitempty"`
	Queues   []string   `cbor:"5,keyasint,omitempty"`
}

// AgentStream: a node holds (or lost) an event stream of the agent.
type AgentStream struct {
	AgentID string `cbor:"1,keyasint"`
	Node    string `cbor:"2,keyasint"`
	On      bool   `cbor:"3,keyasint"`
}

// AgentLost: the agent's streams have been gone for LeaseGrace. Refused when
// one is back. An offered call goes back to its place in the queue.
type AgentLost struct {
	AgentID string `cbor:"1,keyasint"`
}

// WrapUpSave keeps what was written so far.
type WrapUpSave struct {
	AgentID string `cbor:"1,keyasint"`
	CallID  string `cbor:"2,keyasint"`
	Code    string `cbor:"3,keyasint,omitempty"`
	Note    string `cbor:"4,keyasint,omitempty"`
}

// WrapUpEnd writes the wrap-up fact and makes the agent ready (or Next).
type WrapUpEnd struct {
	AgentID   string `cbor:"1,keyasint"`
	CallID    string `cbor:"2,keyasint"`
	Automatic bool   `cbor:"3,keyasint,omitempty"` // the time was over
	DayStart  int64  `cbor:"4,keyasint,omitempty"`
}

// NodeUp announces a started process. Calls still owned by an older
// incarnation of the same node go to their successor if one is up, else stay
// with the node (which restores them).
type NodeUp struct {
	Node NodeInfo `cbor:"1,keyasint"`
}

// NodeDown: the node's lease ran out or its death was proven. Its calls go to
// their successors (Owner changes, Rev grows, a Move is added); its streams are dropped.
type NodeDown struct {
	Name        string `cbor:"1,keyasint"`
	Incarnation string `cbor:"2,keyasint"`
}

// Moved completes a takeover: the new owner has the caller again.
type Moved struct {
	CallID string `cbor:"1,keyasint"`
	Gap    int64  `cbor:"2,keyasint"`
	Dialog []byte `cbor:"3,keyasint,omitempty"`
}

// Config activates a site configuration (serialised edge.v1.SiteConfig); the
// tenants' snapshots it names by hash lie outside the log.
type Config struct {
	Site []byte `cbor:"1,keyasint"`
}

// OutboxAck: the cloud has stored the tenant's facts up to HighWater.
type OutboxAck struct {
	Tenant    int64  `cbor:"1,keyasint"`
	Epoch     uint64 `cbor:"2,keyasint"`
	HighWater uint64 `cbor:"3,keyasint"`
}

// Inbox applies one piece of work from the cloud once; Seq only grows.
type Inbox struct {
	Seq    uint64         `cbor:"1,keyasint"`
	ID     string         `cbor:"2,keyasint"`
	Ticket *Ticket        `cbor:"3,keyasint,omitempty"`
	Agent  *SetAgentState `cbor:"4,keyasint,omitempty"`
	Out    *SignOut       `cbor:"5,keyasint,omitempty"`
}

// TicketUse spends a ticket: the result carries it, a second use is refused.
type TicketUse struct {
	Hash []byte `cbor:"1,keyasint"`
}

func (CallStart) CommandType() Type       { return TypeCallStart }
func (FlowStep) CommandType() Type        { return TypeFlowStep }
func (Enqueue) CommandType() Type         { return TypeEnqueue }
func (Dequeue) CommandType() Type         { return TypeDequeue }
func (TransferCall) CommandType() Type    { return TypeTransferCall }
func (Assign) CommandType() Type          { return TypeAssign }
func (OfferEnd) CommandType() Type        { return TypeOfferEnd }
func (Connect) CommandType() Type         { return TypeConnect }
func (Hold) CommandType() Type            { return TypeHold }
func (Dialog) CommandType() Type          { return TypeDialog }
func (CallEnd) CommandType() Type         { return TypeCallEnd }
func (Segment) CommandType() Type         { return TypeSegment }
func (RecordingClosed) CommandType() Type { return TypeRecordingClosed }
func (SignIn) CommandType() Type          { return TypeSignIn }
func (SignOut) CommandType() Type         { return TypeSignOut }
func (SetAgentState) CommandType() Type   { return TypeSetAgentState }
func (AgentStream) CommandType() Type     { return TypeAgentStream }
func (AgentLost) CommandType() Type       { return TypeAgentLost }
func (WrapUpSave) CommandType() Type      { return TypeWrapUpSave }
func (WrapUpEnd) CommandType() Type       { return TypeWrapUpEnd }
func (NodeUp) CommandType() Type          { return TypeNodeUp }
func (NodeDown) CommandType() Type        { return TypeNodeDown }
func (Moved) CommandType() Type           { return TypeMoved }
func (Config) CommandType() Type          { return TypeConfig }
func (OutboxAck) CommandType() Type       { return TypeOutboxAck }
func (Inbox) CommandType() Type           { return TypeInbox }
func (TicketUse) CommandType() Type       { return TypeTicketUse }
func (SetLevel) CommandType() Type        { return TypeSetLevel }
func (OutsideAnswered) CommandType() Type { return TypeOutsideAnswered }
func (OutsideEnd) CommandType() Type      { return TypeOutsideEnd }
func (ConsultCall) CommandType() Type     { return TypeConsultCall }
func (ConsultJoin) CommandType() Type     { return TypeConsultJoin }
func (ConsultEnd) CommandType() Type      { return TypeConsultEnd }
