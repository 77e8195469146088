package replica

import (
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

type countingPipeline struct {
	raft.AppendPipeline
	sent int
}

func (p *countingPipeline) AppendEntries(*raft.AppendEntriesRequest, *raft.AppendEntriesResponse) (raft.AppendFuture, error) {
	p.sent++
	return nil, nil
}

// A follower is told at once of entries and of commits, and otherwise now and then.
func TestPipelineSendsNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c countingPipeline
		p := &pipeline{AppendPipeline: &c}
		sends := func(what string, want int, commit uint64, entries ...*raft.Log) {
			t.Helper()
			before := c.sent
			if _, err := p.AppendEntries(&raft.AppendEntriesRequest{LeaderCommitIndex: commit, Entries: entries}, nil); err != nil {
				t.Fatal(err)
			}
			if got := c.sent - before; got != want {
				t.Errorf("%s: %d sent, want %d", what, got, want)
			}
		}
		sends("the first message", 1, 7)
		sends("nothing new", 0, 7)
		sends("an entry", 1, 7, &raft.Log{Index: 8})
		sends("nothing new", 0, 7)
		sends("its commit", 1, 8)
		time.Sleep(repeatNews - 1)
		sends("nothing new for a while", 0, 8)
		time.Sleep(time.Nanosecond)
		sends("nothing new for long", 1, 8)
		sends("nothing new", 0, 8)
	})
}

// After an answer that ends it for Raft, which then takes no more of them, a
// pipeline must not keep the sender for ever.
func TestPipelineEnds(t *testing.T) {
	for name, answer := range map[string]raft.AppendEntriesResponse{
		"refused":      {Term: 1},
		"a newer term": {Term: 2, Success: true},
	} {
		t.Run(name, func(t *testing.T) {
			leader, follower := tcpTransport(t), tcpTransport(t)
			ended := make(chan struct{})
			defer close(ended)
			go func() {
				for {
					select {
					case rpc := <-follower.Consumer():
						rpc.Respond(&answer, nil)
					case <-ended:
						return
					}
				}
			}()
			to, err := leader.AppendEntriesPipeline("follower", follower.LocalAddr())
			if err != nil {
				t.Fatal(err)
			}
			p := newPipeline(to)
			defer p.Close()
			send := func() error {
				_, err := p.AppendEntries(&raft.AppendEntriesRequest{Term: 1, Entries: []*raft.Log{{Index: 1}}}, new(raft.AppendEntriesResponse))
				return err
			}
			if err := send(); err != nil {
				t.Fatal(err)
			}
			<-p.Consumer() // and no more
			stopped := make(chan struct{})
			go func() {
				defer close(stopped)
				for send() == nil {
				}
			}()
			select {
			case <-stopped:
			case <-time.After(time.Minute):
				t.Error("it is still being sent to")
			}
		})
	}
}

func tcpTransport(t *testing.T) *raft.NetworkTransport {
	t.Helper()
	trans, err := raft.NewTCPTransport("127.0.0.1:0", nil, 2, time.Minute, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = trans.Close() })
	return trans
}
