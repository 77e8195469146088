package server

import "testing"

// Every replica does the rounds of all features.
func TestRoundsAreDone(t *testing.T) {
	h := newHarness(t)
	h.db.Await(t, "SELECT DISTINCT kind FROM river.river_job WHERE state = 'completed' ORDER BY kind",
		"access_sweep", "inbox_sweep", "mail_outbox", "quarantine_due")
}
