package live

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/proto"

	"trunkline/internal/fault"
	"trunkline/internal/rpcx"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
	"trunkline/tenants"
	"trunkline/tenants/tenantdb"
)

// commandLife is how long a supervisor's command waits for a site that is away.
// Later it would surprise more than help.
const commandLife = time.Minute

// CommandAgent sets an agent's state, or signs the agent out, through the inbox
// of the site that has the agent. An agent of another tenant is NotFound; with no
// site to carry it, Unavailable.
func (s *Service) CommandAgent(ctx context.Context, req *cloudv1.CommandAgentRequest) (*cloudv1.CommandAgentResponse, error) {
	caller, _ := rpcx.CallerFrom(ctx)
	tenant, agent := caller.Claims.Tenant, req.GetAgentId()
	kind := "set_agent_state"
	if req.GetCommand() == "sign_out" {
		kind = "sign_out_agent"
	}
	body := &edgev1.AgentCommand{AgentId: agent, State: req.GetCommand(), Reason: "supervisor", By: caller.Claims.Name}
	out := &cloudv1.CommandAgentResponse{}
	err := s.db.InTenant(ctx, tenant, func(ctx context.Context, tx pgx.Tx) error {
		mine, err := tenantdb.TxMany[string](ctx, tx, "SELECT id FROM memberships WHERE tenant_id = $1 AND id = $2", tenant, agent)
		if err != nil {
			return err
		}
		if len(mine) == 0 {
			return fault.New(fault.NotFound, "fault.member.unknown")
		}
		sites, err := sitesOf(ctx, tx, tenant, agent)
		if err != nil {
			return err
		}
		if len(sites) == 0 {
			return fault.New(fault.Unavailable, "fault.floor.no_site").WithRetry(5 * time.Second)
		}
		for _, site := range sites {
			if out.InboxId, err = s.inbox.Put(ctx, tx, tenant, site, kind, body, commandLife); err != nil {
				return err
			}
		}
		return tenants.Audit(ctx, tx, tenants.Entry{
			Tenant: tenant, Action: "agent.commanded", Subject: agent, Details: map[string]string{"command": req.GetCommand()},
		})
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// sitesOf are the sites that know the agent: where their floor shows them, else
// every site that serves the tenant.
func sitesOf(ctx context.Context, tx pgx.Tx, tenant int64, agent string) ([]string, error) {
	rows, err := tenantdb.TxMany[siteFloor](ctx, tx, ofSites, tenant, maxSites)
	if err != nil {
		return nil, err
	}
	var all, with []string
	for _, r := range rows {
		all = append(all, r.SiteID)
		var live edgev1.LiveTenant
		if err := proto.Unmarshal(r.Floor, &live); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(live.GetAgents(), func(a *edgev1.LiveAgent) bool { return a.GetAgentId() == agent }) {
			with = append(with, r.SiteID)
		}
	}
	if len(with) > 0 {
		return with, nil
	}
	return all, nil
}
