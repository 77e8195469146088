package replica

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"

	"trunkline/edge/call"
	"trunkline/edge/replica/nodeport"
)

// Every node tells every other that it lives, by a beat each Timing.Beat on a
// connection that carries nothing else. The connection's end is news at once:
// when it breaks and nobody listens where the peer was, its process is gone
// for sure. Silence alone counts after Timing.Lease.

// beat is one message of that connection, in CBOR.
type beat struct {
	Incarnation string     `cbor:"1,keyasint"`
	Applied     uint64     `cbor:"2,keyasint"`
	Last        uint64     `cbor:"3,keyasint"`
	Clock       int64      `cbor:"4,keyasint"`           // the sender's wall clock; read by the release before
	Level       call.Level `cbor:"5,keyasint,omitempty"` // what the sender's program understands
}

// PeerStatus is what this node knows of another.
type PeerStatus struct {
	Name        string
	Incarnation string // of the process last heard
	Up          bool   // beats arrive
	Proven      bool   // not up, and nobody listens where it was: the process is gone
	Member      bool   // of the Raft group
	Voter       bool
	Applied     uint64
	Lag         uint64 // entries behind this node
	LastSeen    int64  // Unix microseconds by this node's clock, 0 = never
	ClockAhead  int64  // microseconds its wall clock is ahead of ours, 0 = not known
	Level       call.Level
}

type peers struct {
	r     *Replica
	in    net.Listener
	watch watchers[PeerStatus]
	wg    sync.WaitGroup
	ctx   context.Context
	halt  context.CancelFunc

	mu   sync.Mutex
	list map[string]*peer
}

type peer struct {
	PeerStatus
	since time.Time // heard last, or known since
	told  bool      // watchers know what the status says
}

func newPeers(r *Replica) (*peers, error) {
	in, err := r.cfg.Port.Stream(kindBeat)
	if err != nil {
		return nil, err
	}
	p := &peers{r: r, in: in, list: map[string]*peer{}}
	p.ctx, p.halt = context.WithCancel(context.Background())
	return p, nil
}

func (p *peers) start() {
	p.wg.Go(p.listen)
	p.wg.Go(p.discover)
}

func (p *peers) stop() {
	p.halt()
	_ = p.in.Close()
	p.wg.Wait()
}

// listen sends beats to whoever asks.
func (p *peers) listen() {
	for {
		c, err := p.in.Accept()
		if err != nil {
			return
		}
		p.wg.Go(func() {
			defer c.Close()
			stop := context.AfterFunc(p.ctx, func() { _ = c.Close() })
			defer stop()
			p.send(c)
		})
	}
}

func (p *peers) send(c net.Conn) {
	tick := time.NewTicker(p.r.cfg.Timing.Beat)
	defer tick.Stop()
	out := encoding.NewEncoder(c)
	for {
		_ = c.SetWriteDeadline(time.Now().Add(p.r.cfg.Timing.Lease))
		b := beat{
			Incarnation: p.r.cfg.Incarnation, Applied: p.r.raft.AppliedIndex(), Last: p.r.raft.LastIndex(), Clock: p.r.cfg.Clock().UnixMicro(), Level: p.r.cfg.level,
		}
		if err := out.Encode(b); err != nil {
			return
		}
		select {
		case <-tick.C:
		case <-p.ctx.Done():
			return
		}
	}
}

// discover begins to listen to each node that becomes known.
func (p *peers) discover() {
	tick := time.NewTicker(p.r.cfg.Timing.Beat)
	defer tick.Stop()
	for {
		for _, name := range p.r.knownNodes() {
			p.mu.Lock()
			_, ok := p.list[name]
			if !ok {
				p.list[name] = &peer{PeerStatus: PeerStatus{Name: name}, since: time.Now()}
				p.wg.Go(func() { p.follow(name) })
			}
			p.mu.Unlock()
		}
		select {
		case <-tick.C:
		case <-p.ctx.Done():
			return
		}
	}
}

// follow listens to one peer for as long as this node runs.
func (p *peers) follow(name string) {
	t := p.r.cfg.Timing
	for p.ctx.Err() == nil {
		ctx, cancel := context.WithTimeout(p.ctx, t.Lease)
		c, err := p.r.cfg.Port.Dial(ctx, name, kindBeat)
		cancel()
		if err == nil {
			// Ends with the connection: then ask at once who listens there now.
			if p.receive(name, c) {
				continue
			}
		}
		p.silent(name, errors.Is(err, syscall.ECONNREFUSED))
		wait := time.NewTimer(t.Beat/2 + rand.N(t.Beat/2))
		select {
		case <-wait.C:
		case <-p.ctx.Done():
		}
		wait.Stop()
	}
}

// receive reads beats until the connection ends; false if none came.
func (p *peers) receive(name string, c *nodeport.Conn) bool {
	defer c.Close()
	stop := context.AfterFunc(p.ctx, func() { _ = c.Close() })
	defer stop()
	in := decoding.NewDecoder(c)
	heard := false
	for {
		_ = c.SetReadDeadline(time.Now().Add(p.r.cfg.Timing.Lease))
		var b beat
		if err := in.Decode(&b); err != nil {
			return heard
		}
		heard = true
		p.alive(name, b)
	}
}

func (p *peers) alive(name string, b beat) {
	now := time.Now()
	p.change(name, func(x *peer) {
		x.since, x.LastSeen = now, now.UnixMicro()
		if !x.Up || x.Incarnation != b.Incarnation {
			x.told = false
		}
		x.Up, x.Proven, x.Incarnation, x.Applied, x.Level = true, false, b.Incarnation, b.Applied, b.Level
		x.Lag = 0
		if last := p.r.raft.LastIndex(); last > b.Applied {
			x.Lag = last - b.Applied
		}
	})
}

// silent notes that a peer can not be reached; refused says that its host
// answers, but no process listens there.
func (p *peers) silent(name string, refused bool) {
	p.change(name, func(x *peer) {
		down := refused || time.Since(x.since) > p.r.cfg.Timing.Lease
		if !down || !x.Up && x.told && x.Proven == refused {
			return
		}
		x.Up, x.Proven, x.told = false, refused, false
	})
}

// change changes what is known and tells the watchers when it is news.
func (p *peers) change(name string, fn func(*peer)) {
	p.mu.Lock()
	x := p.list[name]
	fn(x)
	news := !x.told && (x.Up || x.Proven || time.Since(x.since) > p.r.cfg.Timing.Lease)
	if news {
		x.told = true
	}
	status := x.PeerStatus
	p.mu.Unlock()
	if news && p.ctx.Err() == nil {
		p.r.cfg.Log.Info("peer", "peer", name, "up", status.Up, "proven_dead", status.Proven, "incarnation", status.Incarnation)
		p.watch.tell(status)
	}
}

// announced takes note of a process that the site has just learned of: what was
// known of another one in its place no longer counts.
func (p *peers) announced(name, incarnation string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if x, ok := p.list[name]; ok && !x.Up && x.Incarnation != incarnation {
		x.since, x.told, x.Proven, x.Incarnation = time.Now(), false, false, ""
	}
}

// down says that a peer's lease has run out or its death is proven, and of
// which process that is known ("" when none was ever heard).
func (p *peers) down(name string) (incarnation string, down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	x, ok := p.list[name]
	if !ok {
		return "", false
	}
	return x.Incarnation, !x.Up && x.told
}

func (p *peers) get(name string) (PeerStatus, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	x, ok := p.list[name]
	if !ok {
		return PeerStatus{}, false
	}
	return x.PeerStatus, true
}

func (p *peers) names() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []string
	for name := range p.list {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}
