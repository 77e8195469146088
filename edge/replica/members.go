package replica

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/raft"

	"trunkline/edge/call"
	"trunkline/internal/fault"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

// resolve gives where a node may be reached: as it announced itself, then as
// configured.
func (r *Replica) resolve(name string) []string {
	var out []string
	add := func(addr string) {
		if addr != "" && !slices.Contains(out, addr) {
			out = append(out, addr)
		}
	}
	if n, ok := r.View().Node(name); ok {
		add(n.NodeAddr)
	}
	for _, n := range r.cfg.Peers() {
		if n.Name == name {
			add(n.NodeAddr)
		}
	}
	return out
}

// knownNodes names the other nodes of the site.
func (r *Replica) knownNodes() []string {
	var out []string
	for _, n := range r.View().Nodes() {
		out = append(out, n.Name)
	}
	for _, n := range r.cfg.Peers() {
		out = append(out, n.Name)
	}
	slices.Sort(out)
	out = slices.Compact(out)
	return slices.DeleteFunc(out, func(name string) bool { return name == r.cfg.Name || name == "" })
}

// servers are the members of the group as this node knows them.
func (r *Replica) servers() []raft.Server {
	f := r.raft.GetConfiguration()
	if f.Error() != nil {
		return nil
	}
	return f.Configuration().Servers
}

func (r *Replica) member(name string) (raft.Server, bool) {
	for _, s := range r.servers() {
		if s.ID == raft.ServerID(name) {
			return s, true
		}
	}
	return raft.Server{}, false
}

func (r *Replica) voter(name string) bool {
	s, ok := r.member(name)
	return ok && s.Suffrage == raft.Voter
}

// known says whether the site knows this process to be up, where it is.
func (r *Replica) known() bool {
	n, ok := r.View().Node(r.cfg.Name)
	if !ok || !n.Up {
		return false
	}
	same := *n
	same.Up, same.Since = r.cfg.Self.Up, r.cfg.Self.Since
	return same == r.cfg.Self
}

// announce sees to it that the site knows this process, now and after it was
// taken for dead.
func (r *Replica) announce() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-r.stopping:
			cancel()
		case <-ctx.Done():
		}
	}()
	tick := time.NewTicker(r.cfg.Timing.Beat)
	defer tick.Stop()
	for {
		if _, ok := r.member(r.cfg.Name); !ok {
			r.askToJoin(ctx)
		} else if leader, _ := r.Leader(); leader != "" && !r.known() {
			r.announceOnce(ctx)
		}
		if r.known() {
			r.announced.tell()
		}
		select {
		case <-tick.C:
		case <-r.leaderChanged.next():
		case <-ctx.Done():
			return
		}
	}
}

func (r *Replica) announceOnce(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Timing.RPC)
	defer cancel()
	res, err := r.Apply(ctx, "", call.NodeUp{Node: r.cfg.Self})
	if err == nil {
		err = r.WaitIndex(ctx, res.Index)
	}
	if err != nil {
		r.cfg.Log.Debug("not announced yet", "error", err)
	}
}

// askToJoin asks each configured peer until one, or the leader it asks, agrees.
func (r *Replica) askToJoin(ctx context.Context) {
	for _, name := range r.knownNodes() {
		err := r.join(ctx, name)
		if err == nil {
			r.cfg.Log.Info("joined the group", "through", name)
			return
		}
		if fault.Of(err).Kind == fault.Conflict {
			r.cfg.Log.Error("the group refuses this node", "peer", name, "error", err)
		} else {
			r.cfg.Log.Debug("not joined yet", "peer", name, "error", err)
		}
		if ctx.Err() != nil {
			return
		}
	}
}

// join asks one peer to be added.
func (r *Replica) join(ctx context.Context, peer string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*r.cfg.Timing.RPC)
	defer cancel()
	self := r.cfg.Self
	_, err := r.nodeClient(peer).AddNode(ctx, &edgev1.AddNodeRequest{
		Name: self.Name, NodeAddr: self.NodeAddr, WebUrl: self.WebURL, SipAddr: self.SIPAddr, Version: self.Version, Incarnation: self.Incarnation,
		FeatureLevel: uint32(r.cfg.level),
	})
	return err
}

// addNode announces a node, so that all know its address, and then takes it in.
func (r *Replica) addNode(ctx context.Context, info call.NodeInfo) error {
	if s, ok := r.member(info.Name); ok && s.Suffrage == raft.Voter {
		return nil
	}
	res, err := r.Apply(ctx, "", call.NodeUp{Node: info})
	if err != nil {
		return err
	}
	if res.Refused != "" {
		return fmt.Errorf("replica: announcement of %s refused: %s", info.Name, res.Refused)
	}
	id := raft.ServerID(info.Name)
	if err := r.raft.AddNonvoter(id, raft.ServerAddress(info.Name), 0, r.cfg.Timing.RPC).Error(); err != nil {
		return fmt.Errorf("replica: add %s: %w", info.Name, err)
	}
	r.cfg.Log.Info("node added", "peer", info.Name, "addr", info.NodeAddr)
	return nil
}

// caughtUp is how many entries a node may be behind when it begins to vote.
const caughtUp = 500

// promote lets nodes that have caught up vote, one at a time.
func (r *Replica) promote() {
	for _, s := range r.servers() {
		if s.Suffrage != raft.Nonvoter {
			continue
		}
		p, ok := r.peers.get(string(s.ID))
		if !ok || !p.Up || p.Lag > caughtUp {
			continue
		}
		if err := r.raft.AddVoter(s.ID, s.Address, 0, r.cfg.Timing.RPC).Error(); err != nil {
			r.cfg.Log.Warn("node may not vote yet", "peer", s.ID, "error", err)
			return
		}
		r.cfg.Log.Info("node votes", "peer", s.ID)
		return
	}
}

// RemoveNode takes a node out of the group for good. Only the leader can; the
// others get an error of kind fault.Unavailable.
func (r *Replica) RemoveNode(ctx context.Context, name string) error {
	wait := r.cfg.Timing.RPC
	if d, ok := ctx.Deadline(); ok {
		wait = time.Until(d)
	}
	if err := r.raft.RemoveServer(raft.ServerID(name), 0, wait).Error(); err != nil {
		return unavailable(err)
	}
	return nil
}
