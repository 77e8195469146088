package replica

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"trunkline/edge/call"
	"trunkline/internal/chain"
)

// fact appends to the tenant's outbox and its hash chain.
func (m *machine) fact(tenant int64, kind string, body []byte) {
	h := head{Tenant: tenant}
	if old, ok := m.t.heads.Get(&h); ok {
		h = *old
	}
	if h.Epoch != m.t.epoch {
		h.Epoch, h.Seq, h.Hash, h.Acked = m.t.epoch, 0, nil, 0
	}
	f := &factRow{Tenant: tenant, Epoch: h.Epoch, Seq: h.Seq + 1, Prev: h.Hash, Kind: kind, At: m.t.at, Body: body}
	f.Hash = chain.Hash(f.Prev, f.Epoch, f.Seq, f.Kind, f.At, f.Body)
	h.Seq, h.Hash, h.Rows = f.Seq, f.Hash, h.Rows+1
	m.t.outbox.Set(f)
	m.t.heads.Set(&h)
	m.changed.outbox.add(tenant)
}

func (m *machine) factMessage(tenant int64, kind string, msg proto.Message) {
	body, err := proto.MarshalOptions{Deterministic: true}.Marshal(msg)
	if err != nil { // only for text that is not UTF-8
		scrub(msg.ProtoReflect())
		body, _ = proto.MarshalOptions{Deterministic: true}.Marshal(msg)
	}
	m.fact(tenant, kind, body)
}

// scrub makes every text of a message valid UTF-8.
func scrub(msg protoreflect.Message) {
	msg.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.IsList() && f.Kind() == protoreflect.MessageKind:
			for i := range v.List().Len() {
				scrub(v.List().Get(i).Message())
			}
		case f.Kind() == protoreflect.StringKind && !f.IsList():
			msg.Set(f, protoreflect.ValueOfString(legible(v.String())))
		}
		return true
	})
}

func (m *machine) outboxAck(c call.OutboxAck) call.Result {
	old, ok := m.t.heads.Get(&head{Tenant: c.Tenant})
	if !ok {
		return refused(call.RefusedNotFound)
	}
	var gone []*factRow
	m.t.outbox.Ascend(&factRow{Tenant: c.Tenant}, func(f *factRow) bool {
		// Facts of older epochs come first in the order and were sent first.
		if f.Tenant != c.Tenant || f.Epoch > c.Epoch || f.Epoch == c.Epoch && f.Seq > c.HighWater {
			return false
		}
		if f.Epoch == c.Epoch {
			gone = append(gone, f)
		}
		return true
	})
	h := *old
	for _, f := range gone {
		m.t.outbox.Delete(f)
		h.Rows--
	}
	if c.Epoch == h.Epoch {
		h.Acked = max(h.Acked, min(c.HighWater, h.Seq))
	}
	m.t.heads.Set(&h)
	return call.Result{}
}
