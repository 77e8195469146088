// Package reports computes figures from the event log. What they mean is
// defined here, once; screens quote it.
//
//	offered            visits to the queue that began in the interval
//	answered           of these, connected to an agent
//	service level      answered within the level / (offered - short abandons)
//	abandoned          the caller left while waiting; short: sooner than the limit
//	abandonment        abandoned, short ones not counted / (offered - short abandons)
//	ASA                mean wait of the answered
//	AHT                talk + hold + wrap-up of the answered, and of colleagues whom
//	                   the caller was passed to outside a queue / answered
//	failed             the site lost the caller while waiting (a node stopped and no
//	                   other could take the call over): offered, neither answered nor abandoned
//	other              left any other way: after the longest wait, or by the flow
//	longest wait       over all visits
//
// A visit counts in the interval in which it began, in the tenant's time zone. A
// call that comes back to a queue is another visit. Behind each figure are the
// calls that ListCalls gives for the same period, queues and sites ("queued" for
// all queues); their matched_stays add up to it.
package reports

import (
	"time"

	"trunkline/tenants/tenantdb"
)

// Service is ReportService and the applier of what reports count.
type Service struct {
	db  *tenantdb.DB
	now func() time.Time
}

// NewService makes it.
func NewService(db *tenantdb.DB) *Service { return &Service{db: db, now: time.Now} }
