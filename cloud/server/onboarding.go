package server

import (
	"context"
	"time"

	"trunkline/cloud/onboarding"
	"trunkline/proto/gen/trunkline/cloud/v1/cloudv1connect"
	"trunkline/tenants/access"
)

// perCaller bounds the test calls of one person.
var perCaller = access.Limit{What: "test_call", Burst: 10, Every: 10 * time.Second}

func (s *Server) mountOnboarding(context.Context) error {
	f := &s.features.fleet
	svc := onboarding.New(onboarding.Config{
		DB: s.db, Sites: f.registry, Flows: s.features.routing, Inbox: f.inbox,
		Done: map[string]onboarding.Since{
			onboarding.Site: f.registry.SiteSince, onboarding.Trunk: f.registry.NumberSince, onboarding.Routing: s.features.routing.PublishedSince,
		},
		Limit: func(ctx context.Context, whom string) error {
			return s.features.access.sessions.Take(ctx, perCaller, whom)
		},
		Relays: s.relays,
	})
	f.appliers = append(f.appliers, svc)
	s.web.Handle(cloudv1connect.NewOnboardingServiceHandler(svc, s.options()...))
	return nil
}
