package replica

import (
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// repeatNews is how often a follower is told again what it knows already, which
// shows that its connection still stands.
const repeatNews = 100 * time.Millisecond

// pipeline is how a leader sends a follower its entries: the library's, mended in
// two ways.
//
// It ends with the first answer that ends it for Raft. Raft stops taking answers
// then, and may be sending just now: the library's own waits for ever for somebody
// to take the answer, for it is closed only after the sending. The follower gets
// no more entries but goes on getting heartbeats, so it never stands for election,
// and the leader can not stop (raft issue 612).
//
// And it leaves out what tells the follower nothing. Raft sends an empty message
// every CommitTimeout, 5 to 10 ms here so that followers lag little, in case that
// more has been committed. On an idle site that was two thirds of the leader's
// CPU time.
type pipeline struct {
	raft.AppendPipeline
	answers chan raft.AppendFuture
	closing sync.Once
	closed  chan struct{}

	// Of the goroutine that sends alone: the commit index last sent, and when.
	told uint64
	at   time.Time
}

// AppendEntriesPipeline implements raft.Transport.
func (b *ballot) AppendEntriesPipeline(id raft.ServerID, target raft.ServerAddress) (raft.AppendPipeline, error) {
	p, err := b.NetworkTransport.AppendEntriesPipeline(id, target)
	if err != nil {
		return nil, err
	}
	return newPipeline(p), nil
}

func newPipeline(to raft.AppendPipeline) *pipeline {
	p := &pipeline{AppendPipeline: to, answers: make(chan raft.AppendFuture), closed: make(chan struct{})}
	go p.pass()
	return p
}

// pass hands Raft the answers, until it takes no more.
func (p *pipeline) pass() {
	for {
		select {
		case f := <-p.AppendPipeline.Consumer():
			last := !f.Response().Success || f.Response().Term > f.Request().Term
			select {
			case p.answers <- f:
			case <-p.closed:
				return
			}
			if last {
				_ = p.Close()
				return
			}
		case <-p.closed:
			return
		}
	}
}

// AppendEntries implements raft.AppendPipeline, for one goroutine at a time. The
// future is nil if nothing was sent; Raft takes answers from Consumer alone.
func (p *pipeline) AppendEntries(req *raft.AppendEntriesRequest, res *raft.AppendEntriesResponse) (raft.AppendFuture, error) {
	now := time.Now()
	if len(req.Entries) == 0 && req.LeaderCommitIndex == p.told && now.Sub(p.at) < repeatNews {
		return nil, nil
	}
	p.told, p.at = req.LeaderCommitIndex, now
	return p.AppendPipeline.AppendEntries(req, res)
}

// Consumer implements raft.AppendPipeline.
func (p *pipeline) Consumer() <-chan raft.AppendFuture { return p.answers }

// Close implements raft.AppendPipeline. What is being sent fails.
func (p *pipeline) Close() error {
	var err error
	p.closing.Do(func() {
		close(p.closed)
		err = p.AppendPipeline.Close()
	})
	return err
}
