// Package sip is the node's SIP user agent: it takes calls from trunks, keeps
// their dialogs in a form another node can continue (Snapshot, Restore), and
// places calls. It uses sipgo for parsing, transports and transactions only.
//
//	guard      raw bytes: access list, overload, framing, what RFC 3261 forbids
//	Incoming   an INVITE that passed, until somebody decides
//	Leg        one dialog: a mailbox, so that requests, answers and timers of a
//	           call are handled one after another (RFC 3261 12, 13, 14, 15)
//	Restore    the same dialog on another node (re-INVITE from a snapshot)
//
// Everything a peer sends is hostile until parsed; nothing is remembered about
// a source that is not on a trunk's list.
package sip

import (
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Config is what a UA needs from the node.
type Config struct {
	// UDP and TCP are open sockets; the UA closes them in Stop. TCP may be nil.
	UDP net.PacketConn
	TCP net.Listener
	// Advertised is the host:port peers reach this node's sockets at: it is
	// written into Via and Contact.
	Advertised string
	// MediaIP is bound by media ports, AdvertisedIP written into SDP (zero =
	// MediaIP). Ports come from MediaPortMin..MediaPortMax; 0 = any.
	MediaIP, AdvertisedIP      netip.Addr
	MediaPortMin, MediaPortMax uint16
	// Trunks is the live list; it is asked for each packet and must be cheap.
	Trunks func() []Trunk
	// Choose picks among trunks that share a carrier's addresses, by the number
	// called. Nil = the first.
	Choose func(matching []Trunk, called string) Trunk
	// Tenant tells whose a number is, so that a flood of calls to one tenant
	// leaves room for the others'. It is asked for each INVITE and must be cheap.
	// Nil = all are the trunk's.
	Tenant func(called string) Tenant
	// Resolve tells whether another node of the site holds a dialog, so that a
	// request that came here instead is asked to come again rather than told
	// that the call is gone. Nil = no.
	Resolve func(callID, localTag string) bool
	// MaxInvitesInFlight bounds INVITEs without a final response; 0 = 200.
	MaxInvitesInFlight int
	// OnRefused hears of calls that did not get through, at a bounded rate. It
	// must not block.
	OnRefused func(Refusal)
	// Metrics may be nil.
	Metrics  prometheus.Registerer
	Log      *slog.Logger
	NodeName string
}

// What a trunk's carrier can follow when a node dies.
const (
	TakeoverAnyNode    = "any-node"    // accepts in-dialog requests from each node's address
	TakeoverFloatingIP = "floating-ip" // one address moves with the calls
)

// Trunk is a carrier's connection to the site.
type Trunk struct {
	ID, Name string
	Tenant   int64
	Allowed  []netip.Prefix // sources of requests and targets of ours
	Target   string         // where calls we place go: host, or host:port; a host alone is looked up by RFC 3263
	// Fallbacks are tried when Target does not take the call.
	Fallbacks []string
	// Domain is the carrier's name in From, To and the Request-URI; empty = the
	// addresses themselves.
	Domain string
	// Username and Password answer challenges (RFC 8760); empty = none is answered.
	Username, Password string
	// Transport of calls we place: "udp" (also when empty) or "tcp".
	Transport string
	Takeover  string
	MaxCalls  int // at this node; 0 = no bound
}

// Tenant is whom a call is for; ID 0 = nobody.
type Tenant struct {
	ID int64
	// PerSecond bounds the calls it gets at this node over time, Burst those at
	// one moment; PerSecond 0 = no bound.
	PerSecond float64
	Burst     int
}

// Reasons of a Refusal.
const (
	ReasonNotListed   = "address_not_listed"
	ReasonOverload    = "overload"
	ReasonDraining    = "draining"
	ReasonTrunkFull   = "trunk_full"
	ReasonBadRequest  = "bad_request"
	ReasonNoCodec     = "no_common_codec"
	ReasonMerged      = "merged_request"
	ReasonTooManyHops = "too_many_hops"
	ReasonNoMediaPort = "no_media_port"
	ReasonUndecided   = "undecided"
	ReasonLimit       = "limit" // a tenant has what it may have of what tenants share
)

// Refusal is one call that did not get through.
type Refusal struct {
	At             time.Time
	Source         netip.AddrPort
	Caller, Called string
	Reason         string // a Reason constant or the key given to Refuse
	Status         int    // SIP status answered; 0 = none
	TrunkID        string
	Tenant         int64 // whose call it would have been; 0 = not known
}

// Handler decides about calls.
type Handler interface {
	// Incoming is called on its own goroutine for an INVITE that passed access
	// list, syntax and admission; 100 Trying is sent already. It is answered by
	// in.Refuse or in.Prepare, now or later; after three minutes with 480.
	Incoming(in *Incoming)
}

// Directions of media, as this node sees them.
const (
	SendRecv = "sendrecv"
	SendOnly = "sendonly"
	RecvOnly = "recvonly" // the peer holds us
	Inactive = "inactive"
)

// Events are what a leg reports: one after another, in order, each on the
// leg's mailbox, never after Hangup, Reject or Abandon. Any may be nil.
// Cancelled, Bye and Failed are the last word of a leg: its media port is
// closed when the callback returns.
type Events struct {
	Acked     func()       // the answer arrived: the call is up
	Cancelled func(Reason) // the caller gave up before the answer
	Bye       func(Reason) // the peer hung up
	// DialogChanged: the snapshot to take over from is a new one.
	DialogChanged func(snapshot []byte)
	// MediaChanged: the peer changed codec, address or direction. The port's
	// remote address is set already.
	MediaChanged func(f Format, direction string)
	Digit        func(digit byte) // DTMF by INFO; RTP events come from the media stream
	// Of legs of Call, until the answer: the called side rings; it is heard
	// already (MediaChanged came before, if the format is another than the
	// leg's first); it has answered and both directions are open.
	Ringing, EarlyMedia, Answered func()
	// Failed: no ACK within 32 s, the transport died, a refresh was refused; of
	// legs of Call also that nobody took the call (StatusError, ErrNoAnswer).
	Failed func(error)
}

// Errors of Prepare, Answer, Restore and Call.
var (
	ErrCancelled = errors.New("sip: the caller gave up")
	ErrDecided   = errors.New("sip: decided already")
	ErrEnded     = errors.New("sip: the leg has ended")
	ErrNoCodec   = errors.New("sip: no common codec")
	ErrBadSDP    = errors.New("sip: session description not understood")
	ErrNoPort    = errors.New("sip: no media port free")
	ErrNoAck     = errors.New("sip: the answer was not acknowledged")
	ErrTransport = errors.New("sip: transport failed")
	ErrExpired   = errors.New("sip: the session was not refreshed")
	ErrSnapshot  = errors.New("sip: snapshot not understood")
	ErrStopped   = errors.New("sip: stopped")
	ErrNoTarget  = errors.New("sip: no trunk to call by")
	ErrTrunkFull = errors.New("sip: no more calls by this trunk now")
	ErrNoAnswer  = errors.New("sip: not answered in time")
)

// StatusError is the peer's final answer to a request of ours.
type StatusError struct {
	Status int
	Text   string

	retryAfter time.Duration
}
