package node

import (
	"context"

	"trunkline/edge/call"
	"trunkline/internal/grant"
	agentv1 "trunkline/proto/gen/trunkline/agent/v1"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

// desk shows the node to the desktops (softphone.Site).
type desk struct{ n *Node }

func (d desk) Name() string  { return d.n.cfg.Name }
func (d desk) Epoch() uint64 { return d.n.epoch }
func (d desk) Now() int64    { return d.n.replica.Now() }

// Apply commits and waits until this node shows the result, so that an answer
// is never older than what it answers.
func (d desk) Apply(ctx context.Context, key string, cmd call.Command) (call.Result, error) {
	res, err := d.n.replica.Apply(ctx, key, cmd)
	if err != nil {
		return res, err
	}
	return res, d.n.replica.WaitIndex(ctx, res.Index)
}

// ApplyTogether is Apply for commands that follow each other at once.
func (d desk) ApplyTogether(ctx context.Context, key string, cmds ...call.Command) ([]call.Result, error) {
	res, err := d.n.replica.ApplyTogether(ctx, key, cmds...)
	if err != nil {
		return res, err
	}
	return res, d.n.replica.WaitIndex(ctx, res[len(res)-1].Index)
}

func (d desk) Agent(id string) (call.Agent, bool) { return value(d.n.replica.View().Agent(id)) }
func (d desk) Call(id string) (call.Call, bool)   { return value(d.n.replica.View().Call(id)) }

func (d desk) Agents(tenant int64) []*call.Agent { return d.n.replica.View().AgentsOf(tenant) }

func (d desk) Session(hash []byte) (call.Session, bool) {
	return value(d.n.replica.View().Session(hash))
}

func (d desk) Ticket(hash []byte) bool {
	_, ok := d.n.replica.View().Ticket(hash)
	return ok
}

func value[T any](p *T, ok bool) (T, bool) {
	if !ok {
		var zero T
		return zero, false
	}
	return *p, true
}

func (d desk) Position(id string) int { return d.n.replica.View().Position(id) }

func (d desk) Nodes() []call.NodeInfo {
	list := d.n.replica.View().Nodes()
	out := make([]call.NodeInfo, len(list))
	for i, n := range list {
		out[i] = *n
	}
	return out
}

func (d desk) Config(tenant int64) *edgev1.TenantConfig {
	if t := d.n.rules.tenant(tenant); t != nil {
		return t.cfg
	}
	return nil
}

func (d desk) Waiting(tenant int64, queue string) (int, int64) {
	v := d.n.replica.View()
	return int(v.Waiting(tenant, queue)), longestSince(v, tenant, queue)
}

func (d desk) CloudLink(tenant int64) (bool, int64, uint64) {
	connected, seen := d.n.uplink.CloudLink()
	return connected, seen.UnixMicro(), d.n.replica.View().OutboxLen(tenant)
}

func (d desk) VerifyGrant(token string) (grant.Claims, error) { return d.n.grants.Verify(token) }

func (d desk) Suspended(tenant int64) bool {
	t := d.n.rules.tenant(tenant)
	return t != nil && t.suspended()
}

func (d desk) ICEServers(agent string) []*agentv1.IceServer {
	r, ok := d.n.uplink.Relay(agent)
	if !ok {
		return nil
	}
	return []*agentv1.IceServer{{Urls: r.URLs, Username: r.Username, Credential: r.Password}}
}

func (d desk) DayStart(tenant int64) int64 {
	if t := d.n.rules.tenant(tenant); t != nil {
		return t.dayStart(d.n.replica.Now())
	}
	return 0
}

// boardState is the switchboard's view of the replica (switchboard.State).
type boardState struct{ n *Node }

func (s boardState) Apply(ctx context.Context, key string, cmd call.Command) (call.Result, error) {
	res, err := s.n.replica.Apply(ctx, key, cmd)
	if err != nil || res.Call == nil || res.Call.Phase != call.PhaseQueued {
		return res, err
	}
	// The caller is told a place next, and that is read from the view.
	return res, s.n.replica.WaitIndex(ctx, res.Index)
}
func (s boardState) Position(id string) int { return s.n.replica.View().Position(id) }
func (s boardState) Now() int64             { return s.n.replica.Now() }
