package server

import (
	"context"

	"trunkline/tenants/jobs"
)

// mountJobs registers every kind of job there is: a replica that did not know one
// could end it for another (see package jobs). So all stand here, whatever the
// configuration.
func (s *Server) mountJobs(context.Context) error {
	j := jobs.New(s.databaseURL, s.log)
	s.features.access.mail.AddJobs(j)
	s.features.access.sessions.AddJobs(j)
	s.features.console.service.AddJobs(j)
	s.features.fleet.service.AddJobs(j)
	s.background.Add("jobs", j)
	return nil
}
