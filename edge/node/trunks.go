package node

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/google/uuid"

	"trunkline/edge/sip"
)

const (
	probeEvery   = 30 * time.Second
	probeTimeout = 2 * time.Second
)

// trunkWatch is what this node has seen of each trunk.
type trunkWatch struct {
	mu       sync.Mutex
	last     map[string]time.Time
	answered map[string]bool
}

func (w *trunkWatch) used(trunk string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.last == nil {
		w.last = map[string]time.Time{}
	}
	w.last[trunk] = time.Now()
}

func (w *trunkWatch) lastCall(trunk string) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if at, ok := w.last[trunk]; ok {
		return at.UnixMicro()
	}
	return 0
}

// reachable tells whether the trunk's target answered the last probe.
func (w *trunkWatch) reachable(trunk string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.answered[trunk]
}

// probeTrunks asks each trunk's target with OPTIONS (RFC 3261 section 11); any
// answer says that somebody speaks SIP there.
func (n *Node) probeTrunks(ctx context.Context) error {
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		answered := map[string]bool{}
		for _, t := range n.dir.Load().trunks {
			answered[t.ID] = n.probe(ctx, t) == nil
		}
		n.trunks.mu.Lock()
		n.trunks.answered = answered
		n.trunks.mu.Unlock()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func (n *Node) probe(ctx context.Context, t sip.Trunk) error {
	if t.Target == "" {
		return nil // calls only come from it
	}
	network, upper := "udp", "UDP"
	if t.Transport == "tcp" {
		network, upper = "tcp", "TCP"
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, network, t.Target)
	if err != nil {
		return err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	_ = conn.SetDeadline(deadline)
	id := uuid.NewString()
	_, err = fmt.Fprintf(conn, "OPTIONS sip:%s SIP/2.0\r\nVia: SIP/2.0/%s %s;branch=z9hG4bK%s;rport\r\nMax-Forwards: 70\r\n"+
		"From: <sip:%s@trunkline>;tag=%s\r\nTo: <sip:%s>\r\nCall-ID: %s\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
		t.Target, upper, conn.LocalAddr(), id[:8], n.cfg.Name, id[24:], t.Target, id)
	if err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, 2048))
	return err
}
