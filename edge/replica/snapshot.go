package replica

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/fxamacker/cbor/v2"
	"google.golang.org/protobuf/proto"

	"trunkline/edge/call"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

// A snapshot is a sequence of CBOR items: a header, then for each row its table
// and the row, then tableEnd. Rows come in the order of their table, so equal
// states have equal snapshots.

const snapshotVersion = 1

type snapshotHeader struct {
	Version uint64     `cbor:"1,keyasint"`
	Index   uint64     `cbor:"2,keyasint"`
	At      int64      `cbor:"3,keyasint"`
	Epoch   uint64     `cbor:"4,keyasint"`
	Inbox   uint64     `cbor:"5,keyasint"`
	Config  []byte     `cbor:"6,keyasint"`
	Written uint64     `cbor:"7,keyasint"` // commands ever remembered by key
	Level   call.Level `cbor:"8,keyasint,omitempty"`
}

// Numbers of the tables in a snapshot; never renumbered.
const (
	tableEnd = iota
	tableCalls
	tableAgents
	tableSessions
	tableTickets
	tableNodes
	tableDays
	tableHeads
	tableOutbox
	tableAnswers
)

// still is a state as of one moment, with the remembered answers.
type still struct {
	t       *tables
	slots   []answer
	next    int
	written uint64
}

func (m *machine) still() *still {
	r := m.t.ring
	return &still{t: m.t.copy(), slots: append([]answer(nil), r.slots...), next: r.next, written: r.written}
}

func (s *still) write(w io.Writer) error {
	buf := bufio.NewWriterSize(w, 1<<16)
	e := encoding.NewEncoder(buf)
	head := snapshotHeader{snapshotVersion, s.t.index, s.t.at, s.t.epoch, s.t.inbox, s.t.config, s.written, s.t.level}
	if err := e.Encode(head); err != nil {
		return err
	}
	err := errors.Join(
		writeRows(e, tableCalls, s.t.calls.Scan),
		writeRows(e, tableAgents, s.t.agents.Scan),
		writeRows(e, tableSessions, s.t.session.Scan),
		writeRows(e, tableTickets, s.t.tickets.Scan),
		writeRows(e, tableNodes, s.t.nodes.Scan),
		writeRows(e, tableDays, s.t.days.Scan),
		writeRows(e, tableHeads, s.t.heads.Scan),
		writeRows(e, tableOutbox, s.t.outbox.Scan),
		inOrder(s.slots, s.next, func(a *answer) error { return writeRow(e, tableAnswers, a) }),
		e.Encode(uint8(tableEnd)),
	)
	if err != nil {
		return err
	}
	return buf.Flush()
}

func writeRows[T any](e *cbor.Encoder, table uint8, scan func(func(T) bool)) error {
	var err error
	scan(func(row T) bool {
		err = writeRow(e, table, row)
		return err == nil
	})
	return err
}

func writeRow(e *cbor.Encoder, table uint8, row any) error {
	if err := e.Encode(table); err != nil {
		return err
	}
	return e.Encode(row)
}

// hash is the SHA-256 of the state's snapshot.
func (s *still) hash() []byte {
	h := sha256.New()
	if err := s.write(h); err != nil {
		return nil // a hash does not fail to write
	}
	return h.Sum(nil)
}

// restore reads a snapshot into a new machine that understands commands up to
// level knows.
func restore(r io.Reader, knows call.Level) (*machine, error) {
	d := exact.NewDecoder(bufio.NewReaderSize(r, 1<<16))
	var head snapshotHeader
	if err := d.Decode(&head); err != nil {
		return nil, fmt.Errorf("replica: snapshot header: %w", err)
	}
	if head.Version != snapshotVersion {
		return nil, fmt.Errorf("replica: snapshot of version %d", head.Version)
	}
	if head.Level > knows {
		return nil, tooOld(head.Level, knows)
	}
	m := newMachine(knows)
	m.t.level = head.Level
	m.t.index, m.t.at, m.t.epoch, m.t.inbox = head.Index, head.At, head.Epoch, head.Inbox
	if head.Config != nil {
		var site edgev1.SiteConfig
		if err := proto.Unmarshal(head.Config, &site); err != nil {
			return nil, fmt.Errorf("replica: snapshot configuration: %w", err)
		}
		m.t.config, m.t.site = head.Config, &site
	}
	for {
		var table uint8
		if err := d.Decode(&table); err != nil {
			return nil, fmt.Errorf("replica: snapshot: %w", err)
		}
		if table == tableEnd {
			m.t.ring.written = head.Written
			return m, nil
		}
		if err := m.readRow(d, table); err != nil {
			return nil, fmt.Errorf("replica: snapshot table %d: %w", table, err)
		}
	}
}

func (m *machine) readRow(d *cbor.Decoder, table uint8) error {
	switch table {
	case tableCalls:
		return readRow(d, func(c *call.Call) { m.t.putCall(nil, c) })
	case tableAgents:
		return readRow(d, func(a *call.Agent) { m.t.putAgent(nil, a) })
	case tableSessions:
		return readRow(d, m.t.putSession)
	case tableTickets:
		return readRow(d, m.t.putTicket)
	case tableNodes:
		return readRow(d, func(n *call.NodeInfo) { m.t.nodes.Set(n) })
	case tableDays:
		return readRow(d, func(q *call.QueueDay) { m.t.days.Set(q) })
	case tableHeads:
		return readRow(d, func(h *head) { m.t.heads.Set(h) })
	case tableOutbox:
		return readRow(d, func(f *factRow) { m.t.outbox.Set(f) })
	case tableAnswers:
		return readRow(d, func(a *answer) { m.t.ring.put(*a) })
	}
	return errors.New("unknown")
}

func readRow[T any](d *cbor.Decoder, put func(*T)) error {
	row := new(T)
	if err := d.Decode(row); err != nil {
		return err
	}
	put(row)
	return nil
}
