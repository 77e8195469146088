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
	// maxBatch commands go into one log entry ...
	maxBatch = 256
	// ... unless they are large: a batch also has to fit a request to the leader.
	maxBatchBytes = 768 << 10
	// inFlight batches at once: one is written while the next is gathered.
	inFlight = 2
	// maxCommand bounds one command; a site's configuration is the largest.
	maxCommand = 700 << 10
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
	if key == "" {
		id, err := uuid.NewV7()
		if err != nil {
			return call.Result{}, fault.Wrap(err, fault.Internal, "fault.internal")
		}
		key = id.String()
	}
	env, err := envelope(key, cmd)
	if err != nil {
		return call.Result{}, fault.Wrap(err, fault.Internal, "fault.internal")
	}
	if !r.View().Allows(cmd) {
		return call.Result{Refused: call.RefusedLevel}, nil
	}
	if len(env.Body) > maxCommand {
		return call.Result{}, fault.New(fault.Invalid, "fault.site.command_too_large")
	}
	answer := make(chan reply, 1)
	began := time.Now()
	r.submit(&request{ctx: ctx, env: env, done: func(a reply) { answer <- a }})
	select {
	case a := <-answer:
		applySeconds.Observe(time.Since(began).Seconds())
		if a.err != nil {
			return call.Result{}, unavailable(a.err)
		}
		return a.res, nil
	case <-ctx.Done():
		return call.Result{}, unavailable(ctx.Err())
	case <-r.stopping:
		return call.Result{}, unavailable(errStopped)
	}
}

func (r *Replica) submit(q *request) {
	select {
	case r.requests <- q:
	case <-q.ctx.Done():
		q.done(reply{err: q.ctx.Err()})
	case <-r.stopping:
		q.done(reply{err: errStopped})
	}
}

// propose gathers what waits into batches.
func (r *Replica) propose() {
	for {
		var first *request
		select {
		case first = <-r.requests:
		case <-r.stopping:
			return
		}
		select {
		case r.slots <- struct{}{}:
		case <-r.stopping:
			return
		}
		list, size := []*request{first}, len(first.env.Body)
	gather:
		for len(list) < maxBatch && size < maxBatchBytes-maxCommand/8 {
			select {
			case q := <-r.requests:
				list = append(list, q)
				size += len(q.env.Body) + len(q.env.Key)
			default:
				break gather
			}
		}
		r.wg.Go(func() {
			defer func() { <-r.slots }()
			r.send(list)
		})
	}
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
	future := r.raft.Apply(data, r.cfg.Timing.RPC)
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
			r.submit(q)
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
