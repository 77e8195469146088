package e2e

import (
	"context"
	"testing"
	"time"

	"trunkline/e2e/harness"
)

// figureDisk prints the slowest node's fsync: what a commit's figure rests on.
func figureDisk(ctx context.Context, t *testing.T, c *harness.Cluster) {
	t.Helper()
	var worst time.Duration
	for _, n := range c.Nodes {
		s, err := statusOf(ctx, n)
		if err != nil {
			t.Fatal(err)
		}
		worst = max(worst, time.Duration(s.Replica.WriteP99)*time.Microsecond)
	}
	t.Logf("FIGURE fsync_p99_ms %.1f ms", float64(worst.Microseconds())/1000)
}
