package switchboard

import (
	"fmt"
	"testing"

	"trunkline/edge/call"
	"trunkline/edge/ivr"
)

// toOutside: a1 talked and gave the caller to a number, which is being called.
func (b *bench) toOutside() uint64 {
	b.t.Helper()
	b.toTalk()
	b.row.Phase, b.row.AgentID, b.row.Outside, b.row.OfferDeadline = call.PhaseOutside, "", &call.Outside{Number: "+4930555"}, b.now+30_000_000
	b.row.Rev++
	b.want(rowChanged{row: b.row}, "unjoin closeAgent music:hold_music timer:offer dial")
	return b.m.outside.leg
}

func TestNumberAnswers(t *testing.T) {
	for name, before := range map[string]func(b *bench, leg uint64) string{
		"at once": func(*bench, uint64) string { return "stop:offer stopSay joinOutside " },
		"after it rang": func(b *bench, leg uint64) string {
			b.want(outsideRings{leg}, "music:ringback")
			return "stop:offer stopSay joinOutside "
		},
		"with early media": func(b *bench, leg uint64) string {
			b.want(outsideHeard{leg}, "stopSay joinOutside")
			b.want(outsideRings{leg}, "")
			return "stop:offer "
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, QueueRules{})
			leg := b.toOutside()
			joins := before(b, leg)
			b.want(outsideDialog{leg: leg}, "") // nothing to keep yet
			b.want(outsideAnswered{leg: leg, dialog: []byte("d")}, joins+"commit:OutsideAnswered")
			b.want(outsideDialog{leg: leg}, "commit:Dialog")
			b.want(digit{key: '1'}, "")
			b.want(outsideGone{leg: leg, outcome: outsideHung}, "hangupOutside stopSay commit:CallEnd hangup:hung_up finish")
		})
	}
}

// Whatever keeps the number from talking, the caller hears music and is in the queue.
func TestNumberDoesNotAnswer(t *testing.T) {
	b := newBench(t, QueueRules{})
	leg := b.toOutside()
	b.want(outsideGone{leg: leg + 1, outcome: "busy"}, "") // another leg's
	b.want(outsideGone{leg: leg, outcome: "busy"}, "hangupOutside music:hold_music commit:OutsideEnd stop:offer music:music")
	b.want(outsideGone{leg: leg, outcome: "busy"}, "")

	b = newBench(t, QueueRules{})
	b.toOutside()
	b.now = b.row.OfferDeadline
	b.want(timer{kind: timerOffer, token: b.m.timers[timerOffer]}, "commit:OutsideEnd hangupOutside music:music")

	b = newBench(t, QueueRules{})
	leg = b.toOutside()
	b.do(outsideAnswered{leg: leg})
	b.want(outsideGone{leg: leg, outcome: outsideLost}, "hangupOutside music:hold_music commit:OutsideEnd music:music")
}

// The leader, or a deadline, was quicker than the answer: the row decides.
func TestNumberAnswersTooLate(t *testing.T) {
	b := newBench(t, QueueRules{})
	leg := b.toOutside()
	b.refuse[call.TypeOutsideAnswered] = call.RefusedState
	b.want(outsideAnswered{leg: leg}, "stop:offer stopSay joinOutside commit:OutsideAnswered")
	b.row.Phase, b.row.Outside, b.row.OfferDeadline = call.PhaseQueued, nil, 0
	b.row.Rev++
	b.want(rowChanged{row: b.row}, "hangupOutside music:music")
}

func TestCallerGoesWhileTheNumberRings(t *testing.T) {
	b := newBench(t, QueueRules{})
	leg := b.toOutside()
	b.want(callerGone{}, "stop:offer hangupOutside stopSay commit:CallEnd finish")
	if b.over != true || leg == 0 {
		t.Error("the call is not over")
	}
}

func TestTakenAwayWithANumber(t *testing.T) {
	b := newBench(t, QueueRules{})
	b.do(outsideAnswered{leg: b.toOutside()})
	b.row.Owner = "n2"
	b.row.Rev++
	b.want(rowChanged{row: b.row}, "abandon finish")
}

func TestTakeoverWithANumber(t *testing.T) {
	ringing := call.Call{
		ID: "c1", Rev: 9, Owner: "n1", Phase: call.PhaseOutside, QueueID: "q1", OfferDeadline: 9_000_000,
		Outside: &call.Outside{Number: "+4930555"}, FlowState: ivr.State{Node: "support"}.Encode(),
	}
	talking := ringing
	talking.OfferDeadline, talking.Outside = 0, &call.Outside{Number: "+4930555", AnsweredAt: 1, Dialog: []byte("d")}
	for name, x := range map[string]struct {
		ev   restored
		want string
	}{
		"talking":              {restored{row: talking, outside: []byte("d2")}, "commit:Moved commit:Dialog record stopSay joinOutside"},
		"talking, leg not had": {restored{row: talking}, "commit:Moved record music:hold_music commit:OutsideEnd music:music"},
		"ringing":              {restored{row: ringing}, "commit:Moved record music:hold_music commit:OutsideEnd music:music"},
		"caller not had":       {restored{row: talking, outside: []byte("d2"), err: fmt.Errorf("no")}, "hangupOutside stopSay commit:CallEnd hangup:takeover_failed finish"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, QueueRules{})
			b.row = x.ev.row
			b.want(x.ev, x.want)
		})
	}
}
