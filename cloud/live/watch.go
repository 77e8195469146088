package live

import (
	"context"
	"strconv"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"trunkline/internal/pg"
	"trunkline/internal/rpcx"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
)

// WatchFloor streams the floor of all sites, whole each time it changed. It ends
// with the caller's token: who watches on comes again with a new one, if they may.
func (s *Service) WatchFloor(ctx context.Context, req *cloudv1.WatchFloorRequest, out *connect.ServerStream[cloudv1.Floor]) error {
	caller, _ := rpcx.CallerFrom(ctx)
	if end := caller.Claims.Expires; !end.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, end)
		defer cancel()
	}
	w := watcher{Service: s, tenant: caller.Claims.Tenant, send: out.Send}
	if req.GetEpoch() == s.epoch {
		w.seq = req.GetAfterSeq() // numbers go on where the last stream ended
	}
	return w.run(ctx)
}

// watcher is one stream.
type watcher struct {
	*Service
	tenant int64
	send   func(*cloudv1.Floor) error

	seq    uint64
	names  names
	last   *cloudv1.Floor // as sent; nil before the first
	sent   time.Time      // the last message, heartbeats too
	looked time.Time      // at the floor
}

// run returns nil when ctx ends.
func (w *watcher) run(ctx context.Context) error {
	notices, cancel := w.notices.Subscribe(Channel)
	defer cancel()
	for {
		w.looked = w.now()
		floor, err := w.floor(ctx, w.tenant, &w.names)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && w.last == nil:
			return err
		case err != nil:
			// What was sent last stays true for a while; its age shows on the screen.
			w.log.WarnContext(ctx, "floor not read", "tenant", w.tenant, "error", err)
		}
		if err := w.tell(floor); err != nil {
			return err
		}
		if !w.await(ctx, notices) {
			return nil
		}
	}
}

// tell sends a floor that is new (nil = not known), or a sign of life when one
// is due.
func (w *watcher) tell(floor *cloudv1.Floor) error {
	var m *cloudv1.Floor
	switch {
	case floor != nil && (w.last == nil || !proto.Equal(floor, w.last)):
		w.last, m = floor, proto.CloneOf(floor)
	case w.now().Sub(w.sent) >= w.pace.beat:
		m = &cloudv1.Floor{Heartbeat: true}
	default:
		return nil
	}
	w.seq++
	w.sent = w.now()
	m.Epoch, m.Seq, m.ServerTime = w.epoch, w.seq, timestamppb.New(w.sent)
	return w.send(m)
}

// await returns when the tenant's floor may have changed or a sign of life is
// due, but not sooner than coalesce after the last look; false when ctx ended.
func (w *watcher) await(ctx context.Context, notices <-chan pg.Notification) bool {
	mine := strconv.FormatInt(w.tenant, 10)
	due := time.NewTimer(max(0, min(w.pace.look, w.pace.beat-w.now().Sub(w.sent))))
	defer due.Stop()
	for woken := false; !woken; {
		select {
		case <-ctx.Done():
			return false
		case <-due.C:
			woken = true
		case n := <-notices:
			woken = n.Lost || n.Payload == mine
		}
	}
	rest := time.NewTimer(max(0, w.pace.coalesce-w.now().Sub(w.looked)))
	defer rest.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-notices: // the look that follows sees it
		case <-rest.C:
			return true
		}
	}
}
