package node

import (
	"sync"

	"trunkline/edge/media"
	"trunkline/edge/sip"
	"trunkline/edge/switchboard"
)

// audio lets the switchboard play on a media stream.
type audio struct{ *media.Stream }

func (a audio) Play(clips [][]byte, loop bool, done func(completed bool)) {
	a.Stream.Play(media.Clips(loop, clips...), done)
}

// bridge joins legs for the switchboard.
type bridge struct{}

func (bridge) Join(a, b switchboard.Audio) {
	x, okA := a.(audio)
	y, okB := b.(audio)
	if okA && okB {
		media.Join(x.Stream, y.Stream)
	}
}

func (bridge) Unjoin(a, _ switchboard.Audio) {
	if x, ok := a.(audio); ok {
		x.Unjoin()
	}
}

// trunkLeg is a caller on a SIP trunk, or who was called by one.
type trunkLeg struct {
	leg    *sip.Leg
	stream *media.Stream
	over   sync.Once
}

func (l *trunkLeg) Audio() switchboard.Audio { return audio{l.stream} }
func (l *trunkLeg) Answer() error            { return l.leg.Answer() }

func (l *trunkLeg) Reject(status int) { l.end(func() { l.leg.Reject(status) }) }

func (l *trunkLeg) Hangup(reason string) { l.end(func() { l.leg.Hangup(reason) }) }

func (l *trunkLeg) Abandon() { l.end(l.leg.Abandon) }

// end ends the dialog in one way only; whatever is asked later is too late.
func (l *trunkLeg) end(how func()) {
	l.over.Do(func() {
		how()
		_ = l.stream.Close()
	})
}

// browserLeg is a caller in a browser; its signalling is the negotiation itself.
type browserLeg struct {
	stream *media.Stream
	over   sync.Once
	close  func()
}

func (l *browserLeg) Audio() switchboard.Audio { return audio{l.stream} }
func (l *browserLeg) Answer() error            { return nil }
func (l *browserLeg) Reject(int)               { l.over.Do(l.close) }
func (l *browserLeg) Hangup(string)            { l.over.Do(l.close) }
func (l *browserLeg) Abandon()                 { l.over.Do(l.close) }

// agentLeg is an agent's browser.
type agentLeg struct {
	id     string
	stream *media.Stream
	close  func()
}

func (l *agentLeg) ID() string               { return l.id }
func (l *agentLeg) Audio() switchboard.Audio { return audio{l.stream} }
func (l *agentLeg) Close()                   { l.close() }
