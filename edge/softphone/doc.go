// Package softphone is the browser's side of the site: the agent's desktop
// stream and commands (AgentService), browser callers (CallerService), and the
// WebRTC leg both speak through.
//
// The desktop stream is level-triggered: a subscriber is woken when something
// about its agent changed, reads the newest state from the replica and sends
// what differs from what it sent before. A slow browser therefore never queues
// up old news, and a lost message cannot leave it wrong.
package softphone

import (
	"context"

	"trunkline/edge/call"
	"trunkline/edge/media"
	"trunkline/internal/grant"
	agentv1 "trunkline/proto/gen/trunkline/agent/v1"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

// Site is what the desktop needs to know and change; edge/node provides it.
type Site interface {
	// Name of this node, and its number for stream epochs (new at each start).
	Name() string
	Epoch() uint64
	// Now is site time, Unix microseconds.
	Now() int64
	Apply(ctx context.Context, key string, cmd call.Command) (call.Result, error)
	// ApplyTogether is Apply for commands that follow each other at once, with a
	// result for each: one commit instead of several.
	ApplyTogether(ctx context.Context, key string, cmds ...call.Command) ([]call.Result, error)
	Agent(id string) (call.Agent, bool)
	// Agents of the tenant, also those who have signed out.
	Agents(tenant int64) []*call.Agent
	Call(id string) (call.Call, bool)
	Session(hash []byte) (call.Session, bool)
	// Ticket tells whether a ticket with this hash is unspent as this node knows.
	Ticket(hash []byte) bool
	Position(callID string) int
	Nodes() []call.NodeInfo
	// Config is the tenant's active snapshot; nil when the tenant is not here.
	Config(tenant int64) *edgev1.TenantConfig
	Waiting(tenant int64, queueID string) (n int, longestSince int64)
	// Lines tells which trunks of the site the tenant could call by: its own, the
	// platform's.
	Lines(tenant int64) (own, shared bool)
	// Allows tells whether all nodes of the site understand the command.
	Allows(cmd call.Command) bool
	// CloudLink: whether the cloud is there, when it was last, and how many of
	// the tenant's facts it has not confirmed.
	CloudLink(tenant int64) (connected bool, seenAt int64, waiting uint64)
	// VerifyGrant checks a cloud access token.
	VerifyGrant(token string) (grant.Claims, error)
	// Suspended tells whether the tenant may sign in.
	Suspended(tenant int64) bool
	// ICEServers are the agent's relays as known now; it does not wait for the
	// cloud. AgentChanged follows when they are had.
	ICEServers(agentID string) []*agentv1.IceServer
	// DayStart is the last midnight of the tenant's zone.
	DayStart(tenant int64) int64
}

// Calls is what the desktop asks of the calls this node owns.
type Calls interface {
	// Drives is false while the call is still being taken over from a dead node.
	Drives(callID string) bool
	AttachAgent(callID, agentID, legID string, audio *media.Stream, closeLeg func()) error
	AgentLegDown(callID, legID string)
	Accept(ctx context.Context, callID, agentID string) error
	Reject(ctx context.Context, callID, agentID string) error
	Hangup(ctx context.Context, callID, agentID string) error
	Hold(ctx context.Context, callID, agentID string, on bool) error
	SendDigits(ctx context.Context, callID, agentID, digits string) error
	// BrowserCall begins a call whose caller is a browser.
	BrowserCall(t call.Ticket, secretHash []byte, callID string, audio *media.Stream, closeLeg func()) error
	Digit(callID string, key byte)
	CallerGone(callID, reason string)
}
