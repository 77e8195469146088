package softphone

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"connectrpc.com/connect"
	"github.com/google/uuid"

	"trunkline/edge/call"
	"trunkline/edge/media"
	"trunkline/internal/fault"
	"trunkline/internal/grant"
	"trunkline/internal/rpcx"
	agentv1 "trunkline/proto/gen/trunkline/agent/v1"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
)

// sessionLife is how long an agent stays signed in at the site without asking
// the cloud again. While the cloud is away, and to the end of a call and its
// wrap-up, the site lets a session go on.
const sessionLife = 12 * time.Hour

// Service serves AgentService and CallerService of one node.
type Service struct {
	site   Site
	calls  Calls
	api    *API
	log    *slog.Logger
	hub    *hub
	leases leases
}

// NewService returns the services; api answers browsers' WebRTC offers.
func NewService(site Site, calls Calls, api *API, log *slog.Logger) *Service {
	return &Service{site: site, calls: calls, api: api, log: log, hub: newHub(), leases: leases{under: map[string]bool{}}}
}

// AgentChanged wakes the desktops of one agent; it never blocks.
func (s *Service) AgentChanged(agentID string) {
	s.hub.wake(agentID)
	s.checkLease(agentID)
}

// EverythingChanged wakes every desktop (configuration, nodes, suspension).
func (s *Service) EverythingChanged() { s.hub.wakeAll() }

// Agents counts agents with a stream at this node.
func (s *Service) Agents() int { return s.hub.count() }

// Authenticate finds the caller by the session token; for rpcx.Config. A token
// that was given out at another node a moment ago may not be known here yet.
func (s *Service) Authenticate(ctx context.Context, h http.Header, _ *tls.ConnectionState) (rpcx.Caller, error) {
	token := rpcx.Bearer(h)
	if token == "" {
		return rpcx.Caller{}, nil
	}
	hash := sha256.Sum256([]byte(token))
	ses, ok := s.awaitSession(ctx, hash[:])
	if !ok || ses.Over(s.site.Now()) {
		return rpcx.Caller{}, fault.New(fault.Unauthenticated, "fault.session.expired").WithAction("action.sign_in")
	}
	return rpcx.Caller{Claims: grant.Claims{
		Account: ses.AgentID, Membership: ses.AgentID, Session: string(ses.Hash),
		Tenant: ses.Tenant, Name: ses.Name, Roles: ses.Roles,
	}}, nil
}

func (s *Service) awaitSession(ctx context.Context, hash []byte) (ses call.Session, ok bool) {
	_ = poll(ctx, func(waited time.Duration) bool {
		ses, ok = s.site.Session(hash)
		return ok || waited > lagWait
	})
	return ses, ok
}

// poll asks again and again until done says so; an error when ctx ends first.
func poll(ctx context.Context, done func(waited time.Duration) bool) error {
	look := time.NewTicker(takeoverLook)
	defer look.Stop()
	for began := time.Now(); !done(time.Since(began)); {
		select {
		case <-look.C:
		case <-ctx.Done():
			return fault.Wrap(ctx.Err(), fault.Unavailable, "fault.call.no_answer_in_time")
		}
	}
	return nil
}

// Exchange turns a cloud access token into a session of this site.
func (s *Service) Exchange(ctx context.Context, req *agentv1.ExchangeRequest) (*agentv1.ExchangeResponse, error) {
	c, err := s.site.VerifyGrant(req.GetCloudToken())
	if err != nil {
		return nil, fault.Wrap(err, fault.Unauthenticated, "fault.session.grant_invalid").WithAction("action.sign_in")
	}
	cfg := s.site.Config(c.Tenant)
	if cfg == nil || c.Membership == "" {
		return nil, fault.New(fault.Forbidden, "fault.site.not_yours")
	}
	if s.site.Suspended(c.Tenant) {
		return nil, fault.New(fault.Forbidden, "fault.tenant.suspended")
	}
	profile := profileOf(cfg, c.Membership)
	switch {
	case profile == nil:
		// Invited a moment ago: the site learns of it within two seconds.
		return nil, fault.New(fault.Unavailable, "fault.agent.not_yet_known").WithRetry(time.Second)
	case profile.GetDisabled():
		return nil, fault.New(fault.Forbidden, "fault.member.disabled")
	case c.Issued.UnixMicro() < profile.GetRevokedBefore():
		return nil, fault.New(fault.Unauthenticated, "fault.session.revoked").WithAction("action.sign_in")
	}
	queues := slices.Sorted(slices.Values(profile.GetQueueIds()))
	token := make([]byte, 32)
	_, _ = rand.Read(token)
	text := base64.RawURLEncoding.EncodeToString(token)
	hash := sha256.Sum256([]byte(text))
	res, err := s.apply(ctx, "", call.SignIn{
		Session: call.Session{
			Hash: hash[:], AgentID: c.Membership, Tenant: c.Tenant, Name: c.Name, Roles: c.Roles,
			Expires: sessionLife.Microseconds(),
		},
		Queues: queues, DayStart: s.site.DayStart(c.Tenant),
	})
	if err != nil {
		return nil, err
	}
	if res.Agent == nil {
		return nil, fault.New(fault.Unavailable, "fault.site.busy").WithRetry(time.Second)
	}
	return &agentv1.ExchangeResponse{
		SessionToken: text, ExpiresAt: stamp(res.At + sessionLife.Microseconds()),
		Agent: agentMessage(*res.Agent, false), Nodes: nodeMessages(s.site.Nodes()),
	}, nil
}

func profileOf(cfg *edgev1.TenantConfig, agentID string) *edgev1.AgentProfile {
	for _, p := range cfg.GetAgents() {
		if p.GetId() == agentID {
			return p
		}
	}
	return nil
}

// Subscribe is the desktop's stream and the agent's lease.
func (s *Service) Subscribe(ctx context.Context, _ *agentv1.SubscribeRequest, out *connect.ServerStream[agentv1.AgentEvent]) error {
	ses, err := s.session(ctx)
	if err != nil {
		return err
	}
	d := newDeskStream(s.site, ses, out.Send)
	defer s.end(ses.AgentID, d)
	s.begin(ses.AgentID, d)
	return d.run(ctx)
}

func (s *Service) session(ctx context.Context) (call.Session, error) {
	c, _ := rpcx.CallerFrom(ctx)
	ses, ok := s.site.Session([]byte(c.Claims.Session))
	if !ok {
		return call.Session{}, fault.New(fault.Unauthenticated, "fault.session.expired").WithAction("action.sign_in")
	}
	return ses, nil
}

// apply commits one command, or some that follow each other at once; it gives
// the last one's result, or the first that was refused.
func (s *Service) apply(ctx context.Context, key string, cmds ...call.Command) (call.Result, error) {
	if key == "" {
		key = uuid.Must(uuid.NewV7()).String()
	} else {
		// A key is its sender's own: the replica answers one that comes again with
		// the first answer, whoever sends it and for whichever command.
		c, _ := rpcx.CallerFrom(ctx)
		key = fmt.Sprintf("desk/%s/%d/%s", c.Claims.Membership, cmds[0].CommandType(), key)
	}
	results, err := s.site.ApplyTogether(ctx, key, cmds...)
	if err != nil {
		return call.Result{}, fault.Wrap(err, fault.Unavailable, "fault.site.no_quorum").WithRetry(time.Second)
	}
	for _, res := range results {
		if err := refusal(res.Refused); err != nil {
			return res, err
		}
	}
	return results[len(results)-1], nil
}

// refusal turns the code of a refused command into the agent's error.
func refusal(code string) error {
	switch code {
	case "":
		return nil
	case call.RefusedNotFound:
		return fault.New(fault.NotFound, "fault.call.gone")
	case call.RefusedLevel:
		return fault.New(fault.Unavailable, "fault.site.upgrading").WithRetry(time.Second)
	case call.RefusedBusy:
		return fault.New(fault.Conflict, "fault.transfer.busy")
	case call.RefusedLimit:
		return fault.New(fault.Conflict, "fault.transfer.queue_full")
	}
	return fault.New(fault.Conflict, "fault.agent.state")
}

// SetState makes the agent ready or not ready; during a call, after it.
func (s *Service) SetState(ctx context.Context, req *agentv1.SetStateRequest) (*agentv1.Agent, error) {
	ses, err := s.session(ctx)
	if err != nil {
		return nil, err
	}
	cmd := call.SetAgentState{AgentID: ses.AgentID, DayStart: s.site.DayStart(ses.Tenant)}
	switch req.GetState() {
	case agentv1.AgentState_AGENT_STATE_READY:
		cmd.State = call.AgentReady
	case agentv1.AgentState_AGENT_STATE_NOT_READY:
		cmd.State, cmd.Reason = call.AgentNotReady, req.GetReason()
	default:
		return nil, fault.New(fault.Invalid, "fault.agent.state_unknown").WithField("state")
	}
	res, err := s.apply(ctx, req.GetIdempotencyKey(), cmd)
	if err != nil {
		return nil, err
	}
	return agentMessage(*res.Agent, false), nil
}

// SignOut ends every session of the agent at this site.
func (s *Service) SignOut(ctx context.Context, _ *agentv1.SignOutRequest) (*agentv1.Done, error) {
	ses, err := s.session(ctx)
	if err != nil {
		return nil, err
	}
	_, err = s.apply(ctx, "", call.SignOut{Tenant: ses.Tenant, AgentID: ses.AgentID})
	return &agentv1.Done{}, err
}

// WrapUp saves code and note; finish ends the wrap-up.
func (s *Service) WrapUp(ctx context.Context, req *agentv1.WrapUpRequest) (*agentv1.Agent, error) {
	ses, err := s.session(ctx)
	if err != nil {
		return nil, err
	}
	cmds := []call.Command{call.WrapUpSave{AgentID: ses.AgentID, CallID: req.GetCallId(), Code: req.GetCode(), Note: req.GetNote()}}
	if req.GetFinish() {
		cmds = append(cmds, call.WrapUpEnd{AgentID: ses.AgentID, CallID: req.GetCallId(), DayStart: s.site.DayStart(ses.Tenant)})
	}
	res, err := s.apply(ctx, req.GetIdempotencyKey(), cmds...)
	if err != nil {
		return nil, err
	}
	return agentMessage(*res.Agent, false), nil
}

// Negotiate answers the browser's offer with a leg of the call's owner: this node.
func (s *Service) Negotiate(ctx context.Context, req *agentv1.NegotiateRequest) (*agentv1.NegotiateResponse, error) {
	c, ses, err := s.ownCall(ctx, req.GetCallId())
	if err != nil {
		return nil, err
	}
	answer, leg, err := s.api.Answer(ctx, req.GetSdpOffer())
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "fault.webrtc.offer").WithField("sdp_offer")
	}
	audio := media.NewStream(leg, leg.Format(), media.Config{Log: s.log})
	leg.OnState(func(state string) {
		if state == "failed" || state == "closed" {
			s.calls.AgentLegDown(c.ID, req.GetLegId())
		}
	})
	if err := s.calls.AttachAgent(c.ID, ses.AgentID, req.GetLegId(), audio, func() { audio.Close() }); err != nil {
		audio.Close()
		return nil, err
	}
	return &agentv1.NegotiateResponse{SdpAnswer: answer}, nil
}

// A desktop comes with a call as soon as any node shows it: the owner may not
// have applied the offer or the move yet (it lags by milliseconds), or be
// fetching the caller of a dead node still. Commands wait for it as long as this.
const (
	lagWait      = 300 * time.Millisecond
	takeoverWait = 5 * time.Second
	takeoverLook = 10 * time.Millisecond
)

// ownCall finds the agent's call and checks that this node drives it.
func (s *Service) ownCall(ctx context.Context, id string) (call.Call, call.Session, error) {
	ses, err := s.session(ctx)
	if err != nil {
		return call.Call{}, ses, err
	}
	var c call.Call
	var theirs, mine bool
	err = poll(ctx, func(waited time.Duration) bool {
		found, ok := s.site.Call(id)
		c = found
		theirs = ok && c.Has(ses.AgentID) && c.Tenant == ses.Tenant
		mine = theirs && c.Owner == s.site.Name()
		if mine {
			return s.calls.Drives(id) || waited > takeoverWait
		}
		return waited > lagWait
	})
	switch {
	case err != nil:
		return call.Call{}, ses, err
	case !theirs:
		return call.Call{}, ses, fault.New(fault.NotFound, "fault.call.gone")
	case !mine:
		return call.Call{}, ses, fault.New(fault.Conflict, "fault.call.elsewhere", "node", nodeURL(s.site.Nodes(), c.Owner))
	}
	return c, ses, nil
}
