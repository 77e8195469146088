package replica

import (
	"google.golang.org/protobuf/proto"

	"trunkline/edge/call"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

// What comes down from the cloud: configuration, work, tickets.

func (m *machine) configure(c call.Config) call.Result {
	var site edgev1.SiteConfig
	if err := proto.Unmarshal(c.Site, &site); err != nil {
		return refused(call.RefusedState)
	}
	m.t.config, m.t.site = c.Site, &site
	m.changed.config = true
	return call.Result{}
}

func (m *machine) inboxItem(c call.Inbox) call.Result {
	if c.Seq <= m.t.inbox {
		return refused(call.RefusedStale)
	}
	m.t.inbox = c.Seq
	switch {
	case c.Ticket != nil:
		if len(c.Ticket.Hash) == 0 || c.Ticket.Expires <= m.t.at {
			return refused(call.RefusedState)
		}
		m.t.putTicket(c.Ticket)
		return call.Result{}
	case c.Agent != nil:
		return m.setAgentState(*c.Agent)
	case c.Out != nil:
		return m.signOut(*c.Out)
	}
	return call.Result{}
}

func (m *machine) ticketUse(c call.TicketUse) call.Result {
	k, ok := m.t.tickets.Get(&call.Ticket{Hash: c.Hash})
	if !ok {
		return refused(call.RefusedNotFound)
	}
	m.t.dropTicket(c.Hash)
	return call.Result{Ticket: k}
}

// expireTickets forgets what nobody may use any more.
func (m *machine) expireTickets() {
	for {
		k, ok := m.t.expiring.Min()
		if !ok || k.Expires > m.t.at {
			return
		}
		m.t.dropTicket(k.Hash)
	}
}
