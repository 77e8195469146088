package conversations

import (
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"trunkline/internal/fault"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
)

// longestBefore is longer than any call lasts before it enters a queue. It keeps
// a filter on stays from looking through all calls there ever were.
const longestBefore = 7 * 24 * time.Hour

// stayOutcome is what the queue report makes of a stay: short abandons apart, those
// the site lost failed, as their calls are, and every other way out as one.
const stayOutcome = `CASE WHEN v.outcome = 'abandoned' AND v.wait_ms < ` + shortMs + ` THEN 'abandoned_short'
	WHEN v.outcome = 'lost' THEN 'failed' WHEN v.outcome = 'flow' THEN 'max_wait' ELSE v.outcome END`

const inLevel = `v.outcome = 'answered' AND v.wait_ms <= 1000 * coalesce((SELECT service_level_s FROM settings WHERE tenant_id = $1), 20)`

// query gathers conditions with their arguments; $1 is the tenant.
type query struct {
	where []string
	args  []any
	stays string // FROM and WHERE of the call's stays that match, "" = all the same
}

// cond puts an argument in place of each ? of the condition.
func (q *query) cond(text string, arg any) string {
	q.args = append(q.args, arg)
	return strings.ReplaceAll(text, "?", fmt.Sprintf("$%d", len(q.args)))
}

func (q *query) add(text string, arg any) { q.where = append(q.where, q.cond(text, arg)) }

// filter turns the filter into conditions.
func (q *query) filter(f *cloudv1.CallFilter) error {
	for _, t := range []*timestamppb.Timestamp{f.GetFrom(), f.GetTo()} {
		if t != nil && !t.IsValid() {
			return fault.New(fault.Invalid, "fault.filter.period").WithField("filter.to")
		}
	}
	if from, to := f.GetFrom(), f.GetTo(); from != nil && to != nil && !from.AsTime().Before(to.AsTime()) {
		return fault.New(fault.Invalid, "fault.filter.period").WithField("filter.to")
	}
	if len(f.GetSiteIds()) > 0 {
		q.add("c.site_id = ANY (?)", f.GetSiteIds())
	}
	if digits := onlyDigits(f.GetNumber()); digits != "" {
		q.add("(strpos(c.caller, ?) > 0 OR strpos(c.called, ?) > 0)", digits)
	}
	if len(f.GetQueueIds()) > 0 || f.GetQueued() || f.GetWithinServiceLevel() {
		q.ofStays(f)
	} else {
		q.ofCalls(f)
	}
	return nil
}

func (q *query) ofCalls(f *cloudv1.CallFilter) {
	if f.GetFrom() != nil {
		q.add("c.started_at >= ?", f.GetFrom().AsTime())
	}
	if f.GetTo() != nil {
		q.add("c.started_at < ?", f.GetTo().AsTime())
	}
	if len(f.GetAgentIds()) > 0 {
		q.add(`(c.agent_id = ANY (?) OR EXISTS (SELECT FROM queue_visits v WHERE v.tenant_id = $1 AND v.call_id = c.id
			AND v.agent_id = ANY (?)))`, f.GetAgentIds())
	}
	if len(f.GetOutcomes()) > 0 {
		q.add(outcome+" = ANY (?)", f.GetOutcomes())
	}
}

// ofStays matches calls by their stays in queues: exactly those a queue report
// with these queues, sites and times has counted.
func (q *query) ofStays(f *cloudv1.CallFilter) {
	where := []string{"v.tenant_id = $1", "v.call_id = c.id", "v.outcome <> 'direct'"}
	if len(f.GetQueueIds()) > 0 {
		where = append(where, q.cond("v.queue_id = ANY (?)", f.GetQueueIds()))
	}
	if f.GetFrom() != nil {
		from := f.GetFrom().AsTime()
		where = append(where, q.cond("v.enqueued_at >= ?", from))
		q.add("c.started_at >= ?", from.Add(-longestBefore))
	}
	if f.GetTo() != nil {
		where = append(where, q.cond("v.enqueued_at < ?", f.GetTo().AsTime()))
		q.add("c.started_at < ?", f.GetTo().AsTime())
	}
	if len(f.GetAgentIds()) > 0 {
		where = append(where, q.cond("v.agent_id = ANY (?)", f.GetAgentIds()))
	}
	if len(f.GetOutcomes()) > 0 {
		where = append(where, q.cond(stayOutcome+" = ANY (?)", f.GetOutcomes()))
	}
	if f.GetWithinServiceLevel() {
		where = append(where, inLevel)
	}
	q.stays = " FROM queue_visits v WHERE " + strings.Join(where, " AND ")
	q.where = append(q.where, "EXISTS (SELECT"+q.stays+")")
}

func onlyDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}

// pageToken names the last call of a page: time and id, as the order is.
func pageToken(t time.Time, id string) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d %s", t.UnixMicro(), id))
}

// lastMicro is the year 9999: what lies behind is no time of a call.
const lastMicro = 253402300800 * 1e6

func (q *query) after(token string) error {
	if token == "" {
		return nil
	}
	b, err := base64.RawURLEncoding.DecodeString(token)
	var us int64
	var id string
	if err == nil {
		_, err = fmt.Sscanf(string(b), "%d %s", &us, &id)
	}
	if err == nil && (us < 0 || us > lastMicro || !plainID.MatchString(id)) {
		err = fmt.Errorf("no page of ours")
	}
	if err != nil {
		return fault.Wrap(err, fault.Invalid, "fault.page_token").WithField("page_token")
	}
	q.args = append(q.args, time.UnixMicro(us), id)
	q.where = append(q.where, fmt.Sprintf("(c.started_at, c.id) < ($%d, $%d)", len(q.args)-1, len(q.args)))
	return nil
}
