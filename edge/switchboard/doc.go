// Package switchboard drives the calls a node owns. Each call is a pure
// machine (machine.go) stepped by one mailbox goroutine (mailbox.go): events go
// in, in order; actions come out and are carried out at once. Commits run
// beside the mailbox, one at a time per call, and come back as events.
//
// The machine reacts to the replicated row, not to its own wishes: it proposes
// a change, and acts when the row shows it. So a row changed by somebody else
// (the leader's matcher, a lost agent, a takeover) takes the same path.
//
//	        CallStart            Enqueue           Assign          Connect
//	invite ----------> flow ----------> queued ----------> offered ----------> talking
//	                    ^                 |  ^                |                   |
//	                    +---- Dequeue ----+  +--- OfferEnd ---+                   |
//	                                         +------------- agent lost ----------+
//	talking -- TransferCall --> queued, offered or outside (dialled, then talking there)
//	outside -- OutsideEnd --> queued
//	talking -- ConsultCall --> talking, a colleague rung -- ConsultJoin --> asked
//	asked -- TransferCall --> talking with the colleague; ConsultEnd --> talking
//	any phase -- CallEnd --> gone
package switchboard

import (
	"context"

	"trunkline/edge/call"
	"trunkline/internal/flow"
)

// State is what the switchboard needs of the replica.
type State interface {
	// Apply commits cmd; Result.Refused says why it was not applied. An error
	// means that the outcome is unknown; the same key may be applied again.
	Apply(ctx context.Context, key string, cmd call.Command) (call.Result, error)
	// Position of a waiting call in its queue, from 1; 0 = not waiting.
	Position(callID string) int
	// Now is site time.
	Now() int64
}

// Audio is one leg's sound.
type Audio interface {
	// Play replaces what the leg hears; done is called once, with false when
	// something else replaced it. Looped clips never finish by themselves.
	Play(clips [][]byte, loop bool, done func(completed bool))
	StopPlay()
	SendDigits(digits string)
}

// CallerLeg is the caller's side: a SIP dialog or a browser.
type CallerLeg interface {
	Audio() Audio
	Answer() error
	// Reject answers the INVITE with a final status instead.
	Reject(status int)
	Hangup(reason string)
	// Abandon forgets the leg without a word to the caller: another node has it.
	Abandon()
}

// AgentLeg is the agent's browser leg.
type AgentLeg interface {
	ID() string
	Audio() Audio
	Close()
}

// OutsideLeg is the leg to a number outside.
type OutsideLeg interface {
	Audio() Audio
	// Hangup gives up what rings and ends what talks.
	Hangup(reason string)
	// Abandon forgets a leg that talks without a word: another node has it. One that
	// rings is given up.
	Abandon()
}

// Outside places calls to numbers outside.
type Outside interface {
	// Dial calls the number of the row and returns at once. What becomes of it is
	// told to OutsideRings, OutsideHeard, OutsideAnswered, OutsideGone and
	// OutsideDialog, under the leg's number. An error says that it
	// could not even be tried.
	Dial(row call.Call, leg uint64) (OutsideLeg, error)
}

// Media joins two legs, both ways.
type Media interface {
	Join(a, b Audio)
	Unjoin(a, b Audio)
}

// Prompts gives 8 kHz u-law clips, the tenant's own before the included ones.
type Prompts interface {
	Clip(tenant int64, language, name string) []byte
}

// Recorder records the caller's leg, both directions, until stopped.
type Recorder interface {
	Start(row call.Call, caller Audio) (stop func())
}

// Rules are a tenant's settings that calls depend on.
type Rules interface {
	Queue(tenant int64, id string) QueueRules
	Document(tenant int64, flowID, version string) (*flow.Document, bool)
}

// QueueRules bound a stay in a queue. Microseconds; 0 = no bound or never.
type QueueRules struct {
	MaxWait       int64
	MaxWaiting    uint32
	PositionEvery int64
	WrapUp        int64
	Music         string
}
