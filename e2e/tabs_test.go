package e2e

import (
	"context"
	"fmt"
	"testing"

	"trunkline/e2e/harness"
)

// manyTabs is more than the six connections per address a browser has on
// HTTP/1.1, for all its tabs together.
const manyTabs = 10

// TestManyTabs opens more tabs than a browser has connections: they share one
// stream, all are live, each can still ask; when the tab that holds the stream
// closes, another takes it up.
func TestManyTabs(t *testing.T) {
	c, ua := cluster(t)
	ctx := testContext(t, patience)
	tn := newTenant(ctx, t, c)
	b := browser(ctx, t, 1000)
	first := signIn(ctx, t, b, c, "tab1", tn.owner.Email)
	tabs := first.tabs(ctx, t, c.Web+"/wallboard", testid("wallboard"))
	oneStream(ctx, t, tabs, "/WatchFloor")

	call := tn.dial(ctx, t, ua, 0, nil)
	call.Press("1")
	for _, p := range tabs {
		p.wait(ctx, t, testid("waiting")+":text-is('1')")
	}
	// A connection is left for what a person asks for.
	tabs[manyTabs-1].do(ctx, t, "goto", harness.Args{"url": c.Web + "/queues"})
	tabs[manyTabs-1].wait(ctx, t, "role=table")

	i := oneStream(ctx, t, tabs, "/WatchFloor")
	tabs[i].do(ctx, t, "close_tab", nil)
	tabs = append(tabs[:i], tabs[i+1:]...)
	call.Hangup(ctx)
	for _, p := range tabs[:len(tabs)-1] {
		p.wait(ctx, t, testid("waiting")+":text-is('0')")
	}
	oneStream(ctx, t, tabs, "/WatchFloor")
	for _, p := range tabs {
		p.complains(t)
	}
}

// TestManyTabsOfOneDesk opens the desktop as often: one tab leads, with one
// stream to each of two nodes, and what is pressed in any shows in all.
func TestManyTabsOfOneDesk(t *testing.T) {
	c, _ := cluster(t)
	ctx := testContext(t, patience)
	tn := newTenant(ctx, t, c)
	if _, err := c.Invite(ctx, tn.owner, "ada@"+tn.domain, "Ada", "agent"); err != nil {
		t.Fatal(err)
	}
	b := browser(ctx, t, 1000)
	first := openDesktop(ctx, t, b, c, "ada@"+tn.domain)
	var at string
	if err := first.Do(ctx, "address", nil, &at); err != nil {
		t.Fatal(err)
	}
	tabs := first.tabs(ctx, t, at, testid("agent-state"))
	streams(ctx, t, tabs, "/Subscribe", 2)
	tabs[manyTabs-1].click(ctx, t, testid("not-ready"))
	for _, p := range tabs {
		p.wait(ctx, t, testid("agent-state")+"[data-state=not_ready]")
	}
	streams(ctx, t, tabs, "/Subscribe", 2)
	first.complains(t)
}

// tabs opens the address in this tab and in others beside it, until each shows on.
func (p *person) tabs(ctx context.Context, t *testing.T, url, on string) []*person {
	t.Helper()
	all := []*person{p}
	p.do(ctx, t, "goto", harness.Args{"url": url})
	for i := 2; i <= manyTabs; i++ {
		name := fmt.Sprintf("tab%d", i)
		page, err := p.b.Open(ctx, name, harness.Args{"beside": p.name})
		if err != nil {
			t.Fatal(err)
		}
		tab := &person{Page: page, name: name, b: p.b}
		tab.do(ctx, t, "goto", harness.Args{"url": url})
		all = append(all, tab)
	}
	for _, tab := range all {
		tab.wait(ctx, t, on)
	}
	return all
}

// oneStream fails unless one tab alone has an open request to the address, and gives it.
func oneStream(ctx context.Context, t *testing.T, tabs []*person, ending string) (holder int) {
	t.Helper()
	for i, n := range streams(ctx, t, tabs, ending, 1) {
		if n == 1 {
			holder = i
		}
	}
	return holder
}

// streams waits until the tabs together have so many open requests to the
// address; who opens one closes another first.
func streams(ctx context.Context, t *testing.T, tabs []*person, ending string, want int) (each []int) {
	t.Helper()
	eventually(ctx, t, "streams to "+ending, func() error {
		sum := 0
		each = make([]int, len(tabs))
		for i, p := range tabs {
			if err := p.Do(ctx, "open_requests", harness.Args{"ending": ending}, &each[i]); err != nil {
				return err
			}
			sum += each[i]
		}
		if sum != want {
			return fmt.Errorf("%d are open, want %d: %v", sum, want, each)
		}
		return nil
	})
	return each
}
