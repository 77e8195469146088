// Package uplink is a node's connection to the cloud: facts and recordings go
// up, configuration and work come down. Everything here may fail for any length
// of time without a call being touched; what has to survive that is in the
// replica (facts, applied work) or on disk (configuration, recordings).
//
//	control   Watch: configuration, inbox, beats; live floors; node reports
//	facts     the outbox, leader only, per tenant in order
//	bulk      prompts down, recordings up; yields to facts
//
// Each is an HTTP/2 connection of its own with mutual TLS, so that bulk never
// stands in the way of the others.
//
// Every node watches, fetches the snapshots of its tenants by hash (from the
// cloud, else from another node) and reports itself. Only the leader sends facts
// and floors, activates a configuration in the replica and takes work from the
// inbox.
//
// Facts: the head of a tenant's outbox is sent, the cloud answers the highest
// sequence it holds without a gap, and everything up to there is acknowledged in
// the replica. What was sent and not answered is sent again; the cloud counts it
// once. Work down is the same the other way round: applied in order of its
// sequence, at most once, then acknowledged.
package uplink
