package server

import (
	"context"
	"maps"
	"net"
	"net/url"

	"trunkline/cloud/fleet"
	"trunkline/cloud/sites"
	"trunkline/cloud/turn"
	"trunkline/internal/join"
)

// fleetParts is what the nodes' side offers the features and what they give it.
// Mounts before mountFleet append to appliers.
type fleetParts struct {
	registry  *sites.Registry
	authority *fleet.Authority
	inbox     *fleet.Inbox // work down, for any feature
	keys      *fleet.Keys  // opens recordings
	relay     *turn.Server
	service   *fleet.Service

	// appliers take facts besides calls and reports.
	appliers []fleet.Applier
}

// mountFleet serves the node port, and on the web address where it is.
func (s *Server) mountFleet(context.Context) error {
	f, calls := &s.features.fleet, s.features.calls
	maps.Copy(s.maxBytes, fleet.MaxBytes)
	svc := fleet.New(fleet.Config{
		DB: s.db, Notices: s.listener, Registry: f.registry, Authority: f.authority, Box: s.box,
		Sources: []fleet.Source{s.features.routing, f.registry}, Blobs: s.features.routing,
		Live: calls.live, Recordings: calls.conversations, Relay: f.relay,
		Appliers:  append([]fleet.Applier{calls.conversations, calls.reports}, f.appliers...),
		TokenKeys: s.keys.PublicKeys, Origins: func() []string { return origins(s.publicURL) },
		NodeAddr: func() string { return s.nodeAddr }, Version: s.cfg.Version, Log: s.log,
	})
	s.features.access.configChanged = func(ctx context.Context, tenant int64) {
		if err := svc.ConfigChanged(ctx, tenant); err != nil {
			s.log.WarnContext(ctx, "sites not told of a change", "tenant", tenant, "error", err)
		}
	}
	svc.Mount(s.node.Handle, s.options()...)
	s.nodeTLS = f.authority.NodeTLS(svc.CheckCertificate)
	s.web.Handle(join.WellKnown, svc.Discovery())
	s.background.Add("fleet", svc)
	f.service = svc
	return nil
}

// origins are the web origins that may call nodes: the cloud's own. On this
// machine alone, under both its names.
func origins(public *url.URL) []string {
	out := []string{public.Scheme + "://" + public.Host}
	other := map[string]string{"localhost": "127.0.0.1", "127.0.0.1": "localhost"}[public.Hostname()]
	if other != "" {
		if port := public.Port(); port != "" {
			other = net.JoinHostPort(other, port)
		}
		out = append(out, public.Scheme+"://"+other)
	}
	return out
}
