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
	b := browser(ctx, t, 1000, 400, 700)
	agent := openDesktop(ctx, t, b, c, "ada@"+tn.domain)
	var toAgent, toCaller, both, legs, path, asked, told []time.Duration
	for i := range *answerCalls {
		began := time.Now()
		call := tn.dial(ctx, t, ua, i%len(c.Nodes), tone(400))
		_, card, clicked := agent.answer(ctx, t, began)
		leg := agent.event(ctx, t, began, "a leg", func(e harness.PageEvent) bool { return e.Event == "leg" && e.What == "connected" })
		heard := agent.event(ctx, t, clicked, "hears 400 Hz", func(e harness.PageEvent) bool { return e.Event == "hears" && e.Tone == 400 })
		agentHears, first := heard.Time().Sub(clicked), time.UnixMilli(heard.First).Sub(clicked)
		late, made := heard.Late, agent.received(ctx, t)
		var callerHears time.Duration
		eventually(ctx, t, "the caller hears the agent", func() error {
			at, ok := firstTone(call.Heard(), 1000, clicked)
			callerHears = at.Sub(clicked)
			return notYet(ok)
		})
		// What the way from the carrier to the agent's ear takes when nothing is
		// answered: the caller says something else while both talk.
		said := <-call.Say(tone(700))
		heard = agent.event(ctx, t, said, "hears 700 Hz", func(e harness.PageEvent) bool { return e.Event == "hears" && e.Tone == 700 })
		path = append(path, heard.Time().Sub(said))
		began, ended := agent.accepting(ctx, t)
		asked, told = append(asked, began.Sub(clicked)), append(told, ended.Sub(clicked))
		toAgent, toCaller = append(toAgent, agentHears), append(toCaller, callerHears)
		both, legs = append(both, max(agentHears, callerHears)), append(legs, leg.Time().Sub(card))
		t.Logf("answer %d at %s: agent hears after %s, caller after %s; asked after %s, told after %s; the way takes %s; leg %s after the card; a first moment after %s, output %d ms late; %s",
			i, c.Nodes[i%len(c.Nodes)].Name, agentHears, callerHears, asked[i], told[i], path[i], leg.Time().Sub(card), first, late, made)
		call.Hangup(ctx)
		agent.wrapsUp(ctx, t)
	}
	for name, list := range map[string][]time.Duration{
		"answer_to_audio": both, "answer_to_agent_hears": toAgent, "answer_to_caller_hears": toCaller, "leg_after_card": legs,
		"answer_to_request": asked, "answer_to_response": told, "talking_to_agent_hears": path,
	} {
		t.Logf("FIGURE %s_p50_ms %d ms", name, quantile(list, 0.5).Milliseconds())
		t.Logf("FIGURE %s_p95_ms %d ms", name, quantile(list, 0.95).Milliseconds())
	}
	figureDisk(ctx, t, c)
}

// accepting is when the page sent its newest Accept, and when it had the answer,
// which comes once the answer is committed; the audio is joined before.
func (p *person) accepting(ctx context.Context, t *testing.T) (began, ended time.Time) {
	t.Helper()
	var ms [2]float64
	err := p.Do(ctx, "run", harness.Args{"code": `(() => {
		const e = performance.getEntriesByType('resource').findLast(({ name }) => name.endsWith('/Accept'))
		performance.clearResourceTimings()
		return [performance.timeOrigin + e.startTime, performance.timeOrigin + e.responseEnd]
	})()`}, &ms)
	if err != nil {
		t.Fatal(err)
	}
	at := func(ms float64) time.Time { return time.UnixMicro(int64(ms * 1000)) }
	return at(ms[0]), at(ms[1])
}

// received says what the browser has made of the packets of the newest leg.
func (p *person) received(ctx context.Context, t *testing.T) string {
	t.Helper()
	var s struct {
		Packets   int     `json:"packetsReceived"`
		Discarded int     `json:"packetsDiscarded"`
		Concealed float64 `json:"concealedSamples"`
		Silent    float64 `json:"silentConcealedSamples"`
		Inserted  float64 `json:"insertedSamplesForDeceleration"`
		Removed   float64 `json:"removedSamplesForAcceleration"`
		Delay     float64 `json:"jitterBufferDelay"`
		Emitted   float64 `json:"jitterBufferEmittedCount"`
		Jitter    float64 `json:"jitter"`
	}
	if err := p.Do(ctx, "run", harness.Args{"code": "__received()"}, &s); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d packets, %d discarded, samples concealed %.0f, in silence %.0f, inserted %.0f, removed %.0f; held %.0f ms, jitter %.0f ms",
		s.Packets, s.Discarded, s.Concealed, s.Silent, s.Inserted, s.Removed, 1000*s.Delay/max(1, s.Emitted), 1000*s.Jitter)
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
