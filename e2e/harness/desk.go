package harness

import (
	"context"
	"fmt"
	"net/http"
	"sync"

	"github.com/google/uuid"

	agentv1 "trunkline/proto/gen/trunkline/agent/v1"
	"trunkline/proto/gen/trunkline/agent/v1/agentv1connect"
)

// Desk is an agent's desktop without a browser: the same RPCs and a WebRTC leg.
// Where a person's view matters, tests use Chromium instead.
type Desk struct {
	Person *Person
	rpc    map[string]agentv1connect.AgentServiceClient // by node URL
	home   string
	cancel context.CancelFunc
	ended  chan struct{}

	mu      sync.Mutex
	agent   *agentv1.Agent
	calls   map[string]*agentv1.Call
	stats   *agentv1.Stats
	codes   []*agentv1.WrapUpCode
	queues  *agentv1.Queues
	mode    *agentv1.SiteMode
	left    string // why the site ended the session
	changed chan struct{}
	token   string
}

// sessionBearer adds the site session's token.
type sessionBearer struct{ d *Desk }

func (b sessionBearer) RoundTrip(r *http.Request) (*http.Response, error) {
	b.d.mu.Lock()
	token := b.d.token
	b.d.mu.Unlock()
	if token != "" {
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return http.DefaultTransport.RoundTrip(r)
}

// OpenDesk exchanges the person's token at a node and subscribes to its stream.
func OpenDesk(ctx context.Context, p *Person, nodeURL string) (*Desk, error) {
	d := &Desk{
		Person: p, home: nodeURL, rpc: map[string]agentv1connect.AgentServiceClient{},
		calls: map[string]*agentv1.Call{}, changed: make(chan struct{}), ended: make(chan struct{}),
	}
	res, err := d.At(nodeURL).Exchange(ctx, &agentv1.ExchangeRequest{CloudToken: p.Token})
	if err != nil {
		return nil, fmt.Errorf("exchange at %s: %w", nodeURL, err)
	}
	d.token = res.GetSessionToken()
	streaming, cancel := context.WithCancel(context.WithoutCancel(ctx))
	d.cancel = cancel
	go d.follow(streaming)
	return d, d.Wait(ctx, "the first snapshot", func(d *Desk) bool { return d.agent != nil })
}

// At is the agent service of one node.
func (d *Desk) At(nodeURL string) agentv1connect.AgentServiceClient {
	d.mu.Lock()
	defer d.mu.Unlock()
	c, ok := d.rpc[nodeURL]
	if !ok {
		c = agentv1connect.NewAgentServiceClient(&http.Client{Transport: sessionBearer{d}}, nodeURL)
		d.rpc[nodeURL] = c
	}
	return c
}

// Home is the address of the node whose stream the desktop holds.
func (d *Desk) Home() string { return d.home }

// Close ends the stream.
func (d *Desk) Close() {
	d.cancel()
	<-d.ended
}

func (d *Desk) follow(ctx context.Context) {
	defer close(d.ended)
	stream, err := d.At(d.home).Subscribe(ctx, &agentv1.SubscribeRequest{})
	if err != nil {
		return
	}
	defer stream.Close()
	for stream.Receive() {
		d.take(stream.Msg())
	}
}

func (d *Desk) take(ev *agentv1.AgentEvent) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch b := ev.GetBody().(type) {
	case *agentv1.AgentEvent_Snapshot:
		d.agent, d.stats, d.codes = b.Snapshot.GetAgent(), b.Snapshot.GetStats(), b.Snapshot.GetWrapUpCodes()
		d.queues, d.mode = b.Snapshot.GetQueues(), b.Snapshot.GetSiteMode()
		d.calls = map[string]*agentv1.Call{}
		for _, c := range b.Snapshot.GetCalls() {
			d.calls[c.GetId()] = c
		}
	case *agentv1.AgentEvent_Agent:
		d.agent = b.Agent
	case *agentv1.AgentEvent_Call:
		if b.Call.GetState() == agentv1.CallState_CALL_STATE_ENDED {
			delete(d.calls, b.Call.GetId())
		} else {
			d.calls[b.Call.GetId()] = b.Call
		}
	case *agentv1.AgentEvent_Stats:
		d.stats = b.Stats
	case *agentv1.AgentEvent_Queues:
		d.queues = b.Queues
	case *agentv1.AgentEvent_SiteMode:
		d.mode = b.SiteMode
	case *agentv1.AgentEvent_SignedOut:
		d.left = b.SignedOut.GetReason()
	default:
		return
	}
	close(d.changed)
	d.changed = make(chan struct{})
}

// Wait waits until is holds; what names it in the error. is runs under the lock.
func (d *Desk) Wait(ctx context.Context, what string, is func(*Desk) bool) error {
	for {
		d.mu.Lock()
		ok, changed, agent := is(d), d.changed, d.agent
		d.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-d.ended:
			return fmt.Errorf("waiting for %s: the stream ended", what)
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w (agent %s)", what, ctx.Err(), agent)
		}
	}
}

// WaitSignedOut waits until the site has ended the session, and says why.
func (d *Desk) WaitSignedOut(ctx context.Context) (reason string, err error) {
	err = d.Wait(ctx, "the session's end", func(d *Desk) bool { reason = d.left; return reason != "" })
	return reason, err
}

// SignedOut is why the site has ended the session; empty while it has not.
func (d *Desk) SignedOut() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.left
}

// WaitState waits for the agent's state.
func (d *Desk) WaitState(ctx context.Context, s agentv1.AgentState) error {
	return d.Wait(ctx, s.String(), func(d *Desk) bool { return d.agent.GetState() == s })
}

// WaitCall waits for a call in the given state and returns it.
func (d *Desk) WaitCall(ctx context.Context, s agentv1.CallState) (*agentv1.Call, error) {
	var found *agentv1.Call
	err := d.Wait(ctx, s.String(), func(d *Desk) bool {
		for _, c := range d.calls {
			if c.GetState() == s {
				found = c
				return true
			}
		}
		return false
	})
	return found, err
}

// WaitOffer waits for a call that is offered to the agent and is not one of
// those known already.
func (d *Desk) WaitOffer(ctx context.Context, known map[string]bool) (*agentv1.Call, error) {
	var found *agentv1.Call
	err := d.Wait(ctx, "an offer", func(d *Desk) bool {
		for id, c := range d.calls {
			if c.GetState() == agentv1.CallState_CALL_STATE_OFFERED && !known[id] {
				found = c
				return true
			}
		}
		return false
	})
	return found, err
}

// WaitWaiting waits until so many callers wait in the agent's queues; an offered
// one still waits.
func (d *Desk) WaitWaiting(ctx context.Context, callers uint32) error {
	return d.Wait(ctx, fmt.Sprintf("%d waiting", callers), func(d *Desk) bool { return d.waiting() == callers })
}

func (d *Desk) waiting() (callers uint32) {
	for _, q := range d.queues.GetQueues() {
		callers += q.GetWaiting()
	}
	return callers
}

// Waiting is how many wait in the agent's queues.
func (d *Desk) Waiting() uint32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.waiting()
}

// WaitNotReady waits until the agent is not ready for the reason.
func (d *Desk) WaitNotReady(ctx context.Context, reason string) error {
	return d.Wait(ctx, "not ready: "+reason, func(d *Desk) bool {
		return d.agent.GetState() == agentv1.AgentState_AGENT_STATE_NOT_READY && d.agent.GetReason() == reason
	})
}

// WaitMoved waits until the call is at another node than url, and returns it.
func (d *Desk) WaitMoved(ctx context.Context, id, url string) (*agentv1.Call, error) {
	var found *agentv1.Call
	err := d.Wait(ctx, "the call's move", func(d *Desk) bool {
		found = d.calls[id]
		return found != nil && found.GetNodeUrl() != "" && found.GetNodeUrl() != url
	})
	return found, err
}

// WaitConsult waits until the desktop shows a call with a colleague of that name
// who is asked, or asks, so.
func (d *Desk) WaitConsult(ctx context.Context, name string, s agentv1.ConsultState) (*agentv1.Call, error) {
	var found *agentv1.Call
	err := d.Wait(ctx, s.String()+" with "+name, func(d *Desk) bool {
		for _, c := range d.calls {
			if x := c.GetConsult(); x.GetState() == s && x.GetName() == name {
				found = c
				return true
			}
		}
		return false
	})
	return found, err
}

// WaitCloud waits until the site says that it has (or has not) the cloud, with
// no more than so many records waiting for it.
func (d *Desk) WaitCloud(ctx context.Context, connected bool, records uint64) error {
	return d.Wait(ctx, fmt.Sprintf("cloud connected %v, at most %d records", connected, records), func(d *Desk) bool {
		return d.mode.GetCloudConnected() == connected && d.mode.GetRecordsWaiting() <= records
	})
}

// WaitFree waits until the agent is ready and has no call.
func (d *Desk) WaitFree(ctx context.Context) error {
	return d.Wait(ctx, "a free agent", func(d *Desk) bool {
		return len(d.calls) == 0 && d.agent.GetState() == agentv1.AgentState_AGENT_STATE_READY
	})
}

// Agent is the newest state.
func (d *Desk) Agent() *agentv1.Agent {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.agent
}

// Stats are the newest numbers of the day.
func (d *Desk) Stats() *agentv1.Stats {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.stats
}

// Codes are the tenant's wrap-up codes.
func (d *Desk) Codes() []*agentv1.WrapUpCode {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.codes
}

// Ready makes the agent ready.
func (d *Desk) Ready(ctx context.Context) error {
	return d.set(ctx, agentv1.AgentState_AGENT_STATE_READY, "")
}

// NotReady takes a break.
func (d *Desk) NotReady(ctx context.Context, reason string) error {
	return d.set(ctx, agentv1.AgentState_AGENT_STATE_NOT_READY, reason)
}

func (d *Desk) set(ctx context.Context, s agentv1.AgentState, reason string) error {
	_, err := d.At(d.home).SetState(ctx, &agentv1.SetStateRequest{State: s, Reason: reason, IdempotencyKey: uuid.NewString()})
	return err
}

// FinishWrapUp saves the code and ends the wrap-up.
func (d *Desk) FinishWrapUp(ctx context.Context, callID, code, note string) error {
	_, err := d.At(d.home).WrapUp(ctx, &agentv1.WrapUpRequest{
		CallId: callID, IdempotencyKey: uuid.NewString(), Code: code, Note: note, Finish: true,
	})
	return err
}

// Command makes a command for the call.
func Command(c *agentv1.Call) *agentv1.CallCommand {
	return &agentv1.CallCommand{CallId: c.GetId(), IdempotencyKey: uuid.NewString()}
}
