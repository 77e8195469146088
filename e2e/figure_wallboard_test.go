package e2e

import (
	"flag"
	"testing"
	"time"

	"trunkline/e2e/harness"
)

var wallboardRounds = flag.Int("figure.rounds", 20, "rounds of TestFigureWallboard")

// TestFigureWallboard: from what happens at the site until a supervisor's page
// shows it. A caller's times count from the INVITE and the BYE, so the call's own
// set-up is in them; an agent's from the click.
func TestFigureWallboard(t *testing.T) {
	ctx := testContext(t, 4*time.Minute)
	c, ua := ownCluster(ctx, t, "wallboard", 3, "ordinary")
	tn := newTenant(ctx, t, c)
	tn.straightToQueue(ctx, t)
	desk := tn.desk(ctx, t, "ada", 1)
	tn.knownAt(ctx, t, ua, 0)
	board := signIn(ctx, t, browser(ctx, t, 600), c, "owner", tn.owner.Email)
	board.do(ctx, t, "goto", harness.Args{"url": c.Web + "/wallboard"})
	board.wait(ctx, t, testid("queue-tile"))
	waiting, readyAgents := testid("waiting"), testid("agents-ready")+" strong"
	shown := func(on, text string, since time.Time) time.Duration {
		e := board.event(ctx, t, since, on+" shows "+text, func(e harness.PageEvent) bool { return e.Event == "shows" && e.What == on && e.Text == text })
		return e.Time().Sub(since)
	}
	for _, on := range []string{waiting, readyAgents} {
		began := time.Now()
		board.do(ctx, t, "run", harness.Args{"code": "__shows('" + on + "')"})
		shown(on, "0", began)
	}
	took := map[string][]time.Duration{}
	shows := func(what, on, text string, since time.Time) { took[what] = append(took[what], shown(on, text, since)) }
	for i := range *wallboardRounds {
		at := time.Now()
		call := tn.dial(ctx, t, ua, i%len(c.Nodes), nil)
		shows("caller_waits", waiting, "1", at)
		at = time.Now()
		call.Hangup(ctx)
		shows("caller_left", waiting, "0", at)
		at = time.Now()
		ready(ctx, t, desk)
		shows("agent_ready", readyAgents, "1", at)
		at = time.Now()
		notReady(ctx, t, desk, "")
		shows("agent_not_ready", readyAgents, "0", at)
	}
	var all []time.Duration
	for what, list := range took {
		t.Logf("FIGURE wallboard_%s_p95_ms %d ms", what, quantile(list, 0.95).Milliseconds())
		all = append(all, list...)
	}
	t.Logf("FIGURE wallboard_p50_ms %d ms", quantile(all, 0.5).Milliseconds())
	t.Logf("FIGURE wallboard_p99_ms %d ms", quantile(all, 0.99).Milliseconds())
}
