package replica

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"trunkline/edge/call"
)

// What one batch of one command costs the state machine, with a view for readers.
func BenchmarkMachine(b *testing.B) {
	m := newMachine(call.FeatureLevel)
	for i := range 100_000 {
		m.callStart(startCall(i, "node-1"))
		m.enqueue(call.Enqueue{CallID: fmt.Sprintf("call-%05d", i), QueueID: fmt.Sprint("q", i%50)})
	}
	var data [256][]byte
	for i := range data {
		e, _ := envelope("", call.Dialog{CallID: fmt.Sprintf("call-%05d", i*300), Dialog: make([]byte, 500)})
		data[i], _ = encoding.Marshal(batch{At: int64(i), Commands: []call.Envelope{e}})
	}
	var view *View
	i := 0
	for b.Loop() {
		if _, err := m.applyBatch(uint64(i), data[i%256]); err != nil {
			b.Fatal(err)
		}
		m.changed.take(0, 0)
		view = &View{t: m.t.copy()}
		i++
	}
	_ = view
}

// Position of a caller among 100,000.
func BenchmarkPosition(b *testing.B) {
	m := newMachine(call.FeatureLevel)
	for i := range 100_000 {
		m.callStart(startCall(i, "node-1"))
		m.enqueue(call.Enqueue{CallID: fmt.Sprintf("call-%05d", i), QueueID: "q"})
	}
	v := &View{t: m.t.copy()}
	for b.Loop() {
		if v.Position("call-77777") == 0 {
			b.Fatal("nowhere")
		}
	}
}

// Commits a second through a follower, three nodes on one disk, with fsync.
func BenchmarkCommit(b *testing.B) {
	for _, proposers := range []int{1, 16, 128} {
		var rate float64 // of the longest run, which is the last
		var fsync int64
		b.Run(fmt.Sprintf("proposers=%d", proposers), func(b *testing.B) { rate, fsync = benchmarkCommit(b, proposers) })
		fmt.Printf("FIGURE replica_commits_%d %.0f commits/s\n", proposers, rate)
		fmt.Printf("FIGURE replica_fsync_p99_%d %d us\n", proposers, fsync)
	}
}

func benchmarkCommit(b *testing.B, proposers int) (rate float64, fsync int64) {
	s := newSite(b)
	s.timing = Fast()
	nodes := s.three()
	leader := s.leader()
	from := nodes[0]
	if from == leader {
		from = nodes[1]
	}
	s.apply(from, startCall(0, "node-1"))
	var n atomic.Int64
	b.SetParallelism(max(1, proposers/2)) // two processors
	b.ResetTimer()
	begin := time.Now()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			_, err := from.Apply(ctx, "", call.Dialog{CallID: "call-00000", Dialog: make([]byte, 300)})
			cancel()
			if err != nil {
				b.Error(err)
				return
			}
			n.Add(1)
		}
	})
	rate, fsync = float64(n.Load())/time.Since(begin).Seconds(), leader.Status().WriteP99
	b.ReportMetric(rate, "commits/s")
	b.ReportMetric(float64(fsync), "fsync-p99-us")
	b.StopTimer()
	for _, x := range nodes {
		x.kill()
	}
	return rate, fsync
}
