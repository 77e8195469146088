// Package replica is the site's replicated state: calls, agents, queues,
// sessions, nodes and the outbox, the same on every node.
//
// A change is a command of edge/call, proposed with Apply on any node. The
// leader writes up to 256 of them as one batch into the Raft log, stamped with
// one site time; once a majority has the batch on disk, each node's state
// machine applies it. What a command does is decided only by the state and the
// command: no clock, no random number, no order of a map. Two machines fed the
// same log have the same Hash.
//
// View is a read-only state as of one batch; it never changes and costs nothing
// to keep. Watch tells what each batch changed.
//
// The node that leads also drives what nobody else would: it matches callers
// with agents (edge/acd), ends offers, wrap-ups, sessions and leases whose time
// is over, and moves the calls of a dead node to their successors.
package replica
