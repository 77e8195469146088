package replica

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"trunkline/edge/call"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

// floor drives a machine by hand, one command a batch.
type floor struct {
	t  *testing.T
	m  *machine
	at int64
	n  uint64
}

const second = 1_000_000

func newFloor(t *testing.T) *floor {
	f := &floor{t: t, m: newMachine(call.FeatureLevel), at: 1_700_000_000 * second}
	f.ok(call.NodeUp{Node: call.NodeInfo{Name: "a", Incarnation: "a1"}})
	f.ok(call.NodeUp{Node: call.NodeInfo{Name: "b", Incarnation: "b1"}})
	f.ok(call.NodeUp{Node: call.NodeInfo{Name: "c", Incarnation: "c1"}})
	return f
}

func (f *floor) do(cmd call.Command) call.Result {
	f.t.Helper()
	f.n++
	return f.doKey(fmt.Sprint("k", f.n), cmd)
}

func (f *floor) doKey(key string, cmd call.Command) call.Result {
	f.t.Helper()
	e, err := envelope(key, cmd)
	if err != nil {
		f.t.Fatal(err)
	}
	data, _ := encoding.Marshal(batch{At: f.at, Epoch: 1, Commands: []call.Envelope{e}})
	res, err := f.m.applyBatch(f.m.t.index+1, data)
	if err != nil {
		f.t.Fatal(err)
	}
	if wrong := CheckInvariants(f.view()); len(wrong) > 0 {
		f.t.Fatalf("after %T: %q", cmd, wrong)
	}
	return res[0]
}

func (f *floor) ok(cmd call.Command) call.Result {
	f.t.Helper()
	res := f.do(cmd)
	if res.Refused != "" {
		f.t.Fatalf("%T was refused: %s", cmd, res.Refused)
	}
	return res
}

func (f *floor) refused(code string, cmd call.Command) {
	f.t.Helper()
	if res := f.do(cmd); res.Refused != code {
		f.t.Fatalf("%T: refused %q, want %q", cmd, res.Refused, code)
	}
}

func (f *floor) view() *View { return &View{t: f.m.t.copy()} }

func (f *floor) pass(seconds int64) { f.at += seconds * second }

func (f *floor) call(id string) *call.Call {
	f.t.Helper()
	c, ok := f.m.call(id)
	if !ok {
		f.t.Fatalf("no call %s", id)
	}
	return c
}

func (f *floor) agent(id string) *call.Agent {
	f.t.Helper()
	a, ok := f.m.agent(id)
	if !ok {
		f.t.Fatalf("no agent %s", id)
	}
	return a
}

func (f *floor) ready(id string, queues ...string) {
	f.t.Helper()
	f.ok(call.SignIn{Session: call.Session{Hash: []byte(id), AgentID: id, Tenant: 1, Expires: 3600 * second}, Queues: queues})
	f.ok(call.AgentStream{AgentID: id, Node: "a", On: true})
	f.ok(call.SetAgentState{AgentID: id, State: call.AgentReady})
}

func (f *floor) start(id string) {
	f.t.Helper()
	f.ok(call.CallStart{Call: call.Call{
		ID: id, Tenant: 1, Owner: "a", Caller: "+49301", ServiceLevel: 20 * second, ShortAbandon: 5 * second, DayStart: 1_699_920_000 * second,
	}})
}

func (f *floor) queue(id string) {
	f.t.Helper()
	f.start(id)
	f.ok(call.Enqueue{CallID: id, QueueID: "q"})
}

func (f *floor) offer(id, agent string) {
	f.t.Helper()
	f.ok(call.Assign{CallID: id, CallRev: f.call(id).Rev, AgentID: agent, AgentRev: f.agent(agent).Rev, Timeout: 15 * second})
}

// facts gives the bodies of a kind, of tenant 1.
func facts[T any, P interface {
	*T
	proto.Message
}](f *floor, kind string) []P {
	f.t.Helper()
	var out []P
	for _, x := range f.view().Outbox(1, 0, 0, 10_000) {
		if x.GetKind() != kind {
			continue
		}
		p := P(new(T))
		if err := proto.Unmarshal(x.GetBody(), p); err != nil {
			f.t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

func TestCallFromStartToEnd(t *testing.T) {
	f := newFloor(t)
	f.ready("ann", "q")
	f.queue("c1")
	if c := f.call("c1"); c.Successor != "b" || c.StartedAt != f.at || c.AnsweredAt != f.at || c.EnqueuedAt != f.at {
		t.Fatalf("%+v", c)
	}
	f.pass(10)
	f.offer("c1", "ann")
	f.pass(3)
	f.ok(call.Connect{CallID: "c1", AgentID: "ann"})
	f.pass(60)
	f.ok(call.Hold{CallID: "c1", On: true})
	f.ok(call.Hold{CallID: "c1", On: true})
	f.pass(30)
	f.ok(call.Hold{CallID: "c1"})
	f.ok(call.WrapUpSave{AgentID: "ann", CallID: "c1", Code: "sold"})
	f.pass(10)
	end := f.ok(call.CallEnd{CallID: "c1", EndedBy: "caller", WrapUp: 20 * second})
	if end.Call == nil || end.Agent == nil || end.Agent.State != call.AgentWrapUp || end.Agent.WrapDeadline != f.at+20*second {
		t.Fatalf("%+v", end)
	}
	f.refused(call.RefusedNotFound, call.CallEnd{CallID: "c1", EndedBy: "agent"})
	f.pass(5)
	f.ok(call.WrapUpSave{AgentID: "ann", CallID: "c1", Code: "sold", Note: "again in May"})
	f.ok(call.WrapUpEnd{AgentID: "ann", CallID: "c1"})
	f.refused(call.RefusedState, call.WrapUpEnd{AgentID: "ann", CallID: "c1", Automatic: true})

	ann := f.agent("ann")
	if ann.State != call.AgentReady || ann.ReadySince != f.at || ann.CallID != "" || ann.LastCall.ID != "c1" {
		t.Errorf("%+v", ann)
	}
	if want := (call.AgentDay{
		Start: 1_699_920_000 * second, Handled: 1, Talk: 70 * second, Held: 30 * second, WrapUp: 5 * second,
	}); ann.Day.Handled != want.Handled || ann.Day.Talk != want.Talk || ann.Day.Held != want.Held || ann.Day.WrapUp != want.WrapUp {
		t.Errorf("day %+v, want %+v", ann.Day, want)
	}
	days := f.view().QueueDays(1)
	if len(days) != 1 || days[0].Offered != 1 || days[0].Answered != 1 || days[0].AnsweredInLevel != 1 || days[0].Abandoned != 0 {
		t.Errorf("%+v", days)
	}
	rec := facts[edgev1.CallRecord](f, "call")
	if len(rec) != 1 || rec[0].GetEndedBy() != "caller" || rec[0].GetNode() != "a" || len(rec[0].GetTalks()) != 1 || rec[0].GetTalks()[0].GetHeldUs() != 30*second ||
		rec[0].GetQueueVisits()[0].GetOutcome() != "answered" || rec[0].GetQueueVisits()[0].GetOffers()[0].GetOutcome() != "accepted" {
		t.Errorf("%v", rec)
	}
	if w := facts[edgev1.WrapUp](f, "wrap_up"); len(w) != 1 || w[0].GetCode() != "sold" || w[0].GetNote() != "again in May" || w[0].GetAutomatic() {
		t.Errorf("%v", w)
	}
	var states []string
	for _, i := range facts[edgev1.AgentInterval](f, "agent_interval") {
		states = append(states, fmt.Sprintf("%s/%s/%d", i.GetState(), i.GetCallId(), (i.GetEndedAt()-i.GetStartedAt())/second))
	}
	want := "[not_ready//0 ready//10 reserved/c1/3 talking/c1/60 held/c1/30 talking/c1/10 wrap_up/c1/5]"
	if got := fmt.Sprint(states); got != want {
		t.Errorf("intervals\n got %s\nwant %s", got, want)
	}
}

func TestOfferThatFails(t *testing.T) {
	for _, x := range []struct {
		outcome string
		state   call.AgentState
		reason  string
		missed  uint32
	}{
		{call.ReasonRejected, call.AgentNotReady, call.ReasonRejected, 1},
		{call.ReasonNoAnswer, call.AgentNotReady, call.ReasonNoAnswer, 1},
		{"agent_lost", call.AgentNotReady, call.ReasonConnectionLost, 0},
		{"call_lost", call.AgentReady, "", 0},
	} {
		f := newFloor(t)
		f.ready("ann", "q")
		idleSince := f.at
		f.pass(1)
		f.queue("c1")
		f.pass(1)
		f.queue("c2")
		f.offer("c1", "ann")
		f.pass(2)
		f.ok(call.OfferEnd{CallID: "c1", AgentID: "ann", Outcome: x.outcome})
		ann := f.agent("ann")
		if ann.State != x.state || ann.Reason != x.reason || ann.Day.Missed != x.missed || ann.CallID != "" {
			t.Errorf("%s: %+v", x.outcome, ann)
		}
		if x.state == call.AgentReady && ann.ReadySince != idleSince {
			t.Errorf("%s: the place among the idle is lost", x.outcome)
		}
		if p := f.view().Position("c1"); p != 1 || f.call("c1").Phase != call.PhaseQueued {
			t.Errorf("%s: the caller is at %d", x.outcome, p)
		}
		f.refused(call.RefusedState, call.Connect{CallID: "c1", AgentID: "ann"})
	}
}

func TestAssignChecksRevisions(t *testing.T) {
	f := newFloor(t)
	f.ready("ann", "q")
	f.queue("c1")
	c, a := f.call("c1"), f.agent("ann")
	ok := call.Assign{CallID: "c1", CallRev: c.Rev, AgentID: "ann", AgentRev: a.Rev, Timeout: second}
	stale := ok
	stale.CallRev--
	f.refused(call.RefusedStale, stale)
	stale = ok
	stale.AgentRev++
	f.refused(call.RefusedStale, stale)
	other := ok
	other.AgentID = "bob"
	f.refused(call.RefusedNotFound, other)
	f.ok(call.SignIn{Session: call.Session{Hash: []byte("x"), AgentID: "eve", Tenant: 2, Expires: second}, Queues: []string{"q"}})
	f.ok(call.AgentStream{AgentID: "eve", Node: "a", On: true})
	f.ok(call.SetAgentState{AgentID: "eve", State: call.AgentReady})
	foreign := ok
	foreign.AgentID, foreign.AgentRev = "eve", f.agent("eve").Rev
	f.refused(call.RefusedState, foreign)
	f.ok(ok)
	f.refused(call.RefusedStale, ok)
}

func TestQueueOrderAndLimits(t *testing.T) {
	f := newFloor(t)
	for i, id := range []string{"c1", "c2", "c3", "c4"} {
		f.start(id)
		f.ok(call.Enqueue{CallID: id, QueueID: "q", Priority: int32(i % 2 * 5)})
		f.pass(1)
	}
	f.start("c5")
	f.refused(call.RefusedLimit, call.Enqueue{CallID: "c5", QueueID: "q", MaxWaiting: 4})
	f.refused(call.RefusedState, call.Enqueue{CallID: "c1", QueueID: "q"})
	f.refused(call.RefusedLimit, call.CallStart{Call: call.Call{ID: "c6", Tenant: 1, Owner: "a"}, MaxCalls: 5})
	f.refused(call.RefusedState, call.CallStart{Call: call.Call{ID: "c5", Tenant: 1, Owner: "a"}})
	v := f.view()
	var got []string
	for c := range v.Queue(1, "q") {
		got = append(got, fmt.Sprint(c.ID, v.Position(c.ID)))
	}
	if fmt.Sprint(got) != "[c21 c42 c13 c34]" || v.Waiting(1, "q") != 4 || v.CallCountOf(1) != 5 {
		t.Errorf("%v", got)
	}
	for range v.Queue(2, "q") {
		t.Error("another tenant's queue is not empty")
	}
}

// A caller the site lost did not hang up: another figure than abandoned, once all
// nodes count it.
func TestLostWhileWaiting(t *testing.T) {
	for _, x := range []struct {
		level           call.Level
		abandoned, lost uint32
	}{{call.CountsLost - 1, 3, 0}, {call.CountsLost, 1, 2}} {
		f := newFloor(t)
		f.ok(call.SetLevel{Level: x.level})
		for id, by := range map[string]string{"c1": "lost", "c2": "caller", "c3": "lost"} {
			f.queue(id)
			f.pass(30)
			if id == "c3" {
				f.ready("ann", "q")
				f.offer(id, "ann")
			}
			f.ok(call.CallEnd{CallID: id, EndedBy: by})
		}
		if d := f.view().QueueDays(1)[0]; d.Offered != 3 || d.Abandoned != x.abandoned || d.Lost != x.lost || d.AbandonedShort != 0 {
			t.Errorf("level %d: %+v", x.level, d)
		}
		for _, r := range facts[edgev1.CallRecord](f, "call") {
			if v := r.GetQueueVisits()[0]; v.GetOutcome() != "abandoned" || v.GetLeftAt() != r.GetEndedAt() {
				t.Errorf("level %d: ended by %s: %v", x.level, r.GetEndedBy(), v)
			}
		}
	}
}

func TestAbandoned(t *testing.T) {
	f := newFloor(t)
	f.queue("c1")
	f.pass(4)
	f.ok(call.CallEnd{CallID: "c1", EndedBy: "caller"})
	f.queue("c2")
	f.pass(30)
	f.ready("ann", "q")
	f.offer("c2", "ann")
	f.ok(call.SetAgentState{AgentID: "ann", State: call.AgentNotReady, Reason: "lunch"})
	f.ok(call.CallEnd{CallID: "c2", EndedBy: "caller"})
	f.queue("c3")
	f.pass(60)
	f.ok(call.Dequeue{CallID: "c3", Outcome: "max_wait"})
	f.ok(call.CallEnd{CallID: "c3", EndedBy: "caller"})
	d := f.view().QueueDays(1)[0]
	if d.Offered != 3 || d.AbandonedShort != 1 || d.Abandoned != 1 || d.Answered != 0 {
		t.Errorf("%+v", d)
	}
	if a := f.agent("ann"); a.State != call.AgentNotReady || a.Reason != "lunch" {
		t.Errorf("what was asked for during the offer is lost: %+v", a)
	}
	recs := facts[edgev1.CallRecord](f, "call")
	if o := recs[1].GetQueueVisits()[0]; o.GetOutcome() != "abandoned" || o.GetOffers()[0].GetOutcome() != "caller_hung_up" {
		t.Errorf("%v", o)
	}
	if o := recs[2].GetQueueVisits()[0]; o.GetOutcome() != "max_wait" {
		t.Errorf("%v", o)
	}
}

func TestDaysBeginAnew(t *testing.T) {
	f := newFloor(t)
	f.queue("c1")
	f.ok(call.CallStart{Call: call.Call{ID: "c2", Tenant: 1, Owner: "a", DayStart: 1_700_006_400 * second}})
	f.ok(call.Enqueue{CallID: "c2", QueueID: "q"})
	f.pass(10)
	f.ok(call.CallEnd{CallID: "c1", EndedBy: "caller"}) // began yesterday, counts where it ends
	d := f.view().QueueDays(1)[0]
	if d.Start != 1_700_006_400*second || d.Offered != 1 || d.Abandoned != 1 {
		t.Errorf("%+v", d)
	}
}

func TestNodeThatDies(t *testing.T) {
	f := newFloor(t)
	f.ready("ann", "q")
	f.queue("c1")
	f.start("c2")
	f.refused(call.RefusedState, call.Moved{CallID: "c1"})
	f.refused(call.RefusedStale, call.NodeDown{Name: "a", Incarnation: "a0"})
	f.ok(call.NodeDown{Name: "a", Incarnation: "a1"})
	f.refused(call.RefusedStale, call.NodeDown{Name: "a", Incarnation: "a1"})
	for _, id := range []string{"c1", "c2"} {
		c := f.call(id)
		if c.Owner != "b" || c.Successor != "c" || len(c.Moves) != 1 || c.Moves[0].From != "a" || c.Moves[0].To != "b" {
			t.Errorf("%+v", c)
		}
	}
	f.ok(call.Moved{CallID: "c1", Gap: 300_000, Dialog: []byte("new")})
	if c := f.call("c1"); c.Moves[0].Gap != 300_000 || string(c.Dialog) != "new" {
		t.Errorf("%+v", c)
	}
	if a := f.agent("ann"); len(a.Streams) != 0 || a.StreamsLost != f.at {
		t.Errorf("%+v", a)
	}
	// Both others die too: the last one's calls stay where they are.
	f.ok(call.NodeDown{Name: "c", Incarnation: "c1"})
	if c := f.call("c1"); c.Owner != "b" || c.Successor != "" {
		t.Errorf("%+v", c)
	}
	f.ok(call.NodeDown{Name: "b", Incarnation: "b1"})
	if c := f.call("c1"); c.Owner != "b" {
		t.Errorf("%+v", c)
	}
	// Calls that were on their way when their owner died are not begun.
	f.refused(call.RefusedState, call.CallStart{Call: call.Call{ID: "c9", Tenant: 1, Owner: "b"}})
	// It comes back alone and restores them; then another comes and may follow.
	f.ok(call.NodeUp{Node: call.NodeInfo{Name: "b", Incarnation: "b2"}})
	f.ok(call.NodeUp{Node: call.NodeInfo{Name: "a", Incarnation: "a2"}})
	if c := f.call("c1"); c.Owner != "b" || c.Successor != "a" || len(c.Moves) != 1 {
		t.Errorf("%+v", c)
	}
	// Calls of a node that died alone go to whoever comes first.
	f.ok(call.NodeDown{Name: "a", Incarnation: "a2"})
	f.ok(call.NodeDown{Name: "b", Incarnation: "b2"})
	f.ok(call.NodeUp{Node: call.NodeInfo{Name: "c", Incarnation: "c2"}})
	if c := f.call("c1"); c.Owner != "c" || len(c.Moves) != 2 || c.Moves[1].From != "b" {
		t.Errorf("%+v", c)
	}
	f.ok(call.NodeUp{Node: call.NodeInfo{Name: "b", Incarnation: "b3"}})
	f.ok(call.NodeDown{Name: "c", Incarnation: "c2"})
	f.ok(call.NodeUp{Node: call.NodeInfo{Name: "a", Incarnation: "a3"}})
	// It restarts so fast that nobody noticed: the successor has the calls.
	f.ok(call.NodeUp{Node: call.NodeInfo{Name: "b", Incarnation: "b4"}})
	if c := f.call("c1"); c.Owner != "a" || c.Successor != "b" || len(c.Moves) != 4 {
		t.Errorf("%+v", c)
	}
}

func TestAgentLease(t *testing.T) {
	f := newFloor(t)
	f.ready("ann", "q")
	f.queue("c1")
	f.offer("c1", "ann")
	f.ok(call.AgentStream{AgentID: "ann", Node: "b", On: true})
	f.ok(call.AgentStream{AgentID: "ann", Node: "a"})
	f.refused(call.RefusedState, call.AgentLost{AgentID: "ann"})
	f.ok(call.AgentStream{AgentID: "ann", Node: "b"})
	f.pass(9)
	f.refused(call.RefusedState, call.AgentLost{AgentID: "ann"})
	f.pass(1)
	f.ok(call.AgentLost{AgentID: "ann"})
	if a := f.agent("ann"); a.State != call.AgentNotReady || a.Reason != call.ReasonConnectionLost {
		t.Errorf("%+v", a)
	}
	if c := f.call("c1"); c.Phase != call.PhaseQueued || c.Visits[0].Offers[0].Outcome != "agent_lost" {
		t.Errorf("%+v", c)
	}
	f.refused(call.RefusedState, call.SetAgentState{AgentID: "ann", State: call.AgentReady})
	f.ok(call.AgentStream{AgentID: "ann", Node: "c", On: true})
	f.ok(call.SetAgentState{AgentID: "ann", State: call.AgentReady})
}

func TestSessions(t *testing.T) {
	f := newFloor(t)
	f.ready("ann", "q")
	f.queue("c1")
	f.offer("c1", "ann")
	f.ok(call.Connect{CallID: "c1", AgentID: "ann"})
	f.ok(call.SignIn{Session: call.Session{Hash: []byte("new"), AgentID: "ann", Tenant: 1, Expires: 3600 * second}})
	v := f.view()
	if _, ok := v.Session([]byte("ann")); ok {
		t.Error("the older session lives on")
	}
	if s, ok := v.Session([]byte("new")); !ok || s.Expires != f.at+3600*second {
		t.Errorf("%+v", s)
	}
	if a := f.agent("ann"); a.State != call.AgentTalking {
		t.Errorf("signing in again ended the conversation: %+v", a)
	}
	f.refused(call.RefusedNotFound, call.SignIn{Session: call.Session{Hash: []byte("z"), AgentID: "ann", Tenant: 2, Expires: second}})
	f.refused(call.RefusedNotFound, call.SignOut{Tenant: 2, AgentID: "ann"})
	f.ok(call.SignOut{Tenant: 1, AgentID: "ann", Reason: "left"})
	if a := f.agent("ann"); a.State != call.AgentTalking || a.Next != call.AgentOffline {
		t.Errorf("%+v", a)
	}
	f.ok(call.CallEnd{CallID: "c1", EndedBy: "caller"})
	if a := f.agent("ann"); a.State != call.AgentOffline || a.Reason != "left" {
		t.Errorf("%+v", a)
	}
	if _, ok := f.view().Session([]byte("new")); ok {
		t.Error("the session lives on")
	}
}

func TestSignOutOfATenant(t *testing.T) {
	f := newFloor(t)
	f.ready("ann", "q")
	f.ready("bob", "q")
	f.queue("c1")
	f.offer("c1", "bob")
	f.ok(call.SignIn{Session: call.Session{Hash: []byte("x"), AgentID: "eve", Tenant: 2, Expires: second}})
	f.ok(call.SignOut{Tenant: 1, Reason: "suspended"})
	if f.agent("ann").State != call.AgentOffline || f.agent("bob").State != call.AgentOffline || f.agent("eve").State == call.AgentOffline {
		t.Error("wrong agents are offline")
	}
	if c := f.call("c1"); c.Phase != call.PhaseQueued {
		t.Errorf("%+v", c)
	}
}

func TestKeysAndInboxAndTickets(t *testing.T) {
	f := newFloor(t)
	first := f.doKey("key", call.CallStart{Call: call.Call{ID: "c1", Tenant: 1, Owner: "a"}})
	again := f.doKey("key", call.CallStart{Call: call.Call{ID: "c2", Tenant: 1, Owner: "a"}})
	if again.Index != first.Index || again.Call == nil || again.Call.ID != "c1" || f.view().CallCount() != 1 {
		t.Errorf("%+v", again)
	}
	ticket := &call.Ticket{Hash: []byte("t"), Tenant: 1, Called: "+4930", Expires: f.at + 60*second}
	f.ok(call.Inbox{Seq: 7, ID: "i7", Ticket: ticket})
	f.refused(call.RefusedStale, call.Inbox{Seq: 7, ID: "i7", Ticket: ticket})
	if res := f.doKey("spend", call.TicketUse{Hash: []byte("t")}); res.Ticket == nil || res.Ticket.Called != "+4930" {
		t.Errorf("%+v", res)
	}
	if res := f.doKey("spend", call.TicketUse{Hash: []byte("t")}); res.Ticket == nil {
		t.Error("asking again with the same key lost the ticket")
	}
	f.refused(call.RefusedNotFound, call.TicketUse{Hash: []byte("t")})
	f.ok(call.Inbox{Seq: 8, Ticket: &call.Ticket{Hash: []byte("u"), Tenant: 1, Expires: f.at + second}})
	f.pass(2)
	f.refused(call.RefusedNotFound, call.TicketUse{Hash: []byte("u")})
	// Applied once, even if what it asks for is refused.
	f.refused(call.RefusedNotFound, call.Inbox{Seq: 9, Agent: &call.SetAgentState{AgentID: "x"}})
	if f.view().InboxSeq() != 9 {
		t.Error("the inbox stays")
	}
}

func TestOutboxIsAcknowledged(t *testing.T) {
	f := newFloor(t)
	for i := range 5 {
		f.ok(call.RecordingClosed{Tenant: 1, ID: fmt.Sprint(i), Body: []byte{byte(i)}})
	}
	f.ok(call.OutboxAck{Tenant: 1, Epoch: 1, HighWater: 2})
	v := f.view()
	list := v.Outbox(1, 0, 0, 2)
	if len(list) != 2 || list[0].GetSeq() != 3 || len(v.Outbox(1, 1, 4, 10)) != 1 || v.OutboxLen(1) != 3 {
		t.Errorf("%v", list)
	}
	if got := v.OutboxTenants(); len(got) != 1 || got[0] != 1 {
		t.Errorf("%v", got)
	}
	// After a recovery a new chain begins; the old one is sent first.
	e, _ := envelope("x", call.RecordingClosed{Tenant: 1, ID: "9"})
	data, _ := encoding.Marshal(batch{At: f.at, Epoch: 2, Commands: []call.Envelope{e}})
	if _, err := f.m.applyBatch(f.m.t.index+1, data); err != nil {
		t.Fatal(err)
	}
	v = f.view()
	if list := v.Outbox(1, 0, 0, 10); len(list) != 3 || list[2].GetEpoch() != 1 {
		t.Errorf("%v", list)
	}
	if list := v.Outbox(1, 1, 5, 10); len(list) != 1 || list[0].GetEpoch() != 2 || list[0].GetSeq() != 1 || len(list[0].GetPrevHash()) != 0 {
		t.Errorf("%v", list)
	}
	f.ok(call.OutboxAck{Tenant: 1, Epoch: 1, HighWater: 5})
	f.ok(call.OutboxAck{Tenant: 1, Epoch: 2, HighWater: 1})
	if got := f.view().OutboxTenants(); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

func TestWrapUpKnowsWhoCalled(t *testing.T) {
	for level, name := range map[call.Level]string{call.KeepsName - 1: "", call.KeepsName: "Maria"} {
		f := newFloor(t)
		f.ok(call.SetLevel{Level: level})
		f.ready("ann", "q")
		f.ok(call.CallStart{Call: call.Call{ID: "c1", Tenant: 1, Owner: "a", CallerName: "Maria", Test: true}})
		f.ok(call.Enqueue{CallID: "c1", QueueID: "q"})
		f.offer("c1", "ann")
		f.ok(call.Connect{CallID: "c1", AgentID: "ann"})
		f.ok(call.CallEnd{CallID: "c1", EndedBy: "agent", WrapUp: 15 * second})
		if last := f.agent("ann").LastCall; last.CallerName != name || last.Test != (name != "") {
			t.Errorf("level %d: %+v", level, last)
		}
	}
}
