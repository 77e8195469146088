package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"trunkline/proto/gen/trunkline/access/v1/accessv1connect"
	"trunkline/proto/gen/trunkline/agent/v1/agentv1connect"
)

// TestLargeRequests: what is larger than an RPC takes gets a fault with a
// reference and is counted, at the cloud and at a node.
func TestLargeRequests(t *testing.T) {
	c, _ := cluster(t)
	ctx := testContext(t, patience)
	for name, at := range map[string]struct{ web, metrics, procedure string }{
		"cloud": {c.Web, c.Metrics, accessv1connect.AccessServiceSignInProcedure},
		"node":  {c.Nodes[0].Ready.Web, c.Nodes[0].Ready.Metrics, agentv1connect.AgentServiceExchangeProcedure},
	} {
		t.Run(name, func(t *testing.T) {
			count := `trunkline_rpc_seconds_count{code="resource_exhausted",procedure="` + at.procedure + `"}`
			before := metricsAt(ctx, t, at.metrics)[count]
			for _, body := range []io.Reader{
				bytes.NewReader(make([]byte, 9_000_000)),                 // with its length
				io.MultiReader(bytes.NewReader(make([]byte, 9_000_000))), // in chunks
			} {
				refusedAsTooLarge(ctx, t, at.web+at.procedure, body)
			}
			if n := metricsAt(ctx, t, at.metrics)[count] - before; n != 2 {
				t.Errorf("%v of 2 are counted", n)
			}
		})
	}
}

func refusedAsTooLarge(ctx context.Context, t *testing.T, url string, body io.Reader) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var answer struct {
		Code, Message string
		Details       []struct {
			Debug struct{ Reference string }
		}
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusTooManyRequests || answer.Code != "resource_exhausted" || answer.Message != "fault.request.too_large" ||
		len(answer.Details) != 1 || len(answer.Details[0].Debug.Reference) != 10 {
		t.Errorf("%s: %s %+v", url, res.Status, answer)
	}
}
