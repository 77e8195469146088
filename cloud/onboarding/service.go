package onboarding

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"trunkline/internal/fault"
	"trunkline/internal/rpcx"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
	"trunkline/tenants"
	"trunkline/tenants/tenantdb"
)

// The steps, in their order.
const (
	Site     = "site"
	Trunk    = "trunk"
	Agents   = "agents"
	Routing  = "routing"
	TestCall = "test_call"
)

var steps = []string{Site, Trunk, Agents, Routing, TestCall}

// ticketLife is how long the browser may wait before it dials.
const ticketLife = 2 * time.Minute

// Since says when a step was first fulfilled, nil if it is not. The transaction
// is the tenant's.
type Since func(ctx context.Context, tx pgx.Tx, tenant int64) (*time.Time, error)

// Sites is what this package asks of the sites.
type Sites interface {
	// Reachable gives a site that serves the tenant and the addresses browsers
	// reach its living nodes by; "" without one.
	Reachable(ctx context.Context, tx pgx.Tx, tenant int64) (site string, urls []string, err error)
}

// Flows is what this package asks of routing.
type Flows interface {
	FlowExists(ctx context.Context, tx pgx.Tx, tenant int64, id string) (bool, error)
	DefaultFlow(ctx context.Context, tx pgx.Tx, tenant int64) (string, error)
}

// Inbox carries work to a site.
type Inbox interface {
	Put(ctx context.Context, tx pgx.Tx, tenant int64, site, kind string, body proto.Message, ttl time.Duration) (string, error)
}

// Relays gives a browser's way round its network, for a user named by an id; may
// be nil.
type Relays func(user string) []*cloudv1.RelayServer

// Limit lets a caller do something again only so often: nil, or an Exhausted fault.
type Limit func(ctx context.Context, whom string) error

// Config is what the service is made of.
type Config struct {
	DB    *tenantdb.DB
	Sites Sites
	Flows Flows
	Inbox Inbox
	// Done says when the steps site, trunk and routing were fulfilled.
	Done   map[string]Since
	Limit  Limit
	Relays Relays
}

// Service is OnboardingService.
type Service struct {
	cfg Config
	now func() time.Time
}

// New makes the service.
func New(cfg Config) *Service { return &Service{cfg: cfg, now: time.Now} }

// GetChecklist computes the checklist.
func (s *Service) GetChecklist(ctx context.Context, _ *cloudv1.GetChecklistRequest) (out *cloudv1.Checklist, err error) {
	tenant := rpcx.TenantFrom(ctx)
	err = s.cfg.DB.InTenant(ctx, tenant, func(ctx context.Context, tx pgx.Tx) error {
		out, err = s.checklist(ctx, tx, tenant)
		return err
	})
	return out, err
}

type noted struct {
	Step   string
	Status string
	At     time.Time
}

func (s *Service) checklist(ctx context.Context, tx pgx.Tx, tenant int64) (*cloudv1.Checklist, error) {
	rows, err := tenantdb.TxMany[noted](ctx, tx, "SELECT step, status, at FROM onboarding WHERE tenant_id = $1", tenant)
	if err != nil {
		return nil, err
	}
	known := map[string]noted{}
	for _, r := range rows {
		known[r.Step] = r
	}
	out := &cloudv1.Checklist{Complete: true}
	for _, id := range steps {
		step := &cloudv1.ChecklistStep{Id: id, Status: "open"}
		at, err := s.since(ctx, tx, tenant, id)
		if err != nil {
			return nil, err
		}
		n, ok := known[id]
		switch {
		case at != nil:
			step.Status, step.DoneAt = "done", timestamppb.New(*at)
		case ok:
			step.Status, step.DoneAt = n.Status, timestamppb.New(n.At)
		default:
			out.Complete = false
		}
		out.Steps = append(out.Steps, step)
	}
	return out, nil
}

func (s *Service) since(ctx context.Context, tx pgx.Tx, tenant int64, step string) (*time.Time, error) {
	if step == Agents {
		// Somebody besides the person who signed up.
		return tenantdb.TxOne[*time.Time](ctx, tx, `SELECT (SELECT created_at FROM memberships WHERE tenant_id = $1 AND NOT disabled
			ORDER BY id OFFSET 1 LIMIT 1)`, tenant)
	}
	f, ok := s.cfg.Done[step]
	if !ok {
		return nil, nil //nolint:nilnil // known by what Apply noted
	}
	return f(ctx, tx, tenant)
}

// SkipStep says that a step is not wanted; it counts as settled.
func (s *Service) SkipStep(ctx context.Context, req *cloudv1.SkipStepRequest) (out *cloudv1.Checklist, err error) {
	tenant := rpcx.TenantFrom(ctx)
	caller, _ := rpcx.CallerFrom(ctx)
	err = s.cfg.DB.InTenant(ctx, tenant, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO onboarding (tenant_id, step, status, by) VALUES ($1, $2, 'skipped', $3)
			ON CONFLICT DO NOTHING`, tenant, req.Id, caller.Actor()); err != nil {
			return err
		}
		if err := tenants.Audit(ctx, tx, tenants.Entry{Tenant: tenant, Action: "onboarding.skipped", Subject: req.Id}); err != nil {
			return err
		}
		out, err = s.checklist(ctx, tx, tenant)
		return err
	})
	return out, err
}

// Apply notes the first test call that was answered; it is a fleet applier.
func (s *Service) Apply(ctx context.Context, tx pgx.Tx, _ string, f *edgev1.Fact) error {
	if f.Kind != "call" {
		return nil
	}
	var c edgev1.CallRecord
	if err := proto.Unmarshal(f.Body, &c); err != nil {
		return err
	}
	if !c.Test || c.AnsweredAt == 0 {
		return nil
	}
	_, err := tx.Exec(ctx, `INSERT INTO onboarding (tenant_id, step, status, at) VALUES ($1, $2, 'done', $3)
		ON CONFLICT (tenant_id, step) DO UPDATE SET status = 'done', at = excluded.at WHERE onboarding.status <> 'done'`,
		f.TenantId, TestCall, time.UnixMicro(f.At))
	return err
}

// StartTestCall gives the browser a ticket for one call to the tenant's flow. The
// site hears of its hash only; it works once, within two minutes.
func (s *Service) StartTestCall(ctx context.Context, req *cloudv1.StartTestCallRequest) (*cloudv1.StartTestCallResponse, error) {
	tenant := rpcx.TenantFrom(ctx)
	caller, _ := rpcx.CallerFrom(ctx)
	if err := s.cfg.Limit(ctx, caller.Claims.Account); err != nil {
		return nil, err
	}
	var b [24]byte
	_, _ = rand.Read(b[:])
	secret := base64.RawURLEncoding.EncodeToString(b[:])
	hash := sha256.Sum256([]byte(secret))
	out := &cloudv1.StartTestCallResponse{Ticket: secret, ExpiresAt: timestamppb.New(s.now().Add(ticketLife))}
	if s.cfg.Relays != nil {
		out.Relays = s.cfg.Relays("caller/" + caller.Claims.Account)
	}
	err := s.cfg.DB.InTenant(ctx, tenant, func(ctx context.Context, tx pgx.Tx) error {
		flow, err := s.flow(ctx, tx, tenant, req.FlowId)
		if err != nil {
			return err
		}
		site, urls, err := s.cfg.Sites.Reachable(ctx, tx, tenant)
		if err != nil {
			return err
		}
		switch {
		case site == "":
			return fault.New(fault.Conflict, "fault.onboarding.no_site").WithAction("action.choose_site")
		case len(urls) == 0:
			return fault.New(fault.Unavailable, "fault.onboarding.no_node").WithRetry(5 * time.Second)
		}
		out.NodeUrls = urls
		_, err = s.cfg.Inbox.Put(ctx, tx, tenant, site, "test_call", &edgev1.TestCallTicket{
			TicketHash: hash[:], FlowId: flow, CallerName: caller.Claims.Name,
		}, ticketLife)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (s *Service) flow(ctx context.Context, tx pgx.Tx, tenant int64, id string) (string, error) {
	noFlow := fault.New(fault.NotFound, "fault.flow.not_found").WithField("flow_id")
	if id == "" {
		id, err := s.cfg.Flows.DefaultFlow(ctx, tx, tenant)
		if err == nil && id == "" {
			return "", noFlow
		}
		return id, err
	}
	ok, err := s.cfg.Flows.FlowExists(ctx, tx, tenant, id)
	if err == nil && !ok {
		return "", noFlow
	}
	return id, err
}
