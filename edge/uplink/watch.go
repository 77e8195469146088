package uplink

import (
	"context"
	"errors"
	"time"

	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

const (
	// silence is how long Watch may say nothing: two beats and a half.
	silence = 12500 * time.Millisecond
	// findAfter is how many tries in a row fail before the cloud's web address is
	// asked where the node port is, from then on each time.
	findAfter = 3
)

var errSilent = errors.New("the cloud fell silent")

// runWatch keeps the stream from the cloud open, on every node.
func (u *Uplink) runWatch(ctx context.Context) error {
	var away backoff
	failures := 0
	for {
		heard, err := u.watch(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if heard && errors.Is(err, errAgain) {
			continue
		}
		u.link.lost()
		// What was wanted then must not replace what another node learns meanwhile.
		u.setDesired(nil)
		if heard {
			away.reset()
			failures = 0
		}
		failures++
		u.log.Warn("no connection to the cloud", "error", err, "failures", failures)
		if failures >= findAfter {
			u.link.find(ctx)
		}
		if !pause(ctx, away.next()) {
			return ctx.Err()
		}
	}
}

// watch reads one stream to its end; heard says whether anything came.
func (u *Uplink) watch(parent context.Context) (heard bool, err error) {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	quiet := time.AfterFunc(silence, func() { cancel(errSilent) })
	defer quiet.Stop()
	u.setRewatch(func() { cancel(errAgain) })
	defer u.setRewatch(nil)

	cert := u.cfg.Certificate()
	// Only what is not acknowledged comes, so there is nothing to skip.
	stream, err := u.link.control.Watch(ctx, &edgev1.WatchRequest{Node: u.cfg.Node})
	if err != nil {
		return false, errors.Join(err, context.Cause(ctx))
	}
	defer stream.Close()
	u.inbox.begin()
	for stream.Receive() {
		quiet.Reset(silence)
		if !heard {
			u.log.Info("connected to the cloud")
		}
		heard = true
		u.link.heard()
		u.take(stream.Msg())
		if u.cfg.Certificate() != cert {
			return heard, errAgain // with the renewed one
		}
	}
	return heard, errors.Join(stream.Err(), context.Cause(ctx))
}

// errAgain ends a stream that is opened again on purpose.
var errAgain = errors.New("the stream is opened again")

func (u *Uplink) setRewatch(f func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.rewatch = f
}

// watchAgain opens the stream again, to be sent all work not yet acknowledged.
func (u *Uplink) watchAgain() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.rewatch != nil {
		u.rewatch()
	}
}

func (u *Uplink) take(msg *edgev1.SiteUpdate) {
	switch b := msg.Body.(type) {
	case *edgev1.SiteUpdate_Beat:
		u.link.clock.beat(time.UnixMicro(b.Beat.CloudTime))
	case *edgev1.SiteUpdate_Config:
		u.setDesired(b.Config)
	case *edgev1.SiteUpdate_Inbox:
		u.inbox.add(b.Inbox)
		u.mail.fire()
	}
}

func (u *Uplink) setDesired(c *edgev1.SiteConfig) {
	u.mu.Lock()
	u.desired = c
	u.mu.Unlock()
	u.wanted.fire()
}
