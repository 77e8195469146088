package conversations

import (
	"context"
	"slices"
	"strconv"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
	"trunkline/tenants/tenantdb"
)

// names gives the words for the ids in a record.
func (s *Service) names(ctx context.Context, tenant int64, r *edgev1.CallRecord) (map[string]string, error) {
	var ids []string
	for _, v := range r.GetQueueVisits() {
		ids = append(ids, v.GetQueueId())
		for _, o := range v.GetOffers() {
			ids = append(ids, o.GetAgentId())
		}
	}
	for _, t := range r.GetTalks() {
		ids = append(ids, t.GetAgentId())
	}
	for _, t := range r.GetTransfers() {
		ids = append(ids, t.GetQueueId(), t.GetAgentId())
	}
	type named struct{ ID, Name string }
	rows, err := tenantdb.Many[named](ctx, s.db, tenant, `SELECT id, name FROM queues WHERE tenant_id = $1 AND id = ANY ($2)
		UNION ALL SELECT m.id, coalesce(nullif(a.display_name, ''), a.email) FROM memberships m JOIN accounts a ON a.id = m.account_id
		WHERE m.tenant_id = $1 AND m.id = ANY ($2)`, tenant, ids)
	out := map[string]string{}
	for _, n := range rows {
		out[n.ID] = n.Name
	}
	return out, err
}

// wrapUp is what one agent of a call wrote up.
type wrapUp struct {
	AgentID string
	EndedAt time.Time
	Code    string
	Ms      int64
}

// events gathers a timeline; times are Unix microseconds, 0 = did not happen.
type events struct{ list []*cloudv1.CallEvent }

func (e *events) add(us int64, kind string, kv ...string) {
	if us == 0 {
		return
	}
	params := map[string]string{}
	for i := 0; i+1 < len(kv); i += 2 {
		if kv[i+1] != "" {
			params[kv[i]] = kv[i+1]
		}
	}
	e.list = append(e.list, &cloudv1.CallEvent{At: timestamppb.New(at(us)), Kind: kind, Params: params})
}

// timeline tells the call in order of time. The kinds of events and their params,
// which are left out where nothing is known; agents and queues by name:
//
//	started      caller, called (numbers as signalled), node
//	answered     by the call flow
//	menu         digit, label
//	queued       queue
//	offered      agent
//	offer_ended  agent, outcome: rejected, no_answer, caller_hung_up, caller_left
//	             (to the flow), call_lost, agent_lost; an accepted offer has none
//	left_queue   queue, outcome: max_wait, flow; answered and abandoned stays end
//	             with "talking" and "ended"
//	talking      agent, held_ms
//	transferred  agent (who gave the caller away), queue, to (an agent) or number
//	transfer_ended  to, outcome: as offer_ended; an accepted one has none. Or number,
//	             outcome: busy, rejected, no_answer, unreachable, caller_hung_up, call_lost
//	consulted    agent (who asked), to (a colleague, before the caller is passed on)
//	consult_answered  to
//	consult_ended     to, outcome: cancelled (by who asked), left, rejected, no_answer,
//	             caller_hung_up, call_lost, agent_lost; one that ended in passing on has none
//	outside_answered  number: the number the caller was passed on to
//	moved        from, to (nodes), gap_ms
//	ended        by: caller, agent, outside (the number), flow, rejected, lost, suspended, max_wait;
//	             reason: a word of the site's
//	wrap_up      agent, code, took_ms; at its end
func timeline(r *edgev1.CallRecord, wrapUps []wrapUp, names map[string]string) []*cloudv1.CallEvent {
	var e events
	e.add(r.GetStartedAt(), "started", "caller", r.GetCaller(), "called", r.GetCalled(), "node", r.GetNode())
	e.add(r.GetAnsweredAt(), "answered")
	for _, c := range r.GetMenuPath() {
		e.add(c.GetAt(), "menu", "digit", c.GetDigit(), "label", c.GetLabel())
	}
	for _, v := range r.GetQueueVisits() {
		e.add(v.GetEnqueuedAt(), "queued", "queue", names[v.GetQueueId()])
		for _, o := range v.GetOffers() {
			e.add(o.GetOfferedAt(), "offered", "agent", names[o.GetAgentId()])
			if o.GetOutcome() != "accepted" {
				e.add(o.GetEndedAt(), "offer_ended", "agent", names[o.GetAgentId()], "outcome", o.GetOutcome())
			}
		}
		if v.GetOutcome() == "max_wait" || v.GetOutcome() == "flow" {
			e.add(v.GetLeftAt(), "left_queue", "queue", names[v.GetQueueId()], "outcome", v.GetOutcome())
		}
	}
	for _, t := range r.GetTalks() {
		e.add(t.GetStartedAt(), "talking", "agent", names[t.GetAgentId()], "held_ms", ms(t.GetHeldUs()))
	}
	for _, t := range r.GetTransfers() {
		if t.GetConsult() {
			e.consult(t, names)
			continue
		}
		e.add(t.GetAt(), "transferred", "agent", names[t.GetByAgent()], "queue", names[t.GetQueueId()], "to", names[t.GetAgentId()], "number", t.GetNumber())
		switch {
		case t.GetQueueId() != "":
		case t.GetOutcome() != "accepted":
			e.add(t.GetEndedAt(), "transfer_ended", "to", names[t.GetAgentId()], "number", t.GetNumber(), "outcome", t.GetOutcome())
		case t.GetNumber() != "":
			e.add(t.GetEndedAt(), "outside_answered", "number", t.GetNumber())
		}
	}
	for _, m := range r.GetMoves() {
		e.add(m.GetAt(), "moved", "from", m.GetFromNode(), "to", m.GetToNode(), "gap_ms", ms(m.GetGapUs()))
	}
	e.add(r.GetEndedAt(), "ended", "by", r.GetEndedBy(), "reason", r.GetEndReason())
	for _, w := range wrapUps {
		e.add(w.EndedAt.UnixMicro(), "wrap_up", "agent", names[w.AgentID], "code", w.Code, "took_ms", ms(1000*w.Ms))
	}
	slices.SortStableFunc(e.list, func(a, b *cloudv1.CallEvent) int {
		return a.GetAt().AsTime().Compare(b.GetAt().AsTime())
	})
	return e.list
}

// consult tells of a colleague who was asked before the caller was passed on.
func (e *events) consult(t *edgev1.Transfer, names map[string]string) {
	to := names[t.GetAgentId()]
	e.add(t.GetAt(), "consulted", "agent", names[t.GetByAgent()], "to", to)
	e.add(t.GetAnsweredAt(), "consult_answered", "to", to)
	if t.GetOutcome() != "completed" {
		e.add(t.GetEndedAt(), "consult_ended", "to", to, "outcome", t.GetOutcome())
	}
}

func ms(us int64) string {
	if us == 0 {
		return ""
	}
	return strconv.FormatInt(us/1000, 10)
}
