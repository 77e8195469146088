package server

import (
	"context"
	"maps"

	"trunkline/cloud/routing"
	"trunkline/proto/gen/trunkline/cloud/v1/cloudv1connect"
)

// mountRouting serves RoutingService, gives new tenants their first queue and
// flow, and tells identity which queues members serve.
func (s *Server) mountRouting(context.Context) error {
	svc := routing.New(s.db)
	s.features.routing = svc
	s.features.access.queues = routing.Members{}
	s.features.access.provision = append(s.features.access.provision, svc)
	maps.Copy(s.maxBytes, routing.MaxBytes)
	s.web.Handle(cloudv1connect.NewRoutingServiceHandler(svc, s.options()...))
	return nil
}
