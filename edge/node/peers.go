package node

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"time"

	"connectrpc.com/connect"

	"trunkline/edge/replica"
	"trunkline/edge/replica/nodeport"
	"trunkline/internal/fault"
	"trunkline/internal/rpcx"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
	"trunkline/proto/gen/trunkline/edge/v1/edgev1connect"
)

// peerService is what the nodes of the site ask of each other (NodeService).
type peerService struct {
	*replica.RPC
	n *Node
}

// CopyRecording keeps a second copy of a recording another node writes.
func (s peerService) CopyRecording(ctx context.Context, req *edgev1.CopyRecordingRequest) (*edgev1.RecordingOffsetResponse, error) {
	if _, ok := nodeport.PeerFrom(ctx); !ok {
		return nil, fault.New(fault.Forbidden, "fault.node.certificate_missing")
	}
	size, err := s.n.recordings.Receive(req.GetTenantId(), req.GetRecordingId(), int64(req.GetOffset()), req.GetData(), req.GetClose())
	if err != nil {
		return nil, err
	}
	return &edgev1.RecordingOffsetResponse{Offset: uint64(size), Complete: req.GetClose()}, nil
}

// GetNodeBlob gives a blob of the configuration by its hash.
func (s peerService) GetNodeBlob(ctx context.Context, req *edgev1.GetBlobRequest) (*edgev1.GetBlobResponse, error) {
	if _, ok := nodeport.PeerFrom(ctx); !ok {
		return nil, fault.New(fault.Forbidden, "fault.node.certificate_missing")
	}
	b, ok := s.n.configs.Blob(req.GetHash())
	if !ok {
		return nil, fault.New(fault.NotFound, "fault.blob.unknown")
	}
	return &edgev1.GetBlobResponse{Data: b}, nil
}

// HoldBlobs copies blobs of a configuration from the nodes that hold them.
func (s peerService) HoldBlobs(ctx context.Context, req *edgev1.HoldBlobsRequest) (*edgev1.HoldBlobsResponse, error) {
	if _, ok := nodeport.PeerFrom(ctx); !ok {
		return nil, fault.New(fault.Forbidden, "fault.node.certificate_missing")
	}
	return &edgev1.HoldBlobsResponse{Missing: s.n.uplink.Hold(ctx, req.GetHashes())}, nil
}

// peer is the NodeService of another node.
func (n *Node) peer(name string) edgev1connect.NodeServiceClient {
	client, url := n.port.Client(name)
	return edgev1connect.NewNodeServiceClient(client, url, connect.WithSendMaxBytes(4<<20))
}

var errNoPeer = errors.New("no other node is up")

// copyTimeout bounds one piece of a recording on its way to a peer.
const copyTimeout = 5 * time.Second

// copier brings recordings to the next node that is up, in name order.
type copier struct{ n *Node }

// Copy satisfies recording.Copier.
func (c copier) Copy(ctx context.Context, tenant int64, id string, offset int64, data []byte, last bool) (int64, error) {
	peer := c.n.nextPeer()
	if peer == "" {
		return 0, errNoPeer
	}
	ctx, cancel := context.WithTimeout(ctx, copyTimeout)
	defer cancel()
	res, err := c.n.peer(peer).CopyRecording(ctx, &edgev1.CopyRecordingRequest{
		TenantId: tenant, RecordingId: id, Offset: uint64(offset), Data: data, Close: last,
	})
	if err != nil {
		return 0, err
	}
	return int64(res.GetOffset()), nil
}

// nextPeer is the node after this one that is up, going round; "" for none.
func (n *Node) nextPeer() string {
	first := ""
	for _, p := range n.replica.View().Nodes() {
		if !p.Up || p.Name == n.cfg.Name {
			continue
		}
		if p.Name > n.cfg.Name {
			return p.Name
		}
		if first == "" {
			first = p.Name
		}
	}
	return first
}

// peerCaller says which node asks, by its certificate; rpcx.Config.Authenticate.
func (n *Node) peerCaller(ctx context.Context, _ http.Header, state *tls.ConnectionState) (rpcx.Caller, error) {
	if id, ok := nodeport.PeerFrom(ctx); ok {
		return rpcx.Caller{Node: &rpcx.NodeIdentity{Site: id.Site, Node: id.Node}}, nil
	}
	return rpcx.Caller{Node: rpcx.NodeFromTLS(state)}, nil
}
