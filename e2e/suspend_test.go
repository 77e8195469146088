package e2e

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"trunkline/e2e/carrier"
	"trunkline/e2e/harness"
	"trunkline/internal/audio"
	agentv1 "trunkline/proto/gen/trunkline/agent/v1"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
)

// TestSuspended: a suspended company's new callers hear that the number is out
// of service, its people are signed out, but the call that runs is not cut. Once
// resumed it works again.
func TestSuspended(t *testing.T) {
	c, ua := cluster(t)
	ctx := testContext(t, patience)
	makeAdmin(ctx, t, c)
	admin, err := c.SignIn(ctx, platformAdmin)
	if err != nil {
		t.Fatal(err)
	}
	tn := newTenant(ctx, t, c)
	ada, bo := tn.desk(ctx, t, "ada", 1), tn.desk(ctx, t, "bo", 2)
	running := tn.wait(ctx, t, ua, ada, 0)
	ready(ctx, t, ada)
	offer := offered(ctx, t, ada, running)
	leg, err := ada.Answer(ctx, offer, tone(1000))
	if err != nil {
		t.Fatal(err)
	}
	defer leg.Close()
	talk(ctx, t, running.Call, leg, 400, 1000)

	if _, err := admin.Console().SuspendTenant(ctx, &cloudv1.SuspendTenantRequest{Id: tn.owner.Tenant, Reason: "unpaid"}); err != nil {
		t.Fatal(err)
	}
	if reason, err := bo.WaitSignedOut(ctx); err != nil || reason != "suspended" {
		t.Fatalf("an agent is signed out as %q: %v", reason, err)
	}
	// A node that has not heard of it yet takes the call like any other.
	var late *carrier.Call
	eventually(ctx, t, "a new caller hears the notice and is let go", func() error {
		late = tn.dial(ctx, t, ua, 2, tone(400))
		select {
		case <-late.Done():
			return nil
		case <-time.After(20 * time.Second): // several times the notice
			late.Hangup(ctx)
			return errors.New("the line stays open")
		}
	})
	if said := audio.Level(audio.AppendPCM(nil, late.Heard().Audio)); said < -40 {
		t.Errorf("the new caller heard %.0f dB", said)
	}
	// What both have heard since is of after the suspension.
	before := len(running.Heard().Audio)
	eventually(ctx, t, "the running call goes on", func() error {
		heard := running.Heard().Audio
		if err := hears(heard[before:], 1000); err != nil {
			return err
		}
		return hears(leg.Heard(), 400)
	})
	// The agent who talks is signed out with the call, and can end it.
	if reason := ada.SignedOut(); reason != "" {
		t.Errorf("the agent in a call is signed out as %q", reason)
	}
	if _, err := ada.At(offer.GetNodeUrl()).Hangup(ctx, harness.Command(offer)); err != nil {
		t.Fatal(err)
	}
	if reason, err := ada.WaitSignedOut(ctx); err != nil || reason != "suspended" {
		t.Errorf("after the call the agent is signed out as %q: %v", reason, err)
	}

	if _, err := admin.Console().ResumeTenant(ctx, &cloudv1.GetTenantRequest{Id: tn.owner.Tenant}); err != nil {
		t.Fatal(err)
	}
	if tn.owner, err = c.SignIn(ctx, tn.owner.Email); err != nil {
		t.Fatal(err)
	}
	cy := tn.desk(ctx, t, "cy", 0) // once this node knows
	ready(ctx, t, cy)
	tn.dial(ctx, t, ua, 0, nil).Press("1")
	if _, err := cy.WaitCall(ctx, agentv1.CallState_CALL_STATE_OFFERED); err != nil {
		t.Error(err)
	}
	eventually(ctx, t, "the record of the running call", func() error {
		rec, err := getCall(ctx, tn, offer.GetId())
		if err == nil && (rec.GetOutcome() != "answered" || rec.GetEndedBy() != "agent") {
			err = fmt.Errorf("not whole yet: %v", rec)
		}
		return err
	})
}
