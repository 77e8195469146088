// Package chain is the hash chain over the facts a site sends to the cloud.
//
// One chain exists per (site, tenant, epoch). The edge computes it when a fact
// enters the outbox and the cloud computes it again at intake, both with Hash,
// so a row lost, changed or put in another order shows at the next row.
package chain

import (
	"crypto/sha256"
	"encoding/binary"
)

// Size is the length of a link in bytes.
const Size = sha256.Size

// tag keeps these hashes apart from any other SHA-256 over similar bytes.
const tag = "trunkline fact v1\x00"

// Hash is the link of one fact. prev is the link before it; for the first fact
// of an epoch it is empty, which counts as Size zero bytes. at is in Unix
// microseconds. The hashed bytes are, integers big-endian:
//
//	tag | prev (32) | epoch (8) | seq (8) | len(kind) (4) | kind | at (8) | len(body) (8) | body
//
// Lengths stand before kind and body, so no two facts share their bytes. A prev
// of any other length can not be the link before and yields nil.
func Hash(prev []byte, epoch, seq uint64, kind string, at int64, body []byte) []byte {
	var zero [Size]byte
	switch len(prev) {
	case 0:
		prev = zero[:]
	case Size:
	default:
		return nil
	}
	head := make([]byte, 0, len(tag)+Size+36+len(kind))
	head = append(head, tag...)
	head = append(head, prev...)
	head = binary.BigEndian.AppendUint64(head, epoch)
	head = binary.BigEndian.AppendUint64(head, seq)
	head = binary.BigEndian.AppendUint32(head, uint32(len(kind)))
	head = append(head, kind...)
	head = binary.BigEndian.AppendUint64(head, uint64(at))
	head = binary.BigEndian.AppendUint64(head, uint64(len(body)))
	h := sha256.New()
	h.Write(head)
	h.Write(body)
	return h.Sum(nil)
}
