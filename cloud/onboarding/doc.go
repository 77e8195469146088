// Package onboarding leads a new tenant to its first call: a checklist computed
// from what is really there, and a call from the browser before any trunk is.
//
//	step:  open -> done (by itself, when the state says so)
//	       open -> skipped (trunk, agents, routing) -> done
//
// Nothing is ticked by hand. A test call is known by the call record a site
// reports of it.
package onboarding
