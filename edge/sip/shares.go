package sip

import (
	"time"

	"golang.org/x/time/rate"
)

// shares counts what tenants have of something they share, so that one who
// takes all there is leaves room for the next: a tenant may have at most
// greed times what is free for everybody (Choudhury and Hahne, Dynamic Queue
// Length Thresholds for Shared-Memory Packet Switches, IEEE/ACM Transactions on
// Networking 6(2), 1998). Nothing is set aside for those who are silent, and
// nobody's share has to be configured.
type shares struct {
	total int
	of    map[int64]int // by tenant, without those who have none
}

// greed is a compromise: one tenant alone gets three quarters of the bound, two
// three sevenths each, and after n of them 1/(1+3n) of it is free for another.
const greed = 3

func (s *shares) full(bound int) bool { return s.total >= bound }

func (s *shares) fair(bound int, tenant int64) bool { return s.of[tenant] < greed*(bound-s.total) }

func (s *shares) add(tenant int64) {
	if s.of == nil {
		s.of = map[int64]int{}
	}
	s.total++
	s.of[tenant]++
}

func (s *shares) drop(tenant int64) {
	s.total--
	if s.of[tenant]--; s.of[tenant] <= 0 {
		delete(s.of, tenant)
	}
}

// paces count tenants' calls over time.
type paces map[int64]*rate.Limiter

// over says whether the tenant has had its calls for now.
func (p paces) over(who Tenant, now time.Time) bool {
	return who.PerSecond > 0 && p.of(who, now).TokensAt(now) < 1
}

func (p paces) take(who Tenant, now time.Time) {
	if who.PerSecond > 0 {
		p.of(who, now).AllowN(now, 1)
	}
}

// of is the tenant's limiter, with the limits that are in force now.
func (p paces) of(who Tenant, now time.Time) *rate.Limiter {
	limit := rate.Limit(who.PerSecond)
	l := p[who.ID]
	switch {
	case l == nil:
		l = rate.NewLimiter(limit, who.Burst)
		p[who.ID] = l
	case l.Limit() != limit || l.Burst() != who.Burst:
		l.SetLimitAt(now, limit)
		l.SetBurstAt(now, who.Burst)
	}
	return l
}
