package uplink

import (
	"testing"
	"testing/synctest"
	"time"

	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

func TestFloorsAreSentOnChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := startCloud(t), newSite(true)
		quiet, busy := &edgev1.LiveTenant{TenantId: 1}, &edgev1.LiveTenant{TenantId: 2}
		s.floors = []*edgev1.LiveTenant{quiet, busy}
		start(t, c, s, t.TempDir(), nil)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if n := len(c.live); n < 5 || n > 7 {
			t.Errorf("%d times in ten quiet seconds", n)
		}
		for _, p := range c.live {
			if len(p.tenants) != 2 {
				t.Errorf("%d tenants", len(p.tenants))
			}
		}
		// A change every 10 ms.
		c.change(func() { c.live = nil })
		for i := range 200 {
			s.do(func() { busy.CallsActive = uint32(i) })
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(300 * time.Millisecond)
		synctest.Wait()
		if n := len(c.live); n < 7 || n > 11 {
			t.Errorf("%d times in two busy seconds", n)
		}
		for i := 1; i < len(c.live); i++ {
			if d := c.live[i].at.Sub(c.live[i-1].at); d < liveAtMost {
				t.Errorf("%v apart", d)
			}
		}
		last := c.live[len(c.live)-1].tenants
		if got := last[len(last)-1]; got.TenantId != 2 || got.CallsActive != 199 {
			t.Errorf("the last floor shows %v", got)
		}
		// A change after silence is seen at once.
		time.Sleep(1200 * time.Millisecond)
		c.change(func() { c.live = nil })
		s.do(func() { quiet.CallsActive = 1 })
		time.Sleep(50 * time.Millisecond)
		synctest.Wait()
		if len(c.live) != 1 || c.live[0].tenants[0].TenantId != 1 || c.live[0].tenants[0].CallsActive != 1 {
			t.Errorf("sent %v", c.live)
		}
	})
}

// A quiet floor goes on being told of after a cloud that took long to answer.
func TestFloorsGoOnAfterASlowAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := startCloud(t), newSite(true)
		s.floors = []*edgev1.LiveTenant{{TenantId: 1}}
		start(t, c, s, t.TempDir(), nil)
		time.Sleep(time.Second)
		c.change(func() { c.hold = func() { time.Sleep(liveAtLeast + time.Second) } })
		time.Sleep(liveAtLeast)
		c.change(func() { c.hold, c.live = nil, nil })
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if n := len(c.live); n < 4 {
			t.Errorf("%d times in ten quiet seconds", n)
		}
	})
}

func TestManyFloorsGoInParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := startCloud(t), newSite(true)
		for i := range int64(1200) {
			s.floors = append(s.floors, &edgev1.LiveTenant{TenantId: i + 1})
		}
		start(t, c, s, t.TempDir(), nil)
		time.Sleep(500 * time.Millisecond)
		synctest.Wait()
		sum := 0
		for _, p := range c.live {
			sum += len(p.tenants)
		}
		if len(c.live) != 3 || sum != 1200 {
			t.Errorf("%d parts with %d tenants", len(c.live), sum)
		}
	})
}

func TestReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := startCloud(t), newSite(false)
		s.report.Refused = []*edgev1.RefusedInvite{{At: 1, Called: "a"}, {At: 2, Called: "b"}}
		start(t, c, s, t.TempDir(), nil)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if n := len(c.reports); n < 3 || n > 5 {
			t.Errorf("%d reports in ten quiet seconds", n)
		}
		c.net.cut(true)
		s.do(func() { s.report.Refused = append(s.report.Refused, &edgev1.RefusedInvite{At: 3, Called: "c"}) })
		time.Sleep(time.Minute)
		c.net.cut(false)
		time.Sleep(15 * time.Second)
		synctest.Wait()
		var refused []string
		for _, r := range c.reports {
			if r.Node != "node-1" {
				t.Errorf("report of %q", r.Node)
			}
			for _, x := range r.Refused {
				refused = append(refused, x.Called)
			}
		}
		if len(refused) != 3 {
			t.Errorf("refused calls arrived as %v", refused)
		}
		before := len(c.reports)
		for i := range 10 {
			s.do(func() { s.report.Calls = uint32(i) })
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if n := len(c.reports) - before; n < 9 || n > 11 {
			t.Errorf("%d reports in ten changing seconds", n)
		}
	})
}
