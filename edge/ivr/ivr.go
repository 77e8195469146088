// Package ivr steps a published flow for one caller. It is pure: the document,
// the state and an input give the next state and one thing to do. A state is
// small and serialisable at every node, so a caller in a menu survives the
// node that spoke to them: a completed input is kept, an unfinished one is
// asked again (Begin).
package ivr

import (
	"fmt"

	"github.com/fxamacker/cbor/v2"

	"trunkline/edge/call"
	"trunkline/internal/flow"
)

// State is where a caller stands in the flow.
type State struct {
	Node string `cbor:"1,keyasint"`
	// Attempts counts how often the node has asked without a valid answer.
	Attempts int `cbor:"2,keyasint,omitempty"`
}

// Encode serialises the state for the replica.
func (s State) Encode() []byte {
	b, err := cbor.Marshal(s)
	if err != nil {
		panic(err) // two plain fields always encode
	}
	return b
}

// Decode reads what Encode wrote.
func Decode(b []byte) (State, error) {
	var s State
	if err := cbor.Unmarshal(b, &s); err != nil {
		return State{}, fmt.Errorf("ivr: state: %w", err)
	}
	return s, nil
}

// Input is what happened.
type Input struct {
	Kind  InputKind
	Digit byte // with Digit: '0'-'9', '*', '#'
}

// InputKind names an Input.
type InputKind uint8

// Kinds of input.
const (
	Begin     InputKind = iota + 1 // start, or go on after a takeover: do this node from its beginning
	Spoken                         // the prompt was said to its end
	Digit                          // a key was pressed
	Silence                        // the wait asked for ran out
	LeftQueue                      // the queue gave the caller back: nobody could answer
)

// DoKind names what is to be done.
type DoKind uint8

// Kinds of things to do.
const (
	Nothing DoKind = iota // the input changes nothing
	Speak                 // say Prompts; BargeIn: a digit interrupts
	Wait                  // wait WaitMS for a digit, then Silence
	Enqueue               // wait for an agent in QueueID
	End                   // hang up
)

// Do is the one thing to do next.
type Do struct {
	Kind     DoKind
	Prompts  []string
	Language string
	BargeIn  bool
	WaitMS   int
	QueueID  string
	Priority int32
	// Choice is set when a menu was answered: to be committed with the new
	// state before anything else happens.
	Choice *call.MenuChoice
}

// Prompt said after a key that the menu does not know.
const invalidChoice = "invalid_choice"

// Step moves the caller on. An input that does not fit the node does nothing.
func Step(d *flow.Document, s State, in Input) (State, Do) {
	n, ok := d.Nodes[s.Node]
	if !ok {
		return s, Do{Kind: End}
	}
	switch in.Kind {
	case Begin:
		return enter(d, s.Node, s.Attempts)
	case Spoken:
		if n.Type == flow.Menu {
			return s, Do{Kind: Wait, WaitMS: n.TimeoutMS}
		}
		return enter(d, n.Next, 0)
	case Digit:
		return digit(d, s, n, in.Digit)
	case Silence:
		if n.Type != flow.Menu {
			return s, Do{}
		}
		return again(d, s, n, nil)
	case LeftQueue:
		if n.Type != flow.Queue {
			return s, Do{}
		}
		return enter(d, n.Next, 0)
	default:
		return s, Do{}
	}
}

// enter does the node id from its beginning.
func enter(d *flow.Document, id string, attempts int) (State, Do) {
	s := State{Node: id, Attempts: attempts}
	n, ok := d.Nodes[id]
	if !ok {
		return s, Do{Kind: End}
	}
	switch n.Type {
	case flow.Play:
		return s, Do{Kind: Speak, Prompts: []string{n.Prompt}, Language: d.Language, BargeIn: bargeIn(d, n)}
	case flow.Menu:
		return s, Do{Kind: Speak, Prompts: []string{n.Prompt}, Language: d.Language, BargeIn: true}
	case flow.Queue:
		return s, Do{Kind: Enqueue, QueueID: n.QueueID, Priority: n.Priority, Language: d.Language}
	default:
		return s, Do{Kind: End}
	}
}

// bargeIn: a caller who knows the menu may press during the greeting before it.
func bargeIn(d *flow.Document, n flow.Node) bool {
	return d.Nodes[n.Next].Type == flow.Menu
}

func digit(d *flow.Document, s State, n flow.Node, key byte) (State, Do) {
	if n.Type == flow.Play && bargeIn(d, n) {
		s = State{Node: n.Next}
		n = d.Nodes[n.Next]
	}
	if n.Type != flow.Menu {
		return s, Do{}
	}
	o, ok := n.Options[string(key)]
	if !ok {
		return again(d, s, n, []string{invalidChoice})
	}
	choice := &call.MenuChoice{NodeID: s.Node, Digit: string(key), Label: o.Label}
	next, do := enter(d, o.Next, 0)
	do.Choice = choice
	return next, do
}

// again says the menu once more, or gives up and takes its Next.
func again(d *flow.Document, s State, n flow.Node, before []string) (State, Do) {
	if s.Attempts >= n.Retries {
		return enter(d, n.Next, 0)
	}
	s.Attempts++
	_, do := enter(d, s.Node, s.Attempts)
	do.Prompts = append(before, do.Prompts...)
	return s, do
}
