package node

import (
	"sync"
	"syscall"

	"trunkline/edge/recording"
	"trunkline/edge/sip"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

// keepRefused is how many refused INVITEs a node remembers for the site page.
const keepRefused = 50

// refusals is the newest calls that did not get through.
type refusals struct {
	mu   sync.Mutex
	list []*edgev1.RefusedInvite
}

// add is sip.Config.OnRefused.
func (r *refusals) add(f sip.Refusal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, &edgev1.RefusedInvite{
		At: f.At.UnixMicro(), Source: f.Source.String(), Caller: f.Caller, Called: f.Called,
		Reason: f.Reason, Status: uint32(f.Status), TrunkId: f.TrunkID, TenantId: f.Tenant,
	})
	if len(r.list) > keepRefused {
		r.list = append([]*edgev1.RefusedInvite(nil), r.list[len(r.list)-keepRefused:]...)
	}
}

func (r *refusals) newest() []*edgev1.RefusedInvite {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]*edgev1.RefusedInvite(nil), r.list...)
}

// NodeReport is what the cloud shows of this node.
func (n *Node) NodeReport() *edgev1.ReportNodeRequest {
	st, v := n.replica.Status(), n.replica.View()
	rep := &edgev1.ReportNodeRequest{
		Node: n.cfg.Name, Version: n.cfg.Version, Leader: st.State == "leader", RaftState: raftState(st.State, st.Voter),
		AppliedIndex: st.Applied, Lag: st.LastIndex - st.Applied, Calls: uint32(n.board.Count()), StartedAt: n.started.UnixMicro(),
		Refused: n.refused.newest(),
	}
	if st.Clock.Off {
		rep.ClockOffUs = st.Clock.Ahead
	}
	var fs syscall.Statfs_t
	if syscall.Statfs(n.cfg.Enrolment.Dir(), &fs) == nil {
		rep.DiskFreeBytes, rep.DiskTotalBytes = fs.Bavail*uint64(fs.Bsize), fs.Blocks*uint64(fs.Bsize)
	}
	rep.Recording = recordingStatus(n.recordings.Status())
	for id := range n.dir.Load().tenants {
		rep.FactsWaiting += v.OutboxLen(id)
	}
	perTrunk := map[string]uint32{}
	for _, c := range v.CallsByOwner(n.cfg.Name) {
		perTrunk[c.TrunkID]++
	}
	for _, t := range n.dir.Load().trunks {
		rep.Trunks = append(rep.Trunks, &edgev1.TrunkStatus{
			TrunkId: t.ID, Reachable: n.trunks.reachable(t.ID), Calls: perTrunk[t.ID], LastCallAt: n.trunks.lastCall(t.ID),
		})
	}
	for _, p := range st.Peers {
		rep.Peers = append(rep.Peers, &edgev1.PeerStatus{Name: p.Name, Up: p.Up, Voter: p.Voter, Lag: p.Lag})
	}
	return rep
}

func recordingStatus(st recording.Status) *edgev1.RecordingStatus {
	out := &edgev1.RecordingStatus{Stopped: st.Stopped, FreePercent: st.Free, NeededPercent: st.Needed}
	if st.Stopped != "" {
		out.StoppedAt = st.Since.UnixMicro()
	}
	return out
}

// raftState tells a member that still catches up from one that votes.
func raftState(state string, voter bool) string {
	if state == "follower" && !voter {
		return "non_voter"
	}
	return state
}
