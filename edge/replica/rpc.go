package replica

import (
	"context"
	"errors"

	"trunkline/edge/call"
	"trunkline/edge/replica/nodeport"
	"trunkline/internal/fault"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
	"trunkline/proto/gen/trunkline/edge/v1/edgev1connect"
)

// RPC is the replica's part of NodeService: Apply, AddNode and Ping. The node
// embeds it, adds CopyRecording, GetNodeBlob and HoldBlobs, and mounts the whole:
//
//	type nodeService struct{ *replica.RPC; ... }
//	port.Handle(edgev1connect.NewNodeServiceHandler(nodeService{...}, rpcx.Options(...)...))
//
// It trusts nodeport.PeerFrom alone for who asks.
type RPC struct {
	edgev1connect.UnimplementedNodeServiceHandler
	r *Replica
}

// RPC gives the handlers to embed.
func (r *Replica) RPC() *RPC { return &RPC{r: r} }

func peerOf(ctx context.Context) (string, error) {
	id, ok := nodeport.PeerFrom(ctx)
	if !ok {
		return "", fault.New(fault.Unauthenticated, "fault.node.certificate")
	}
	return id.Node, nil
}

// Apply writes the commands of another node, if this one leads.
func (s *RPC) Apply(ctx context.Context, req *edgev1.ApplyRequest) (*edgev1.ApplyResponse, error) {
	if _, err := peerOf(ctx); err != nil {
		return nil, err
	}
	if !s.r.leads() {
		return nil, unavailable(errNotLeader)
	}
	list := make([]call.Envelope, len(req.GetCommands()))
	for i, raw := range req.GetCommands() {
		if err := decoding.Unmarshal(raw, &list[i]); err != nil {
			return nil, fault.Wrap(err, fault.Invalid, "fault.node.command")
		}
		// What this version can not read must not enter the log: it would stop every node.
		cmd, err := open(list[i])
		if err != nil || list[i].Key == "" || len(list[i].Body) > maxCommand {
			return nil, fault.Wrap(err, fault.Invalid, "fault.node.command")
		}
		if !s.r.View().Allows(cmd) {
			return nil, unavailable(errNotYet) // this node may not have applied yet what the other has
		}
	}
	replies := make([]chan reply, len(list))
	batch := make([]*request, len(list))
	for i, env := range list {
		c := make(chan reply, 1)
		replies[i] = c
		batch[i] = &request{ctx: ctx, env: env, here: true, done: func(a reply) { c <- a }}
	}
	if len(batch) > 0 {
		s.r.submit(s.r.requests, batch...)
	}
	resp := &edgev1.ApplyResponse{Results: make([][]byte, len(list))}
	for i, c := range replies {
		select {
		case a := <-c:
			if a.err != nil {
				return nil, unavailable(a.err)
			}
			raw, err := encoding.Marshal(a.res)
			if err != nil {
				return nil, fault.Wrap(err, fault.Internal, "fault.internal")
			}
			resp.Results[i] = raw
			resp.Index = max(resp.Index, a.res.Index)
		case <-ctx.Done():
			return nil, unavailable(ctx.Err())
		case <-s.r.stopping:
			return nil, unavailable(errStopped)
		}
	}
	return resp, nil
}

// AddNode takes the asking node into the group, as one that does not vote yet.
// A node that does not lead asks the leader.
func (s *RPC) AddNode(ctx context.Context, req *edgev1.AddNodeRequest) (*edgev1.Done, error) {
	peer, err := peerOf(ctx)
	if err != nil {
		return nil, err
	}
	leader, self := s.r.Leader()
	if !self {
		// The leader may take a peer's word: both are of this site.
		if leader == "" || leader == peer {
			return nil, unavailable(errNotLeader)
		}
		if req.GetName() != peer {
			return nil, unavailable(errNotLeader) // passed on once already
		}
		return s.r.nodeClient(leader).AddNode(ctx, req)
	}
	if level := call.Level(req.GetFeatureLevel()); level < s.r.View().Level() {
		return nil, fault.Wrap(tooOld(s.r.View().Level(), level), fault.Conflict, "fault.node.too_old")
	}
	info := call.NodeInfo{
		Name: req.GetName(), Incarnation: req.GetIncarnation(), NodeAddr: req.GetNodeAddr(), WebURL: req.GetWebUrl(),
		SIPAddr: req.GetSipAddr(), Version: req.GetVersion(),
	}
	if info.Name == "" || info.Incarnation == "" || info.NodeAddr == "" || info.Name == s.r.cfg.Name {
		return nil, fault.New(fault.Invalid, "fault.node.announcement")
	}
	if err := s.r.addNode(ctx, info); err != nil {
		return nil, unavailable(err)
	}
	return &edgev1.Done{}, nil
}

// Ping says which process answers, whether it leads, and what its clock shows.
func (s *RPC) Ping(ctx context.Context, _ *edgev1.PingRequest) (*edgev1.PingResponse, error) {
	if _, err := peerOf(ctx); err != nil {
		return nil, err
	}
	select {
	case <-s.r.stopping:
		return nil, unavailable(errors.New("stopping"))
	default:
	}
	return &edgev1.PingResponse{
		Node: s.r.cfg.Name, Incarnation: s.r.cfg.Incarnation, Leader: s.r.leads(), Now: s.r.Now(), Clock: s.r.cfg.Clock().UnixMicro(),
	}, nil
}
