package replica

import (
	"slices"

	"github.com/hashicorp/raft"
)

// succeed shortens the wait for an election. Raft's followers notice a dead
// leader by its silence; this node may know more: nobody listens any more where
// the leader was. Then the next voter in name order stands at once, as if the
// leader had handed over. Should it lose (its log is behind, or the leader lives
// after all), nothing is lost but an election.
func (r *Replica) succeed(dead PeerStatus) {
	leader, _ := r.Leader()
	if !dead.Proven || leader != dead.Name {
		return
	}
	r.wg.Go(func() {
		if r.nextVoter(dead.Name) != r.cfg.Name {
			return
		}
		r.cfg.Log.Info("standing for election: the leader's process is gone", "leader", dead.Name)
		if err := r.standFor(r.cfg.Name); err != nil {
			r.cfg.Log.Warn("could not stand for election", "error", err)
		}
	})
}

// nextVoter is the voter that comes after name, of those this node does not
// know to be down or their clocks to be off; "" when there is none.
func (r *Replica) nextVoter(name string) string {
	var voters []string
	for _, s := range r.servers() {
		id := string(s.ID)
		if _, down := r.peers.down(id); s.Suffrage == raft.Voter && id != name && !down {
			voters = append(voters, id)
		}
	}
	voters = r.clocks.trustedFirst(voters)
	slices.Sort(voters)
	for _, v := range voters {
		if v > name {
			return v
		}
	}
	if len(voters) > 0 {
		return voters[0]
	}
	return ""
}
