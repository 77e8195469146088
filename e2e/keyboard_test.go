package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"trunkline/e2e/harness"
)

// TestByKeyboard does the essentials without a mouse: find a page, read the
// floor, open a call, ask what a figure means; focus comes back each time.
func TestByKeyboard(t *testing.T) {
	c, ua := cluster(t)
	ctx := testContext(t, patience)
	tn, _, _ := shortDay(ctx, t, c, ua)
	b := browser(ctx, t, 1000)
	p := signIn(ctx, t, b, c, "owner", tn.owner.Email)
	p.wait(ctx, t, "role=navigation")

	p.press(ctx, t, "?")
	p.wait(ctx, t, "role=dialog[name=Keys]")
	p.press(ctx, t, "Escape")
	p.do(ctx, t, "wait", harness.Args{"on": "role=dialog", "state": "detached"})

	p.press(ctx, t, "Control+k")
	p.wait(ctx, t, "role=dialog >> role=textbox")
	p.press(ctx, t, "w", "a", "l", "l", "Enter")
	p.at(ctx, t, "/wallboard")
	p.wait(ctx, t, testid("queue-tile"))
	p.tabTo(ctx, t, "queue-agents")
	p.press(ctx, t, "Enter")
	p.wait(ctx, t, "role=dialog[name=Agents]")
	p.press(ctx, t, "Escape")
	p.do(ctx, t, "wait", harness.Args{"on": "role=dialog", "state": "detached"})
	p.focused(ctx, t, "queue-agents")

	p.press(ctx, t, "g", "c")
	p.at(ctx, t, "/calls")
	p.wait(ctx, t, "role=row >> nth=1")
	p.do(ctx, t, "run", harness.Args{"code": `document.querySelector('tbody tr').focus()`})
	p.press(ctx, t, "End", "Home", "Enter")
	p.wait(ctx, t, testid("timeline"))

	p.press(ctx, t, "g", "r")
	p.at(ctx, t, "/reports/queues")
	p.wait(ctx, t, testid("report-chart"))
	p.tabTo(ctx, t, "What Service level means")
	p.press(ctx, t, "Enter")
	p.wait(ctx, t, "text=Show these calls")
	p.press(ctx, t, "Escape")
	p.focused(ctx, t, "What Service level means")
	p.complains(t)
}

// TestDesktopByKeyboard takes a call without a mouse: ready, answer, mute, hold,
// wrap up, and the list of keys.
func TestDesktopByKeyboard(t *testing.T) {
	c, ua := cluster(t)
	ctx := testContext(t, patience)
	tn := newTenant(ctx, t, c)
	if _, err := c.Invite(ctx, tn.owner, "ada@"+tn.domain, "Ada", "agent"); err != nil {
		t.Fatal(err)
	}
	b := browser(ctx, t, 1000, 400)
	p := openDesktop(ctx, t, b, c, "ada@"+tn.domain)
	p.press(ctx, t, "?")
	p.wait(ctx, t, testid("key-list"))
	p.press(ctx, t, "Escape")
	p.do(ctx, t, "wait", harness.Args{"on": testid("key-list"), "state": "detached"})
	call := tn.dial(ctx, t, ua, 0, tone(400))
	call.Press("1")
	p.wait(ctx, t, testid("offer-card"))
	p.press(ctx, t, "a")
	p.wait(ctx, t, testid("talk-strip"))
	p.press(ctx, t, "m")
	p.wait(ctx, t, testid("mute")+"[aria-pressed=true]")
	p.press(ctx, t, "h")
	p.wait(ctx, t, testid("talk-strip")+"[data-call-state=held]")
	p.press(ctx, t, "h")
	p.wait(ctx, t, testid("talk-strip")+"[data-call-state=talking]")
	// In a field the same keys are letters.
	p.click(ctx, t, "textarea")
	p.press(ctx, t, "h", "e")
	p.wait(ctx, t, testid("talk-strip")+"[data-call-state=talking]")
	p.do(ctx, t, "run", harness.Args{"code": `document.activeElement.blur()`})
	p.press(ctx, t, "e")
	p.wait(ctx, t, testid("agent-state")+"[data-state=wrap_up]")
	p.press(ctx, t, "f")
	p.wait(ctx, t, testid("agent-state")+"[data-state=ready]")
	p.complains(t)
}

func (p *person) press(ctx context.Context, t *testing.T, keys ...string) {
	t.Helper()
	p.do(ctx, t, "press", harness.Args{"keys": keys})
}

// at waits for the address.
func (p *person) at(ctx context.Context, t *testing.T, path string) {
	t.Helper()
	eventually(ctx, t, path, func() error {
		var at string
		if err := p.Do(ctx, "address", nil, &at); err != nil {
			return err
		}
		if !strings.HasSuffix(strings.SplitN(at, "?", 2)[0], path) {
			return fmt.Errorf("the page is %s", at)
		}
		return nil
	})
}

func (p *person) focused(ctx context.Context, t *testing.T, what string) {
	t.Helper()
	eventually(ctx, t, "focus on "+what, func() error { return p.focusIs(ctx, what) })
}

func (p *person) focusIs(ctx context.Context, what string) error {
	var on string
	if err := p.Do(ctx, "focus", nil, &on); err != nil {
		return err
	}
	if on != what {
		return fmt.Errorf("it is on %q", on)
	}
	return nil
}

// tabTo presses Tab until something has the focus; a page has no more stops than this.
func (p *person) tabTo(ctx context.Context, t *testing.T, what string) {
	t.Helper()
	for range 80 {
		p.press(ctx, t, "Tab")
		if p.focusIs(ctx, what) == nil {
			return
		}
	}
	p.picture(t)
	t.Fatalf("Tab never came to %q", what)
}
