package server

import (
	"context"

	"trunkline/cloud/routing"
)

// feature is one feature's mount function: it makes the feature's service, puts
// its handlers on s.web or s.node and its loops into s.background.
type feature struct {
	name  string
	mount func(ctx context.Context) error
}

// list is every feature, in the order they are mounted. What another feature
// needs stands before it.
func (s *Server) list() []feature {
	return []feature{
		{"access", s.mountAccess},
		{"console", s.mountConsole},
		{"routing", s.mountRouting},
		{"sites", s.mountSites},
		{"turn", s.mountTurn},
		{"calls", s.mountCalls},
		{"onboarding", s.mountOnboarding},
		{"fleet", s.mountFleet}, // after all that take facts, floors and recordings
		{"web app", s.mountWeb}, // takes "/", so everything else is more specific
		{"jobs", s.mountJobs},   // after all that have some
	}
}

// features holds what one feature offers another.
type features struct {
	access  accessParts
	console consoleParts
	routing *routing.Service
	fleet   fleetParts
	calls   callParts
	// nodeOrigins gives the web origins (scheme://host:port) of the sites' nodes:
	// for CORS and for the app's Content-Security-Policy. Asked for each page and
	// cross-origin request, so from memory. Set by the feature that knows nodes.
	nodeOrigins func(ctx context.Context) []string
}
