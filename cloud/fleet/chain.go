package fleet

import (
	"bytes"

	"trunkline/internal/chain"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

// cursor is how far a chain has come: the last sequence stored and its hash.
type cursor struct {
	seq  uint64
	hash []byte // empty before the first
}

// taken is what a chain makes of a batch.
type taken struct {
	fresh []*edgev1.Fact // continue the chain, in order
	old   []*edgev1.Fact // at or before the cursor
	gap   bool           // something between is missing; the rest was left
	// broken is the sequence of a fact whose hash or link is wrong; the rest was
	// left. 0 = none.
	broken uint64
}

// take sorts a batch and moves the cursor. Facts come in order of seq; what is
// out of order counts as a gap.
func (c *cursor) take(tenant int64, epoch uint64, facts []*edgev1.Fact) (out taken) {
	for _, f := range facts {
		switch {
		case f.TenantId != tenant || f.Epoch != epoch || f.Seq == 0 || f.Seq > 1<<62:
			out.broken = max(f.Seq, 1)
			return out
		case f.Seq <= c.seq:
			out.old = append(out.old, f)
			continue
		case f.Seq > c.seq+1:
			out.gap = true
			return out
		case !bytes.Equal(f.PrevHash, c.hash) || !bytes.Equal(f.Hash, chain.Hash(c.hash, f.Epoch, f.Seq, f.Kind, f.At, f.Body)):
			out.broken = f.Seq
			return out
		}
		out.fresh = append(out.fresh, f)
		c.seq, c.hash = f.Seq, f.Hash
	}
	return out
}
