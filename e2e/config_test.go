package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"trunkline/e2e/carrier"
	"trunkline/e2e/harness"
	"trunkline/internal/audio"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

// TestConfigurationOutlivesItsLeader: the leader and the cloud die the moment a
// prompt is in force. The node that leads next plays it, and so does one that was
// down all the while, which can have it from that node alone.
func TestConfigurationOutlivesItsLeader(t *testing.T) {
	ctx := testContext(t, patience)
	c, ua := ownCluster(ctx, t, "config", 3, "ordinary")
	tn := newTenant(ctx, t, c)
	eventually(ctx, t, "all nodes vote", func() error { return wholeGroup(ctx, c) })
	first, err := leaderOf(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	leader, next, late := c.Nodes[first], c.Nodes[(first+1)%3], c.Nodes[(first+2)%3]
	tn.dial(ctx, t, ua, first, nil).Hangup(ctx) // the tenant is served
	c.Process(late).Kill()
	before := manifestOf(t, leader)
	tn.greet(ctx, t, 700)
	eventually(ctx, t, "the greeting is in force", func() error {
		if manifestOf(t, leader) == before {
			return errors.New("the snapshot before is in force")
		}
		return nil
	})
	c.Cloud().Kill()
	c.Process(leader).Kill()
	if err := c.RunNode(ctx, late); err != nil {
		t.Fatal(err)
	}
	eventually(ctx, t, "another node leads", func() error {
		i, err := leaderOf(ctx, c)
		if err == nil && c.Nodes[i] != next {
			err = fmt.Errorf("%s leads", c.Nodes[i].Name) // its log may be whole by now
		}
		return err
	})
	for _, n := range []*harness.Node{next, late} {
		tn.greeted(ctx, t, ua, n, 700)
	}
}

// TestNewLeaderActivates: the leader dies while a prompt is on its way; it comes
// into force all the same.
func TestNewLeaderActivates(t *testing.T) {
	ctx := testContext(t, patience)
	c, ua := ownCluster(ctx, t, "config-lead", 3, "ordinary")
	tn := newTenant(ctx, t, c)
	eventually(ctx, t, "all nodes vote", func() error { return wholeGroup(ctx, c) })
	first, err := leaderOf(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	tn.dial(ctx, t, ua, first, nil).Hangup(ctx)
	tn.greet(ctx, t, 900)
	c.Process(c.Nodes[first]).Kill()
	for i := 1; i < 3; i++ {
		tn.greeted(ctx, t, ua, c.Nodes[(first+i)%3], 900)
	}
}

// greet publishes a tone of ten seconds as the company's greeting.
func (tn *tenant) greet(ctx context.Context, t *testing.T, hz float64) {
	t.Helper()
	var wav bytes.Buffer
	if err := audio.WriteWAV(&wav, audio.Tone(hz, -12, 10*window)); err != nil {
		t.Fatal(err)
	}
	_, err := tn.owner.Routing().UploadPrompt(ctx, &cloudv1.UploadPromptRequest{Name: "greeting", Language: "en", Wav: wav.Bytes()})
	if err != nil {
		t.Fatal(err)
	}
}

// greeted: a caller at the node hears that greeting, at once or when the node has it.
func (tn *tenant) greeted(ctx context.Context, t *testing.T, ua *carrier.Carrier, n *harness.Node, hz float64) {
	t.Helper()
	eventually(ctx, t, n.Name+" greets with the new tone", func() error {
		try, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		call, err := ua.Call(try, carrier.Dial{Node: n.Ready.SIPUDP, From: "+4930111222", To: tn.number})
		if err != nil {
			return err
		}
		defer call.Hangup(context.WithoutCancel(ctx))
		for {
			got := call.Heard().Audio
			if len(got) >= 2*window {
				return hears(got, hz)
			}
			select {
			case <-try.Done():
				return fmt.Errorf("only %d samples heard", len(got))
			case <-call.Done():
				return errors.New("the call is over")
			case <-time.After(100 * time.Millisecond):
			}
		}
	})
}

// manifestOf is the snapshot in force at a node that serves one company.
func manifestOf(t *testing.T, n *harness.Node) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(n.Dir, "site.pb"))
	if err != nil {
		t.Fatal(err)
	}
	var site edgev1.SiteConfig
	if err := proto.Unmarshal(data, &site); err != nil {
		t.Fatal(err)
	}
	if len(site.GetTenants()) != 1 {
		t.Fatalf("%s serves %d companies", n.Name, len(site.GetTenants()))
	}
	return site.GetTenants()[0].GetManifest()
}
