package replica

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/raft"

	"trunkline/edge/call"
	"trunkline/internal/fault"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
	"trunkline/proto/gen/trunkline/edge/v1/edgev1connect"
)

const (
	// maxBatch commands go into one log entry, or as many more as are to stay together ...
	maxBatch = 256
	// ... unless they are large: a batch also has to fit a request to the leader.
	maxBatchBytes = 768 << 10
	// inFlight batches at once: one is written while the next is gathered.
	inFlight = 2
	// maxCommand bounds one command; a site's configuration is the largest.
	maxCommand = 700 << 10
	// lateness is how long what nobody waits for waits for another's batch.
	lateness = 200 * time.Millisecond
)

// errNotLeader: another node leads, or none.
var errNotLeader = errors.New("replica: not the leader")

// request is a command on its way into the log.
type request struct {
	ctx  context.Context
	env  call.Envelope
	here bool        // only if this node leads: never forwarded
	done func(reply) // called once
}

type reply struct {
	res call.Result
	err error
}

// Apply proposes a command, from any node. It retries over changes of leader
// with the same key until ctx ends, so give ctx a deadline. key makes the
// command idempotent; "" lets Apply choose one.
//
// An error says the outcome is unknown: the command may yet be applied (send
// it again with the same key to find out). A Result with Refused was decided
// and changed nothing. A key that comes a second time gets the first answer,
// with the rows as they are now.
func (r *Replica) Apply(ctx context.Context, key string, cmd call.Command) (call.Result, error) {
	results, err := r.apply(ctx, r.requests, key, cmd)
	return results[0], err
}

// ApplyTogether is Apply for commands that follow each other at once: they are
// applied in order, as a rule in one log entry, so that they cost one commit.
// One that is refused does not keep the next from being tried.
func (r *Replica) ApplyTogether(ctx context.Context, key string, cmds ...call.Command) ([]call.Result, error) {
	return r.apply(ctx, r.requests, key, cmds...)
}

// ApplyLate is Apply for what nobody waits for: it goes along with this node's
// next log entry, or in one of its own after a moment (lateness).
func (r *Replica) ApplyLate(ctx context.Context, key string, cmd call.Command) (call.Result, error) {
	results, err := r.apply(ctx, r.late, key, cmd)
	return results[0], err
}

// apply gives a result for each command, also beside an error.
func (r *Replica) apply(ctx context.Context, to chan<- []*request, key string, cmds ...call.Command) ([]call.Result, error) {
	results := make([]call.Result, len(cmds))
	if key == "" {
		id, err := uuid.NewV7()
		if err != nil {
			return results, fault.Wrap(err, fault.Internal, "fault.internal")
		}
		key = id.String()
	}
	type nth struct {
		reply
		i int
	}
	answers := make(chan nth, len(cmds))
	list := make([]*request, len(cmds))
	for i, cmd := range cmds {
		own := key
		if i > 0 {
			own = fmt.Sprintf("%s/%d", key, i)
		}
		env, err := envelope(own, cmd)
		if err != nil {
			return results, fault.Wrap(err, fault.Internal, "fault.internal")
		}
		if !r.View().Allows(cmd) {
			results[i].Refused = call.RefusedLevel
			return results, nil
		}
		if len(env.Body) > maxCommand {
			return results, fault.New(fault.Invalid, "fault.site.command_too_large")
		}
		list[i] = &request{ctx: ctx, env: env, done: func(a reply) { answers <- nth{a, i} }}
	}
	began := time.Now()
	r.submit(to, list...)
	for range cmds {
		select {
		case a := <-answers:
			if a.err != nil {
				return results, unavailable(a.err)
			}
			results[a.i] = a.res
		case <-ctx.Done():
			return results, unavailable(ctx.Err())
		case <-r.stopping:
			return results, unavailable(errStopped)
		}
	}
	applySeconds.Observe(time.Since(began).Seconds())
	return results, nil
}

// submit passes commands on that are to stay together; all have one ctx.
func (r *Replica) submit(to chan<- []*request, list ...*request) {
	var err error
	select {
	case to <- list:
		return
	case <-list[0].ctx.Done():
		err = list[0].ctx.Err()
	case <-r.stopping:
		err = errStopped
	}
	for _, q := range list {
		q.done(reply{err: err})
	}
}

// propose gathers what waits into batches.
func (r *Replica) propose() {
	var late []*request      // goes along with the next batch ...
	var due <-chan time.Time // ... or then
	for {
		var list []*request
		select {
		case list = <-r.requests:
		case q := <-r.late:
			if late = append(late, q...); due == nil {
				due = time.After(lateness)
			}
			if len(late) < maxBatch {
				continue
			}
		case <-due:
		case <-r.stopping:
			return
		}
		select {
		case r.slots <- struct{}{}:
		case <-r.stopping:
			return
		}
		list = gather(list, late, r.requests)
		late, due = nil, nil
		r.wg.Go(func() {
			defer func() { <-r.slots }()
			r.send(list)
		})
	}
}

// gather adds to a batch what is late and what waits.
func gather(list, late []*request, waiting <-chan []*request) []*request {
	list = append(list, late...)
	size := 0
	for _, q := range list {
		size += len(q.env.Body) + len(q.env.Key)
	}
	for len(list) < maxBatch && size < maxBatchBytes-maxCommand/8 {
		select {
		case more := <-waiting:
			for _, q := range more {
				list = append(list, q)
				size += len(q.env.Body) + len(q.env.Key)
			}
		default:
			return list
		}
	}
	return list
}

// send takes a batch into the log: by this node's hand, or the leader's.
func (r *Replica) send(list []*request) {
	live := list[:0]
	for _, q := range list {
		if err := q.ctx.Err(); err != nil {
			q.done(reply{err: err})
			continue
		}
		live = append(live, q)
	}
	if len(live) == 0 {
		return
	}
	if r.leads() {
		results, err := r.commit(live)
		r.conclude(live, results, err)
		return
	}
	away := make([]*request, 0, len(live))
	for _, q := range live {
		if q.here {
			q.done(reply{err: errNotLeader})
			continue
		}
		away = append(away, q)
	}
	if len(away) > 0 {
		results, err := r.forward(away)
		r.conclude(away, results, err)
	}
}

// leads says whether this node may write to the log now.
func (r *Replica) leads() bool {
	r.mu.Lock()
	able := r.state == stateRunning && !r.stalled
	r.mu.Unlock()
	return able && r.raft.State() == raft.Leader
}

// commit writes a batch and waits until it is applied here.
func (r *Replica) commit(list []*request) ([]call.Result, error) {
	b := batch{At: r.clock.time(), Epoch: r.cfg.Epoch, Commands: make([]call.Envelope, len(list))}
	for i, q := range list {
		b.Commands[i] = q.env
	}
	data, err := encoding.Marshal(b)
	if err != nil {
		return nil, err
	}
	changed := r.leaderChanged.next()
	r.writing.RLock()
	future := r.raft.Apply(data, r.cfg.Timing.RPC)
	r.writing.RUnlock()
	done := r.outcome(future)
	for {
		select {
		case err := <-done:
			if err != nil {
				return nil, err
			}
			switch v := future.Response().(type) {
			case []call.Result:
				return v, nil
			case error:
				return nil, v
			}
			return nil, fmt.Errorf("replica: the batch answered %T", future.Response())
		case <-changed:
			// Raft tells a leader that lost its place; one whose disk hangs
			// would wait for ever.
			if !r.leads() {
				return nil, errNotLeader
			}
			changed = r.leaderChanged.next()
		case <-r.stopping:
			return nil, errStopped
		}
	}
}

// outcome gives a future's error when it is known. Raft forgets futures that
// wait while it shuts down, so nobody may wait for one alone.
func (r *Replica) outcome(f raft.Future) <-chan error {
	done := make(chan error, 1)
	r.futures.Go(func() { done <- f.Error() })
	return done
}

// conclude answers, or sends again what may still be sent.
func (r *Replica) conclude(list []*request, results []call.Result, err error) {
	if err == nil && len(results) != len(list) {
		err = fmt.Errorf("replica: %d answers to %d commands", len(results), len(list))
	}
	if err == nil {
		for i, q := range list {
			q.done(reply{res: results[i]})
		}
		return
	}
	var again []*request
	for _, q := range list {
		if q.here || q.ctx.Err() != nil {
			q.done(reply{err: err})
			continue
		}
		again = append(again, q)
	}
	if len(again) == 0 {
		return
	}
	r.wg.Go(func() {
		wait := time.NewTimer(r.cfg.Timing.Heartbeat / 10)
		defer wait.Stop()
		select {
		case <-r.leaderChanged.next():
		case <-wait.C:
		case <-r.stopping:
		}
		for _, q := range again {
			r.submit(r.requests, q)
		}
	})
}

// forward sends a batch to the leader, or, when this node can not know who
// leads, to whichever peer takes it.
func (r *Replica) forward(list []*request) ([]call.Result, error) {
	changed := r.leaderChanged.next()
	targets := r.targets()
	if len(targets) == 0 {
		return nil, errNotLeader
	}
	ctx, cancel := context.WithTimeout(context.Background(), r.cfg.Timing.RPC)
	defer cancel()
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-changed:
		case <-r.stopping:
		case <-stop:
		}
		cancel()
	}()
	req := &edgev1.ApplyRequest{Commands: make([][]byte, len(list))}
	for i, q := range list {
		raw, err := encoding.Marshal(q.env)
		if err != nil {
			return nil, err
		}
		req.Commands[i] = raw
	}
	var errs []error
	for _, name := range targets {
		resp, err := r.nodeClient(name).Apply(ctx, req)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
			continue
		}
		results := make([]call.Result, len(resp.GetResults()))
		for i, raw := range resp.GetResults() {
			if err := decoding.Unmarshal(raw, &results[i]); err != nil {
				return nil, fmt.Errorf("replica: answer of %s: %w", name, err)
			}
		}
		return results, nil
	}
	return nil, errors.Join(errs...)
}

// targets are the nodes that may take a batch: the leader, if it is another
// one. A node out of Raft's traffic does not know, and asks all.
func (r *Replica) targets() []string {
	r.mu.Lock()
	leader, self, stalled := r.leader, r.self, r.stalled
	r.mu.Unlock()
	switch {
	case stalled:
		return r.peers.names()
	case leader != "" && !self:
		return []string{leader}
	}
	return nil
}

func (r *Replica) nodeClient(name string) edgev1connect.NodeServiceClient {
	client, url := r.cfg.Port.Client(name)
	return edgev1connect.NewNodeServiceClient(client, url)
}
