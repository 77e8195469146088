package uplink

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"trunkline/edge/call"
	"trunkline/internal/fault"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

func TestSilentCloudIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := startCloud(t), newSite(false)
		n := start(t, c, s, t.TempDir(), nil)
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if ok, _ := n.CloudLink(); !ok || c.watches != 1 {
			t.Errorf("connected %v after %d streams", ok, c.watches)
		}
		if off, ok := n.ClockOffset(); !ok || off != 0 {
			t.Errorf("clock offset %v, %v", off, ok)
		}
		c.change(func() { c.mute = true })
		time.Sleep(silence)
		synctest.Wait()
		if look(c, func() int { return c.watches }) != 1 {
			t.Error("left too early")
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if look(c, func() int { return c.watches }) < 2 {
			t.Error("still waits")
		}
	})
}

// A cloud that hangs with its connections open is away within four seconds, and
// there again when it goes on.
func TestHungCloudIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := startCloud(t), newSite(false)
		n := start(t, c, s, t.TempDir(), nil)
		for round := range 5 {
			time.Sleep(time.Minute + time.Duration(round)*700*time.Millisecond)
			if ok, _ := n.CloudLink(); !ok {
				t.Fatalf("round %d: away though it answers", round)
			}
			c.net.hang(true)
			time.Sleep(4 * time.Second)
			synctest.Wait()
			if ok, _ := n.CloudLink(); ok {
				t.Errorf("round %d: there four seconds after it began to hang", round)
			}
			time.Sleep(time.Minute)
			c.net.hang(false)
		}
	})
}

func TestMovedCloudIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := startCloud(t), newSite(false)
		asked := 0
		n := start(t, c, s, t.TempDir(), func(cfg *Config) {
			cfg.CloudAddr = "192.0.2.99:1"
			inner := cfg.Dial
			cfg.Dial = func(ctx context.Context, addr string) (conn net.Conn, err error) {
				if addr != "192.0.2.1:9400" {
					return nil, errAway
				}
				return inner(ctx, addr)
			}
			cfg.FindCloud = func(context.Context) (string, error) {
				asked++
				return "192.0.2.1:9400", nil
			}
		})
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if ok, _ := n.CloudLink(); !ok || asked != 1 {
			t.Errorf("connected %v, asked %d times", ok, asked)
		}
	})
}

func TestRenewedCertificateIsUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := startCloud(t), newSite(false)
		current := c.ca.Node("site-1", "node-1", time.Hour)
		next := c.ca.Node("site-1", "node-1", 1000*time.Hour)
		var use atomic.Pointer[tls.Certificate]
		use.Store(&current)
		n := start(t, c, s, t.TempDir(), func(cfg *Config) {
			tlsOf := cfg.TLS
			cfg.Certificate = func() *tls.Certificate { return use.Load() }
			cfg.TLS = func() *tls.Config {
				x := tlsOf()
				x.Certificates = []tls.Certificate{*use.Load()}
				return x
			}
		})
		time.Sleep(time.Minute)
		synctest.Wait()
		dials := c.net.dials
		use.Store(&next)
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if ok, _ := n.CloudLink(); !ok || c.watches != 2 || c.net.dials != dials+1 {
			t.Errorf("connected %v, %d streams, %d new connections", ok, c.watches, c.net.dials-dials)
		}
	})
}

func inboxItem(t *testing.T, seq uint64, kind string, body proto.Message) *edgev1.InboxItem {
	t.Helper()
	i := &edgev1.InboxItem{
		Seq: seq, Id: string(rune('a' + seq)), TenantId: 7, Kind: kind, ExpiresAt: time.Now().Add(time.Hour).UnixMicro(),
	}
	if body != nil {
		var err error
		if i.Body, err = proto.Marshal(body); err != nil {
			t.Fatal(err)
		}
	}
	return i
}

func TestInboxBecomesCommands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := startCloud(t), newSite(true)
		late := inboxItem(t, 5, "sign_out_agent", &edgev1.AgentCommand{AgentId: "agent-1"})
		late.ExpiresAt = time.Now().UnixMicro()
		c.inbox = []*edgev1.InboxItem{
			inboxItem(t, 1, "test_call", &edgev1.TestCallTicket{TicketHash: []byte{1}, Called: "+49301234", FlowId: "f", CallerName: "Ann"}),
			inboxItem(t, 2, "set_agent_state", &edgev1.AgentCommand{AgentId: "agent-1", State: "not_ready"}),
			inboxItem(t, 3, "sign_out_agent", &edgev1.AgentCommand{AgentId: "agent-1", Reason: "left"}),
			inboxItem(t, 4, "sign_out_tenant", nil),
			late,
			inboxItem(t, 6, "from the future", nil),
			inboxItem(t, 7, "set_agent_state", &edgev1.AgentCommand{AgentId: "agent-1", State: "ready"}),
		}
		begin := time.Now()
		start(t, c, s, t.TempDir(), nil)
		time.Sleep(time.Second)
		synctest.Wait()
		if len(s.applied) != 7 {
			t.Fatalf("%d applied", len(s.applied))
		}
		a := s.applied
		if k := a[0].Ticket; k == nil || k.Tenant != 7 || k.Called != "+49301234" || k.FlowID != "f" || k.CallerName != "Ann" ||
			time.UnixMicro(k.Expires).Sub(begin).Round(time.Second) != time.Hour {
			t.Errorf("ticket %+v", k)
		}
		if g := a[1].Agent; g == nil || g.State != call.AgentNotReady || g.Reason != call.ReasonSupervisor || g.DayStart == 0 {
			t.Errorf("agent %+v", g)
		}
		if o := a[2].Out; o == nil || o.AgentID != "agent-1" || o.Tenant != 7 || o.Reason != "left" {
			t.Errorf("sign-out %+v", o)
		}
		if o := a[3].Out; o == nil || o.AgentID != "" || o.Tenant != 7 {
			t.Errorf("sign-out of all %+v", o)
		}
		for _, i := range []int{4, 5} {
			if a[i].Agent != nil || a[i].Out != nil || a[i].Ticket != nil {
				t.Errorf("item %d did something", i+1)
			}
		}
		if g := a[6].Agent; g == nil || g.State != call.AgentReady || g.Reason != "" {
			t.Errorf("agent %+v", g)
		}
		if !slices.Equal(c.acked, []uint64{1, 2, 3, 4, 5, 6, 7}) {
			t.Errorf("acknowledged %v", c.acked)
		}
		// And one more, later.
		c.change(func() { c.inbox = append(c.inbox, inboxItem(t, 8, "sign_out_tenant", nil)) })
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		if len(s.applied) != 8 {
			t.Error("the eighth was not applied")
		}
	})
}

func TestInboxKeepsItsOrderThroughFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := startCloud(t), newSite(true)
		for seq := range uint64(20) {
			c.inbox = append(c.inbox, inboxItem(t, seq+1, "sign_out_tenant", nil))
		}
		calls := 0
		s.fail = func(cmd call.Command) error {
			if _, ok := cmd.(call.Inbox); ok {
				if calls++; calls%5 == 0 {
					return errAway
				}
			}
			return nil
		}
		c.ackError = fault.New(fault.Unavailable, "fault.timeout")
		start(t, c, s, t.TempDir(), nil)
		time.Sleep(30 * time.Second)
		c.change(func() { c.ackError = nil })
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if len(s.applied) != 20 {
			t.Errorf("%d applied", len(s.applied))
		}
		for i, a := range s.applied {
			if a.Seq != uint64(i+1) {
				t.Fatalf("item %d is %d", i, a.Seq)
			}
		}
		got := slices.Clone(c.acked)
		slices.Sort(got)
		if got = slices.Compact(got); len(got) != 20 {
			t.Errorf("acknowledged %v", c.acked)
		}
	})
}

func TestNewLeaderTakesOverTheInbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := startCloud(t), newSite(false)
		c.inbox = []*edgev1.InboxItem{inboxItem(t, 1, "sign_out_tenant", nil), inboxItem(t, 2, "sign_out_tenant", nil)}
		n := start(t, c, s, t.TempDir(), nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(s.applied) != 0 {
			t.Error("a follower applied work")
		}
		s.do(func() {
			s.inbox = 1 // the old leader applied the first and died before the acknowledgement
			s.leader = true
		})
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if len(s.applied) != 1 || s.applied[0].Seq != 2 || !slices.Equal(c.acked, []uint64{1, 2}) {
			t.Errorf("applied %v, acknowledged %v", s.applied, c.acked)
		}
		if ok, _ := n.CloudLink(); !ok {
			t.Error("the link counts as lost")
		}
	})
}

func TestInboxStopsAtALoss(t *testing.T) {
	var b inbox
	b.add(&edgev1.InboxItem{Seq: 1})
	b.drop()
	b.add(&edgev1.InboxItem{Seq: 2})
	if items, more := b.take(); len(items) != 0 || !more {
		t.Errorf("after a loss %v came", items)
	}
	b.begin()
	for seq := range uint64(maxInbox + 1) {
		b.add(&edgev1.InboxItem{Seq: seq})
	}
	if items, more := b.take(); len(items) != maxInbox || !more {
		t.Errorf("%d held, more %v", len(items), more)
	}
	b.add(&edgev1.InboxItem{Seq: maxInbox + 2})
	if items, _ := b.take(); len(items) != 0 {
		t.Error("it went on after a loss")
	}
}

func TestWorkIsTriedAgainWhenItsOutcomeIsUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := startCloud(t), newSite(true)
		c.inbox = []*edgev1.InboxItem{inboxItem(t, 1, "sign_out_tenant", nil)}
		first := true
		s.fail = func(cmd call.Command) error {
			if i, ok := cmd.(call.Inbox); ok && first {
				first = false
				s.inbox = i.Seq // applied, but the answer was lost
				return errors.Join(errAway, context.DeadlineExceeded)
			}
			return nil
		}
		start(t, c, s, t.TempDir(), nil)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if len(s.applied) != 0 || !slices.Equal(c.acked, []uint64{1}) {
			t.Errorf("applied again %v, acknowledged %v", s.applied, c.acked)
		}
	})
}
