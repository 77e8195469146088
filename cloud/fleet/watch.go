package fleet

import (
	"context"
	"time"

	"connectrpc.com/connect"

	"trunkline/internal/fault"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

// beatEvery is how often a watching node hears from us at the least.
const beatEvery = 5 * time.Second

var errStopping = fault.New(fault.Unavailable, "fault.cloud_stopping").WithRetry(time.Second)

// Watch tells a node its site's configuration, whenever it changes, and the
// items of the inbox in order, from the one after req.InboxAfter.
func (s *Service) Watch(ctx context.Context, req *edgev1.WatchRequest, out *connect.ServerStream[edgev1.SiteUpdate]) error {
	id, err := s.node(ctx)
	if err != nil {
		return err
	}
	config, leave, err := s.watchers.join(id.Site)
	if err != nil {
		return errStopping.WithCause(err)
	}
	defer leave()
	notices, cancel := s.cfg.Notices.Subscribe(InboxChannel)
	defer cancel()
	watching.Inc()
	defer watching.Dec()
	s.log.InfoContext(ctx, "node watches", "site", id.Site, "node", id.Node, "inbox_after", req.InboxAfter)

	if err := out.Send(s.beat()); err != nil { // also sends the headers
		return err
	}
	after, look := req.InboxAfter, true
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	var sent *edgev1.SiteConfig
	for {
		current, changed := config.get()
		if current != nil && current != sent {
			if err := out.Send(&edgev1.SiteUpdate{Body: &edgev1.SiteUpdate_Config{Config: current}}); err != nil {
				return err
			}
			sent = current
		}
		// Work comes after the configuration it may refer to.
		if look && sent != nil {
			if look, err = s.sendInbox(ctx, id.Site, &after, out); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.stopping:
			return errStopping
		case <-changed:
		case n := <-notices:
			look = look || n.Lost || n.Payload == id.Site
		case <-beat.C:
			look = true // what came while the listener was away
			if _, err := s.node(ctx); err != nil {
				return err // the certificate was replaced meanwhile
			}
			if err := out.Send(s.beat()); err != nil {
				return err
			}
		}
	}
}

func (s *Service) beat() *edgev1.SiteUpdate {
	return &edgev1.SiteUpdate{Body: &edgev1.SiteUpdate_Beat{Beat: &edgev1.Beat{CloudTime: s.now().UnixMicro()}}}
}

// sendInbox sends what is new. again is true after a failure of the database:
// the stream goes on and looks again at the next beat.
func (s *Service) sendInbox(ctx context.Context, site string, after *uint64, out *connect.ServerStream[edgev1.SiteUpdate]) (again bool, err error) {
	for {
		items, err := s.inbox.after(ctx, site, *after)
		if err != nil {
			if ctx.Err() != nil {
				return false, ctx.Err()
			}
			s.log.WarnContext(ctx, "inbox not read", "site", site, "error", err)
			return true, nil
		}
		for _, item := range items {
			if err := out.Send(&edgev1.SiteUpdate{Body: &edgev1.SiteUpdate_Inbox{Inbox: item}}); err != nil {
				return false, err
			}
			*after = item.Seq
		}
		if len(items) < inboxPage {
			return false, nil
		}
	}
}
