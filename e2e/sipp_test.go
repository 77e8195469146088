package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
)

// sippCalls are placed five a second, each of four seconds.
const sippCalls = 20

// TestSIPpCallers lets a user agent we have not written call: over UDP and TCP,
// with sound, a key pressed (in an INFO request, or in the sound after RFC 4733),
// and the caller hanging up.
func TestSIPpCallers(t *testing.T) {
	path, err := exec.LookPath("sipp")
	if err != nil {
		t.Fatal("SIPp is not installed: run make setup")
	}
	for _, how := range []struct{ name, scenario, transport string }{
		{"u1", "caller.xml", "u1"}, {"t1", "caller.xml", "t1"}, {"digit", "digit.xml", "u1"},
	} {
		t.Run(how.name, func(t *testing.T) { callWithSIPp(t, path, how.scenario, how.transport) })
	}
}

func callWithSIPp(t *testing.T, path, scenario, transport string) {
	c, ua := cluster(t)
	ctx := testContext(t, patience)
	tn := newTenant(ctx, t, c)
	tn.dial(ctx, t, ua, 0, nil).Hangup(ctx) // the site knows the number
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "tone.ulaw"), tone(400), 0o600); err != nil {
		t.Fatal(err)
	}
	node := c.Nodes[0].Ready.SIPUDP
	if transport == "t1" {
		node = c.Nodes[0].Ready.SIPTCP
	}
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := exec.CommandContext(limited, path, node, "-sf", filepath.Join(root(), "e2e", "testdata", scenario),
		"-s", tn.number, "-i", "127.0.0.1", "-t", transport, "-mp", "30000", "-r", "5",
		"-m", fmt.Sprint(sippCalls), "-l", fmt.Sprint(sippCalls), "-nostdin",
		"-timeout", "120s", "-timeout_error", "-buff_size", "4000000")
	cmd.Dir = dir // the audio is named relative to it
	cmd.Env = append(os.Environ(), "TERM=dumb")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("SIPp: %v\n%s", err, out[max(0, len(out)-3000):])
	}
	var calls []*cloudv1.Call
	eventually(ctx, t, "the records of SIPp's calls", func() error {
		list, err := tn.owner.Calls().ListCalls(ctx, &cloudv1.ListCallsRequest{PageSize: 100, Filter: &cloudv1.CallFilter{
			From: timestamppb.New(time.Now().Add(-time.Hour)), To: timestamppb.New(time.Now().Add(time.Hour)), Number: "4930200",
		}})
		calls = list.GetCalls()
		if err == nil && len(calls) != sippCalls {
			err = fmt.Errorf("%d records", len(calls))
		}
		return err
	})
	for _, got := range calls {
		rec, err := getCall(ctx, tn, got.GetId())
		if err != nil {
			t.Fatal(err)
		}
		pressed := false
		for _, e := range rec.GetEvents() {
			pressed = pressed || e.GetKind() == "menu" && e.GetParams()["digit"] == "1"
		}
		if !pressed || rec.GetEndedBy() != "caller" || rec.GetQueueId() == "" {
			t.Errorf("the record of %s: %v", rec.GetCaller(), rec)
		}
	}
}
