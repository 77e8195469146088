package uplink

import (
	"context"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"trunkline/edge/call"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

const (
	// maxInbox bounds items held here; beyond it they are left to the next stream.
	maxInbox = 10_000
	maxAck   = 200
)

// inbox is what a stream brought and is not applied yet. A stream brings all that
// is not acknowledged, in order; since the sequence of applied work only grows,
// nothing may be applied before what comes earlier. So after a loss nothing is
// taken until the next stream begins.
type inbox struct {
	mu     sync.Mutex
	items  []*edgev1.InboxItem
	broken bool
}

// begin is called at the beginning of a stream.
func (b *inbox) begin() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.items, b.broken = nil, false
}

func (b *inbox) add(item *edgev1.InboxItem) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.broken = b.broken || len(b.items) >= maxInbox; !b.broken {
		b.items = append(b.items, item)
	}
}

// drop forgets everything until the next stream.
func (b *inbox) drop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.items, b.broken = nil, true
}

// take gives what came; more says that something was left out after it.
func (b *inbox) take() (items []*edgev1.InboxItem, more bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	items, b.items = b.items, nil
	return items, b.broken
}

// runInbox applies work from the cloud while this node leads. Another node
// forgets what it hears; when it begins to lead it opens the stream again, and
// everything not acknowledged comes once more.
func (u *Uplink) runInbox(ctx context.Context) error {
	var again backoff
	led := false
	for {
		mail, changed := u.mail.next(), u.changed.next()
		leads := u.site.IsLeader()
		if !leads || !led {
			u.inbox.drop()
		}
		if leads && !led {
			u.watchAgain()
		}
		led = leads
		items, more := u.inbox.take()
		if len(items) > 0 {
			err := u.applyInbox(ctx, items)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				u.log.Warn("work from the cloud is tried again", "error", err)
				u.inbox.drop()
				if !pause(ctx, again.next()) {
					return ctx.Err()
				}
			} else {
				again.reset()
			}
			if err != nil || more {
				u.watchAgain()
			}
		}
		if !wait(ctx, lookEvery, mail, changed) {
			return ctx.Err()
		}
	}
}

// applyInbox applies items in order, then acknowledges them. What was applied
// before, by this or another leader, is only acknowledged.
func (u *Uplink) applyInbox(ctx context.Context, items []*edgev1.InboxItem) error {
	var done []uint64
	var failure error
	last := u.site.View().InboxSeq()
	for _, item := range items {
		if item.Seq > last {
			if failure = u.applyItem(ctx, item); failure != nil {
				break
			}
			last = item.Seq
		}
		done = append(done, item.Seq)
	}
	for len(done) > 0 {
		n := min(len(done), maxAck)
		actx, cancel := context.WithTimeout(ctx, rpcTimeout)
		_, err := u.link.control.AckInbox(actx, &edgev1.AckInboxRequest{Seqs: done[:n]})
		cancel()
		if err != nil {
			return err
		}
		done = done[n:]
	}
	return failure
}

func (u *Uplink) applyItem(ctx context.Context, item *edgev1.InboxItem) error {
	cmd, outcome := u.command(item)
	ctx, cancel := context.WithTimeout(ctx, applyTimeout)
	defer cancel()
	res, err := u.site.Apply(ctx, "inbox/"+item.Id, cmd)
	if err != nil {
		return err
	}
	if res.Refused != "" {
		outcome = "refused"
		u.log.Warn("work from the cloud was refused", "tenant", item.TenantId, "kind", item.Kind, "id", item.Id, "reason", res.Refused)
	}
	inboxTaken.WithLabelValues(outcome).Inc()
	return nil
}

// command is what an item becomes. One that is too late, or that this release
// does not know, only moves the sequence on.
func (u *Uplink) command(item *edgev1.InboxItem) (cmd call.Inbox, outcome string) {
	cmd = call.Inbox{Seq: item.Seq, ID: item.Id}
	cloudNow := u.link.clock.cloudNow()
	left := time.UnixMicro(item.ExpiresAt).Sub(cloudNow)
	if item.ExpiresAt != 0 && left <= 0 {
		return cmd, "expired"
	}
	var err error
	known := true
	switch item.Kind {
	case "test_call":
		var t edgev1.TestCallTicket
		if err = proto.Unmarshal(item.Body, &t); err == nil {
			cmd.Ticket = &call.Ticket{
				Hash: t.TicketHash, Tenant: item.TenantId, Called: t.Called, FlowID: t.FlowId, CallerName: t.CallerName,
				Expires: u.site.Now() + left.Microseconds(),
			}
		}
	case "set_agent_state":
		var a edgev1.AgentCommand
		if err = proto.Unmarshal(item.Body, &a); err == nil {
			known = u.agentState(&cmd, item.TenantId, &a)
		}
	case "sign_out_agent":
		var a edgev1.AgentCommand
		if err = proto.Unmarshal(item.Body, &a); err == nil && a.AgentId != "" {
			cmd.Out = &call.SignOut{Tenant: item.TenantId, AgentID: a.AgentId, Reason: reasonOf(&a)}
		} else {
			known = false
		}
	case "sign_out_tenant":
		cmd.Out = &call.SignOut{Tenant: item.TenantId, Reason: call.ReasonSupervisor}
	default:
		known = false
	}
	if err != nil || !known {
		u.log.Error("work from the cloud can not be read", "tenant", item.TenantId, "kind", item.Kind, "id", item.Id, "error", err)
		return call.Inbox{Seq: item.Seq, ID: item.Id}, "unknown"
	}
	return cmd, "applied"
}

func (u *Uplink) agentState(cmd *call.Inbox, tenant int64, a *edgev1.AgentCommand) bool {
	states := map[string]call.AgentState{"ready": call.AgentReady, "not_ready": call.AgentNotReady}
	state, ok := states[a.State]
	if !ok || a.AgentId == "" {
		return false
	}
	cmd.Agent = &call.SetAgentState{AgentID: a.AgentId, State: state, DayStart: u.cfg.Store.DayStart(tenant, u.site.Now())}
	if state != call.AgentReady {
		cmd.Agent.Reason = reasonOf(a)
	}
	return true
}

func reasonOf(a *edgev1.AgentCommand) string {
	if a.Reason == "" {
		return call.ReasonSupervisor
	}
	return a.Reason
}
