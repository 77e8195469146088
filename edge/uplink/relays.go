package uplink

import (
	"context"
	"sync"
	"time"

	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

// Relay is a way round an agent's network: a TURN server (RFC 8656) of the
// cloud's with credentials for this agent.
type Relay struct {
	URLs               []string
	Username, Password string
	// Ends is when the relay takes them no more, by this node's clock.
	Ends time.Time
}

const (
	// relayMargin is how long before their end credentials are no longer given:
	// clocks differ, and the browser has to get there.
	relayMargin = time.Minute
	// noRelayFor is how long "there is no relay" is believed.
	noRelayFor = 5 * time.Minute
	// relayIdle is how long an agent is remembered whom nobody asks for.
	relayIdle = 10 * time.Minute
	// maxRelays bounds the agents remembered; more than a site has.
	maxRelays = 50_000
)

// relays holds the credentials of the agents who are at their desks. Asking never
// waits: what is missing or old is fetched in the background, one at a time.
type relays struct {
	mu    sync.Mutex
	known map[string]*relay
	queue []string // to be asked for
	asked signal
	swept time.Time
}

type relay struct {
	Relay
	renew  time.Time // ask again from then on
	used   time.Time
	queued bool
}

// Relay gives the agent's way round a network, false without one: the platform
// has no relay, the cloud was not asked yet, or it is away and the credentials
// have ended. Ask from time to time; they are renewed in the middle of their life
// because of it.
func (u *Uplink) Relay(agent string) (Relay, bool) {
	r, now := &u.relays, time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.known[agent]
	if e == nil {
		r.sweep(now)
		if len(r.known) >= maxRelays {
			return Relay{}, false
		}
		e = &relay{}
		r.known[agent] = e
	}
	e.used = now
	if !e.queued && !now.Before(e.renew) {
		e.queued = true
		r.queue = append(r.queue, agent)
		r.asked.fire()
	}
	return e.Relay, len(e.URLs) > 0 && now.Before(e.Ends.Add(-relayMargin))
}

// sweep forgets whom nobody asked for, at most once a minute.
func (r *relays) sweep(now time.Time) {
	if r.known == nil {
		r.known = map[string]*relay{}
	}
	if now.Sub(r.swept) < time.Minute {
		return
	}
	r.swept = now
	for agent, e := range r.known {
		if !e.queued && now.Sub(e.used) > relayIdle {
			delete(r.known, agent)
		}
	}
}

// runRelays fetches what was asked for.
func (u *Uplink) runRelays(ctx context.Context) error {
	var away backoff
	for {
		asked, up := u.relays.asked.next(), u.link.up.next()
		agent, any := u.relays.first()
		connected, _ := u.link.state()
		if !any || !connected {
			if !wait(ctx, lookEvery, asked, up) {
				return ctx.Err()
			}
			continue
		}
		once, cancel := context.WithTimeout(ctx, rpcTimeout)
		res, err := u.link.control.TurnCredentials(once, &edgev1.TurnCredentialsRequest{AgentId: agent})
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			u.log.Debug("relay credentials not had", "agent", agent, "error", err)
			if !wait(ctx, away.next(), up) {
				return ctx.Err()
			}
			continue
		}
		away.reset()
		off, _ := u.link.clock.offset()
		u.relays.got(agent, res, off)
		if u.cfg.RelayChanged != nil {
			u.cfg.RelayChanged(agent)
		}
	}
}

func (r *relays) first() (string, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.queue) == 0 {
		return "", false
	}
	return r.queue[0], true
}

// got keeps the answer for the first of the queue; off is this clock minus the cloud's.
func (r *relays) got(agent string, res *edgev1.TurnCredentialsResponse, off time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.queue = r.queue[1:]
	now := time.Now()
	e := r.known[agent]
	e.queued = false
	e.Relay = Relay{URLs: res.Urls, Username: res.Username, Password: res.Credential, Ends: time.UnixMicro(res.ExpiresAt).Add(off)}
	e.renew = now.Add(noRelayFor)
	if left := e.Ends.Sub(now); len(e.URLs) > 0 && left > relayMargin {
		e.renew = now.Add(left / 2)
	}
}
