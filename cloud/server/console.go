package server

import (
	"context"

	"trunkline/cloud/console"
	"trunkline/internal/life"
	"trunkline/proto/gen/trunkline/cloud/v1/cloudv1connect"
)

// consoleParts is what features tell the platform's staff; set or appended to by
// their mounts, in any order.
type consoleParts struct {
	fleet   console.Fleet
	calls   console.Calls
	erasers []console.Eraser
	service *console.Service
}

func (s *Server) mountConsole(context.Context) error {
	c := &s.features.console
	c.service = console.New(console.Config{
		DB: s.db, Sessions: s.features.access.sessions,
		Fleet:   func() console.Fleet { return c.fleet },
		Calls:   func() console.Calls { return c.calls },
		Erasers: func() []console.Eraser { return c.erasers },
		Changed: func(ctx context.Context, tenant int64) {
			if changed := s.features.access.configChanged; changed != nil {
				changed(ctx, tenant)
			}
		},
	})
	s.web.Handle(cloudv1connect.NewConsoleServiceHandler(c.service, s.options()...))
	s.background.Add("console", life.Loop("console", c.service.Loop))
	return nil
}
