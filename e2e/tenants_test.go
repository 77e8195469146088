package e2e

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/uuid"

	"trunkline/e2e/carrier"
	"trunkline/e2e/harness"
	agentv1 "trunkline/proto/gen/trunkline/agent/v1"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
)

// TestTwoTenants: two companies on the same nodes see nothing of each other.
func TestTwoTenants(t *testing.T) {
	c, ua := cluster(t)
	ctx := testContext(t, patience)
	a, b := newTenant(ctx, t, c), newTenant(ctx, t, c)
	ada, eve := a.desk(ctx, t, "ada", 1), b.desk(ctx, t, "eve", 1)
	ready(ctx, t, eve)

	// The first company's call waits although the second's agent is free.
	who := a.wait(ctx, t, ua, ada, 0)
	ready(ctx, t, ada)
	offer := offered(ctx, t, ada, who)
	stranger := eve.At(offer.GetNodeUrl())
	for name, try := range map[string]func() error{
		"accept": func() error { _, err := stranger.Accept(ctx, harness.Command(offer)); return err },
		"reject": func() error { _, err := stranger.Reject(ctx, harness.Command(offer)); return err },
		"hangup": func() error { _, err := stranger.Hangup(ctx, harness.Command(offer)); return err },
		"listen": func() error { _, err := eve.Negotiate(ctx, offer, nil); return err },
		"hold": func() error {
			_, err := stranger.Hold(ctx, &agentv1.ToggleCommand{CallId: offer.GetId(), IdempotencyKey: uuid.NewString(), On: true})
			return err
		},
		"transfer": func() error {
			_, err := stranger.Transfer(ctx, &agentv1.TransferRequest{
				CallId: offer.GetId(), IdempotencyKey: uuid.NewString(), AgentId: eve.Agent().GetId(),
			})
			return err
		},
		"consult": func() error {
			_, err := stranger.Consult(ctx, &agentv1.ConsultRequest{
				CallId: offer.GetId(), IdempotencyKey: uuid.NewString(), AgentId: eve.Agent().GetId(),
			})
			return err
		},
		"end a consultation": func() error { _, err := stranger.EndConsult(ctx, harness.Command(offer)); return err },
		"write up":           func() error { return eve.FinishWrapUp(ctx, offer.GetId(), "", "mine") },
	} {
		if err := try(); connect.CodeOf(err) != connect.CodeNotFound && connect.CodeOf(err) != connect.CodeFailedPrecondition &&
			connect.CodeOf(err) != connect.CodeAborted {
			t.Errorf("%s by a stranger: %v", name, err)
		}
	}
	leg, err := ada.Answer(ctx, offer, tone(1000))
	if err != nil {
		t.Fatal(err)
	}
	defer leg.Close()
	talk(ctx, t, who.Call, leg, 400, 1000)
	if list, err := stranger.ListTargets(ctx, &agentv1.ListTargetsRequest{}); err != nil || len(list.GetAgents()) != 0 || len(list.GetQueues()) != 1 {
		t.Errorf("the other company's agent can pass callers on to %v: %v", list, err)
	}
	if _, err := ada.At(offer.GetNodeUrl()).Transfer(ctx, &agentv1.TransferRequest{
		CallId: offer.GetId(), IdempotencyKey: uuid.NewString(), AgentId: eve.Agent().GetId(),
	}); connect.CodeOf(err) != connect.CodeNotFound {
		t.Errorf("a transfer to the other company: %v", err)
	}
	if _, err := ada.At(offer.GetNodeUrl()).Consult(ctx, &agentv1.ConsultRequest{
		CallId: offer.GetId(), IdempotencyKey: uuid.NewString(), AgentId: eve.Agent().GetId(),
	}); connect.CodeOf(err) != connect.CodeNotFound {
		t.Errorf("asking the other company: %v", err)
	}
	finish(ctx, t, ada, offer)
	if s := eve.Agent().GetState(); s != agentv1.AgentState_AGENT_STATE_READY {
		t.Errorf("the other company's agent is %s", s)
	}
	eventually(ctx, t, "the recording is stored", func() error { return stored(ctx, a, offer.GetId(), 1) })
	rec := recordOf(ctx, t, a, who.number)
	foreign(ctx, t, b, rec)
	tokens(ctx, t, a, b, ada, eve)

	_, err = ua.Call(ctx, carrier.Dial{Node: c.Nodes[0].Ready.SIPUDP, From: "+4930111222", To: "+4989999999999"})
	var refused *carrier.StatusError
	if !errors.As(err, &refused) || refused.Status != 404 {
		t.Errorf("an unknown number: %v", err)
	}
}

// foreign: the other company's owner cannot tell the call from one that never was.
func foreign(ctx context.Context, t *testing.T, b *tenant, rec *cloudv1.Call) {
	t.Helper()
	_, err := getCall(ctx, b, rec.GetId())
	_, never := getCall(ctx, b, uuid.NewString())
	if connect.CodeOf(err) != connect.CodeNotFound || connect.CodeOf(never) != connect.CodeNotFound || err.Error() != never.Error() {
		t.Errorf("a foreign call: %v; an unknown one: %v", err, never)
	}
	req := &cloudv1.GetRecordingRequest{CallId: rec.GetId(), RecordingId: rec.GetRecordings()[0].GetId()}
	if _, err := b.owner.Calls().GetRecordingUrl(ctx, req); connect.CodeOf(err) != connect.CodeNotFound {
		t.Errorf("a foreign recording: %v", err)
	}
	if _, err := b.owner.Calls().GetWaveform(ctx, req); connect.CodeOf(err) != connect.CodeNotFound {
		t.Errorf("a foreign waveform: %v", err)
	}
	if recs, err := recordsOf(ctx, b, ""); err != nil || len(recs) != 0 {
		t.Errorf("the other company's history: %v %v", recs, err)
	}
}

// tokens are good for what they were made for only.
func tokens(ctx context.Context, t *testing.T, a, b *tenant, ada, eve *harness.Desk) {
	t.Helper()
	node := a.c.Nodes[0].Ready.Web
	forged := *eve.Person
	forged.Token = eve.Person.Token[:len(eve.Person.Token)-8] + "AAAAAAAA"
	if d, err := harness.OpenDesk(ctx, &forged, node); err == nil {
		d.Close()
		t.Error("a forged token opened a desktop")
	} else if connect.CodeOf(err) != connect.CodeUnauthenticated {
		t.Errorf("a forged token: %v", err)
	}
	// An agent's token reads no history, and a site session is none of the cloud's.
	if _, err := ada.Person.Calls().ListCalls(ctx, &cloudv1.ListCallsRequest{}); connect.CodeOf(err) != connect.CodePermissionDenied {
		t.Errorf("an agent asks for the history: %v", err)
	}
	queues, err := a.owner.Routing().ListQueues(ctx, &cloudv1.ListQueuesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.owner.Routing().SaveQueue(ctx, &cloudv1.SaveQueueRequest{Queue: queues.GetQueues()[0]}); connect.CodeOf(err) != connect.CodeNotFound {
		t.Errorf("a foreign queue saved: %v", err)
	}
}

// flood is how many callers call in one moment; a tenant may have 100 calls.
const flood = 400

// TestInviteFlood: a burst of calls is answered or refused, each with a status
// that tells the carrier what to do, and then the node takes calls as before.
func TestInviteFlood(t *testing.T) {
	c, ua := cluster(t)
	ctx := testContext(t, patience)
	tn := newTenant(ctx, t, c)
	tn.dial(ctx, t, ua, 0, nil).Hangup(ctx)
	got := burst(ctx, ua, carrier.Dial{Node: c.Nodes[0].Ready.SIPUDP, From: "+4930111222", To: tn.number})
	t.Logf("%d answered, %d busy, %d unavailable", got.status[200], got.status[486], got.status[503])
	if got.status[200]+got.status[486]+got.status[503] != flood || got.status[200] < 50 {
		t.Errorf("answers: %v %v", got.status, got.errs)
	}
	if got.noRetry > 0 {
		t.Errorf("%d answers 503 without Retry-After", got.noRetry)
	}
	after := tn.dial(ctx, t, ua, 0, nil)
	eventually(ctx, t, "the node speaks after the flood", func() error { return speaks(after) })
}

// TestChaosInviteFlood: without a majority no call can be committed, so INVITEs
// pile up to the bound; all are refused in time, and later calls are taken.
func TestChaosInviteFlood(t *testing.T) {
	ctx := testContext(t, patience)
	c, ua := ownCluster(ctx, t, "flood", 3, "fast")
	tn := newTenant(ctx, t, c)
	eventually(ctx, t, "all nodes vote", func() error { return wholeGroup(ctx, c) })
	tn.dial(ctx, t, ua, 0, nil).Hangup(ctx)
	freeze(t, c)
	began := time.Now()
	got := burst(ctx, ua, carrier.Dial{Node: c.Nodes[0].Ready.SIPUDP, From: "+4930111222", To: tn.number})
	t.Logf("FIGURE flood_refused_ms %d ms", time.Since(began).Milliseconds())
	thaw(t, c)
	if got.status[503] != flood {
		t.Errorf("answers: %v %v", got.status, got.errs)
	}
	if got.noRetry > 0 {
		t.Errorf("%d answers 503 without Retry-After", got.noRetry)
	}
	began = time.Now()
	after := tn.dial(ctx, t, ua, 0, nil)
	t.Logf("FIGURE flood_recovered_ms %d ms", time.Since(began).Milliseconds())
	eventually(ctx, t, "the node speaks after the flood", func() error { return speaks(after) })
}

// TestTenantFlood: while one company is called at five times the rate the site
// takes at all, another's calls are answered, offered and handled, every one.
func TestTenantFlood(t *testing.T) {
	c, ua := cluster(t)
	ctx := testContext(t, patience)
	loud, quiet := newTenant(ctx, t, c), newTenant(ctx, t, c)
	quiet.straightToQueue(ctx, t)
	l := newLoad(quiet, ua)
	l.desks = append(l.desks, quiet.desk(ctx, t, "eve", 1))
	ready(ctx, t, l.desks[0])
	var nodes []string
	for i, n := range c.Nodes {
		nodes = append(nodes, n.Ready.SIPUDP)
		loud.knownAt(ctx, t, ua, i)
		quiet.knownAt(ctx, t, ua, i)
	}
	const calls = 20
	oneByOne := func(name string) {
		for i := range calls {
			l.run(ctx, t, l.desks, i%len(nodes), 1, time.Millisecond)
		}
		took := l.times()
		for what, list := range map[string][]time.Duration{"setup": took.answers, "offer": took.offers} {
			t.Logf("FIGURE fair_%s_%s_p50_ms %d ms", what, name, quantile(list, 0.5).Milliseconds())
			t.Logf("FIGURE fair_%s_%s_p95_ms %d ms", what, name, quantile(list, 0.95).Milliseconds())
		}
	}
	oneByOne("alone")
	takes := loud.capacity(ctx, t, ua, nodes)
	t.Logf("FIGURE fair_site_takes_cps %.0f calls/s", takes)
	flood, err := carrier.StartFlood(nodes, loud.number, int(5*takes))
	if err != nil {
		t.Fatal(err)
	}
	oneByOne("beside_flood")
	got := flood.Stop()
	t.Logf("FIGURE fair_flood_cps %.0f calls/s", float64(got.Sent)/got.Took.Seconds())
	t.Logf("the flood: %d calls in %s, answers %v", got.Sent, got.Took, got.Status)
	if got.NoRetry > 0 {
		t.Errorf("%d answers 503 without Retry-After", got.NoRetry)
	}
	if refused := got.Status[503] + got.Status[486]; refused < got.Sent/10 {
		t.Errorf("%d of %d refused: the flood was within the limits and shows nothing", refused, got.Sent)
	}
	for _, n := range c.Nodes {
		noCalls(ctx, t, n)
	}
}

// capacity is how many calls a second the site takes, when each of many callers
// calls again as soon as the call before was answered and hung up; until the
// tenant has had all it may have at once.
func (tn *tenant) capacity(ctx context.Context, t *testing.T, ua *carrier.Carrier, nodes []string) float64 {
	t.Helper()
	const callers, lasts = 24, 3 * time.Second
	var answered atomic.Int64
	var wg sync.WaitGroup
	began := time.Now()
	for i := range callers {
		wg.Go(func() {
			for time.Since(began) < lasts {
				call, err := ua.Call(ctx, carrier.Dial{Node: nodes[i%len(nodes)], From: tn.caller(i), To: tn.number})
				if err != nil {
					return
				}
				answered.Add(1)
				call.Hangup(ctx)
			}
		})
	}
	wg.Wait()
	return float64(answered.Load()) / time.Since(began).Seconds()
}

type answers struct {
	mu      sync.Mutex
	status  map[int]int
	noRetry int
	errs    []error
}

// burst calls from all sides at once and hangs up what is answered.
func burst(ctx context.Context, ua *carrier.Carrier, d carrier.Dial) *answers {
	got := &answers{status: map[int]int{}}
	var wg sync.WaitGroup
	for range flood {
		wg.Go(func() {
			try, cancel := context.WithTimeout(ctx, 20*time.Second)
			defer cancel()
			call, err := ua.Call(try, d)
			if err == nil {
				call.Hangup(try)
			}
			got.count(err)
		})
	}
	wg.Wait()
	return got
}

func (a *answers) count(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var refused *carrier.StatusError
	switch {
	case err == nil:
		a.status[200]++
	case errors.As(err, &refused):
		a.status[refused.Status]++
		if refused.Status == 503 && refused.RetryAfter == "" {
			a.noRetry++
		}
	default:
		a.errs = append(a.errs, err)
	}
}
