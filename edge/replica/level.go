package replica

import (
	"context"
	"errors"
	"fmt"

	"trunkline/edge/call"
)

// errNotYet: this node does not know yet that all understand the command.
var errNotYet = errors.New("replica: the site's level is too low for a command")

// tooOld is what stops a program the site has grown past.
func tooOld(site, program call.Level) error {
	return fmt.Errorf("%w: the site is at feature level %d, this program understands %d: install the version the other nodes run",
		errUnknownCommand, site, program)
}

func (m *machine) setLevel(c call.SetLevel) (call.Result, error) {
	if c.Level > m.knows {
		return call.Result{}, tooOld(c.Level, m.knows)
	}
	if c.Level <= m.t.level {
		return refused(call.RefusedStale), nil
	}
	m.t.level = c.Level
	return call.Result{}, nil
}

// raiseLevel commits what every member of the group has reported, if it is
// more than the site has. A member that is not heard holds it back, so the
// leader does not guess what will come back in its place.
func (r *Replica) raiseLevel(ctx context.Context) {
	level := r.cfg.level
	if level <= r.View().Level() {
		return
	}
	for _, s := range r.servers() {
		if string(s.ID) == r.cfg.Name {
			continue
		}
		p, ok := r.peers.get(string(s.ID))
		if !ok || !p.Up {
			return
		}
		level = min(level, p.Level)
	}
	if level <= r.View().Level() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Timing.RPC)
	defer cancel()
	res, err := r.Apply(ctx, "", call.SetLevel{Level: level})
	if err != nil || res.Refused != "" {
		r.cfg.Log.Debug("the site's level is not raised yet", "level", level, "refused", res.Refused, "error", err)
		return
	}
	r.cfg.Log.Info("all nodes understand a new feature level", "level", level)
}
