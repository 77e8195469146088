package server

import (
	"context"
	"path/filepath"

	"trunkline/cloud/conversations"
	"trunkline/cloud/live"
	"trunkline/cloud/reports"
	"trunkline/proto/gen/trunkline/cloud/v1/cloudv1connect"
)

// callParts is what calls offer the fleet: who takes facts, recordings, floors.
type callParts struct {
	conversations *conversations.Service
	reports       *reports.Service
	live          *live.Service
	// inbox carries supervisors' commands; set by the sites, mounted before.
	inbox live.Inbox
}

func (s *Server) mountCalls(context.Context) error {
	c := &s.features.calls
	c.conversations = conversations.NewService(s.db, s.features.fleet.keys, s.box, filepath.Join(s.cfg.Data, "recordings"), s.log)
	c.reports = reports.NewService(s.db)
	c.live = live.NewService(s.db, s.listener, c.inbox, s.log)
	s.features.console.calls = c.conversations
	s.features.console.erasers = append(s.features.console.erasers, c.conversations)
	s.web.Handle(cloudv1connect.NewCallServiceHandler(c.conversations, s.options()...))
	s.web.Handle(cloudv1connect.NewReportServiceHandler(c.reports, s.options()...))
	s.web.Handle(cloudv1connect.NewLiveServiceHandler(c.live, s.options()...))
	s.web.Handle(conversations.RecordingPath, c.conversations)
	return nil
}
