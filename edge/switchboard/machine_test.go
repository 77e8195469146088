package switchboard

import (
	"fmt"
	"strings"
	"testing"

	"trunkline/edge/call"
	"trunkline/edge/ivr"
	"trunkline/internal/fault"
	"trunkline/internal/flow"
)

// The machine's tests are scripts: an event, then what was done, in words. The
// bench plays the replica: a commit is applied to the row at once, and its
// result comes back as the next event.

type rulesOf struct{ q QueueRules }

func (r rulesOf) Queue(int64, string) QueueRules                        { return r.q }
func (r rulesOf) Document(int64, string, string) (*flow.Document, bool) { return nil, false }

type bench struct {
	t   *testing.T
	m   machine
	now int64
	row call.Call
	// refuse answers the next command of this type with the code.
	refuse map[call.Type]string
	acks   []error
	gone   bool
	over   bool
}

func newBench(t *testing.T, q QueueRules) *bench {
	t.Helper()
	doc, err := flow.Parse(flow.Default("en", "q1"))
	if err != nil {
		t.Fatal(err)
	}
	return &bench{
		t: t, now: 1_000_000, refuse: map[call.Type]string{},
		m: machine{me: "n1", rules: rulesOf{q}, doc: doc},
	}
}

// do feeds an event and everything that follows from its commits; it returns
// the words of all actions.
func (b *bench) do(ev event) string {
	b.t.Helper()
	var words []string
	todo := []event{ev}
	for len(todo) > 0 {
		e := todo[0]
		todo = todo[1:]
		for _, a := range b.m.step(e, b.now) {
			if b.over {
				b.t.Fatalf("%T after the end", a)
			}
			words = append(words, b.word(a))
			switch a := a.(type) {
			case commit:
				todo = append(todo, committed{cmd: a.cmd, res: b.apply(a.cmd)})
			case answerAsk:
				a.reply(a.err)
			case finish:
				b.over = true
			}
		}
	}
	return strings.Join(words, " ")
}

func (b *bench) want(ev event, want string) {
	b.t.Helper()
	if got := b.do(ev); got != want {
		b.t.Errorf("%T\n got: %s\nwant: %s", ev, got, want)
	}
}

func (b *bench) apply(cmd call.Command) call.Result {
	if code := b.refuse[cmd.CommandType()]; code != "" {
		delete(b.refuse, cmd.CommandType())
		return call.Result{Refused: code}
	}
	r := b.row
	switch c := cmd.(type) {
	case call.CallStart:
		r = c.Call
		r.Phase = call.PhaseFlow
	case call.FlowStep:
		r.FlowState = c.FlowState
	case call.Enqueue:
		r.Phase, r.QueueID, r.EnqueuedAt, r.FlowState = call.PhaseQueued, c.QueueID, b.now, c.FlowState
	case call.Dequeue:
		r.Phase = call.PhaseFlow
	case call.OfferEnd:
		r.Phase, r.AgentID, r.Direct = call.PhaseQueued, "", false
	case call.Connect:
		r.Phase, r.Direct = call.PhaseTalking, false
	case call.Hold:
		r.Held = c.On
	case call.ConsultJoin:
		r.Consult, r.OfferDeadline = &call.Consult{AgentID: c.AgentID, JoinedAt: b.now}, 0
	case call.ConsultEnd:
		r.Consult, r.OfferDeadline = nil, 0
	case call.OutsideAnswered:
		out := *r.Outside
		out.AnsweredAt = b.now
		r.Outside, r.OfferDeadline = &out, 0
	case call.OutsideEnd:
		r.Phase, r.Outside, r.OfferDeadline = call.PhaseQueued, nil, 0
	case call.CallEnd:
		b.gone = true
		return call.Result{}
	}
	r.Rev++
	b.row = r
	return call.Result{Call: &r}
}

// offered is the row after the matcher chose an agent.
func (b *bench) offered(agent string) rowChanged {
	b.row.Phase, b.row.AgentID, b.row.OfferDeadline = call.PhaseOffered, agent, b.now+15_000_000
	b.row.Rev++
	return rowChanged{row: b.row}
}

func (b *bench) ask(k askKind, agent string, on bool) ask {
	return ask{kind: k, agentID: agent, on: on, digits: "1#", reply: func(err error) { b.acks = append(b.acks, err) }}
}

// toQueue brings a new call into the queue; toTalk into a conversation.
func (b *bench) toQueue() {
	b.t.Helper()
	start := call.Call{ID: "c1", Tenant: 7, Owner: "n1", FlowState: ivr.State{Node: "greeting"}.Encode()}
	b.want(begin{row: start}, "commit:CallStart answer record say:greeting")
	b.want(digit{key: '1'}, "commit:Enqueue music:music")
}

func (b *bench) toTalk() {
	b.t.Helper()
	b.toQueue()
	b.want(b.offered("a1"), "timer:offer")
	b.want(agentLegUp{agentID: "a1", legID: "l1"}, "")
	b.want(b.ask(askAccept, "a1", false), "stopSay join commit:Connect stop:offer reply")
}

func (b *bench) word(a action) string {
	names := [timerKinds]string{"silence", "position", "maxwait", "offer"}
	switch a := a.(type) {
	case commit:
		return "commit:" + strings.TrimPrefix(fmt.Sprintf("%T", a.cmd), "call.")
	case say:
		return "say:" + strings.Join(a.prompts, ",")
	case music:
		return "music:" + a.prompt
	case startTimer:
		return "timer:" + names[a.kind]
	case stopTimer:
		return "stop:" + names[a.kind]
	case rejectCaller:
		return fmt.Sprintf("reject:%d", a.status)
	case hangupCaller:
		return "hangup:" + a.reason
	case answerAsk:
		if a.err != nil {
			return "reply:" + a.err.Error()
		}
		return "reply"
	case answerCaller:
		return "answer"
	case joinLegs:
		return "join"
	case unjoinLegs:
		return "unjoin"
	case closeAgentLeg:
		return "closeAgent"
	case hear:
		ear := "agentHears:"
		if a.consulted {
			ear = "consultedHears:"
		}
		return ear + a.prompt
	default:
		return strings.TrimPrefix(fmt.Sprintf("%T", a), "switchboard.")
	}
}

func TestCallFromInviteToWrapUp(t *testing.T) {
	b := newBench(t, QueueRules{WrapUp: 5})
	b.toTalk()
	b.want(b.ask(askHold, "a1", true), "commit:Hold reply unjoin music:hold_music")
	b.want(b.ask(askHold, "a1", false), "commit:Hold reply stopSay join")
	b.want(b.ask(askDigits, "a1", false), "sendDigits reply")
	b.want(callerGone{}, "unjoin stopSay commit:CallEnd closeAgent finish")
	for _, err := range b.acks {
		if err != nil {
			t.Error(err)
		}
	}
}

func TestMenu(t *testing.T) {
	b := newBench(t, QueueRules{})
	start := call.Call{ID: "c1", Tenant: 7, Owner: "n1", FlowState: ivr.State{Node: "greeting"}.Encode()}
	b.want(begin{row: start}, "commit:CallStart answer record say:greeting")
	b.want(played{token: b.m.saying}, "say:main_menu")
	b.want(played{token: 99}, "") // of an older prompt
	b.want(played{token: b.m.saying}, "timer:silence")
	b.want(digit{key: '9'}, "stop:silence say:invalid_choice,main_menu")
	b.want(played{token: b.m.saying}, "timer:silence")
	b.want(timer{kind: timerSilence, token: b.m.timers[timerSilence]}, "commit:Enqueue music:music")
}

func TestNobodyAnswers(t *testing.T) {
	b := newBench(t, QueueRules{PositionEvery: 30, MaxWait: 60_000_000})
	start := call.Call{ID: "c1", Tenant: 7, Owner: "n1", FlowState: ivr.State{Node: "support"}.Encode()}
	b.want(begin{row: start}, "commit:CallStart answer record commit:Enqueue sayPlace timer:maxwait")
	b.want(played{token: b.m.saying}, "music:music timer:position")
	b.want(timer{kind: timerPosition, token: b.m.timers[timerPosition]}, "sayPlace")
	b.want(timer{kind: timerMaxWait, token: b.m.timers[timerMaxWait]}, "commit:Dequeue say:nobody_available")
	b.want(played{token: b.m.saying}, "stopSay commit:CallEnd hangup:flow_ended finish")
}

func TestOfferNotAnswered(t *testing.T) {
	b := newBench(t, QueueRules{})
	b.toQueue()
	b.want(b.offered("a1"), "timer:offer")
	b.want(agentLegUp{agentID: "a1", legID: "l1"}, "")
	b.now = b.row.OfferDeadline
	// Back at the place: the music never stopped.
	b.want(timer{kind: timerOffer, token: b.m.timers[timerOffer]}, "commit:OfferEnd closeAgent")
	b.want(b.offered("a2"), "timer:offer")
	b.want(b.ask(askAccept, "a1", false), "reply:"+errText(b.ask(askAccept, "a1", false), b))
	b.want(b.ask(askReject, "a2", false), "commit:OfferEnd reply stop:offer")
}

func errText(a ask, b *bench) string {
	var got string
	for _, act := range b.m.step(a, b.now) {
		if r, ok := act.(answerAsk); ok {
			got = r.err.Error()
		}
	}
	return got
}

func TestAcceptBeforeTheLegIsUp(t *testing.T) {
	b := newBench(t, QueueRules{})
	b.toQueue()
	b.do(b.offered("a1"))
	b.want(b.ask(askAccept, "a1", false), "")
	b.want(agentLegUp{agentID: "a1", legID: "l1"}, "stopSay join commit:Connect stop:offer reply")
}

// The two hear each other before the answer is committed; a refusal parts them
// again, whichever of it and the row comes first.
func TestAnswerRefused(t *testing.T) {
	refused := func(b *bench) string {
		var got error
		b.refuse[call.TypeConnect] = call.RefusedState
		words := b.do(ask{kind: askAccept, agentID: "a1", reply: func(err error) { got = err }})
		if got == nil {
			t.Error("the agent was told that the call is theirs")
		}
		return strings.ReplaceAll(words, "reply:"+got.Error(), "reply:refused")
	}
	b := newBench(t, QueueRules{PositionEvery: 30, MaxWait: 60_000_000})
	start := call.Call{ID: "c1", Tenant: 7, Owner: "n1", FlowState: ivr.State{Node: "support"}.Encode()}
	b.do(begin{row: start})
	b.do(played{token: b.m.saying})
	b.do(b.offered("a1"))
	b.do(agentLegUp{agentID: "a1", legID: "l1"})
	late := b.m.timers[timerPosition]
	if got := refused(b); got != "stop:position stopSay join commit:Connect unjoin sayPlace timer:maxwait reply:refused" {
		t.Error(got)
	}
	b.want(timer{kind: timerPosition, token: late}, "") // nobody speaks into a conversation
	b.row.Phase, b.row.AgentID = call.PhaseQueued, ""
	b.row.Rev++
	b.want(rowChanged{row: b.row}, "stop:offer closeAgent")

	b = newBench(t, QueueRules{})
	b.toQueue()
	b.do(b.offered("a1"))
	b.do(agentLegUp{agentID: "a1", legID: "l1"})
	connect := b.m.step(b.ask(askAccept, "a1", false), b.now) // committed later
	b.row.Phase, b.row.AgentID = call.PhaseQueued, ""
	b.row.Rev++
	row := rowChanged{row: b.row}
	b.want(row, "stop:offer reply:"+fault.New(fault.Conflict, "fault.call.state").Error()+" unjoin closeAgent music:music")
	b.do(b.offered("a2"))
	b.do(agentLegUp{agentID: "a2", legID: "l2"})
	b.m.step(b.ask(askAccept, "a2", false), b.now)
	refusal := committed{cmd: connect[len(connect)-1].(commit).cmd, res: call.Result{Refused: call.RefusedState}}
	b.want(refusal, "") // of the first agent: the second one's answer stands
}

// The page reloads while its answer is being committed: the caller is not left
// in silence, and the new leg answers again.
func TestReloadWhileAnswering(t *testing.T) {
	b := newBench(t, QueueRules{})
	b.toQueue()
	b.do(b.offered("a1"))
	b.do(agentLegUp{agentID: "a1", legID: "l1"})
	first := b.m.step(b.ask(askAccept, "a1", false), b.now)
	b.want(agentLegDown{legID: "l1"}, "unjoin music:hold_music")
	again := b.m.step(agentLegUp{agentID: "a1", legID: "l2"}, b.now)
	for i, actions := range [][]action{first, again} {
		cmd := actions[len(actions)-1].(commit).cmd
		if i == 1 {
			b.refuse[call.TypeConnect] = call.RefusedState // it is connected already
		}
		want := []string{"stop:offer reply", ""}[i]
		b.want(committed{cmd: cmd, res: b.apply(cmd)}, want)
	}
	if !b.m.agent.joined || b.m.agent.legID != "l2" {
		t.Errorf("the agent's side is %+v", b.m.agent)
	}

	b = newBench(t, QueueRules{})
	b.toQueue()
	b.do(b.offered("a1"))
	b.do(agentLegUp{agentID: "a1", legID: "l1"})
	b.m.step(b.ask(askAccept, "a1", false), b.now)
	b.want(agentLegDown{legID: "l1"}, "unjoin music:hold_music")
	b.row.Phase, b.row.AgentID = call.PhaseQueued, ""
	b.row.Rev++
	gone := fault.New(fault.Conflict, "fault.call.state").Error()
	b.want(rowChanged{row: b.row}, "stop:offer reply:"+gone+" music:music")
}

// The caller leaves, or another node takes the call, while the answer is being
// committed: nobody stays joined.
func TestCallEndsWhileAnswering(t *testing.T) {
	gone := fault.New(fault.Conflict, "fault.call.state").Error()
	for name, c := range map[string]struct {
		ev   func(*bench) event
		want string
	}{
		"caller": {func(*bench) event { return callerGone{} }, "reply:" + gone + " stop:offer unjoin stopSay commit:CallEnd closeAgent finish"},
		"node": {func(b *bench) event {
			b.row.Owner = "n2"
			b.row.Rev++
			return rowChanged{row: b.row}
		}, "reply:" + gone + " abandon finish"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, QueueRules{})
			b.toQueue()
			b.do(b.offered("a1"))
			b.do(agentLegUp{agentID: "a1", legID: "l1"})
			b.m.step(b.ask(askAccept, "a1", false), b.now)
			b.want(c.ev(b), c.want)
		})
	}
}

func TestReloadDuringCall(t *testing.T) {
	b := newBench(t, QueueRules{})
	b.toTalk()
	b.want(agentLegDown{legID: "l1"}, "unjoin music:hold_music")
	b.want(agentLegUp{agentID: "a1", legID: "l2"}, "stopSay join")
	b.want(agentLegDown{legID: "l1"}, "") // the old one, late
}

func TestCallerGoesAtEveryStage(t *testing.T) {
	stages := map[string]struct {
		bring func(*bench)
		want  string
	}{
		"queue":   {(*bench).toQueue, "stopSay commit:CallEnd finish"},
		"offered": {func(b *bench) { b.toQueue(); b.do(b.offered("a1")) }, "stop:offer stopSay commit:CallEnd finish"},
		"talking": {(*bench).toTalk, "unjoin stopSay commit:CallEnd closeAgent finish"},
	}
	for name, s := range stages {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, QueueRules{})
			s.bring(b)
			b.want(callerGone{}, s.want)
		})
	}
}

func TestCancelWhileStarting(t *testing.T) {
	b := newBench(t, QueueRules{})
	row := call.Call{ID: "c1", Owner: "n1"}
	b.m.step(begin{row: row}, b.now)
	b.want(callerGone{reason: "cancelled"}, "")
	row.Rev = 1
	b.want(committed{cmd: call.CallStart{Call: row}, res: call.Result{Call: &row}}, "stopSay commit:CallEnd finish")
}

func TestRefusedStart(t *testing.T) {
	for code, want := range map[string]string{
		call.RefusedLimit: "commit:CallStart reject:486 finish",
		call.RefusedState: "commit:CallStart reject:500 finish",
	} {
		b := newBench(t, QueueRules{})
		b.refuse[call.TypeCallStart] = code
		b.want(begin{row: call.Call{ID: "c1"}}, want)
	}
}

func TestQueueFull(t *testing.T) {
	b := newBench(t, QueueRules{MaxWaiting: 1})
	b.refuse[call.TypeEnqueue] = call.RefusedLimit
	start := call.Call{ID: "c1", Owner: "n1", FlowState: ivr.State{Node: "support"}.Encode()}
	b.want(begin{row: start}, "commit:CallStart answer record commit:Enqueue say:nobody_available")
}

func TestTakenAway(t *testing.T) {
	b := newBench(t, QueueRules{})
	b.toTalk()
	b.row.Owner = "n2"
	b.row.Rev++
	b.want(rowChanged{row: b.row}, "abandon finish")
}

func TestTakeover(t *testing.T) {
	queued := call.Call{
		ID: "c1", Rev: 9, Owner: "n1", Phase: call.PhaseQueued, QueueID: "q1",
		FlowState: ivr.State{Node: "support"}.Encode(),
	}
	b := newBench(t, QueueRules{})
	b.row = queued
	b.want(restored{row: queued}, "commit:Moved record music:music")

	menu := queued
	menu.Phase, menu.FlowState = call.PhaseFlow, ivr.State{Node: "menu"}.Encode()
	b = newBench(t, QueueRules{})
	b.row = menu
	b.want(restored{row: menu}, "commit:Moved record say:main_menu")

	talking := queued
	talking.Phase, talking.AgentID = call.PhaseTalking, "a1"
	b = newBench(t, QueueRules{})
	b.row = talking
	b.want(restored{row: talking}, "commit:Moved record music:hold_music")
	b.want(agentLegUp{agentID: "a1", legID: "l9"}, "stopSay join")

	b = newBench(t, QueueRules{})
	b.row = queued
	b.want(restored{row: queued, err: fmt.Errorf("no answer")}, "stopSay commit:CallEnd hangup:takeover_failed finish")
}

func TestAgentLostWhileTalking(t *testing.T) {
	b := newBench(t, QueueRules{})
	b.toTalk()
	b.row.Phase, b.row.AgentID = call.PhaseQueued, ""
	b.row.Rev++
	b.want(rowChanged{row: b.row}, "unjoin closeAgent music:music")
}

// Given away by the agent: the caller hears music, in whatever way it goes on.
func TestTransferredToAQueue(t *testing.T) {
	b := newBench(t, QueueRules{PositionEvery: 30})
	b.toQueueAnnounced()
	b.want(b.offered("a1"), "timer:offer")
	b.want(agentLegUp{agentID: "a1", legID: "l1"}, "")
	b.want(b.ask(askAccept, "a1", false), "stop:position stopSay join commit:Connect stop:offer reply")
	b.row.Phase, b.row.AgentID, b.row.QueueID = call.PhaseQueued, "", "q2"
	b.row.Rev++
	b.want(rowChanged{row: b.row}, "unjoin closeAgent sayPlace")
	b.want(played{token: b.m.saying}, "music:music timer:position")
}

func (b *bench) toQueueAnnounced() {
	b.t.Helper()
	start := call.Call{ID: "c1", Tenant: 7, Owner: "n1", FlowState: ivr.State{Node: "greeting"}.Encode()}
	b.want(begin{row: start}, "commit:CallStart answer record say:greeting")
	b.want(digit{key: '1'}, "commit:Enqueue sayPlace")
	b.want(played{token: b.m.saying}, "music:music timer:position")
}

func TestTransferredToAnAgent(t *testing.T) {
	b := newBench(t, QueueRules{PositionEvery: 30, MaxWait: 600_000_000})
	b.toTransfer("a2")
	b.want(agentLegUp{agentID: "a2", legID: "l2"}, "")
	b.want(b.ask(askAccept, "a2", false), "stopSay join commit:Connect stop:offer reply")
	b.want(agentLegDown{legID: "l1"}, "") // of the agent who gave the call away
}

// toTransfer: a1 talked and gave the call to the agent, who is rung.
func (b *bench) toTransfer(agent string) {
	b.t.Helper()
	start := call.Call{ID: "c1", Tenant: 7, Owner: "n1", FlowState: ivr.State{Node: "greeting"}.Encode()}
	b.do(begin{row: start})
	b.do(digit{key: '1'})
	b.do(b.offered("a1"))
	b.do(agentLegUp{agentID: "a1", legID: "l1"})
	b.do(b.ask(askAccept, "a1", false))
	if b.row.Phase != call.PhaseTalking {
		b.t.Fatalf("%s", b.row.Phase)
	}
	b.row.Direct = true
	b.want(b.offered(agent), "unjoin closeAgent music:music timer:offer")
}

func TestTransferNotAnswered(t *testing.T) {
	b := newBench(t, QueueRules{PositionEvery: 30, MaxWait: 600_000_000})
	b.toTransfer("a2")
	b.now = b.row.OfferDeadline
	// No longer rung but in the queue: the place is said, the longest wait runs.
	b.want(timer{kind: timerOffer, token: b.m.timers[timerOffer]}, "commit:OfferEnd sayPlace timer:maxwait")
}

// A colleague's answer that is refused leaves the caller with music: no place
// is told while the colleague is still rung.
func TestTransferAnswerRefused(t *testing.T) {
	b := newBench(t, QueueRules{PositionEvery: 30, MaxWait: 600_000_000})
	b.toTransfer("a2")
	b.do(agentLegUp{agentID: "a2", legID: "l2"})
	b.refuse[call.TypeConnect] = call.RefusedState
	conflict := fault.New(fault.Conflict, "fault.call.state").Error()
	b.want(b.ask(askAccept, "a2", false), "stopSay join commit:Connect unjoin music:music reply:"+conflict)
}

func TestTakeoverWhileAColleagueIsRung(t *testing.T) {
	row := call.Call{
		ID: "c1", Rev: 9, Owner: "n1", Phase: call.PhaseOffered, QueueID: "q1", AgentID: "a2", Direct: true,
		OfferDeadline: 9_000_000, FlowState: ivr.State{Node: "support"}.Encode(),
	}
	b := newBench(t, QueueRules{PositionEvery: 30})
	b.row = row
	b.want(restored{row: row}, "commit:Moved record music:music timer:offer")
}
