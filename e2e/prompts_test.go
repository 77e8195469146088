package e2e

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"trunkline/e2e/carrier"
	"trunkline/internal/prompts"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
)

// TestCallerHears follows two callers with their ears: greeting, menu, their place
// in the queue twice with music between, and that nobody is there. What is not transcoded arrives as
// it is in the program, so the ear wants each word as it was recorded.
func TestCallerHears(t *testing.T) {
	for _, language := range prompts.Languages {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			c, ua := cluster(t)
			ctx := testContext(t, patience)
			tn := newTenantIn(ctx, t, c, language, func(q *cloudv1.Queue) {
				q.PositionEveryS, q.MaxWaitS = 10, 25
			})
			place := func(n int) []string {
				return []string{"position_prefix", fmt.Sprintf("number_%d", n), "position_suffix"}
			}
			first := tn.dialFrom(ctx, t, ua, 0, tn.caller(1), nil)
			second := tn.dialFrom(ctx, t, ua, 1, tn.caller(2), nil)
			ears := []*ear{{call: first, language: language}, {call: second, language: language}}
			for i, e := range ears {
				e.hears(ctx, t, "greeting")
				e.hears(ctx, t, "main_menu")
				e.call.Press("1")
				e.hears(ctx, t, append(place(i+1), "music")...)
			}
			for i, e := range ears { // an ear forgets after half a minute: one stage of both, then the next
				e.hears(ctx, t, place(i+1)...)
			}
			for _, e := range ears {
				e.hears(ctx, t, "nobody_available")
			}
			for i, e := range ears {
				until(ctx, t, e.call.Done(), "the caller is not let go")
				if rec := recordOf(ctx, t, tn, tn.caller(i+1)); rec.GetEndedBy() != "flow" {
					t.Errorf("the record of caller %d: %v", i+1, rec)
				}
			}
		})
	}
}

// ear knows what a caller has heard already.
type ear struct {
	call     *carrier.Call
	language string
	heard    int // samples of the call
}

// hears waits until the prompts are heard, in this order, after what was heard before.
func (e *ear) hears(ctx context.Context, t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		said, ok := prompts.Get(name, e.language)
		if !ok {
			t.Fatalf("there is no prompt %q", name)
		}
		said = said[:min(len(said), 5*window)] // music goes on for longer
		eventually(ctx, t, "the caller hears "+name, func() error {
			h := e.call.Heard()
			const packet = 160
			forgotten := h.Packets*packet - len(h.Audio)
			at := bytes.Index(h.Audio[max(0, e.heard-forgotten):], said)
			if at < 0 {
				return fmt.Errorf("not among %d samples", len(h.Audio))
			}
			e.heard = max(e.heard, forgotten) + at + len(said)
			return nil
		})
	}
}
