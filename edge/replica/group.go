package replica

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
)

// group is what the Raft library is made of on this node.
type group struct {
	raftIn net.Listener

	stream   *stream
	trans    *raft.NetworkTransport
	log      *wal.WAL
	stable   *stableStore
	notify   chan bool
	observer *raft.Observer
	observed chan raft.Observation
}

// claim takes Raft's stream of the node port.
func claim(cfg Config) (*group, error) {
	in, err := cfg.Port.Stream(kindRaft)
	if err != nil {
		return nil, err
	}
	return &group{raftIn: in}, nil
}

func (r *Replica) raftConfig() *raft.Config {
	t := r.cfg.Timing
	c := raft.DefaultConfig()
	c.LocalID = raft.ServerID(r.cfg.Name)
	c.HeartbeatTimeout, c.ElectionTimeout, c.LeaderLeaseTimeout = t.Heartbeat, t.Election, t.LeaderLease
	c.CommitTimeout = t.Commit
	c.MaxAppendEntries = 256
	c.BatchApplyCh = true
	c.ShutdownOnRemove = true
	c.SnapshotThreshold, c.TrailingLogs = r.cfg.SnapshotThreshold, r.cfg.SnapshotThreshold
	c.SnapshotInterval = 30 * time.Second
	c.Logger = newRaftLogger(r.cfg.Log)
	c.NoLegacyTelemetry = true
	c.NotifyCh = r.group.notify
	return c
}

// open opens the stores and starts Raft. On error all is closed again.
func (r *Replica) open() (err error) {
	g := r.group
	defer func() {
		if err != nil {
			_ = g.close()
		}
	}()
	dir := func(name string) string { return filepath.Join(r.cfg.Dir, name) }
	for _, d := range []string{r.cfg.Dir, dir("log")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return fmt.Errorf("replica: %w", err)
		}
	}
	logger := newRaftLogger(r.cfg.Log)
	if g.stable, err = openStable(dir("votes.db"), r.disk.writing); err != nil {
		return err
	}
	if g.log, err = openLog(dir("log"), r.cfg.segmentBytes, logger.Named("log")); err != nil {
		return err
	}
	var store raft.LogStore = g.log
	if r.cfg.wrapLog != nil {
		store = r.cfg.wrapLog(store)
	}
	cache, err := raft.NewLogCache(4096, &logStore{store, r.disk})
	if err != nil {
		return fmt.Errorf("replica: %w", err)
	}
	snapshots, err := raft.NewFileSnapshotStoreWithLogger(r.cfg.Dir, 2, logger.Named("snapshot"))
	if err != nil {
		return fmt.Errorf("replica: open snapshots: %w", err)
	}
	g.stream = newStream(r.cfg.Port, g.raftIn, r.cfg.Epoch, r.cfg.Log)
	g.trans = raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream: g.stream, MaxPool: 3, MaxRPCsInFlight: 2, Timeout: r.cfg.Timing.RPC, Logger: logger.Named("net"),
	})
	g.notify = make(chan bool, 64)
	conf := r.raftConfig()
	if r.cfg.Bootstrap {
		if err := bootstrap(conf, cache, g.stable, snapshots, g.trans); err != nil {
			return err
		}
	}
	if r.raft, err = raft.NewRaft(conf, r.fsm, cache, g.stable, snapshots, &ballot{g.trans, r.clocks.stands}); err != nil {
		return fmt.Errorf("replica: start raft: %w", err)
	}
	g.observed = make(chan raft.Observation, 64)
	g.observer = raft.NewObserver(g.observed, false, func(o *raft.Observation) bool {
		switch o.Data.(type) {
		case raft.LeaderObservation, raft.RaftState, raft.RequestVoteRequest, raft.RequestPreVoteRequest:
			return true
		}
		return false
	})
	r.raft.RegisterObserver(g.observer)
	return nil
}

// bootstrap makes a group of this node alone, unless it is in one already.
func bootstrap(c *raft.Config, log raft.LogStore, stable raft.StableStore, snaps raft.SnapshotStore, trans raft.Transport) error {
	has, err := raft.HasExistingState(log, stable, snaps)
	if err != nil {
		return fmt.Errorf("replica: %w", err)
	}
	if has {
		return nil
	}
	alone := raft.Configuration{Servers: []raft.Server{{Suffrage: raft.Voter, ID: c.LocalID, Address: raft.ServerAddress(c.LocalID)}}}
	if err := raft.BootstrapCluster(c, log, stable, snaps, trans, alone); err != nil {
		return fmt.Errorf("replica: bootstrap: %w", err)
	}
	return nil
}

// close ends what uses Raft, then Raft, its transport, and the stores.
func (r *Replica) close() error {
	r.group.stream.gate(true) // what waits for a peer gives up
	r.wg.Wait()
	r.settle()
	r.raft.DeregisterObserver(r.group.observer)
	err := r.raft.Shutdown().Error()
	return errors.Join(err, r.group.close())
}

// settle lets what was proposed come to an end, while Raft still answers: a
// leader cut off steps down after its lease. A hung disk is not waited for.
func (r *Replica) settle() {
	done := make(chan struct{})
	go func() {
		r.futures.Wait()
		close(done)
	}()
	wait := time.NewTimer(5 * r.cfg.Timing.Election)
	defer wait.Stop()
	select {
	case <-done:
	case <-wait.C:
	}
}

func (g *group) close() error {
	var errs []error
	if g.trans != nil {
		errs = append(errs, g.trans.Close())
	}
	if g.stream != nil {
		g.stream.stop()
	} else {
		_ = g.raftIn.Close()
	}
	if g.log != nil {
		errs = append(errs, g.log.Close())
	}
	if g.stable != nil {
		errs = append(errs, g.stable.close())
	}
	return errors.Join(errs...)
}

// watchDisk takes the node out of Raft's traffic while a write hangs.
func (r *Replica) watchDisk() {
	tick := time.NewTicker(max(r.cfg.Timing.Stall/10, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-r.stopping:
			return
		}
		stalled := r.disk.stalled()
		r.mu.Lock()
		changed := stalled != r.stalled
		r.stalled = stalled
		r.mu.Unlock()
		if !changed {
			continue
		}
		r.group.stream.gate(stalled)
		r.leaderChanged.tell() // who waits for this node's own commit asks another
		if stalled {
			r.cfg.Log.Error("the disk hangs: leaving the group's traffic", "after", r.cfg.Timing.Stall)
		} else {
			r.cfg.Log.Warn("the disk writes again: back in the group's traffic")
		}
	}
}
