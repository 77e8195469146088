package e2e

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"trunkline/e2e/carrier"
	"trunkline/e2e/harness"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
)

// TestRecordingOutlivesItsOwner: the node that records a call is killed and does
// not come back. Both parts reach the cloud, the second follows the first, and
// they play as one. When the node comes back after all, nothing is there twice.
func TestRecordingOutlivesItsOwner(t *testing.T) {
	ctx := testContext(t, patience)
	c, ua := ownCluster(ctx, t, "recording", 3, "ordinary", func(o *harness.Options) {
		o.NodeEnv = []string{"TRUNKLINE_RECORDING_TAKE_UP_AFTER=3s"}
	})
	tn := newTenant(ctx, t, c)
	eventually(ctx, t, "all nodes vote", func() error { return wholeGroup(ctx, c) })
	const victim = 1
	desk := tn.desk(ctx, t, "ada", 2)
	ready(ctx, t, desk)
	who := caller{Call: tn.dialFrom(ctx, t, ua, victim, tn.caller(1), tone(400)), number: tn.caller(1)}
	who.Press("1")
	offer := offered(ctx, t, desk, who)
	leg, err := desk.Answer(ctx, offer, tone(1000))
	if err != nil {
		t.Fatal(err)
	}
	talk(ctx, t, who.Call, leg, 400, 1000)
	hearsMore(ctx, t, who.Call, 3*window)
	owner := c.Nodes[victim]
	c.Process(owner).Kill()

	now, err := desk.WaitMoved(ctx, offer.GetId(), offer.GetNodeUrl())
	if err != nil {
		t.Fatal(err)
	}
	again, err := desk.Negotiate(ctx, now, tone(600))
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	talk(ctx, t, who.Call, again, 400, 600)
	hearsMore(ctx, t, who.Call, 2*window)
	finish(ctx, t, desk, now)
	tn.twoParts(ctx, t, offer.GetId())

	if err := c.RunNode(ctx, owner); err != nil {
		t.Fatal(err)
	}
	eventually(ctx, t, "no node keeps what the cloud has", func() error {
		var errs []error
		for _, n := range c.Nodes {
			errs = append(errs, keepsNothing(n))
		}
		return errors.Join(errs...)
	})
	tn.twoParts(ctx, t, offer.GetId())
}

// twoParts: the call's recording is in the cloud in two parts that belong
// together, and both sides can be heard before and after.
func (tn *tenant) twoParts(ctx context.Context, t *testing.T, id string) {
	t.Helper()
	var rec *cloudv1.Call
	eventually(ctx, t, "both parts are stored and announced", func() error {
		err := stored(ctx, tn, id, 2)
		if err != nil {
			return err
		}
		if rec, err = getCall(ctx, tn, id); err != nil {
			return err
		}
		for _, p := range rec.GetRecordings() { // a file may come before its manifest
			if p.GetDurationMs() == 0 {
				return fmt.Errorf("not announced yet: %v", p)
			}
		}
		return nil
	})
	parts := rec.GetRecordings()
	if parts[0].GetSegment() != 0 || parts[1].GetSegment() != 1 || parts[0].GetFollows() || !parts[1].GetFollows() {
		t.Errorf("the parts are not linked: %v", parts)
	}
	address, err := tn.owner.Calls().GetRecordingUrl(ctx, &cloudv1.GetRecordingRequest{CallId: id})
	if err != nil {
		t.Fatal(err)
	}
	left, right := download(ctx, t, tn.c.Web+address.GetUrl())
	first := int(parts[0].GetDurationMs()) * 8
	if len(left) < first+2*window {
		t.Fatalf("%d samples, of which %d are the first part's", len(left), first)
	}
	for _, part := range []struct {
		name        string
		left, right []int16
		hz          float64
	}{{"first", left[:first], right[:first], 1000}, {"second", left[first:], right[first:], 600}} {
		if err := endsIn(part.left, 400); err != nil {
			t.Errorf("%s part, left: %v", part.name, err)
		}
		if err := endsIn(part.right, part.hz); err != nil {
			t.Errorf("%s part, right: %v", part.name, err)
		}
	}
}

// hearsMore waits until the caller has heard so many samples more.
func hearsMore(ctx context.Context, t *testing.T, call *carrier.Call, samples int) {
	t.Helper()
	from := len(call.Heard().Audio)
	eventually(ctx, t, "the caller hears more", func() error {
		if n := len(call.Heard().Audio) - from; n < samples {
			return fmt.Errorf("%d of %d samples", n, samples)
		}
		return nil
	})
}

// keepsNothing: neither recordings nor copies of any are on the node's disk.
func keepsNothing(n *harness.Node) error {
	return filepath.WalkDir(filepath.Join(n.Dir, "recordings"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(path, ".tlr") {
			err = fmt.Errorf("%s keeps %s", n.Name, path)
		}
		return err
	})
}
