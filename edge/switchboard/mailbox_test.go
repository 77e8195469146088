package switchboard

import (
	"context"
	"log/slog"
	"testing"

	"trunkline/edge/call"
	"trunkline/internal/fault"
)

type fakeLeg struct {
	id     string
	closed int
}

func (l *fakeLeg) ID() string   { return l.id }
func (l *fakeLeg) Audio() Audio { return noAudio{} }
func (l *fakeLeg) Close()       { l.closed++ }

func newTestMailbox(t *testing.T, agent string) *mailbox {
	t.Helper()
	sb := New(Config{Node: "n1", Log: slog.New(slog.DiscardHandler), Rules: rulesOf{}})
	b := newMailbox(sb, "c1", nil, noLeg{})
	b.m.started = true
	b.m.row = call.Call{ID: "c1", Rev: 5, Owner: "n1", Phase: call.PhaseOffered, AgentID: agent}
	return b
}

// The browser of an agent who was rung before may come late. It must not take
// the place of the one who is rung now: they would talk into nothing.
func TestALateLegDoesNotTakeAnothersPlace(t *testing.T) {
	b := newTestMailbox(t, "a2")
	now, late := &fakeLeg{id: "l2"}, &fakeLeg{id: "l1"}
	b.attach("a2", now)
	b.attach("a1", late)
	for _, ev := range b.queue {
		if up := ev.(agentLegUp); b.adopt(up) {
			b.m.step(up, 1)
		}
	}
	if b.agent != now || now.closed != 0 || b.m.agent.legID != "l2" {
		t.Errorf("the agent's leg is %+v, closed %d times; the machine knows %q", b.agent, now.closed, b.m.agent.legID)
	}
	if late.closed != 1 {
		t.Errorf("the late leg was closed %d times", late.closed)
	}
}

// The agent's own second leg takes the place of the first, also before the
// mailbox saw that one and under the same id.
func TestANewLegTakesTheOldOnesPlace(t *testing.T) {
	b := newTestMailbox(t, "a1")
	legs := []*fakeLeg{{id: "l1"}, {id: "l1"}, {id: "l2"}}
	for _, l := range legs {
		b.attach("a1", l)
	}
	for _, ev := range b.queue {
		b.adopt(ev.(agentLegUp))
	}
	if b.agent != legs[2] || legs[0].closed != 1 || legs[1].closed != 1 || legs[2].closed != 0 {
		t.Errorf("agent %+v; closed %d, %d, %d times", b.agent, legs[0].closed, legs[1].closed, legs[2].closed)
	}
}

// A leg that comes when the call has just ended stays its maker's to close.
func TestALegForAnEndedCallIsRefused(t *testing.T) {
	b := newTestMailbox(t, "a1")
	waiting := &fakeLeg{id: "l1"}
	b.attach("a1", waiting)
	b.sb.boxes["c1"] = b
	found := b.sb.box("c1")
	b.close()
	if waiting.closed != 1 {
		t.Errorf("the leg nobody took was closed %d times", waiting.closed)
	}
	if found.attach("a1", &fakeLeg{id: "l2"}) {
		t.Error("a leg was taken that nobody will ever close")
	}
	err := b.sb.AttachAgent("c1", "a1", &fakeLeg{id: "l3"})
	if f := fault.Of(err); f == nil || f.Key != "fault.call.gone" {
		t.Errorf("%v", err)
	}
	if err := b.sb.Stop(context.Background()); err != nil {
		t.Error(err)
	}
}
