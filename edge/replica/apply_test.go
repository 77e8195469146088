package replica

import (
	"fmt"
	"testing"
	"time"

	"trunkline/edge/call"
)

// What is to stay together is one entry, also through a follower; what is late
// comes by itself when nothing else does.
func TestTogetherAndLate(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for i, n := range s.three() {
		ctx := s.ctx(30 * time.Second)
		id := fmt.Sprintf("call-%05d", i)
		res, err := n.ApplyTogether(ctx, id, startCall(i, n.cfg.Name), call.Enqueue{CallID: id, QueueID: "q"}, call.Enqueue{CallID: id, QueueID: "q"})
		if err != nil {
			t.Fatal(err)
		}
		if res[0].Call == nil || res[1].Call == nil || res[1].Call.QueueID != "q" || res[2].Refused != call.RefusedState {
			t.Errorf("through %s: %+v", n.cfg.Name, res)
		}
		if res[0].Index != res[1].Index {
			t.Errorf("through %s: entries %d and %d", n.cfg.Name, res[0].Index, res[1].Index)
		}
		// The same keys again: the same answers.
		again, err := n.ApplyTogether(ctx, id, startCall(i, n.cfg.Name), call.Enqueue{CallID: id, QueueID: "q"}, call.Enqueue{CallID: id, QueueID: "q"})
		if err != nil || again[1].Index != res[1].Index || again[2].Refused != call.RefusedState {
			t.Errorf("again through %s: %+v, %v", n.cfg.Name, again, err)
		}
		late, err := n.ApplyLate(ctx, "", call.CallEnd{CallID: id, EndedBy: "caller"})
		if err != nil || late.Refused != "" {
			t.Errorf("late through %s: %+v, %v", n.cfg.Name, late, err)
		}
	}
}

// A batch holds what is late, then what waits, without tearing apart what is to
// stay together.
func TestGather(t *testing.T) {
	asks := func(keys ...string) (list []*request) {
		for _, k := range keys {
			list = append(list, &request{env: call.Envelope{Key: k}})
		}
		return list
	}
	waiting := make(chan []*request, 2*maxBatch)
	waiting <- asks("c", "d")
	for range maxBatch {
		waiting <- asks("x", "y")
	}
	got := gather(asks("a"), asks("b"), waiting)
	var keys string
	for _, q := range got {
		keys += q.env.Key
	}
	if keys[:4] != "abcd" || len(got) < maxBatch || len(got) > maxBatch+1 || keys[len(keys)-1] != 'y' {
		t.Errorf("%d: %s", len(got), keys)
	}
	big := asks("big")
	big[0].env.Body = make([]byte, maxCommand)
	if got := gather(big, nil, waiting); len(got) != 1 {
		t.Errorf("%d beside a large one", len(got))
	}
}
