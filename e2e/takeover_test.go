package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"trunkline/e2e/carrier"
	"trunkline/e2e/harness"
	"trunkline/internal/prompts"
	agentv1 "trunkline/proto/gen/trunkline/agent/v1"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
)

// TestChaosTakeover kills nodes under live calls, the site's leader first, then
// a follower: nobody is cut off, nobody loses the place in the queue, and every
// call is told once.
func TestChaosTakeover(t *testing.T) {
	ctx := testContext(t, 4*time.Minute)
	c, ua := ownCluster(ctx, t, "takeover", 3, "fast")
	tn := newTenant(ctx, t, c)
	eventually(ctx, t, "all nodes vote", func() error { return wholeGroup(ctx, c) })
	var all []caller
	for i, kill := range []string{"leader", "follower"} {
		victim := -1
		eventually(ctx, t, "the site has a leader", func() (err error) {
			victim, err = leaderOf(ctx, c)
			return err
		})
		if kill == "follower" {
			victim = (victim + 1) % len(c.Nodes)
		}
		r := &takeover{tn: tn, ua: ua, victim: victim, round: i, name: kill}
		r.run(ctx, t)
		all = append(all, r.all...)
	}
	for _, got := range all {
		got.record(ctx, t, tn)
	}
	list, err := tn.owner.Calls().ListCalls(ctx, &cloudv1.ListCallsRequest{PageSize: 200, Filter: &cloudv1.CallFilter{
		From: timestamppb.New(time.Now().Add(-time.Hour)), To: timestamppb.New(time.Now().Add(time.Hour)),
	}})
	if err != nil {
		t.Fatal(err)
	}
	if len(list.GetCalls()) != len(all) {
		t.Errorf("%d records of %d calls", len(list.GetCalls()), len(all))
	}
}

// caller is one call of the test, known by its number.
type caller struct {
	*carrier.Call
	number string
	node   int
	moved  bool
}

// takeover is one round: calls everywhere, one node dies.
type takeover struct {
	tn     *tenant
	ua     *carrier.Carrier
	victim int
	round  int
	name   string

	killed         time.Time
	all            []caller
	talking        caller
	queued, inMenu []caller
}

func (r *takeover) run(ctx context.Context, t *testing.T) {
	c := r.tn.c
	alive := (r.victim + 1) % len(c.Nodes)
	talks := r.tn.desk(ctx, t, fmt.Sprintf("talks%d", r.round), alive)
	waits := r.tn.desk(ctx, t, fmt.Sprintf("waits%d", r.round), (r.victim+2)%len(c.Nodes))
	call, leg := r.place(ctx, t, talks, waits)
	defer leg.Close()

	victim := c.Nodes[r.victim]
	heard := map[string]int{}
	for _, m := range r.inMenu {
		heard[m.number] = spoken(m, "greeting") + spoken(m, "main_menu")
	}
	c.Process(victim).Kill()
	r.killed = time.Now()
	r.newCalls(ctx, t)
	r.moved(ctx, t)
	for _, m := range r.inMenu {
		if m.moved {
			eventually(ctx, t, "the menu is spoken again", func() error {
				if n := spoken(m, "greeting") + spoken(m, "main_menu"); n <= heard[m.number] {
					return fmt.Errorf("spoken %d times", n)
				}
				return nil
			})
		}
	}
	r.talkOn(ctx, t, talks, call)
	r.serve(ctx, t, waits)
	r.talking.Hangup(ctx)
	for _, m := range r.all {
		m.Hangup(ctx)
	}
	talks.Close()
	waits.Close()
	if err := c.RunNode(ctx, victim); err != nil {
		t.Fatal(err)
	}
	eventually(ctx, t, "the killed node votes again", func() error { return wholeGroup(ctx, c) })
	again := r.tn.dialFrom(ctx, t, r.ua, r.victim, r.number(90), nil)
	eventually(ctx, t, "the restarted node speaks", func() error { return speaks(again) })
	again.Hangup(ctx)
	r.all = append(r.all, caller{Call: again, number: r.number(90)})
}

func (r *takeover) number(i int) string { return fmt.Sprintf("+4930%d%04d", 700+r.round, i) }

// place puts a talking call at the node that will die, and a caller into the
// queue and into the menu of every node.
func (r *takeover) place(ctx context.Context, t *testing.T, talks, waits *harness.Desk) (*agentv1.Call, *harness.Audio) {
	t.Helper()
	if err := talks.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	r.talking = r.call(ctx, t, r.victim, 1)
	r.talking.Press("1")
	offer, err := talks.WaitCall(ctx, agentv1.CallState_CALL_STATE_OFFERED)
	if err != nil {
		t.Fatal(err)
	}
	leg, err := talks.Answer(ctx, offer, tone(1000))
	if err != nil {
		t.Fatal(err)
	}
	eventually(ctx, t, "the caller hears the agent", func() error { return hears(r.talking.Heard().Audio, 1000) })
	for i := range r.tn.c.Nodes {
		q := r.call(ctx, t, i, 10+i)
		q.Press("1")
		if err := waits.WaitWaiting(ctx, uint32(i+1)); err != nil {
			t.Fatal(err)
		}
		r.queued = append(r.queued, q)
	}
	for i := range r.tn.c.Nodes {
		r.inMenu = append(r.inMenu, r.call(ctx, t, i, 20+i))
	}
	for _, m := range r.inMenu {
		eventually(ctx, t, "the greeting begins", func() error { return speaks(m.Call) })
	}
	return offer, leg
}

func (r *takeover) call(ctx context.Context, t *testing.T, node, n int) caller {
	t.Helper()
	got := caller{
		Call:   r.tn.dialFrom(ctx, t, r.ua, node, r.number(n), tone(400)),
		number: r.number(n), node: node, moved: node == r.victim,
	}
	r.all = append(r.all, got)
	return got
}

// newCallsWithin is when every node that lives takes calls again.
const newCallsWithin = 2 * time.Second

func (r *takeover) newCalls(ctx context.Context, t *testing.T) {
	t.Helper()
	for i := range r.tn.c.Nodes {
		if i == r.victim {
			continue
		}
		n := r.call(ctx, t, i, 30+i)
		took := time.Since(r.killed)
		t.Logf("FIGURE takeover_%s_new_call_ms %d ms", r.name, took.Milliseconds())
		if took > newCallsWithin {
			t.Errorf("node%d answered a new call %s after the kill", i+1, took)
		}
		n.Hangup(ctx)
	}
}

// moved waits until the dead node's calls are elsewhere and sound again.
func (r *takeover) moved(ctx context.Context, t *testing.T) {
	t.Helper()
	for _, got := range r.all {
		if !got.moved {
			continue
		}
		eventually(ctx, t, "the call of "+got.number+" moves", func() error {
			if over(got.Call) {
				t.Fatalf("the call of %s is over", got.number)
			}
			if got.Moves() != 1 || got.Heard().Last.Before(r.killed.Add(100*time.Millisecond)) {
				return fmt.Errorf("%d moves, last heard %s after the kill", got.Moves(), got.Heard().Last.Sub(r.killed))
			}
			return speaks(got.Call)
		})
		gap := got.Heard().MaxGap
		t.Logf("FIGURE takeover_%s_gap_ms %d ms", r.name, gap.Milliseconds())
		if gap > 5*time.Second {
			t.Errorf("%s heard nothing for %s", got.number, gap)
		}
	}
	for _, got := range append(append([]caller{r.talking}, r.queued...), r.inMenu...) {
		if over(got.Call) {
			t.Errorf("the call of %s at node%d is over", got.number, got.node+1)
		}
		if !got.moved && got.Moves() != 0 {
			t.Errorf("the call of %s at node%d moved", got.number, got.node+1)
		}
	}
}

// talkOn: the agent's browser goes after the call, and both go on talking.
func (r *takeover) talkOn(ctx context.Context, t *testing.T, d *harness.Desk, old *agentv1.Call) {
	t.Helper()
	now, err := d.WaitMoved(ctx, old.GetId(), old.GetNodeUrl())
	if err != nil {
		t.Fatal(err)
	}
	leg, err := d.Negotiate(ctx, now, tone(1500))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(leg.Close)
	talk(ctx, t, r.talking.Call, leg, 400, 1500)
}

// serve answers everybody who waits: those of the queue in the order they came.
func (r *takeover) serve(ctx context.Context, t *testing.T, d *harness.Desk) {
	t.Helper()
	if err := d.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	for _, m := range r.inMenu {
		m.Press("1")
	}
	known := map[string]bool{}
	left := map[string]caller{}
	for _, m := range r.inMenu {
		left[m.number] = m
	}
	for i := range len(r.queued) + len(r.inMenu) {
		offer, err := d.WaitOffer(ctx, known)
		if err != nil {
			t.Fatal(err)
		}
		known[offer.GetId()] = true
		who, ok := left[offer.GetCaller()]
		if i < len(r.queued) {
			if who, ok = r.queued[i], true; offer.GetCaller() != who.number {
				t.Fatalf("%s is served as number %d, want %s", offer.GetCaller(), i+1, who.number)
			}
		}
		if !ok {
			t.Fatalf("an offer of %s, who is not waiting", offer.GetCaller())
		}
		delete(left, offer.GetCaller())
		leg, err := d.Answer(ctx, offer, tone(1000))
		if err != nil {
			t.Fatal(err)
		}
		talk(ctx, t, who.Call, leg, 400, 1000)
		finish(ctx, t, d, offer)
		leg.Close()
	}
}

// finish ends a call for the agent, who is ready again.
func finish(ctx context.Context, t *testing.T, d *harness.Desk, c *agentv1.Call) {
	t.Helper()
	if _, err := d.At(c.GetNodeUrl()).Hangup(ctx, harness.Command(c)); err != nil {
		t.Fatal(err)
	}
	wrapUp(ctx, t, d, c)
}

func wrapUp(ctx context.Context, t *testing.T, d *harness.Desk, c *agentv1.Call) {
	t.Helper()
	if err := d.WaitState(ctx, agentv1.AgentState_AGENT_STATE_WRAP_UP); err != nil {
		t.Fatal(err)
	}
	if err := d.FinishWrapUp(ctx, c.GetId(), d.Codes()[0].GetId(), ""); err != nil {
		t.Fatal(err)
	}
}

// talk waits until both hear each other.
func talk(ctx context.Context, t *testing.T, call *carrier.Call, leg *harness.Audio, callerHz, agentHz float64) {
	t.Helper()
	eventually(ctx, t, "the agent hears the caller", func() error { return hears(leg.Heard(), callerHz) })
	eventually(ctx, t, "the caller hears the agent", func() error { return hears(call.Heard().Audio, agentHz) })
}

// record checks what the cloud tells of the call.
func (got caller) record(ctx context.Context, t *testing.T, tn *tenant) {
	t.Helper()
	t.Helper()
	rec := recordOf(ctx, t, tn, got.number)
	moves := 0
	for _, e := range rec.GetEvents() {
		if e.GetKind() == "moved" {
			moves++
		}
	}
	want := 0
	if got.moved {
		want = 1
	}
	if moves != want || rec.GetEndedBy() == "lost" {
		t.Errorf("the record of %s tells %d moves, want %d: %v", got.number, moves, want, rec)
	}
}

// recordsOf are the cloud's records of calls from a number.
func recordsOf(ctx context.Context, tn *tenant, number string) ([]*cloudv1.Call, error) {
	list, err := tn.owner.Calls().ListCalls(ctx, &cloudv1.ListCallsRequest{PageSize: 200, Filter: &cloudv1.CallFilter{
		From: timestamppb.New(time.Now().Add(-time.Hour)), To: timestamppb.New(time.Now().Add(time.Hour)),
		Number: strings.TrimPrefix(number, "+"),
	}})
	return list.GetCalls(), err
}

func over(c *carrier.Call) bool {
	select {
	case <-c.Done():
		return true
	default:
		return false
	}
}

// speaks: sound came within the last moment.
func speaks(c *carrier.Call) error {
	if over(c) {
		return errors.New("the call is over")
	}
	h := c.Heard()
	if h.Packets < 10 || time.Since(h.Last) > 200*time.Millisecond {
		return fmt.Errorf("%d packets, the last %s ago", h.Packets, time.Since(h.Last))
	}
	return nil
}

// spoken counts how often the caller heard the beginning of a prompt.
func spoken(c caller, prompt string) int {
	clip, _ := prompts.Get(prompt, "en")
	const at, long = 4000, 800
	return bytes.Count(c.Heard().Audio, clip[at:at+long])
}

type nodeStatus struct {
	Replica struct {
		State    string
		Voter    bool
		WriteP99 int64 // microseconds
		Peers    []struct{ Up, Voter bool }
	} `json:"replica"`
	Calls int `json:"calls"`
}

func statusOf(ctx context.Context, n *harness.Node) (s nodeStatus, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.Ready.Metrics+"/status", nil)
	if err != nil {
		return s, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return s, err
	}
	defer res.Body.Close()
	return s, json.NewDecoder(res.Body).Decode(&s)
}

// leaderOf is the index of the node that leads.
func leaderOf(ctx context.Context, c *harness.Cluster) (int, error) {
	for i, n := range c.Nodes {
		if s, err := statusOf(ctx, n); err == nil && s.Replica.State == "leader" {
			return i, nil
		}
	}
	return 0, errors.New("nobody leads")
}

// wholeGroup: every node is up and votes.
func wholeGroup(ctx context.Context, c *harness.Cluster) error {
	for _, n := range c.Nodes {
		s, err := statusOf(ctx, n)
		if err != nil {
			return err
		}
		if !s.Replica.Voter || len(s.Replica.Peers) < len(c.Nodes)-1 {
			return fmt.Errorf("%s: %+v", n.Name, s)
		}
		for _, p := range s.Replica.Peers {
			if !p.Up || !p.Voter {
				return fmt.Errorf("%s: %+v", n.Name, s)
			}
		}
	}
	return nil
}

// freeze stops all nodes but the first without ending them; thaw lets them go on.
func freeze(t *testing.T, c *harness.Cluster) {
	t.Helper()
	signalNodes(t, c, syscall.SIGSTOP)
	t.Cleanup(func() { signalNodes(t, c, syscall.SIGCONT) })
}

func thaw(t *testing.T, c *harness.Cluster) {
	t.Helper()
	signalNodes(t, c, syscall.SIGCONT)
}

func signalNodes(t *testing.T, c *harness.Cluster, s syscall.Signal) {
	t.Helper()
	for _, n := range c.Nodes[1:] {
		if err := c.Process(n).Signal(s); err != nil {
			t.Error(err)
		}
	}
}
