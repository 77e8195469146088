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
		self := []byte(r.cfg.Name)
		req := &raft.TimeoutNowRequest{RPCHeader: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: self, Addr: self}}
		err := r.group.trans.TimeoutNow(raft.ServerID(r.cfg.Name), raft.ServerAddress(r.cfg.Name), req, &raft.TimeoutNowResponse{})
		if err != nil {
			r.cfg.Log.Warn("could not stand for election", "error", err)
		}
	})
}

// nextVoter is the voter that comes after name, of those this node does not
// know to be down; "" when there is none.
func (r *Replica) nextVoter(name string) string {
	var voters []string
	for _, s := range r.servers() {
		id := string(s.ID)
		if _, down := r.peers.down(id); s.Suffrage == raft.Voter && id != name && !down {
			voters = append(voters, id)
		}
	}
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
