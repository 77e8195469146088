package softphone

import (
	"context"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"trunkline/edge/call"
	agentv1 "trunkline/proto/gen/trunkline/agent/v1"
)

const (
	beatEvery   = time.Second
	queuesEvery = 500 * time.Millisecond
)

// hub wakes the streams of an agent. It holds no news, only the waiting.
type hub struct {
	mu      sync.Mutex
	streams map[string]map[*deskStream]struct{} // by agent id
}

func newHub() *hub { return &hub{streams: map[string]map[*deskStream]struct{}{}} }

// add returns true when it is the agent's first stream at this node.
func (h *hub) add(agentID string, s *deskStream) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	set := h.streams[agentID]
	if set == nil {
		set = map[*deskStream]struct{}{}
		h.streams[agentID] = set
	}
	set[s] = struct{}{}
	return len(set) == 1
}

// remove returns true when it was the agent's last stream at this node.
func (h *hub) remove(agentID string, s *deskStream) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.streams[agentID], s)
	if len(h.streams[agentID]) > 0 {
		return false
	}
	delete(h.streams, agentID)
	return true
}

func (h *hub) has(agentID string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.streams[agentID]) > 0
}

func (h *hub) wake(agentID string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.streams[agentID] {
		s.wakeUp()
	}
}

func (h *hub) wakeAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, set := range h.streams {
		for s := range set {
			s.wakeUp()
		}
	}
}

// count is how many agents have a stream here.
func (h *hub) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.streams)
}

// deskStream is one desktop's stream: what it was last told, and its wake-up.
type deskStream struct {
	site    Site
	session call.Session
	send    func(*agentv1.AgentEvent) error
	changed chan struct{}
	seq     uint64

	agent  *agentv1.Agent
	calls  map[string]*agentv1.Call
	queues *agentv1.Queues
	mode   *agentv1.SiteMode
	relays *agentv1.IceServers
}

func newDeskStream(site Site, s call.Session, send func(*agentv1.AgentEvent) error) *deskStream {
	return &deskStream{site: site, session: s, send: send, changed: make(chan struct{}, 1)}
}

func (d *deskStream) wakeUp() {
	select {
	case d.changed <- struct{}{}:
	default:
	}
}

// run sends the snapshot, then changes, until the session or the stream ends.
func (d *deskStream) run(ctx context.Context) error {
	if err := d.snapshot(); err != nil {
		return err
	}
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	queues := time.NewTicker(queuesEvery)
	defer queues.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case <-d.changed:
			if err = d.ways(); err == nil {
				err = d.changes()
			}
		case <-queues.C:
			err = d.floor()
		case <-beat.C:
			if err = d.ways(); err != nil {
				return err
			}
			err = d.emit(&agentv1.AgentEvent{Body: &agentv1.AgentEvent_Heartbeat{Heartbeat: &agentv1.Heartbeat{}}})
		}
		if err != nil {
			return err
		}
		if reason := d.signedOut(); reason != "" {
			return d.emit(&agentv1.AgentEvent{Body: &agentv1.AgentEvent_SignedOut{SignedOut: &agentv1.SignedOut{Reason: reason}}})
		}
	}
}

// signedOut says why the session no longer holds; empty while it does. The leader
// that ended it may have had the cloud's news before this node.
func (d *deskStream) signedOut() string {
	now := d.site.Now()
	s, ok := d.site.Session(d.session.Hash)
	switch {
	case ok && !s.Over(now):
		return ""
	case d.session.Expires <= now:
		return "expired"
	case d.site.Suspended(d.session.Tenant):
		return call.ReasonSuspended
	}
	a, _ := d.site.Agent(d.session.AgentID)
	if a.Reason == call.ReasonSuspended || a.NextReason == call.ReasonSuspended {
		return call.ReasonSuspended
	}
	return call.ReasonRevoked
}

func (d *deskStream) emit(ev *agentv1.AgentEvent) error {
	d.seq++
	ev.Epoch, ev.Seq, ev.ServerTime = d.site.Epoch(), d.seq, stamp(d.site.Now())
	return d.send(ev)
}

func (d *deskStream) snapshot() error {
	cfg := d.site.Config(d.session.Tenant)
	a, calls := d.current()
	d.agent, d.calls, d.queues, d.mode = a, calls, d.queueStatus(), d.siteMode()
	d.relays = d.iceServers()
	snap := &agentv1.Snapshot{
		Agent: a, Stats: d.stats(), SiteMode: d.mode, Queues: d.queues,
		Nodes: nodeMessages(d.site.Nodes()), IceServers: d.relays.GetServers(),
	}
	for _, c := range calls {
		snap.Calls = append(snap.Calls, c)
	}
	for _, r := range cfg.GetBreakReasons() {
		snap.BreakReasons = append(snap.BreakReasons, &agentv1.BreakReason{Id: r.GetId(), Name: r.GetName()})
	}
	for _, r := range cfg.GetWrapUpCodes() {
		snap.WrapUpCodes = append(snap.WrapUpCodes, &agentv1.WrapUpCode{Id: r.GetId(), Name: r.GetName()})
	}
	return d.emit(&agentv1.AgentEvent{Body: &agentv1.AgentEvent_Snapshot{Snapshot: snap}})
}

// changes sends what differs from what was sent before.
func (d *deskStream) changes() error {
	a, calls := d.current()
	for id, c := range calls {
		if proto.Equal(c, d.calls[id]) {
			continue
		}
		if err := d.emit(&agentv1.AgentEvent{Body: &agentv1.AgentEvent_Call{Call: c}}); err != nil {
			return err
		}
	}
	for id, old := range d.calls {
		if _, still := calls[id]; still {
			continue
		}
		ended := &agentv1.Call{Id: id, Rev: old.GetRev() + 1, State: agentv1.CallState_CALL_STATE_ENDED, EndReason: a.GetReason()}
		if err := d.emit(&agentv1.AgentEvent{Body: &agentv1.AgentEvent_Call{Call: ended}}); err != nil {
			return err
		}
	}
	d.calls = calls
	if proto.Equal(a, d.agent) {
		return nil
	}
	d.agent = a
	if err := d.emit(&agentv1.AgentEvent{Body: &agentv1.AgentEvent_Agent{Agent: a}}); err != nil {
		return err
	}
	return d.emit(&agentv1.AgentEvent{Body: &agentv1.AgentEvent_Stats{Stats: d.stats()}})
}

// floor sends queue lengths and the cloud's presence when they changed.
func (d *deskStream) floor() error {
	if q := d.queueStatus(); !proto.Equal(q, d.queues) {
		d.queues = q
		if err := d.emit(&agentv1.AgentEvent{Body: &agentv1.AgentEvent_Queues{Queues: q}}); err != nil {
			return err
		}
	}
	if m := d.siteMode(); m.GetCloudConnected() != d.mode.GetCloudConnected() || m.GetRecordsWaiting() != d.mode.GetRecordsWaiting() {
		d.mode = m
		return d.emit(&agentv1.AgentEvent{Body: &agentv1.AgentEvent_SiteMode{SiteMode: m}})
	}
	return nil
}

// ways sends the relays when they are others: looked at with each beat, which is
// also what has them renewed.
func (d *deskStream) ways() error {
	now := d.iceServers()
	if proto.Equal(now, d.relays) {
		return nil
	}
	d.relays = now
	return d.emit(&agentv1.AgentEvent{Body: &agentv1.AgentEvent_IceServers{IceServers: now}})
}

func (d *deskStream) iceServers() *agentv1.IceServers {
	return &agentv1.IceServers{Servers: d.site.ICEServers(d.session.AgentID)}
}

func (d *deskStream) current() (*agentv1.Agent, map[string]*agentv1.Call) {
	a, ok := d.site.Agent(d.session.AgentID)
	if !ok {
		a = call.Agent{ID: d.session.AgentID, Tenant: d.session.Tenant, Name: d.session.Name, State: call.AgentOffline}
	}
	cfg := d.site.Config(d.session.Tenant)
	calls := map[string]*agentv1.Call{}
	if a.CallID != "" {
		if c, ok := d.site.Call(a.CallID); ok && c.Has(a.ID) && c.Tenant == a.Tenant {
			calls[c.ID] = callMessage(d.site, c, a.ID)
		}
	}
	if a.State == call.AgentWrapUp && a.LastCall != nil {
		calls[a.LastCall.ID] = wrapUpMessage(a, queueName(cfg, a.LastCall.QueueID))
	}
	return agentMessage(a, len(calls) > 0), calls
}

func (d *deskStream) stats() *agentv1.Stats {
	a, _ := d.site.Agent(d.session.AgentID)
	return statsMessage(a, d.site.Now())
}

func (d *deskStream) queueStatus() *agentv1.Queues {
	a, _ := d.site.Agent(d.session.AgentID)
	cfg := d.site.Config(d.session.Tenant)
	out := &agentv1.Queues{}
	for _, id := range a.Queues {
		n, since := d.site.Waiting(d.session.Tenant, id)
		out.Queues = append(out.Queues, &agentv1.QueueStatus{
			Id: id, Name: queueName(cfg, id), Waiting: uint32(n), LongestSince: stamp(since),
		})
	}
	return out
}

func (d *deskStream) siteMode() *agentv1.SiteMode {
	connected, seen, waiting := d.site.CloudLink(d.session.Tenant)
	return &agentv1.SiteMode{CloudConnected: connected, CloudSeenAt: stamp(seen), RecordsWaiting: waiting}
}
