// Package routing holds what happens to a caller: queues and who serves them,
// flows, prompts, and the tenant's settings, codes and reasons.
//
//	flow:    document -> lint -> version 1 -> version 2 ...   the newest is published;
//	         versions are never changed, for calls name the one they ran on
//	prompt:  included <-> uploaded (in place of the included one of that name)
//
// It contributes these to the snapshots sites run on, gives a new tenant its
// first queue and flow, and knows the queues of members.
package routing
