package routing

import (
	"context"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"trunkline/proto/gen/trunkline/cloud/v1/cloudv1connect"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
	"trunkline/tenants/tenantdb"
)

// MaxBytes are the procedures that take more than the usual megabyte.
var MaxBytes = map[string]int{cloudv1connect.RoutingServiceUploadPromptProcedure: 60<<20 + 64<<10}

// Service is RoutingService, and what other features ask of routing.
type Service struct{ db *tenantdb.DB }

// New makes the service.
func New(db *tenantdb.DB) *Service { return &Service{db} }

// Contribute adds everything of this package to a tenant's snapshot. It is the
// same for each of its sites.
func (s *Service) Contribute(ctx context.Context, tx pgx.Tx, tenant int64, _ string, c *edgev1.TenantConfig) error {
	if err := addSettings(ctx, tx, tenant, c); err != nil {
		return err
	}
	if err := addDialling(ctx, tx, tenant, c); err != nil {
		return err
	}
	queues, err := tenantdb.TxMany[queue](ctx, tx, "SELECT "+queueColumns+" FROM queues WHERE tenant_id = $1 ORDER BY id", tenant)
	if err != nil {
		return err
	}
	for _, q := range queues {
		c.Queues = append(c.Queues, q.config())
	}
	flows, err := tenantdb.TxMany[published](ctx, tx, selectPublished+" ORDER BY f.id", tenant)
	if err != nil {
		return err
	}
	for _, f := range flows {
		c.Flows = append(c.Flows, &edgev1.FlowVersion{FlowId: f.ID, Version: strconv.Itoa(int(f.Version)), Document: []byte(f.Document)})
	}
	own, err := tenantdb.TxMany[prompt](ctx, tx, "SELECT "+promptColumns+" FROM prompts WHERE tenant_id = $1 ORDER BY name, language", tenant)
	if err != nil {
		return err
	}
	for _, p := range own {
		c.Prompts = append(c.Prompts, &edgev1.PromptBlob{Name: p.Name, Language: p.Language, Hash: p.Hash})
	}
	return addAgents(ctx, tx, tenant, c)
}

func addSettings(ctx context.Context, tx pgx.Tx, tenant int64, c *edgev1.TenantConfig) error {
	type row struct {
		Settings
		Slug string
	}
	x, err := tenantdb.TxOne[row](ctx, tx, `SELECT t.name AS company, t.slug, t.language, t.time_zone, s.short_abandon_s, s.service_level_s,
		s.service_level_target_pct, s.max_calls, s.wrap_up_codes, s.break_reasons
		FROM settings s JOIN tenants t USING (tenant_id) WHERE s.tenant_id = $1`, tenant)
	if err != nil {
		return err
	}
	c.TenantName, c.Slug, c.Language, c.TimeZone = x.Company, x.Slug, x.Language, x.TimeZone
	c.MaxCalls, c.ShortAbandonMs, c.ServiceLevelMs = uint32(x.MaxCalls), ms(x.ShortAbandonS), ms(x.ServiceLevelS)
	for _, r := range x.BreakReasons {
		c.BreakReasons = append(c.BreakReasons, &edgev1.Reason{Id: r.ID, Name: r.Name})
	}
	for _, r := range x.WrapUpCodes {
		c.WrapUpCodes = append(c.WrapUpCodes, &edgev1.Reason{Id: r.ID, Name: r.Name})
	}
	return nil
}

// agent is a member as sites know them.
type agent struct {
	ID            string
	Name          string
	Email         string
	Roles         []string
	Disabled      bool
	RevokedBefore *time.Time
	QueueIDs      []string `db:"queue_ids"`
}

// addAgents adds every member, disabled ones too, so that a site ends their
// sessions. Those without queues of their own serve all.
func addAgents(ctx context.Context, tx pgx.Tx, tenant int64, c *edgev1.TenantConfig) error {
	rows, err := tenantdb.TxMany[agent](ctx, tx, `SELECT m.id, coalesce(nullif(a.display_name, ''), a.email) AS name, a.email, m.roles, m.disabled, m.revoked_before,
		coalesce((SELECT array_agg(q.queue_id ORDER BY q.queue_id) FROM queue_members q
			WHERE q.tenant_id = m.tenant_id AND q.membership_id = m.id), '{}') AS queue_ids
		FROM memberships m JOIN accounts a ON a.id = m.account_id WHERE m.tenant_id = $1 ORDER BY m.id`, tenant)
	if err != nil {
		return err
	}
	var all []string
	for _, q := range c.Queues {
		all = append(all, q.Id)
	}
	for _, r := range rows {
		p := &edgev1.AgentProfile{Id: r.ID, Name: r.Name, Email: r.Email, QueueIds: r.QueueIDs, Roles: r.Roles, Disabled: r.Disabled}
		if len(p.QueueIds) == 0 {
			p.QueueIds = all
		}
		if r.RevokedBefore != nil {
			p.RevokedBefore = r.RevokedBefore.UnixMicro()
		}
		c.Agents = append(c.Agents, p)
	}
	return nil
}
