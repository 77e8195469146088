package routing

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/types/known/timestamppb"

	"trunkline/internal/fault"
	"trunkline/internal/flow"
	"trunkline/internal/prompts"
	"trunkline/internal/rpcx"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
	"trunkline/tenants"
	"trunkline/tenants/tenantdb"
)

const (
	maxFlows = 50
	// maxFlowBytes bounds all published documents of a tenant together: they are
	// part of its snapshot, which has a bound too.
	maxFlowBytes = 512 << 10
)

// published is a flow with its newest version.
type published struct {
	ID          string
	Name        string
	Version     int32
	PublishedAt time.Time
	Author      string
	Document    string
}

const selectPublished = `SELECT f.id, f.name, f.published AS version, v.created_at AS published_at, v.author, v.document
	FROM flows f JOIN flow_versions v ON v.tenant_id = f.tenant_id AND v.flow_id = f.id AND v.version = f.published
	WHERE f.tenant_id = $1`

func (f published) view(findings []*cloudv1.Finding) *cloudv1.Flow {
	return &cloudv1.Flow{
		Id: f.ID, Name: f.Name, PublishedVersion: strconv.Itoa(int(f.Version)), PublishedAt: timestamppb.New(f.PublishedAt),
		PublishedBy: f.Author, Document: f.Document, Findings: findings,
	}
}

// ListFlows gives the tenant's flows, oldest first, each with what the lint finds
// today: a prompt or queue may have gone since it was published.
func (s *Service) ListFlows(ctx context.Context, _ *cloudv1.ListFlowsRequest) (*cloudv1.ListFlowsResponse, error) {
	tenant := rpcx.TenantFrom(ctx)
	out := &cloudv1.ListFlowsResponse{}
	err := s.db.InTenant(ctx, tenant, func(ctx context.Context, tx pgx.Tx) error {
		list, err := tenantdb.TxMany[published](ctx, tx, selectPublished+" ORDER BY f.id LIMIT $2", tenant, maxFlows)
		if err != nil {
			return err
		}
		known, err := knownTo(ctx, tx, tenant)
		for _, f := range list {
			findings, _ := lint(f.Document, known)
			out.Flows = append(out.Flows, f.view(findings))
		}
		return err
	})
	return out, err
}

// lint reads and checks a document; it gives the findings and whether one is an
// error.
func lint(document string, known flow.Known) (out []*cloudv1.Finding, bad bool) {
	doc, err := flow.Parse([]byte(document))
	if err != nil {
		detail := strings.TrimPrefix(err.Error(), "flow: ")
		return []*cloudv1.Finding{{Severity: "error", MessageKey: "flow.unreadable", Params: map[string]string{"detail": detail}}}, true
	}
	for _, f := range flow.Lint(doc, known) {
		severity := "warning"
		if f.Error {
			severity, bad = "error", true
		}
		out = append(out, &cloudv1.Finding{Severity: severity, NodeId: f.NodeID, MessageKey: f.Key, Params: f.Params})
	}
	return out, bad
}

// knownTo says what exists around the tenant's flows.
func knownTo(ctx context.Context, tx pgx.Tx, tenant int64) (flow.Known, error) {
	queues, err := tenantdb.TxMany[string](ctx, tx, "SELECT id FROM queues WHERE tenant_id = $1", tenant)
	if err != nil {
		return flow.Known{}, err
	}
	own, err := tenantdb.TxMany[string](ctx, tx, "SELECT name || '/' || language FROM prompts WHERE tenant_id = $1", tenant)
	if err != nil {
		return flow.Known{}, err
	}
	q, p := set(queues), set(own)
	return flow.Known{
		Queue: func(id string) bool { return q[id] },
		Prompt: func(name, language string) bool {
			_, included := prompts.Get(name, language)
			return included || p[name+"/"+language]
		},
	}, nil
}

func set(list []string) map[string]bool {
	out := make(map[string]bool, len(list))
	for _, x := range list {
		out[x] = true
	}
	return out
}

// LintFlow says what publishing the document would find.
func (s *Service) LintFlow(ctx context.Context, req *cloudv1.PublishFlowRequest) (*cloudv1.LintFlowResponse, error) {
	tenant := rpcx.TenantFrom(ctx)
	out := &cloudv1.LintFlowResponse{}
	err := s.db.InTenant(ctx, tenant, func(ctx context.Context, tx pgx.Tx) error {
		known, err := knownTo(ctx, tx, tenant)
		if err == nil {
			out.Findings, _ = lint(req.Document, known)
		}
		return err
	})
	return out, err
}

// PublishFlow stores the document as the flow's next version, which calls take
// from now on; without an id it makes a flow. A document with errors is refused:
// the fault names the first and their number, LintFlow gives all.
func (s *Service) PublishFlow(ctx context.Context, req *cloudv1.PublishFlowRequest) (*cloudv1.Flow, error) {
	tenant := rpcx.TenantFrom(ctx)
	caller, _ := rpcx.CallerFrom(ctx)
	p := publication{tenant: tenant, id: req.Id, name: strings.TrimSpace(req.Name), document: req.Document, by: caller}
	err := s.db.InTenant(ctx, tenant, p.run)
	if err != nil {
		return nil, err
	}
	return p.flow.view(p.findings), nil
}

// publication is one document on its way to being published.
type publication struct {
	tenant             int64
	id, name, document string
	by                 rpcx.Caller

	findings []*cloudv1.Finding
	flow     published
}

func (p *publication) run(ctx context.Context, tx pgx.Tx) error {
	known, err := knownTo(ctx, tx, p.tenant)
	if err != nil {
		return err
	}
	var bad bool
	if p.findings, bad = lint(p.document, known); bad {
		return refusal(p.findings)
	}
	version := int32(1)
	if p.id == "" {
		err = p.create(ctx, tx)
	} else {
		version, err = p.next(ctx, tx)
	}
	if err != nil {
		return err
	}
	if _, err = tx.Exec(ctx, `INSERT INTO flow_versions (tenant_id, flow_id, version, document, created_by, author) VALUES ($1, $2, $3, $4, $5, $6)`,
		p.tenant, p.id, version, p.document, p.by.Actor(), authorName(p.by)); err != nil {
		return err
	}
	total, err := tenantdb.TxOne[int](ctx, tx, `SELECT coalesce(sum(octet_length(v.document)), 0)::int FROM flows f
		JOIN flow_versions v ON v.tenant_id = f.tenant_id AND v.flow_id = f.id AND v.version = f.published WHERE f.tenant_id = $1`, p.tenant)
	if err != nil {
		return err
	}
	if total > maxFlowBytes {
		return fault.New(fault.Exhausted, "fault.flow.too_large", "max", fmt.Sprint(maxFlowBytes))
	}
	if p.flow, err = tenantdb.TxOne[published](ctx, tx, selectPublished+" AND f.id = $2", p.tenant, p.id); err != nil {
		return err
	}
	return tenants.Audit(ctx, tx, tenants.Entry{
		Tenant: p.tenant, Action: "flow.published", Subject: p.id, Details: map[string]string{"name": p.flow.Name, "version": fmt.Sprint(version)},
	})
}

func authorName(c rpcx.Caller) string {
	if c.Claims.ActingAdmin != "" {
		return c.Claims.ActingAdmin
	}
	return c.Claims.Name
}

func (p *publication) create(ctx context.Context, tx pgx.Tx) error {
	if p.name == "" {
		return fault.New(fault.Invalid, "fault.field.required").WithField("name")
	}
	n, err := tenantdb.TxOne[int](ctx, tx, "SELECT count(*) FROM flows WHERE tenant_id = $1", p.tenant)
	if err != nil {
		return err
	}
	if n >= maxFlows {
		return fault.New(fault.Exhausted, "fault.flow.too_many", "max", fmt.Sprint(maxFlows))
	}
	p.id = tenants.NewID()
	_, err = tx.Exec(ctx, "INSERT INTO flows (tenant_id, id, name, published) VALUES ($1, $2, $3, 1)", p.tenant, p.id, p.name)
	return flowName(err)
}

// next moves the flow on by a version; an empty name leaves it as it is.
func (p *publication) next(ctx context.Context, tx pgx.Tx) (version int32, err error) {
	version, err = tenantdb.TxOne[int32](ctx, tx, `UPDATE flows SET published = published + 1, name = CASE $3 WHEN '' THEN name ELSE $3 END
		WHERE tenant_id = $1 AND id = $2 RETURNING published`, p.tenant, p.id, p.name)
	if noRows(err) {
		return 0, errNoFlow
	}
	return version, flowName(err)
}

func flowName(err error) error {
	if tenantdb.IsUnique(err, "flows_name") {
		return fault.New(fault.Conflict, "fault.flow.name_taken").WithField("name")
	}
	return err
}

var errNoFlow = fault.New(fault.NotFound, "fault.flow.not_found")

// refusal tells of the first error, and of how many there are.
func refusal(findings []*cloudv1.Finding) error {
	n, params := 0, []string{}
	for _, f := range findings {
		if f.Severity != "error" {
			continue
		}
		if n++; n == 1 {
			params = append(params, "finding", f.MessageKey, "node", f.NodeId)
		}
	}
	return fault.New(fault.Invalid, "fault.flow.has_errors", append(params, "count", fmt.Sprint(n))...).WithField("document")
}

// FlowExists says whether the tenant has the flow.
func (s *Service) FlowExists(ctx context.Context, tx pgx.Tx, tenant int64, id string) (bool, error) {
	return tenantdb.TxOne[bool](ctx, tx, "SELECT EXISTS (SELECT FROM flows WHERE tenant_id = $1 AND id = $2)", tenant, id)
}

// DefaultFlow is the tenant's first flow, "" without any.
func (s *Service) DefaultFlow(ctx context.Context, tx pgx.Tx, tenant int64) (string, error) {
	return tenantdb.TxOne[string](ctx, tx, "SELECT coalesce((SELECT id FROM flows WHERE tenant_id = $1 ORDER BY id LIMIT 1), '')", tenant)
}

// PublishedSince is when somebody first published a flow of their own, nil if
// nobody has.
func (s *Service) PublishedSince(ctx context.Context, tx pgx.Tx, tenant int64) (*time.Time, error) {
	return tenantdb.TxOne[*time.Time](ctx, tx, "SELECT min(created_at) FROM flow_versions WHERE tenant_id = $1 AND created_by <> ''", tenant)
}
