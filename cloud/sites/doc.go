// Package sites is the register of places: sites, their nodes, which tenants a
// site serves, its trunks and the telephone numbers.
//
// A site belongs to a tenant or to the platform (hosted, owner 0). Serving a
// tenant is an assignment with a beginning and an end, so that facts of the
// past can be told from inventions.
//
//	node:  token made -> joining -> up <-> down        up = reported within 10 s
//	site:  waiting_for_nodes -> healthy <-> degraded <-> down    degraded = a node is down, or is up and does not record
//	token: made -> spent (once, by one key) | expired (15 minutes)
//
// What a tenant sees of a hosted site is its nodes' names, addresses for
// browsers and state, and whether it records: no figure that sums up other
// tenants' work.
//
// Registry is the side the nodes' protocol uses (cloud/fleet), Service the
// tenants', Admin the platform's operator's.
package sites
