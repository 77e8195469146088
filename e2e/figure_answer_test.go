package e2e

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"testing"
	"time"

	"trunkline/e2e/carrier"
	"trunkline/e2e/harness"
	"trunkline/internal/audio"
	"trunkline/internal/flow"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
)

var answerCalls = flag.Int("figure.answers", 30, "calls of TestFigureAnswer")

// TestFigureAnswer: an agent in Chromium answers many calls; from the click to
// the first sound, in both directions. The agent's ear is the browser's output,
// behind its jitter buffer; the caller's is the carrier's socket, where a packet
// holds 20 ms and comes when these are over.
func TestFigureAnswer(t *testing.T) {
	ctx := testContext(t, 4*time.Minute)
	c, ua := ownCluster(ctx, t, "answer", 3, "fast")
	tn := newTenant(ctx, t, c)
	tn.straightToQueue(ctx, t)
	if _, err := c.Invite(ctx, tn.owner, "ada@"+tn.domain, "Ada", "agent"); err != nil {
		t.Fatal(err)
	}
	b := browser(ctx, t, 1000, 400)
	agent := openDesktop(ctx, t, b, c, "ada@"+tn.domain)
	var toAgent, toCaller, both, legs []time.Duration
	for i := range *answerCalls {
		began := time.Now()
		call := tn.dial(ctx, t, ua, i%len(c.Nodes), tone(400))
		_, card, clicked := agent.answer(ctx, t, began)
		leg := agent.event(ctx, t, began, "a leg", func(e harness.PageEvent) bool { return e.Event == "leg" && e.What == "connected" })
		heard := agent.event(ctx, t, clicked, "hears 400 Hz", func(e harness.PageEvent) bool { return e.Event == "hears" && e.Tone == 400 })
		agentHears := heard.Time().Sub(clicked)
		var callerHears time.Duration
		eventually(ctx, t, "the caller hears the agent", func() error {
			at, ok := firstTone(call.Heard(), 1000, clicked)
			callerHears = at.Sub(clicked)
			return notYet(ok)
		})
		toAgent, toCaller = append(toAgent, agentHears), append(toCaller, callerHears)
		both, legs = append(both, max(agentHears, callerHears)), append(legs, leg.Time().Sub(card))
		t.Logf("answer %d at %s: agent hears after %s, caller after %s; leg %s after the card", i, c.Nodes[i%len(c.Nodes)].Name, agentHears, callerHears, leg.Time().Sub(card))
		call.Hangup(ctx)
		agent.wrapsUp(ctx, t)
	}
	for name, list := range map[string][]time.Duration{
		"answer_to_audio": both, "answer_to_agent_hears": toAgent, "answer_to_caller_hears": toCaller, "leg_after_card": legs,
	} {
		t.Logf("FIGURE %s_p50_ms %d ms", name, quantile(list, 0.5).Milliseconds())
		t.Logf("FIGURE %s_p95_ms %d ms", name, quantile(list, 0.95).Milliseconds())
	}
	figureDisk(ctx, t, c)
}

func notYet(ok bool) error {
	if ok {
		return nil
	}
	return fmt.Errorf("not yet")
}

// firstTone gives when the first packet since then came that is the tone, as are
// the two after it.
func firstTone(h carrier.Heard, hz float64, since time.Time) (time.Time, bool) {
	const packet, lasts = 160, 3
	is := 0
	for i, at := range h.Arrived {
		if at.Before(since) {
			continue
		}
		pcm := audio.AppendPCM(nil, h.Audio[i*packet:(i+1)*packet])
		if all := audio.Level(pcm); all < -30 || audio.ToneLevel(pcm, hz) < all-3 {
			is = 0
			continue
		}
		if is++; is == lasts {
			return h.Arrived[i-lasts+1], true
		}
	}
	return time.Time{}, false
}

// straightToQueue publishes a flow without greeting and menu.
func (tn *tenant) straightToQueue(ctx context.Context, t *testing.T) {
	t.Helper()
	flows, err := tn.owner.Routing().ListFlows(ctx, &cloudv1.ListFlowsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	queues, err := tn.owner.Routing().ListQueues(ctx, &cloudv1.ListQueuesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	doc, err := json.Marshal(flow.Document{
		Schema: flow.Schema, Language: "en", Start: "queue",
		Nodes: map[string]flow.Node{
			"queue": {Type: flow.Queue, QueueID: queues.GetQueues()[0].GetId(), Next: "end"},
			"end":   {Type: flow.Hangup},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	f := flows.GetFlows()[0]
	if _, err := tn.owner.Routing().PublishFlow(ctx, &cloudv1.PublishFlowRequest{Id: f.GetId(), Name: f.GetName(), Document: string(doc)}); err != nil {
		t.Fatal(err)
	}
}
