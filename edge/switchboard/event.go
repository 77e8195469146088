package switchboard

import "trunkline/edge/call"

// event is what a machine is told.
type event interface{ isEvent() }

type (
	// begin starts a new call: commit it, then answer.
	begin struct {
		row      call.Call
		maxCalls uint32
	}
	// restored: the caller's leg of a taken-over call is ours (or could not be had).
	restored struct {
		row    call.Call
		dialog []byte
		gap    int64
		err    error
		// outside: the leg to the number outside is ours too; its dialog.
		outside []byte
	}
	// committed: a command came back. err only for a call that could not start.
	committed struct {
		cmd call.Command
		res call.Result
		err error
	}
	rowChanged struct{ row call.Call }
	rowGone    struct{}
	callerGone struct{ reason string }
	digit      struct{ key byte }
	played     struct{ token uint64 }
	timer      struct {
		kind  timerKind
		token uint64
	}
	agentLegUp   struct{ agentID, legID string }
	agentLegDown struct{ legID string }
	// ask is an agent's command; reply is called exactly once.
	ask struct {
		kind    askKind
		agentID string
		on      bool
		digits  string
		reply   func(error)
	}
	dialogChanged struct{ dialog []byte }
	// Of the leg dialled to a number outside.
	outsideRings    struct{ leg uint64 }
	outsideHeard    struct{ leg uint64 }
	outsideAnswered struct {
		leg    uint64
		dialog []byte
	}
	// outsideGone: outcome is outsideHung, or as in call.Transfer.
	outsideGone struct {
		leg     uint64
		outcome string
	}
	outsideDialog struct {
		leg    uint64
		dialog []byte
	}
)

type askKind uint8

const (
	askAccept askKind = iota + 1
	askReject
	askHangup
	askHold
	askDigits
)

type timerKind uint8

const (
	timerSilence  timerKind = iota // the menu's wait
	timerPosition                  // announce the position
	timerMaxWait                   // leave the queue
	timerOffer                     // the offer's deadline
	timerKinds
)

func (begin) isEvent()         {}
func (restored) isEvent()      {}
func (committed) isEvent()     {}
func (rowChanged) isEvent()    {}
func (rowGone) isEvent()       {}
func (callerGone) isEvent()    {}
func (digit) isEvent()         {}
func (played) isEvent()        {}
func (timer) isEvent()         {}
func (agentLegUp) isEvent()    {}
func (agentLegDown) isEvent()  {}
func (ask) isEvent()           {}
func (dialogChanged) isEvent() {}

func (outsideRings) isEvent()    {}
func (outsideHeard) isEvent()    {}
func (outsideAnswered) isEvent() {}
func (outsideGone) isEvent()     {}
func (outsideDialog) isEvent()   {}

// action is what a machine wants done, in order.
type action interface{ isAction() }

type (
	commit       struct{ cmd call.Command }
	answerCaller struct{}
	rejectCaller struct{ status int }
	hangupCaller struct{ reason string }
	// abandon drops every leg silently: the call is another node's.
	abandon struct{}
	// say plays prompts to the caller once; played{token} follows.
	say struct {
		prompts  []string
		language string
		token    uint64
	}
	// music loops to the caller until something else plays.
	music      struct{ prompt, language string }
	stopSay    struct{}
	sayPlace   struct{ token uint64 } // position in queue, then played{token}
	startTimer struct {
		kind  timerKind
		after int64 // microseconds
		token uint64
	}
	stopTimer     struct{ kind timerKind }
	joinLegs      struct{}
	unjoinLegs    struct{}
	closeAgentLeg struct{}
	// Of the colleague who is asked: joined with the agent, parted, closed, and made
	// the call's agent, whose own leg is closed by then.
	joinConsulted    struct{}
	partConsulted    struct{}
	closeConsulted   struct{}
	promoteConsulted struct{}
	// hear loops a prompt to the agent or the colleague; none ends it.
	hear struct {
		consulted        bool
		prompt, language string
	}
	// dial calls the row's number outside; events of the leg carry its number.
	dial          struct{ leg uint64 }
	joinOutside   struct{}
	hangupOutside struct{} // also parts it from the caller
	sendDigits    struct{ digits string }
	record        struct{}
	answerAsk     struct {
		reply func(error)
		err   error
	}
	// finish ends the mailbox.
	finish struct{}
)

func (commit) isAction()        {}
func (answerCaller) isAction()  {}
func (rejectCaller) isAction()  {}
func (hangupCaller) isAction()  {}
func (abandon) isAction()       {}
func (say) isAction()           {}
func (music) isAction()         {}
func (stopSay) isAction()       {}
func (sayPlace) isAction()      {}
func (startTimer) isAction()    {}
func (stopTimer) isAction()     {}
func (joinLegs) isAction()      {}
func (unjoinLegs) isAction()    {}
func (closeAgentLeg) isAction() {}

func (joinConsulted) isAction()    {}
func (partConsulted) isAction()    {}
func (closeConsulted) isAction()   {}
func (promoteConsulted) isAction() {}
func (hear) isAction()             {}

func (dial) isAction()          {}
func (joinOutside) isAction()   {}
func (hangupOutside) isAction() {}
func (sendDigits) isAction()    {}
func (record) isAction()        {}
func (answerAsk) isAction()     {}
func (finish) isAction()        {}
