package softphone

import (
	"context"
	"slices"
	"sync"
	"time"

	"trunkline/edge/call"
	"trunkline/internal/fault"
)

// An agent's lease: the replica's row says which nodes hold a stream of the
// agent. It is brought in line with what is true here, never told what happened:
// a stream that ends and one that begins are commits that may overtake each
// other, a node taken for dead loses its leases while its streams live on, and
// without a leader a commit comes late.

const (
	// streamTimeout bounds one try to commit that a stream began or ended.
	streamTimeout = 5 * time.Second
	leaseRetry    = 500 * time.Millisecond
	// leaseTries is when it is left to the next change of the agent's row.
	leaseTries = 20
)

// leases says for which agents one is being committed, and whether to look
// once more after it.
type leases struct {
	mu    sync.Mutex
	under map[string]bool
}

// enter is false when somebody is at it, who will look again.
func (l *leases) enter(agentID string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, busy := l.under[agentID]; busy {
		l.under[agentID] = true
		return false
	}
	l.under[agentID] = false
	return true
}

// leave is false when something changed meanwhile.
func (l *leases) leave(agentID string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.under[agentID] {
		l.under[agentID] = false
		return false
	}
	delete(l.under, agentID)
	return true
}

// begin and end take note of a stream at this node.
func (s *Service) begin(agentID string, d *deskStream) {
	if s.hub.add(agentID, d) {
		s.settleLease(agentID)
	}
}

func (s *Service) end(agentID string, d *deskStream) {
	if s.hub.remove(agentID, d) {
		s.settleLease(agentID)
	}
}

// checkLease looks whether the agent's row is right about this node; it never
// blocks.
func (s *Service) checkLease(agentID string) {
	if a, ok := s.site.Agent(agentID); ok && slices.Contains(a.Streams, s.site.Name()) != s.hub.has(agentID) {
		go s.settleLease(agentID)
	}
}

func (s *Service) settleLease(agentID string) {
	if !s.leases.enter(agentID) {
		return
	}
	for {
		s.commitLease(agentID)
		if s.leases.leave(agentID) {
			return
		}
	}
}

func (s *Service) commitLease(agentID string) {
	for range leaseTries {
		on := s.hub.has(agentID)
		ctx, cancel := context.WithTimeout(context.Background(), streamTimeout)
		_, err := s.apply(ctx, "", call.AgentStream{AgentID: agentID, Node: s.site.Name(), On: on})
		cancel()
		if err == nil || fault.Of(err).Kind != fault.Unavailable {
			return
		}
		s.log.Warn("stream lease not committed, trying again", "agent", agentID, "on", on, "error", err)
		time.Sleep(leaseRetry)
	}
}
