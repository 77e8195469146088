package node

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// Reports that cannot be committed any more do not keep the node from stopping
// all else in order.
func TestStopEndsReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &Node{}
		n.reporting, n.endReports = context.WithCancel(t.Context())
		n.work.Go(func() { <-n.reporting.Done() })
		ctx, cancel := context.WithTimeout(t.Context(), stopTimeout)
		defer cancel()
		began := time.Now()
		if err := n.letGo(ctx); err != nil || time.Since(began) != reportGrace {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}
