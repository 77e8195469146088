package node

import (
	"context"
	"time"

	"connectrpc.com/connect"

	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

// blobPeers is the other nodes as holders of the configuration's blobs.
type blobPeers struct{ n *Node }

// Names are the other nodes that are up. The leader comes first: it has what it
// has others copy.
func (p blobPeers) Names() []string {
	leader, _ := p.n.replica.Leader()
	var out []string
	for _, peer := range p.n.replica.View().Nodes() {
		switch {
		case !peer.Up || peer.Name == p.n.cfg.Name:
		case peer.Name == leader:
			out = append([]string{leader}, out...)
		default:
			out = append(out, peer.Name)
		}
	}
	return out
}

// Blob asks one of them for a blob.
func (p blobPeers) Blob(ctx context.Context, name, hash string) ([]byte, error) {
	res, err := p.n.peer(name).GetNodeBlob(ctx, &edgev1.GetBlobRequest{Hash: hash})
	return res.GetData(), err
}

// holdTimeout bounds how long the others may copy. What they have by then
// counts; for the rest they are asked again.
const holdTimeout = 10 * time.Second

// Hold has the other nodes copy blobs that are here, and gives those a majority
// of the voters then has. It waits for no more nodes than that takes.
func (p blobPeers) Hold(ctx context.Context, hashes []string) map[string]bool {
	ctx, cancel := context.WithTimeout(ctx, holdTimeout)
	defer cancel()
	voters, asked := p.n.replica.Voters(), 0
	count := newHoldings(hashes, len(voters))
	answers := make(chan map[string]bool, len(voters))
	for _, name := range voters {
		if name == p.n.cfg.Name {
			count.add(nil)
			continue
		}
		asked++
		go func() { answers <- p.missing(ctx, name, hashes) }()
	}
	for ; asked > 0 && !count.whole(); asked-- {
		count.add(<-answers)
	}
	return count.held()
}

// missing are the blobs another node does not have.
func (p blobPeers) missing(ctx context.Context, name string, hashes []string) map[string]bool {
	res, err := p.n.peer(name).HoldBlobs(ctx, &edgev1.HoldBlobsRequest{Hashes: hashes})
	if connect.CodeOf(err) == connect.CodeUnimplemented {
		return nil // the release before does not copy ahead: it fetches what was activated
	}
	list := res.GetMissing()
	if err != nil {
		list = hashes
	}
	if len(list) > 0 && ctx.Err() != context.Canceled { // a majority has it: the others are not waited for
		p.n.log.Warn("a node does not hold a new configuration yet", "peer", name, "blobs", len(list), "error", err)
	}
	out := make(map[string]bool, len(list))
	for _, h := range list {
		out[h] = true
	}
	return out
}

// holdings counts who has which of some blobs.
type holdings struct {
	hashes  []string
	voters  int
	holders map[string]int
}

func newHoldings(hashes []string, voters int) *holdings {
	return &holdings{hashes, voters, make(map[string]int, len(hashes))}
}

// add counts one more node, which has all but some.
func (c *holdings) add(missing map[string]bool) {
	for _, h := range c.hashes {
		if !missing[h] {
			c.holders[h]++
		}
	}
}

// held are the blobs a majority has.
func (c *holdings) held() map[string]bool {
	out := map[string]bool{}
	for h, n := range c.holders {
		if 2*n > c.voters {
			out[h] = true
		}
	}
	return out
}

// whole says whether a majority has all of them.
func (c *holdings) whole() bool {
	for _, h := range c.hashes {
		if 2*c.holders[h] <= c.voters {
			return false
		}
	}
	return true
}
