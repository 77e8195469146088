package replica

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"trunkline/edge/acd"
	"trunkline/edge/call"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"

	"google.golang.org/protobuf/proto"
)

// author writes a random but plausible log: it looks at the state to name rows
// that exist, most of the time.
type author struct {
	rng   *rand.Rand
	m     *machine
	at    int64
	calls int
	keys  []string
	inbox uint64
	nodes map[string]int
}

func (w *author) pick(list []string) string {
	if len(list) == 0 || w.rng.IntN(20) == 0 {
		return "nobody"
	}
	return list[w.rng.IntN(len(list))]
}

func (w *author) callIDs(want ...call.Phase) []string {
	var out []string
	w.m.t.calls.Scan(func(c *call.Call) bool {
		for _, p := range want {
			if c.Phase == p {
				out = append(out, c.ID)
			}
		}
		if len(want) == 0 {
			out = append(out, c.ID)
		}
		return true
	})
	return out
}

const (
	testTenants = 3
	testAgents  = 12
	testQueues  = 3
)

func (w *author) agentID() string { return fmt.Sprintf("agent-%02d", w.rng.IntN(testAgents)) }

func tenantOf(agent string) int64 { return int64(agent[len(agent)-1]-'0')%testTenants + 1 }

func (w *author) queueID() string { return fmt.Sprintf("queue-%d", w.rng.IntN(testQueues)) }

func (w *author) nodeName() string { return fmt.Sprintf("node-%d", 1+w.rng.IntN(3)) }

func (w *author) command() call.Command {
	switch w.rng.IntN(42) {
	case 0, 1, 2, 3, 4:
		w.calls++
		return call.CallStart{
			Call: call.Call{
				ID: fmt.Sprintf("call-%06d", w.calls), Tenant: 1 + int64(w.rng.IntN(testTenants)), Kind: call.KindTrunk, Owner: w.nodeName(),
				Caller: "+4930\xff1234", SIPCallID: fmt.Sprint("sip-", w.rng.IntN(50)), DayStart: w.at - w.at%86_400_000_000,
				ServiceLevel: 20_000_000, ShortAbandon: 5_000_000,
			},
			MaxCalls: uint32(w.rng.IntN(3) * 20),
		}
	case 5:
		return call.FlowStep{CallID: w.pick(w.callIDs()), FlowState: []byte{byte(w.rng.IntN(256))}, Choice: &call.MenuChoice{NodeID: "menu", Digit: "1"}}
	case 6, 7, 8, 9:
		return call.Enqueue{CallID: w.pick(w.callIDs(call.PhaseFlow)), QueueID: w.queueID(), Priority: int32(w.rng.IntN(3) - 1), MaxWaiting: uint32(w.rng.IntN(2) * 15)}
	case 10:
		return call.Dequeue{CallID: w.pick(w.callIDs(call.PhaseQueued, call.PhaseOffered)), Outcome: "max_wait"}
	case 11:
		id := w.pick(w.callIDs(call.PhaseOffered))
		c, _ := w.m.call(id)
		outcome := []string{call.ReasonRejected, call.ReasonNoAnswer, "agent_lost", "call_lost"}[w.rng.IntN(4)]
		return call.OfferEnd{CallID: id, AgentID: agentOf(c), Outcome: outcome}
	case 12, 13, 14:
		id := w.pick(w.callIDs(call.PhaseOffered))
		c, _ := w.m.call(id)
		return call.Connect{CallID: id, AgentID: agentOf(c)}
	case 15:
		return call.Hold{CallID: w.pick(w.callIDs(call.PhaseTalking)), On: w.rng.IntN(2) == 0}
	case 16:
		return call.Dialog{CallID: w.pick(w.callIDs()), Dialog: []byte("dialog"), Outside: w.rng.IntN(4) == 0}
	case 17, 18, 19:
		by := []string{"caller", "agent", "flow", "lost", "max_wait"}[w.rng.IntN(5)]
		return call.CallEnd{CallID: w.pick(w.callIDs()), EndedBy: by, WrapUp: int64(w.rng.IntN(3)) * 10_000_000}
	case 30, 31, 34, 35:
		id := w.pick(w.callIDs(call.PhaseTalking))
		c, _ := w.m.call(id)
		x := call.TransferCall{CallID: id, By: agentOf(c), Timeout: 15_000_000, WrapUp: int64(w.rng.IntN(2)) * 10_000_000}
		switch w.rng.IntN(4) {
		case 0:
			x.QueueID, x.MaxWaiting = w.queueID(), uint32(w.rng.IntN(2)*15)
		case 1:
			x.Number, x.MaxOutside = "+4930555", uint32(w.rng.IntN(3))
		default:
			x.AgentID = w.colleague(c)
		}
		return x
	case 32:
		return call.OutsideAnswered{CallID: w.pick(w.callIDs(call.PhaseOutside)), Dialog: []byte("there")}
	case 33:
		return call.OutsideEnd{CallID: w.pick(w.callIDs(call.PhaseOutside)), Outcome: []string{"busy", "no_answer", "call_lost"}[w.rng.IntN(3)]}
	case 36, 37:
		id := w.pick(w.callIDs(call.PhaseTalking))
		c, _ := w.m.call(id)
		return call.ConsultCall{CallID: id, By: agentOf(c), AgentID: w.colleague(c), Timeout: 15_000_000}
	case 38, 39, 40, 41:
		return w.aboutConsult()
	case 20:
		return call.Segment{CallID: w.pick(w.callIDs())}
	case 21:
		id := w.agentID()
		hash := make([]byte, 8)
		for i := range hash {
			hash[i] = byte(w.rng.IntN(256))
		}
		return call.SignIn{
			Session: call.Session{Hash: hash, AgentID: id, Tenant: tenantOf(id), Name: id, Expires: int64(w.rng.IntN(600)+1) * 1_000_000},
			Queues:  []string{"queue-2", "queue-0", w.queueID()}, DayStart: w.at - w.at%86_400_000_000,
		}
	case 22:
		id := w.agentID()
		if w.rng.IntN(10) == 0 {
			return call.SignOut{Tenant: tenantOf(id), Reason: "suspended"}
		}
		return call.SignOut{Tenant: tenantOf(id), AgentID: id}
	case 23, 24:
		id := w.agentID()
		if w.rng.IntN(4) == 0 {
			return call.SetAgentState{AgentID: id, State: call.AgentNotReady, Reason: "lunch", Queues: []string{w.queueID()}}
		}
		return call.SetAgentState{AgentID: id, State: call.AgentReady}
	case 25, 26:
		return call.AgentStream{AgentID: w.agentID(), Node: w.nodeName(), On: w.rng.IntN(4) > 0}
	case 27:
		return call.AgentLost{AgentID: w.agentID()}
	case 28:
		a, ok := w.m.agent(w.agentID())
		if !ok || a.LastCall == nil {
			return call.WrapUpSave{AgentID: "nobody", CallID: "none"}
		}
		if w.rng.IntN(3) == 0 {
			return call.WrapUpSave{AgentID: a.ID, CallID: a.LastCall.ID, Code: "sold", Note: "note"}
		}
		return call.WrapUpEnd{AgentID: a.ID, CallID: a.LastCall.ID, DayStart: w.at - w.at%86_400_000_000}
	}
	return w.rare()
}

// colleague is somebody of the call's tenant, as a rule one who can be rung.
func (w *author) colleague(c *call.Call) string {
	id := w.agentID()
	for range 6 * testAgents {
		if g, ok := w.m.agent(id); ok && c != nil && g.Tenant == c.Tenant && g.Ringable() {
			break
		}
		id = w.agentID()
	}
	return id
}

// aboutConsult does something with a call whose agent asks a colleague.
func (w *author) aboutConsult() call.Command {
	var c *call.Call
	for _, id := range w.callIDs(call.PhaseTalking) {
		if row, _ := w.m.call(id); row.Consult != nil && (c == nil || w.rng.IntN(2) == 0) {
			c = row
		}
	}
	if c == nil {
		return call.ConsultEnd{CallID: "none"}
	}
	switch w.rng.IntN(6) {
	case 0, 1:
		return call.ConsultJoin{CallID: c.ID, AgentID: c.Consulted()}
	case 2:
		return call.TransferCall{CallID: c.ID, By: c.AgentID, AgentID: c.Consulted(), Timeout: 15_000_000}
	case 3:
		return call.ConsultEnd{CallID: c.ID, By: c.AgentID, Outcome: "cancelled"}
	case 4:
		return call.Hold{CallID: c.ID, On: !c.Held}
	}
	outcome := []string{call.ReasonRejected, call.ReasonNoAnswer, "left", "call_lost"}[w.rng.IntN(4)]
	return call.ConsultEnd{CallID: c.ID, AgentID: c.Consulted(), Outcome: outcome}
}

func agentOf(c *call.Call) string {
	if c == nil {
		return "nobody"
	}
	return c.AgentID
}

func (w *author) rare() call.Command {
	switch w.rng.IntN(7) {
	case 0:
		name := w.nodeName()
		if w.rng.IntN(2) == 0 {
			w.nodes[name]++
		}
		return call.NodeUp{Node: call.NodeInfo{Name: name, Incarnation: fmt.Sprint(name, "/", w.nodes[name]), NodeAddr: "127.0.0.1:1"}}
	case 1:
		name := w.nodeName()
		return call.NodeDown{Name: name, Incarnation: fmt.Sprint(name, "/", w.nodes[name])}
	case 2:
		return call.Moved{CallID: w.pick(w.callIDs()), Gap: 1234}
	case 3:
		site, _ := proto.Marshal(&edgev1.SiteConfig{SiteName: fmt.Sprint("v", w.at)})
		return call.Config{Site: site}
	case 4:
		tenant := 1 + int64(w.rng.IntN(testTenants))
		h, ok := w.m.t.heads.Get(&head{Tenant: tenant})
		if !ok {
			return call.OutboxAck{Tenant: tenant}
		}
		return call.OutboxAck{Tenant: tenant, Epoch: h.Epoch, HighWater: h.Acked + uint64(w.rng.IntN(int(h.Seq-h.Acked)+1))}
	case 5:
		w.inbox += uint64(w.rng.IntN(2))
		return call.Inbox{Seq: w.inbox, Ticket: &call.Ticket{Hash: []byte{byte(w.rng.IntN(8))}, Tenant: 1, Expires: w.at + int64(w.rng.IntN(60))*1_000_000}}
	default:
		return call.TicketUse{Hash: []byte{byte(w.rng.IntN(8))}}
	}
}

// next writes an entry of one to eight commands; some keys come a second time.
func (w *author) next(t testing.TB, floor *acd.Floor) []byte {
	w.at += int64(w.rng.IntN(3_000_000))
	b := batch{At: w.at, Epoch: 1 + uint64(w.at/3_000_000_000)}
	var cmds []call.Command
	for range 1 + w.rng.IntN(8) {
		cmds = append(cmds, w.command())
	}
	if floor != nil {
		for _, a := range floor.Match() {
			cmds = append(cmds, call.Assign{CallID: a.CallID, CallRev: a.CallRev, AgentID: a.AgentID, AgentRev: a.AgentRev, Timeout: 15_000_000})
			floor.Settle(a)
		}
	}
	for _, cmd := range cmds {
		key := fmt.Sprint("key-", w.rng.Uint64())
		if len(w.keys) > 0 && w.rng.IntN(20) == 0 {
			key = w.keys[w.rng.IntN(len(w.keys))]
		}
		w.keys = append(w.keys, key)
		e, err := envelope(key, cmd)
		if err != nil {
			t.Fatal(err)
		}
		b.Commands = append(b.Commands, e)
	}
	data, err := encoding.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func tellFloor(f *acd.Floor, v *View, c Change) {
	for _, id := range c.Calls {
		if row, ok := v.Call(id); ok {
			f.SetCall(row)
		} else {
			f.DropCall(id)
		}
	}
	for _, id := range c.Agents {
		if row, ok := v.Agent(id); ok {
			f.SetAgent(row)
		}
	}
}

// Two machines fed the same log are equal, also when one of them is written
// down and read again in between; no invariant ever breaks; old views stay.
func TestMachinesFedTheSameLogAreEqual(t *testing.T) {
	seeds := 12
	if testing.Short() {
		seeds = 3
	}
	total := map[call.Phase]int{}
	direct, asked, answered := 0, 0, 0
	for seed := range seeds {
		a, b := newMachine(call.FeatureLevel), newMachine(call.FeatureLevel)
		w := &author{rng: rand.New(rand.NewPCG(uint64(seed), 7)), m: a, at: 1_700_000_000_000_000, nodes: map[string]int{}}
		floor := acd.NewFloor()
		var oldView *View
		var oldHash []byte
		for i := uint64(1); i <= 600; i++ {
			data := w.next(t, floor)
			ra, err := a.applyBatch(i, data)
			if err != nil {
				t.Fatalf("seed %d, entry %d: %v", seed, i, err)
			}
			rb, err := b.applyBatch(i, data)
			if err != nil {
				t.Fatal(err)
			}
			va, _ := encoding.Marshal(ra)
			if vb, _ := encoding.Marshal(rb); !bytes.Equal(va, vb) {
				t.Fatalf("seed %d, entry %d: the results differ", seed, i)
			}
			v := &View{t: a.t.copy()}
			tellFloor(floor, v, a.changed.take(i, a.t.at))
			b.changed.reset()
			if wrong := CheckInvariants(v); len(wrong) > 0 {
				t.Fatalf("seed %d, entry %d: %q", seed, i, wrong)
			}
			for c := range v.Calls() {
				total[c.Phase]++
				if c.Direct {
					direct++
				}
				if c.Consult.Joined() {
					answered++
				} else if c.Consult != nil {
					asked++
				}
			}
			switch w.rng.IntN(40) {
			case 0: // b is restarted from a snapshot
				var buf bytes.Buffer
				if err := b.still().write(&buf); err != nil {
					t.Fatal(err)
				}
				if b, err = restore(&buf, call.FeatureLevel); err != nil {
					t.Fatal(err)
				}
			case 1, 2:
				if ha, hb := a.still().hash(), b.still().hash(); !bytes.Equal(ha, hb) {
					t.Fatalf("seed %d, entry %d: the states differ", seed, i)
				}
			case 3:
				if oldView != nil && !bytes.Equal(oldHash, (&still{t: oldView.t}).hash()) {
					t.Fatalf("seed %d: a view has changed", seed)
				}
				oldView = v
				oldHash = (&still{t: v.t}).hash()
			}
		}
		if !bytes.Equal(a.still().hash(), b.still().hash()) {
			t.Fatalf("seed %d: the states differ at the end", seed)
		}
	}
	for _, p := range []call.Phase{call.PhaseFlow, call.PhaseQueued, call.PhaseOffered, call.PhaseTalking, call.PhaseOutside} {
		if total[p] < 100 {
			t.Errorf("phase %s was seen %d times only: the log is too tame", p, total[p])
		}
	}
	if asked < 20 || answered < 20 {
		t.Errorf("a colleague was asked %d times, answered %d times: the log is too tame", asked, answered)
	}
	if direct < 20 {
		t.Errorf("a colleague was rung %d times only: the log is too tame", direct)
	}
}

func TestUnknownCommandStops(t *testing.T) {
	for _, e := range []call.Envelope{{Key: "k", Type: 9999}, {Key: "k", Type: call.TypeCallEnd, Body: []byte{0xff, 0x00}}} {
		data, _ := encoding.Marshal(batch{At: 1, Commands: []call.Envelope{e}})
		if _, err := newMachine(call.FeatureLevel).applyBatch(1, data); err == nil {
			t.Errorf("type %d was skipped", e.Type)
		}
	}
	if _, err := newMachine(call.FeatureLevel).applyBatch(1, []byte("?")); err == nil {
		t.Error("an entry that is no batch was skipped")
	}
}

// Every type has a decoder and a case in the machine.
func TestEveryTypeIsKnown(t *testing.T) {
	for typ := call.TypeCallStart; typ <= call.TypeConsultEnd; typ++ {
		read, ok := decoders[typ]
		if !ok {
			t.Errorf("type %d has no decoder", typ)
			continue
		}
		cmd, err := read([]byte{0xa0})
		if err != nil || cmd.CommandType() != typ {
			t.Errorf("type %d decodes to %T: %v", typ, cmd, err)
			continue
		}
		if _, err := newMachine(call.FeatureLevel).do(cmd); err != nil {
			t.Errorf("type %d: %v", typ, err)
		}
	}
}
