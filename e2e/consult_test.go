package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"trunkline/e2e/harness"
	agentv1 "trunkline/proto/gen/trunkline/agent/v1"
)

// TestConsult: an agent asks a colleague at another node while the caller waits
// with music, goes to and fro between the two and passes the caller on; the
// colleague asks a third, who declines, and is asked again and let go. Who hears
// whom is told by the tone.
func TestConsult(t *testing.T) {
	c, ua := cluster(t)
	ctx := testContext(t, patience)
	tn := newTenant(ctx, t, c)
	ada, ben, cleo := tn.desk(ctx, t, "ada", 1), tn.desk(ctx, t, "ben", 2), tn.desk(ctx, t, "cleo", 0)
	who := tn.wait(ctx, t, ua, ada, 0)
	ready(ctx, t, ada)
	call := offered(ctx, t, ada, who)
	adasLeg := answer(ctx, t, ada, call, 1000)
	defer adasLeg.Close()
	talk(ctx, t, who.Call, adasLeg, 400, 1000)

	canAsk(ctx, t, ada, ben)
	ask := &agentv1.ConsultRequest{CallId: call.GetId(), IdempotencyKey: uuid.NewString(), AgentId: ben.Agent().GetId()}
	at := time.Now()
	if _, err := ada.At(c.Nodes[1].Ready.Web).Consult(ctx, ask); err != nil {
		t.Fatal(err)
	}
	t.Logf("FIGURE consult_answer_ms %d ms", time.Since(at).Milliseconds())
	// The answer was lost: the same again, at another node, is the same consultation.
	if _, err := ada.At(c.Nodes[2].Ready.Web).Consult(ctx, ask); err != nil {
		t.Fatal(err)
	}
	asked := asks(ctx, t, ben, ada, agentv1.ConsultState_CONSULT_STATE_RINGING)
	waitsAlone(ctx, t, who)
	bensLeg := answer(ctx, t, ben, asked, 1500)
	defer bensLeg.Close()
	asks(ctx, t, ada, ben, agentv1.ConsultState_CONSULT_STATE_TALKING)
	between(ctx, t, adasLeg, bensLeg, 1000, 1500)
	waitsAlone(ctx, t, who)

	hold(ctx, t, ada, call, false) // to the caller
	talk(ctx, t, who.Call, adasLeg, 400, 1000)
	asks(ctx, t, ben, ada, agentv1.ConsultState_CONSULT_STATE_WAITING)
	eventually(ctx, t, "the colleague hears music", func() error { return hearsNone(bensLeg.Heard(), 400, 1000) })
	hold(ctx, t, ada, call, true) // and back
	between(ctx, t, adasLeg, bensLeg, 1000, 1500)

	if _, err := ada.At(call.GetNodeUrl()).Hangup(ctx, harness.Command(call)); err == nil {
		t.Error("a hang-up while a colleague is asked ended the call")
	}
	tn.passOnTo(ctx, t, ada, ben, call)
	talk(ctx, t, who.Call, bensLeg, 400, 1500)
	wrapUp(ctx, t, ada, call)

	tn.askedInVain(ctx, t, who, ben, cleo, call, bensLeg)
	finish(ctx, t, ben, call)
	until(ctx, t, who.Done(), "the caller's call is not over")
	tn.consultRecord(ctx, t, who)
}

// askedInVain: Cleo declines, then answers and is let go; the caller is with Ben.
func (tn *tenant) askedInVain(ctx context.Context, t *testing.T, who caller, ben, cleo *harness.Desk, c *agentv1.Call, leg *harness.Audio) {
	t.Helper()
	canAsk(ctx, t, ben, cleo)
	consult(ctx, t, ben, cleo, c)
	asked := asks(ctx, t, cleo, ben, agentv1.ConsultState_CONSULT_STATE_RINGING)
	if _, err := cleo.At(asked.GetNodeUrl()).Reject(ctx, harness.Command(asked)); err != nil {
		t.Fatal(err)
	}
	mine := asks(ctx, t, ben, cleo, agentv1.ConsultState_CONSULT_STATE_ENDED)
	if got := mine.GetConsult().GetOutcome(); got != "rejected" {
		t.Errorf("the desktop tells %q", got)
	}
	waitsAlone(ctx, t, who)
	hold(ctx, t, ben, c, false)
	talk(ctx, t, who.Call, leg, 400, 1500)

	canAsk(ctx, t, ben, cleo)
	consult(ctx, t, ben, cleo, c)
	cleosLeg := answer(ctx, t, cleo, asks(ctx, t, cleo, ben, agentv1.ConsultState_CONSULT_STATE_RINGING), 2000)
	defer cleosLeg.Close()
	between(ctx, t, leg, cleosLeg, 1500, 2000)
	end := harness.Command(c)
	for range 2 { // once more is no error
		if _, err := ben.At(tn.c.Nodes[0].Ready.Web).EndConsult(ctx, end); err != nil {
			t.Fatal(err)
		}
	}
	talk(ctx, t, who.Call, leg, 400, 1500)
	if err := cleo.WaitState(ctx, agentv1.AgentState_AGENT_STATE_NOT_READY); err != nil {
		t.Error(err)
	}
}

func answer(ctx context.Context, t *testing.T, d *harness.Desk, c *agentv1.Call, hz float64) *harness.Audio {
	t.Helper()
	leg, err := d.Answer(ctx, c, tone(hz))
	if err != nil {
		t.Fatal(err)
	}
	return leg
}

func consult(ctx context.Context, t *testing.T, d, whom *harness.Desk, c *agentv1.Call) {
	t.Helper()
	if _, err := d.At(d.Home()).Consult(ctx, &agentv1.ConsultRequest{
		CallId: c.GetId(), IdempotencyKey: uuid.NewString(), AgentId: whom.Agent().GetId(),
	}); err != nil {
		t.Fatal(err)
	}
}

func hold(ctx context.Context, t *testing.T, d *harness.Desk, c *agentv1.Call, on bool) {
	t.Helper()
	if _, err := d.At(c.GetNodeUrl()).Hold(ctx, &agentv1.ToggleCommand{CallId: c.GetId(), IdempotencyKey: uuid.NewString(), On: on}); err != nil {
		t.Fatal(err)
	}
}

func (tn *tenant) passOnTo(ctx context.Context, t *testing.T, d, to *harness.Desk, c *agentv1.Call) {
	t.Helper()
	if _, err := d.At(d.Home()).Transfer(ctx, &agentv1.TransferRequest{
		CallId: c.GetId(), IdempotencyKey: uuid.NewString(), AgentId: to.Agent().GetId(),
	}); err != nil {
		t.Fatal(err)
	}
}

// asks waits until the desktop shows that it asks the other, or is asked, so.
func asks(ctx context.Context, t *testing.T, d, other *harness.Desk, state agentv1.ConsultState) *agentv1.Call {
	t.Helper()
	got, err := d.WaitConsult(ctx, other.Agent().GetName(), state)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// between: the two hear each other.
func between(ctx context.Context, t *testing.T, a, b *harness.Audio, aHz, bHz float64) {
	t.Helper()
	eventually(ctx, t, "the colleague hears the agent", func() error { return hears(b.Heard(), aHz) })
	eventually(ctx, t, "the agent hears the colleague", func() error { return hears(a.Heard(), bHz) })
}

// waitsAlone: the caller hears something, and it is nobody of the agents.
func waitsAlone(ctx context.Context, t *testing.T, who caller) {
	t.Helper()
	hearsMore(ctx, t, who.Call, window)
	eventually(ctx, t, "the caller hears music", func() error {
		return errors.Join(speaks(who.Call), hearsNone(who.Heard().Audio, 1000, 1500, 2000))
	})
}

func hearsNone(ulaw []byte, hz ...float64) error {
	for _, f := range hz {
		if hears(ulaw, f) == nil {
			return fmt.Errorf("%.0f Hz is heard", f)
		}
	}
	return nil
}

// consultRecord: the history tells who was asked and what became of it.
func (tn *tenant) consultRecord(ctx context.Context, t *testing.T, who caller) {
	t.Helper()
	want := "consulted, consult_answered, transferred, consulted, consult_ended rejected, consulted, consult_answered, consult_ended cancelled"
	eventually(ctx, t, "the record tells of the consultations", func() error {
		var told []string
		for _, e := range recordOf(ctx, t, tn, who.number).GetEvents() {
			if k := e.GetKind(); strings.HasPrefix(k, "consult") || k == "transferred" {
				told = append(told, strings.TrimSpace(k+" "+e.GetParams()["outcome"]))
			}
		}
		if got := strings.Join(told, ", "); got != want {
			return fmt.Errorf("%q", got)
		}
		return nil
	})
}

// TestChaosConsult: the node that owns a call whose agent asks a colleague is
// killed; the next one goes on with all three, also where the colleague only rang.
func TestChaosConsult(t *testing.T) {
	ctx := testContext(t, patience)
	c, ua := ownCluster(ctx, t, "consult", 3, "fast")
	tn := newTenant(ctx, t, c)
	ada, ben, cleo, dan := tn.desk(ctx, t, "ada", 1), tn.desk(ctx, t, "ben", 2), tn.desk(ctx, t, "cleo", 1), tn.desk(ctx, t, "dan", 2)

	// Both are taken by the node to be killed: wait calls at node i % 3.
	who := tn.wait(ctx, t, ua, ada, 3)
	ready(ctx, t, ada)
	call := offered(ctx, t, ada, who)
	defer answer(ctx, t, ada, call, 1000).Close()
	consult(ctx, t, ada, ben, call)
	defer answer(ctx, t, ben, asks(ctx, t, ben, ada, agentv1.ConsultState_CONSULT_STATE_RINGING), 1500).Close()
	asks(ctx, t, ada, ben, agentv1.ConsultState_CONSULT_STATE_TALKING)

	if err := cleo.WaitWaiting(ctx, 0); err != nil { // as it stands on her desktop, which wait counts from
		t.Fatal(err)
	}
	other := tn.wait(ctx, t, ua, cleo, 6)
	ready(ctx, t, cleo)
	rings := offered(ctx, t, cleo, other)
	defer answer(ctx, t, cleo, rings, 1000).Close()
	consult(ctx, t, cleo, dan, rings)
	asks(ctx, t, dan, cleo, agentv1.ConsultState_CONSULT_STATE_RINGING)

	c.Process(c.Nodes[0]).Kill()
	killed := time.Now()
	eventually(ctx, t, "both callers are re-INVITEd", func() error {
		if who.Moves() == 0 || other.Moves() == 0 {
			return fmt.Errorf("%d, %d moves", who.Moves(), other.Moves())
		}
		return nil
	})
	t.Logf("FIGURE consult_takeover_ms %d ms", time.Since(killed).Milliseconds())

	adas, bens := movedLeg(ctx, t, ada, call, 1000), movedLeg(ctx, t, ben, call, 1500)
	between(ctx, t, adas, bens, 1000, 1500)
	waitsAlone(ctx, t, who)
	tn.passOnTo(ctx, t, ada, ben, call)
	talk(ctx, t, who.Call, bens, 400, 1500)

	cleos := movedLeg(ctx, t, cleo, rings, 1000)
	asked, err := dan.WaitMoved(ctx, rings.GetId(), rings.GetNodeUrl())
	if err != nil {
		t.Fatal(err)
	}
	dans := answer(ctx, t, dan, asked, 1500)
	defer dans.Close()
	between(ctx, t, cleos, dans, 1000, 1500)
	if _, err := dan.At(asked.GetNodeUrl()).Hangup(ctx, harness.Command(asked)); err != nil {
		t.Fatal(err)
	}
	if got := asks(ctx, t, cleo, dan, agentv1.ConsultState_CONSULT_STATE_ENDED).GetConsult().GetOutcome(); got != "left" {
		t.Errorf("the desktop tells %q", got)
	}
	hold(ctx, t, cleo, asked, false)
	talk(ctx, t, other.Call, cleos, 400, 1000)
}

// movedLeg is the browser's leg with the node the call is at now.
func movedLeg(ctx context.Context, t *testing.T, d *harness.Desk, old *agentv1.Call, hz float64) *harness.Audio {
	t.Helper()
	now, err := d.WaitMoved(ctx, old.GetId(), old.GetNodeUrl())
	if err != nil {
		t.Fatal(err)
	}
	leg, err := d.Negotiate(ctx, now, tone(hz))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(leg.Close)
	return leg
}
