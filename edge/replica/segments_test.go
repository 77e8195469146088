package replica

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
)

// The log on disk is what was put into it, whatever was taken back or forgotten
// and however often the node started.
func TestLogAsAModel(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			m := &modelLog{t: t, dir: t.TempDir(), rnd: rand.New(rand.NewPCG(seed, 0)), first: 1}
			m.open()
			for range 150 {
				m.step()
			}
			m.reopen()
			m.compare()
			m.close()
		})
	}
}

// modelLog is a log beside the slice it must equal.
type modelLog struct {
	t     *testing.T
	dir   string
	rnd   *rand.Rand
	log   *wal.WAL
	first uint64
	held  []string // from first on
	term  int
}

func (m *modelLog) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *modelLog) open() {
	m.t.Helper()
	var err error
	m.log, err = openLog(m.dir, 8<<10, hclog.NewNullLogger())
	m.must(err)
}

func (m *modelLog) close() {
	m.t.Helper()
	m.must(m.log.Close())
}

func (m *modelLog) reopen() {
	m.t.Helper()
	m.close()
	m.open()
}

func (m *modelLog) last() uint64 { return m.first + uint64(len(m.held)) - 1 }

func (m *modelLog) step() {
	m.t.Helper()
	switch n := m.rnd.IntN(20); {
	case n < 12:
		m.append(1 + m.rnd.IntN(8))
	case n < 15 && len(m.held) > 1: // a new leader has other entries; what is applied stays
		keep := 1 + m.rnd.IntN(len(m.held)-1)
		m.must(m.log.DeleteRange(m.first+uint64(keep), m.last()))
		m.held = m.held[:keep]
	case n < 16 && len(m.held) > 1: // a snapshot holds them
		drop := 1 + m.rnd.IntN(len(m.held)-1)
		m.must(m.log.DeleteRange(m.first, m.first+uint64(drop)-1))
		m.first, m.held = m.first+uint64(drop), m.held[drop:]
	case n < 18:
		m.reopen()
		m.compare()
	default:
		m.compare()
	}
}

func (m *modelLog) append(n int) {
	m.t.Helper()
	m.term++
	var logs []*raft.Log
	for range n {
		text := fmt.Sprintf("%d in term %d %0*d", m.last()+1, m.term, m.rnd.IntN(400), 0)
		logs = append(logs, &raft.Log{Index: m.last() + 1, Term: uint64(m.term), Data: []byte(text)})
		m.held = append(m.held, text)
	}
	m.must(m.log.StoreLogs(logs))
}

func (m *modelLog) compare() {
	m.t.Helper()
	if len(m.held) == 0 {
		return
	}
	first, err := m.log.FirstIndex()
	m.must(err)
	last, err := m.log.LastIndex()
	m.must(err)
	if first != m.first || last != m.last() {
		m.t.Fatalf("the log has %d to %d, want %d to %d", first, last, m.first, m.last())
	}
	for i, want := range m.held {
		var l raft.Log
		if err := m.log.GetLog(m.first+uint64(i), &l); err != nil || string(l.Data) != want {
			m.t.Fatalf("entry %d of %d to %d: %.20q, %v; want %.20q", m.first+uint64(i), first, last, l.Data, err, want)
		}
	}
}
