package softphone

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"trunkline/edge/call"
	"trunkline/internal/fault"
	"trunkline/internal/grant"
	"trunkline/internal/rpcx"
	agentv1 "trunkline/proto/gen/trunkline/agent/v1"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

var discard = slog.New(slog.DiscardHandler)

// fakeSite is a site with agents and nothing else. Like the replica it answers
// a key that comes a second time with the first answer.
type fakeSite struct {
	Site
	mu       sync.Mutex
	agents   map[string]call.Agent
	answers  map[string]call.Result
	commands []call.Command
	slow     time.Duration // of the next commit
	fail     int           // commits that fail before one succeeds
	changed  func(agentID string)
	relays   map[string][]*agentv1.IceServer
}

func newFakeSite(agents ...call.Agent) *fakeSite {
	f := &fakeSite{agents: map[string]call.Agent{}, answers: map[string]call.Result{}, changed: func(string) {}}
	for _, a := range agents {
		f.agents[a.ID] = a
	}
	return f
}

func (f *fakeSite) Name() string         { return "node-1" }
func (f *fakeSite) Now() int64           { return 1 }
func (f *fakeSite) DayStart(int64) int64 { return 0 }

func (f *fakeSite) Session(hash []byte) (call.Session, bool) {
	a, ok := f.Agent(string(hash))
	return call.Session{Hash: hash, AgentID: a.ID, Tenant: a.Tenant}, ok
}

func (f *fakeSite) Agent(id string) (call.Agent, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	a, ok := f.agents[id]
	return a, ok
}

func (f *fakeSite) ApplyTogether(ctx context.Context, key string, cmds ...call.Command) ([]call.Result, error) {
	var results []call.Result
	for i, cmd := range cmds {
		res, err := f.Apply(ctx, fmt.Sprintf("%s/%d", key, i), cmd)
		if err != nil {
			return nil, err
		}
		results = append(results, res)
	}
	return results, nil
}

func (f *fakeSite) Apply(_ context.Context, key string, cmd call.Command) (call.Result, error) {
	f.mu.Lock()
	wait := f.slow
	f.slow = 0
	f.mu.Unlock()
	time.Sleep(wait) // of a bubble's clock
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail > 0 {
		f.fail--
		return call.Result{}, errors.New("no leader")
	}
	if res, ok := f.answers[key]; ok {
		return res, nil
	}
	f.commands = append(f.commands, cmd)
	res := call.Result{}
	switch c := cmd.(type) {
	case call.AgentStream:
		f.stream(c.AgentID, c.Node, c.On)
	case call.SetAgentState:
		a := f.agents[c.AgentID]
		a.State, a.Reason = c.State, c.Reason
		f.agents[c.AgentID] = a
		res.Agent = &a
	case call.TicketUse:
		res.Refused = call.RefusedNotFound
	}
	f.answers[key] = res
	return res, nil
}

// stream is called with mu held.
func (f *fakeSite) stream(agent, node string, on bool) {
	a := f.agents[agent]
	a.Streams = slices.DeleteFunc(slices.Clone(a.Streams), func(n string) bool { return n == node })
	if on {
		a.Streams = append(a.Streams, node)
	}
	f.agents[agent] = a
	go f.changed(agent)
}

func (f *fakeSite) holds(agent string) bool {
	a, _ := f.Agent(agent)
	return slices.Contains(a.Streams, "node-1")
}

func as(ctx context.Context, agent string) context.Context {
	return rpcx.WithCaller(ctx, rpcx.Caller{Claims: grant.Claims{Membership: agent, Session: agent}})
}

// An agent who sends another's key gets an answer of their own, and cannot
// spend the key the leader or another agent is about to use.
func TestAnIdempotencyKeyIsItsAgentsOwn(t *testing.T) {
	site := newFakeSite(call.Agent{ID: "mine", Tenant: 1}, call.Agent{ID: "theirs", Tenant: 2})
	s := NewService(site, nil, nil, nil)
	req := func(reason string) *agentv1.SetStateRequest {
		return &agentv1.SetStateRequest{State: agentv1.AgentState_AGENT_STATE_NOT_READY, Reason: reason, IdempotencyKey: "k"}
	}
	if _, err := s.SetState(as(t.Context(), "theirs"), req("lunch")); err != nil {
		t.Fatal(err)
	}
	got, err := s.SetState(as(t.Context(), "mine"), req("meeting"))
	if err != nil || got.GetId() != "mine" || got.GetReason() != "meeting" {
		t.Errorf("%v, %v: the answer to another tenant's agent", got, err)
	}
	if _, err := s.SetState(as(t.Context(), "mine"), req("lunch")); err != nil {
		t.Fatal(err)
	}
	if a, _ := site.Agent("mine"); a.Reason != "meeting" {
		t.Errorf("sent again, it was applied again: %+v", a)
	}
	for key := range site.answers {
		if key == "k" {
			t.Error("the key of a browser stands in the log as it is")
		}
	}
}

// A reload ends one stream and begins another; whichever commit is slower, the
// replica ends up with what is true.
func TestAReloadKeepsTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		site := newFakeSite(call.Agent{ID: "a", Tenant: 1})
		s := NewService(site, nil, nil, discard)
		first, second := &deskStream{}, &deskStream{}
		s.begin("a", first)
		site.mu.Lock()
		site.slow = 2 * time.Second
		site.mu.Unlock()
		go s.end("a", first)
		synctest.Wait() // the end is being committed
		s.begin("a", second)
		synctest.Wait()
		time.Sleep(10 * time.Second)
		if !site.holds("a") {
			t.Error("the agent has a stream here and the site does not know")
		}
		s.end("a", second)
		time.Sleep(10 * time.Second)
		if site.holds("a") {
			t.Error("the agent has no stream here and the site says so")
		}
	})
}

// A node that was taken for dead and lives gets its agents' leases back.
func TestALeaseTheSiteDroppedIsTakenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		site := newFakeSite(call.Agent{ID: "a", Tenant: 1}, call.Agent{ID: "gone", Tenant: 1})
		s := NewService(site, nil, nil, discard)
		site.changed = s.AgentChanged
		s.begin("a", &deskStream{changed: make(chan struct{}, 1)})
		synctest.Wait()
		site.mu.Lock()
		site.stream("a", "node-1", false)   // NodeDown
		site.stream("gone", "node-1", true) // a late commit of a stream that ended
		site.mu.Unlock()
		time.Sleep(time.Second)
		if !site.holds("a") {
			t.Error("the agent would be called lost with an open desktop")
		}
		if site.holds("gone") {
			t.Error("an agent without a desktop would be offered calls")
		}
	})
}

// Without a leader a lease is tried again, not forgotten.
func TestALeaseOutlivesAnElection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		site := newFakeSite(call.Agent{ID: "a", Tenant: 1})
		site.fail = 3
		s := NewService(site, nil, nil, discard)
		go s.begin("a", &deskStream{})
		time.Sleep(time.Minute)
		if !site.holds("a") {
			t.Error("the lease was given up")
		}
	})
}

// Anybody may ask: what is not a ticket must cost no entry in the log.
func TestAWrongTicketIsNotCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		site := newFakeSite()
		s := Callers{NewService(site, nil, nil, discard)}
		_, err := s.Dial(t.Context(), &agentv1.DialRequest{Ticket: "guess"})
		if f := fault.Of(err); f == nil || f.Key != "fault.ticket.spent" {
			t.Errorf("%v", err)
		}
		if len(site.commands) != 0 {
			t.Errorf("%d commands in the log", len(site.commands))
		}
	})
}

func (f *fakeSite) Ticket(hash []byte) bool {
	good := sha256.Sum256([]byte("good"))
	return string(hash) == string(good[:])
}

func (f *fakeSite) Call(string) (call.Call, bool) { return call.Call{}, false }

// A stream for a call that never was ends by itself.
func TestWatchingNothingEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := Callers{NewService(newFakeSite(), nil, nil, discard)}
		done := make(chan error, 1)
		go func() { done <- s.Watch(t.Context(), &agentv1.WatchRequest{CallId: "none"}, nil) }()
		time.Sleep(time.Minute)
		select {
		case err := <-done:
			if f := fault.Of(err); f == nil || f.Kind != fault.NotFound {
				t.Errorf("%v", err)
			}
		default:
			t.Error("it waits for ever")
			t.FailNow()
		}
	})
}

func (f *fakeSite) ICEServers(agentID string) []*agentv1.IceServer {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.relays[agentID]
}

func (f *fakeSite) Epoch() uint64 { return 1 }

// A desktop hears of its relays when they are others than before, and only then:
// credentials are renewed, and left out when they cannot be.
func TestRelaysAreSentWhenTheyChange(t *testing.T) {
	relay := func(user string) []*agentv1.IceServer {
		return []*agentv1.IceServer{{Urls: []string{"turn:192.0.2.1:3478"}, Username: user, Credential: "c"}}
	}
	site := newFakeSite(call.Agent{ID: "a", Tenant: 1})
	var sent []string
	d := newDeskStream(site, call.Session{AgentID: "a", Tenant: 1}, func(ev *agentv1.AgentEvent) error {
		user := "none"
		for _, s := range ev.GetIceServers().GetServers() {
			user = s.GetUsername()
		}
		sent = append(sent, user)
		return nil
	})
	d.relays = d.iceServers() // as the snapshot told them
	for _, now := range [][]*agentv1.IceServer{nil, relay("first"), relay("first"), relay("second"), nil, nil} {
		site.relays = map[string][]*agentv1.IceServer{"a": now, "b": relay("another's")}
		if err := d.ways(); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(sent, []string{"first", "second", "none"}) {
		t.Errorf("%v", sent)
	}
}

// endedSite has none of its agents' sessions any more.
type endedSite struct {
	*fakeSite
	suspended bool
}

func (s endedSite) Session([]byte) (call.Session, bool) { return call.Session{}, false }
func (s endedSite) Suspended(int64) bool                { return s.suspended }

// The reason for a session's end is the one that ended it, also at a node that
// hears of the suspension later than the leader.
func TestSignedOutReason(t *testing.T) {
	for _, c := range []struct {
		name  string
		agent call.Agent
		known bool
		want  string
	}{
		{"removed", call.Agent{State: call.AgentOffline, Reason: call.ReasonRevoked}, false, "revoked"},
		{"suspended", call.Agent{State: call.AgentOffline, Reason: call.ReasonSuspended}, true, "suspended"},
		{"suspended, not known here yet", call.Agent{State: call.AgentOffline, Reason: call.ReasonSuspended}, false, "suspended"},
		{"suspended in a call", call.Agent{State: call.AgentTalking, Next: call.AgentOffline, NextReason: call.ReasonSuspended}, false, "suspended"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.agent.ID = "ada"
			d := newDeskStream(endedSite{newFakeSite(c.agent), c.known}, call.Session{AgentID: "ada", Expires: 2}, nil)
			if got := d.signedOut(); got != c.want {
				t.Errorf("signed out as %q, want %q", got, c.want)
			}
		})
	}
}

// cloudless is a site whose cloud is away, as far as a desktop's stream asks.
type cloudless struct {
	*fakeSite
	began time.Time
	ends  time.Duration // when the session's twelve hours are over
	over  atomic.Bool   // the leader has ended it
}

func (c *cloudless) Now() int64 { return time.Since(c.began).Microseconds() }

func (c *cloudless) Session(hash []byte) (call.Session, bool) {
	return call.Session{Hash: hash, AgentID: string(hash), Tenant: 1, Expires: c.ends.Microseconds()}, !c.over.Load()
}

func (c *cloudless) Config(int64) *edgev1.TenantConfig             { return nil }
func (c *cloudless) Nodes() []call.NodeInfo                        { return nil }
func (c *cloudless) Waiting(int64, string) (int, int64)            { return 0, 0 }
func (c *cloudless) CloudLink(int64) (bool, int64, uint64)         { return false, 0, 0 }
func (c *cloudless) Suspended(int64) bool                          { return false }
func (c *cloudless) ICEServers(string) []*agentv1.IceServer        { return nil }
func (c *cloudless) VerifyGrant(string) (cl grant.Claims, _ error) { return cl, grant.ErrExpired }

// A desktop's stream and its commands go on for thirty minutes without the cloud,
// long after every token of the cloud's has ended and over the session's own end.
func TestThirtyMinutesWithoutTheCloud(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		site := &cloudless{fakeSite: newFakeSite(call.Agent{ID: "a", Tenant: 1}), began: time.Now(), ends: 10 * time.Minute}
		s := NewService(site, nil, nil, discard)
		var beats, ended int
		d := newDeskStream(site, call.Session{Hash: []byte("a"), AgentID: "a", Tenant: 1, Expires: site.ends.Microseconds()},
			func(ev *agentv1.AgentEvent) error {
				switch ev.GetBody().(type) {
				case *agentv1.AgentEvent_Heartbeat:
					beats++
				case *agentv1.AgentEvent_SignedOut:
					ended++
					if r := ev.GetSignedOut().GetReason(); r != "expired" {
						t.Errorf("ended as %q", r)
					}
				}
				return nil
			})
		s.begin("a", d)
		done := make(chan error, 1)
		go func() { done <- d.run(t.Context()) }()
		bearer := http.Header{"Authorization": {"Bearer a"}}
		for minute := range 30 {
			time.Sleep(time.Minute)
			who, err := s.Authenticate(t.Context(), bearer, nil)
			if err != nil || who.Claims.Tenant != 1 {
				t.Fatalf("minute %d: %v", minute, err)
			}
			if _, err := s.SetState(as(t.Context(), "a"), &agentv1.SetStateRequest{State: agentv1.AgentState_AGENT_STATE_READY}); err != nil {
				t.Fatalf("minute %d: %v", minute, err)
			}
		}
		synctest.Wait()
		if ended != 0 || beats < 30*60-1 || !site.holds("a") {
			t.Errorf("%d beats, signed out %d times, lease %v", beats, ended, site.holds("a"))
		}
		site.over.Store(true) // the cloud is back, and the leader sees to what is over
		if err := <-done; err != nil || ended != 1 {
			t.Errorf("%v, signed out %d times", err, ended)
		}
		s.end("a", d)
	})
}
