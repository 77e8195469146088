package uplink

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

const (
	// A changed floor is sent at most so often, an unchanged one at least so often.
	liveAtMost  = 250 * time.Millisecond
	liveAtLeast = 2 * time.Second
	liveTenants = 500 // in one request
	liveBytes   = 512 << 10
	reportEvery = time.Second
	reportLeast = 3 * time.Second
)

// runLive sends the floors while this node leads.
func (u *Uplink) runLive(ctx context.Context) error {
	sent := map[int64]*edgev1.LiveTenant{}
	var whole time.Time // when all were sent
	var away backoff
	for {
		changed, up := u.changed.next(), u.link.up.next()
		connected, _ := u.link.state()
		if !connected || !u.site.IsLeader() {
			clear(sent)
			whole = time.Time{}
			if !wait(ctx, lookEvery, changed, up) {
				return ctx.Err()
			}
			continue
		}
		all := u.site.Live()
		list := all
		if time.Since(whole) < liveAtLeast {
			list = differ(all, sent)
		} else {
			clear(sent)
			whole = time.Now()
		}
		err := u.pushLive(ctx, list)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			clear(sent)
			whole = time.Time{}
			u.log.Debug("floors not sent", "error", err)
			if !wait(ctx, away.next(), up) {
				return ctx.Err()
			}
			continue
		}
		away.reset()
		for _, t := range list {
			sent[t.TenantId] = t
		}
		if !pause(ctx, liveAtMost) || !wait(ctx, time.Until(whole.Add(liveAtLeast)), changed) {
			return ctx.Err()
		}
	}
}

// differ gives the floors that are not as they were sent, their moment aside.
func differ(now []*edgev1.LiveTenant, sent map[int64]*edgev1.LiveTenant) []*edgev1.LiveTenant {
	var out []*edgev1.LiveTenant
	for _, t := range now {
		was := sent[t.TenantId]
		if was != nil {
			at := was.At
			was.At = t.At
			same := proto.Equal(was, t)
			was.At = at
			if same {
				continue
			}
		}
		out = append(out, t)
	}
	return out
}

func (u *Uplink) pushLive(ctx context.Context, list []*edgev1.LiveTenant) error {
	for len(list) > 0 {
		n, size := 0, 0
		for n < len(list) && n < liveTenants {
			if size += proto.Size(list[n]); size > liveBytes && n > 0 {
				break
			}
			n++
		}
		once, cancel := context.WithTimeout(ctx, rpcTimeout)
		_, err := u.link.control.PushLive(once, &edgev1.PushLiveRequest{Tenants: list[:n]})
		cancel()
		if err != nil {
			return err
		}
		list = list[n:]
	}
	return nil
}

// runReport tells how this node is, each second when that changed, on every node.
func (u *Uplink) runReport(ctx context.Context) error {
	var last *edgev1.ReportNodeRequest
	var lastAt time.Time
	var refused int64 // moment of the newest refused call that was sent
	var away backoff
	for {
		up := u.link.up.next()
		if connected, _ := u.link.state(); !connected {
			if !wait(ctx, lookEvery, up) {
				return ctx.Err()
			}
			continue
		}
		r := u.report(refused)
		if time.Since(lastAt) >= reportLeast || !proto.Equal(r, last) {
			once, cancel := context.WithTimeout(ctx, rpcTimeout)
			_, err := u.link.control.ReportNode(once, r)
			cancel()
			if err != nil {
				if !wait(ctx, away.next(), up) {
					return ctx.Err()
				}
				continue
			}
			away.reset()
			for _, x := range r.Refused {
				refused = max(refused, x.At)
			}
			r.Refused = nil
			last, lastAt = r, time.Now()
		}
		if !pause(ctx, reportEvery) {
			return ctx.Err()
		}
	}
}

// maxRefused bounds the refused calls of one report; the cloud takes 200.
const maxRefused = 100

func (u *Uplink) report(refused int64) *edgev1.ReportNodeRequest {
	r := u.site.NodeReport()
	r.Node = u.cfg.Node
	var fresh []*edgev1.RefusedInvite
	for _, x := range r.Refused {
		if x.At > refused {
			fresh = append(fresh, x)
		}
	}
	r.Refused = fresh[max(0, len(fresh)-maxRefused):]
	if len(r.Refused) == 0 {
		r.Refused = nil
	}
	if off, ok := u.link.clock.offset(); ok {
		r.ClockOffsetUs = off.Truncate(time.Millisecond).Microseconds() // finer would change each second
	}
	u.mu.Lock()
	r.RecordingsWaiting = u.waiting
	u.mu.Unlock()
	for _, t := range u.cfg.Store.Site().GetTenants() {
		r.ConfigVersion = max(r.ConfigVersion, u.cfg.Store.Tenant(t.TenantId).GetVersion())
	}
	return r
}
