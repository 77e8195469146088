package replica

import (
	"strings"

	"github.com/hashicorp/raft"
)

// Status is where this node stands, for health pages and ReportNode.
type Status struct {
	State     string // "leader", "follower", "candidate", "shutdown"
	Leader    string // name, "" when none is known
	Voter     bool
	Term      uint64
	LastIndex uint64
	Applied   uint64
	DiskStall bool  // a log write has been under way for longer than Timing.Stall
	WriteP99  int64 // microseconds, of the last 1,024 log writes with fsync
	Clock     ClockStatus
	Peers     []PeerStatus
}

// Status tells where this node stands.
func (r *Replica) Status() Status {
	r.mu.Lock()
	s := Status{Leader: r.leader, DiskStall: r.stalled}
	running := r.state == stateRunning
	r.mu.Unlock()
	if !running {
		s.State = "shutdown"
		return s
	}
	s.State = strings.ToLower(r.raft.State().String())
	s.Term, s.LastIndex, s.Applied = r.raft.CurrentTerm(), r.raft.LastIndex(), r.raft.AppliedIndex()
	s.Clock = r.clocks.now()
	s.WriteP99 = r.disk.p99().Microseconds()
	members := map[string]raft.Server{}
	for _, m := range r.servers() {
		members[string(m.ID)] = m
	}
	s.Voter = members[r.cfg.Name].Suffrage == raft.Voter && members[r.cfg.Name].ID != ""
	for _, name := range r.peers.names() {
		p, _ := r.peers.get(name)
		m, ok := members[name]
		p.Member, p.Voter = ok, ok && m.Suffrage == raft.Voter
		ahead, _ := r.clocks.ahead(name)
		p.ClockAhead = ahead.Microseconds()
		s.Peers = append(s.Peers, p)
	}
	return s
}

// Voters names the nodes whose majority decides, this one included if it votes.
func (r *Replica) Voters() []string {
	r.mu.Lock()
	running := r.state == stateRunning
	r.mu.Unlock()
	if !running {
		return nil
	}
	var out []string
	for _, s := range r.servers() {
		if s.Suffrage == raft.Voter {
			out = append(out, string(s.ID))
		}
	}
	return out
}
