package call

// Level numbers what a program understands of the site's log. It only grows.
//
// A site's nodes are upgraded one after the other, and one that is not yet
// could neither apply a new command nor skip it. So each program says its level
// to its peers; once every member of the group has reported one, the leader
// commits it (SetLevel), and only from then on is anything of that level
// proposed. What was committed stays: a program below it can no longer take part.
type Level uint32

// FeatureLevel is this program's. Raise it by one with each new command type
// and each new field that means something, and say below what came with it.
//
//	0  types 1 (CallStart) to 26 (Dequeue)
//	1  SetLevel
//	2  TransferCall
//	3  SignOut leaves an agent in a call the session until the call is over (KeepsCall);
//	   an agent who was out of sight in a call and is back stays ready after it;
//	   a call's summary keeps the caller's name (KeepsName)
//	4  to a number outside: TransferCall.Number, OutsideAnswered, OutsideEnd, Dialog.Outside
//	5  a queue's day counts the callers the site lost apart (QueueDay.Lost)
//	6  asking a colleague first: ConsultCall, ConsultJoin, ConsultEnd
const FeatureLevel Level = 6

// KeepsCall is the level from which a sign-out by others ends a session only
// with the call the agent is in: without one the desktop could not even hang up.
const KeepsCall Level = 3

// KeepsName is the level from which CallSummary has CallerName and Test.
const KeepsName Level = 3

// CallsOutside is the level from which callers can be passed on to a number outside.
const CallsOutside Level = 4

// CountsLost is the level from which a queue's day has callers the site lost in
// Lost, no longer in Abandoned.
const CountsLost Level = 5

// Consults is the level from which a colleague can be asked before a transfer.
const Consults Level = 6

// since is the level of the types that came after level 0. SetLevel is not
// listed: it is written only when all know it.
var since = map[Type]Level{
	TypeTransferCall: 2, TypeOutsideAnswered: CallsOutside, TypeOutsideEnd: CallsOutside,
	TypeConsultCall: Consults, TypeConsultJoin: Consults, TypeConsultEnd: Consults,
}

// LevelOf is the level a site needs before the command may be proposed. A
// command that got a new field after its release implements Leveled.
func LevelOf(cmd Command) Level {
	level := since[cmd.CommandType()]
	if c, ok := cmd.(Leveled); ok {
		level = max(level, c.Level())
	}
	return level
}

// Leveled is a command some of whose fields are younger than its type: Level
// is what those in use need, 0 when none is.
type Leveled interface{ Level() Level }

// SetLevel commits the site's level: all its nodes understand it.
type SetLevel struct {
	Level Level `cbor:"1,keyasint"`
}
