package replica

import (
	"fmt"
	"testing"

	"trunkline/edge/call"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

// tick does once what the leader does all the time: whatever is overdue.
func (f *floor) tick(away bool) {
	f.t.Helper()
	v := f.view()
	v.t.deadlines.Scan(func(d deadline) bool {
		if d.at > f.at {
			return false
		}
		if cmd := overdue(v, d, f.at, away); cmd != nil {
			f.ok(cmd)
		}
		return true
	})
}

func (f *floor) signIn(id string, life int64) {
	f.t.Helper()
	f.ok(call.SignIn{Session: call.Session{Hash: []byte(id), AgentID: id, Tenant: 1, Expires: life}, Queues: []string{"q"}})
	f.ok(call.AgentStream{AgentID: id, Node: "a", On: true})
	f.ok(call.AgentStream{AgentID: id, Node: "b", On: true})
	f.ok(call.SetAgentState{AgentID: id, State: call.AgentReady})
}

// An agent who works for thirty minutes without the cloud: a call each minute,
// a node that dies and comes back, and a session whose twelve hours end on the way.
func TestThirtyMinutesWithoutTheCloud(t *testing.T) {
	f := newFloor(t)
	f.signIn("ann", 10*60*second)
	for minute := range 30 {
		id := fmt.Sprint("c", minute)
		if minute == 15 {
			f.ok(call.NodeDown{Name: "a", Incarnation: "a1"})
		}
		if minute == 16 {
			f.ok(call.NodeUp{Node: call.NodeInfo{Name: "a", Incarnation: "a2"}})
			f.ok(call.AgentStream{AgentID: "ann", Node: "a", On: true})
		}
		f.ok(call.CallStart{Call: call.Call{ID: id, Tenant: 1, Owner: "b", Caller: "+49301"}})
		f.ok(call.Enqueue{CallID: id, QueueID: "q"})
		f.offer(id, "ann")
		f.tick(true)
		f.ok(call.Connect{CallID: id, AgentID: "ann"})
		for range 40 {
			f.pass(1)
			f.tick(true)
		}
		f.ok(call.CallEnd{CallID: id, EndedBy: "caller", WrapUp: 15 * second})
		for range 20 {
			f.pass(1)
			f.tick(true)
		}
		if a := f.agent("ann"); a.State != call.AgentReady {
			t.Fatalf("minute %d: %+v", minute, a)
		}
		s, ok := f.view().Session([]byte("ann"))
		if !ok || s.Over(f.at) {
			t.Fatalf("minute %d: the session is over", minute)
		}
	}
	seen := map[string]bool{}
	for _, rec := range facts[edgev1.CallRecord](f, "call") {
		seen[rec.GetCallId()] = true
	}
	if len(seen) != 30 || len(facts[edgev1.CallRecord](f, "call")) != 30 || len(facts[edgev1.WrapUp](f, "wrap_up")) != 30 {
		t.Errorf("%d calls, %d wrap-ups", len(seen), len(facts[edgev1.WrapUp](f, "wrap_up")))
	}
	// Now that one can sign in again, twelve hours are twelve hours.
	f.tick(false)
	if a := f.agent("ann"); a.State != call.AgentOffline || a.Reason != "session_expired" {
		t.Errorf("%+v", a)
	}
	if _, ok := f.view().Session([]byte("ann")); ok {
		t.Error("the session lives on")
	}
}

func TestSessionEndsAfterTheCall(t *testing.T) {
	f := newFloor(t)
	f.signIn("ann", 60*second)
	f.queue("c1")
	f.offer("c1", "ann")
	f.ok(call.Connect{CallID: "c1", AgentID: "ann"})
	f.pass(3600)
	f.tick(false)
	if a := f.agent("ann"); a.State != call.AgentTalking || a.Next == call.AgentOffline {
		t.Errorf("%+v", a)
	}
	f.ok(call.CallEnd{CallID: "c1", EndedBy: "caller", WrapUp: 15 * second})
	f.tick(false)
	if a := f.agent("ann"); a.State != call.AgentWrapUp {
		t.Errorf("%+v", a)
	}
	f.pass(15)
	f.tick(false) // ends the wrap-up
	f.tick(false)
	if a := f.agent("ann"); a.State != call.AgentOffline {
		t.Errorf("%+v", a)
	}
}

// No session is endless, whatever becomes of the cloud.
func TestSessionGraceIsNotEndless(t *testing.T) {
	f := newFloor(t)
	f.signIn("ann", 60*second)
	f.at += 60*second + call.SessionGrace - 1
	f.tick(true)
	if s, ok := f.view().Session([]byte("ann")); !ok || s.Over(f.at) {
		t.Error("ended too early")
	}
	f.pass(1)
	f.tick(true)
	if a := f.agent("ann"); a.State != call.AgentOffline {
		t.Errorf("%+v", a)
	}
}

// Who is signed out by others in a call keeps the means to end it, and no more.
func TestSignedOutInACall(t *testing.T) {
	for _, held := range []bool{false, true} {
		f := newFloor(t)
		f.ok(call.SetLevel{Level: call.KeepsCall})
		f.ready("ann", "q")
		f.queue("c1")
		f.offer("c1", "ann")
		f.ok(call.Connect{CallID: "c1", AgentID: "ann"})
		if held {
			f.ok(call.Hold{CallID: "c1", On: true})
		}
		for range 2 { // the leader says it again with each change of the configuration
			f.ok(call.SignOut{Tenant: 1, Reason: "suspended"})
		}
		if _, ok := f.view().Session([]byte("ann")); !ok {
			t.Fatal("the agent can not even hang up")
		}
		f.refused(call.RefusedState, call.SetAgentState{AgentID: "ann", State: call.AgentReady})
		f.refused(call.RefusedState, call.SetAgentState{AgentID: "ann", State: call.AgentNotReady})
		f.ok(call.CallEnd{CallID: "c1", EndedBy: "agent", WrapUp: 15 * second})
		if a := f.agent("ann"); a.State != call.AgentOffline || a.Reason != "suspended" {
			t.Errorf("%+v", a)
		}
		if _, ok := f.view().Session([]byte("ann")); ok {
			t.Error("the session lives on after the call")
		}
	}
}

// The agent's own sign-out is meant as it is said, and a site of older nodes
// does as it always did.
func TestSignedOutAtOnce(t *testing.T) {
	for name, f := range map[string]struct {
		level  call.Level
		reason string
	}{"own wish": {call.KeepsCall, ""}, "older nodes": {call.KeepsCall - 1, "suspended"}} {
		t.Run(name, func(t *testing.T) {
			fl := newFloor(t)
			fl.ok(call.SetLevel{Level: f.level})
			fl.ready("ann", "q")
			fl.queue("c1")
			fl.offer("c1", "ann")
			fl.ok(call.Connect{CallID: "c1", AgentID: "ann"})
			fl.ok(call.SignOut{Tenant: 1, AgentID: "ann", Reason: f.reason})
			if _, ok := fl.view().Session([]byte("ann")); ok {
				t.Error("the session lives on")
			}
		})
	}
}

// Who was out of sight in a call and is back before its end works on after it;
// who wanted a rest has it.
func TestBackBeforeTheCallIsOver(t *testing.T) {
	for _, c := range []struct {
		name   string
		level  call.Level
		wish   string // a rest asked for during the call
		back   bool
		state  call.AgentState
		reason string
	}{
		{"back", call.KeepsCall, "", true, call.AgentReady, ""},
		{"not back", call.KeepsCall, "", false, call.AgentNotReady, call.ReasonConnectionLost},
		{"wants a rest", call.KeepsCall, "lunch", true, call.AgentNotReady, "lunch"},
		{"older nodes", call.KeepsCall - 1, "", true, call.AgentNotReady, call.ReasonConnectionLost},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFloor(t)
			f.ok(call.SetLevel{Level: c.level})
			f.ready("ann", "q")
			f.queue("c1")
			f.offer("c1", "ann")
			f.ok(call.Connect{CallID: "c1", AgentID: "ann"})
			if c.wish != "" {
				f.ok(call.SetAgentState{AgentID: "ann", State: call.AgentNotReady, Reason: c.wish})
			}
			f.ok(call.AgentStream{AgentID: "ann", Node: "a"})
			f.pass(11)
			f.tick(false)
			if c.back {
				f.ok(call.AgentStream{AgentID: "ann", Node: "b", On: true})
			}
			f.ok(call.CallEnd{CallID: "c1", EndedBy: "caller", WrapUp: second})
			f.pass(1)
			f.tick(false)
			if a := f.agent("ann"); a.State != c.state || a.Reason != c.reason {
				t.Errorf("%+v", a)
			}
		})
	}
}
