package e2e

import (
	"context"
	"fmt"
	"net/url"
	"testing"
	"time"

	"trunkline/e2e/harness"
)

// way is how a page's audio goes: the pair of candidates in use, as the browser's
// own statistics say.
type way struct {
	Local, Remote struct {
		CandidateType string `json:"candidateType"`
		Address       string `json:"address"`
		Port          int    `json:"port"`
		Protocol      string `json:"protocol"`
		RelayProtocol string `json:"relayProtocol"`
	}
}

// TestBrowserBehindRelay puts browsers into a network that has no way to the
// site's media: its pages are carried in, its one cable leads to the cloud's relay.
// An agent talks with a caller all the same, loses the page and gets the call back,
// and a browser caller is heard: all through the relay.
func TestBrowserBehindRelay(t *testing.T) {
	ctx := testContext(t, patience)
	ns, err := harness.NewNamespace(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ns.Close(); err != nil {
			t.Error(err)
		}
	})
	c, ua := ownCluster(ctx, t, "relay", 1, "ordinary", func(o *harness.Options) {
		o.Cloud = []string{"--turn-addr", ns.Host + ":0", "--turn-relay-ip", "127.0.0.1", "--turn-allow-peers", "127.0.0.0/8"}
	})
	for _, page := range []string{c.Web, c.Nodes[0].Ready.Web} {
		u, err := url.Parse(page)
		if err == nil {
			err = ns.Forward("127.0.0.1:" + u.Port())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	tn := newTenant(ctx, t, c)
	if _, err := c.Invite(ctx, tn.owner, "ada@"+tn.domain, "Ada", "agent"); err != nil {
		t.Fatal(err)
	}
	b := browserIn(ctx, t, ns, 1000, 400, 600)
	agent := openDesktop(ctx, t, b, c, "ada@"+tn.domain)

	began := time.Now()
	call := tn.dial(ctx, t, ua, 0, tone(400))
	call.Press("1")
	_, _, clicked := agent.answer(ctx, t, began)
	agent.hearsTone(ctx, t, clicked, 400, "relay_answer_to_audio_ms", clicked)
	eventually(ctx, t, "the caller hears the agent", func() error { return hears(call.Heard().Audio, 1000) })
	agent.isRelayed(ctx, t)
	agent.reloads(ctx, t, call)
	agent.isRelayed(ctx, t)
	agent.click(ctx, t, testid("hangup"))
	agent.wrapsUp(ctx, t)

	callers := browserIn(ctx, t, ns, 600, 1000)
	caller := signIn(ctx, t, callers, c, "caller", tn.owner.Email)
	caller.do(ctx, t, "goto", harness.Args{"url": c.Web + "/setup?step=test_call"})
	caller.click(ctx, t, `role=button[name="Call me now"]`)
	caller.wait(ctx, t, "text=You hear the greeting")
	pressed := time.Now()
	caller.click(ctx, t, `role=button[name="Key 1"]`)
	_, _, clicked = agent.answer(ctx, t, pressed)
	agent.hearsTone(ctx, t, clicked, 600, "relay_test_call_to_agent_ms", clicked)
	caller.hearsTone(ctx, t, clicked, 1000, "relay_test_call_to_caller_ms", clicked)
	caller.isRelayed(ctx, t)
	agent.complains(t)
	caller.complains(t)
}

// isRelayed asks the browser which way its packets go.
func (p *person) isRelayed(ctx context.Context, t *testing.T) {
	t.Helper()
	eventually(ctx, t, p.name+"'s audio goes through the relay", func() error {
		var w *way
		if err := p.Do(ctx, "run", harness.Args{"code": "window.__way()"}, &w); err != nil {
			return err
		}
		if w == nil || w.Local.CandidateType != "relay" || w.Remote.CandidateType == "relay" {
			return fmt.Errorf("its way is %+v", w)
		}
		return nil
	})
}
