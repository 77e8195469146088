package fleet

import (
	"context"
	"maps"
	"sync"
	"time"

	"trunkline/internal/fault"
	"trunkline/internal/rpcx"
)

const (
	// goodFor is how long a certificate that was found good is not looked at again.
	goodFor = 5 * time.Second
	// goodMax bounds the certificates remembered.
	goodMax = 50_000
)

// good remembers which certificates were found good, and until when.
type good struct {
	mu    sync.Mutex
	until map[rpcx.NodeIdentity]time.Time
}

func (g *good) is(id rpcx.NodeIdentity, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return now.Before(g.until[id])
}

func (g *good) note(id rpcx.NodeIdentity, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.until == nil || len(g.until) >= goodMax {
		g.until = map[rpcx.NodeIdentity]time.Time{}
	}
	g.until[id] = now.Add(goodFor)
}

// forget is for a node that joined again: here its old certificate ends at once,
// at other replicas within goodFor.
func (g *good) forget(site, node string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	maps.DeleteFunc(g.until, func(id rpcx.NodeIdentity, _ time.Time) bool { return id.Site == site && id.Node == node })
}

// node gives the identity on the caller's certificate, unless that was replaced:
// connections outlive a handshake.
func (s *Service) node(ctx context.Context) (rpcx.NodeIdentity, error) {
	caller, _ := rpcx.CallerFrom(ctx)
	if caller.Node == nil {
		return rpcx.NodeIdentity{}, fault.New(fault.Unauthenticated, "fault.node.certificate_missing")
	}
	id := *caller.Node
	return id, s.check(ctx, id)
}

// check asks the registry about a certificate, not more than once in goodFor.
// While the database is away certificates of ours are taken as they are: a site's
// connection must not depend on it.
func (s *Service) check(ctx context.Context, id rpcx.NodeIdentity) error {
	if id.Serial == "" || s.good.is(id, s.now()) {
		return nil
	}
	err := s.cfg.Registry.CheckCertificate(ctx, id.Site, id.Node, id.Serial)
	switch {
	case err == nil:
		s.good.note(id, s.now())
	case fault.KindOf(err) == fault.Unauthenticated:
		s.log.WarnContext(ctx, "certificate refused", "site", id.Site, "node", id.Node, "serial", id.Serial)
		return err
	default:
		s.log.WarnContext(ctx, "certificate not checked", "site", id.Site, "node", id.Node, "error", err)
	}
	return nil
}

// CheckCertificate is for Authority.NodeTLS: it refuses certificates that were
// replaced.
func (s *Service) CheckCertificate(site, node, serial string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	return s.check(ctx, rpcx.NodeIdentity{Site: site, Node: node, Serial: serial})
}
