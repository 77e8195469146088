package console

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/types/known/timestamppb"

	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
	"trunkline/tenants"
	"trunkline/tenants/tenantdb"
)

// ListAudit lists what was done, newest first, by all or to one tenant.
func (s *Service) ListAudit(ctx context.Context, req *cloudv1.ListAuditRequest) (*cloudv1.ListAuditResponse, error) {
	out := &cloudv1.ListAuditResponse{}
	err := s.DB.Platform(ctx, "console: audit", func(ctx context.Context, tx pgx.Tx) (err error) {
		out.Entries, out.NextPageToken, err = audit(ctx, tx, req.TenantId, req.PageToken, tenants.PageSize(req.PageSize))
		return err
	})
	return out, err
}

// Whom and what a line speaks of, by the names people know: an account's address,
// the name of what was changed as it is now, else as it was then. The id of what
// has no name, such as a recording, tells a reader nothing and is left out.
const auditNames = `
	SELECT x.tenant_id, x.id, x.at, x.action, x.reason, coalesce(t.name, '') AS tenant,
		CASE WHEN x.actor LIKE 'node:%' THEN
			'node:' || coalesce((SELECT s.name FROM sites s WHERE s.id = split_part(substr(x.actor, 6), '/', 1)), '')
				|| '/' || split_part(x.actor, '/', 2)
		ELSE coalesce(a.email, x.actor) END AS actor,
		coalesce(b.email, named.name, x.details->>'name', x.details->>'e164', x.details->>'email',
			CASE WHEN x.subject ~ '^[0-9a-f]{8}-[0-9a-f]{4}-' THEN '' ELSE x.subject END) AS subject
	FROM page x
		LEFT JOIN tenants t ON t.tenant_id = x.tenant_id
		LEFT JOIN accounts a ON a.id = x.actor
		LEFT JOIN accounts b ON b.id = x.subject
		LEFT JOIN LATERAL (
			SELECT s.name FROM sites s WHERE s.id = x.subject
			UNION ALL SELECT q.name FROM queues q WHERE q.tenant_id = x.tenant_id AND q.id = x.subject
			UNION ALL SELECT f.name FROM flows f WHERE f.tenant_id = x.tenant_id AND f.id = x.subject
			UNION ALL SELECT k.name FROM trunks k WHERE k.tenant_id = x.tenant_id AND k.id = x.subject
			UNION ALL SELECT n.e164 FROM numbers n WHERE n.tenant_id = x.tenant_id AND n.id = x.subject
			UNION ALL SELECT i.email FROM invitations i WHERE i.tenant_id = x.tenant_id AND i.id = x.subject
			UNION ALL SELECT c.email FROM memberships m JOIN accounts c ON c.id = m.account_id
				WHERE m.tenant_id = x.tenant_id AND m.id = x.subject
			LIMIT 1) named ON true
	ORDER BY x.id DESC`

func audit(ctx context.Context, tx pgx.Tx, id int64, before string, size int) (out []*cloudv1.AuditEntry, next string, err error) {
	type entry struct {
		TenantID int64
		ID       string
		At       time.Time
		Action   string
		Reason   string
		Tenant   string
		Actor    string
		Subject  string
	}
	rows, err := tenantdb.TxMany[entry](ctx, tx, `WITH page AS (
			SELECT * FROM audit WHERE ($1 = 0 OR tenant_id = $1) AND ($2 = '' OR id < $2) ORDER BY id DESC LIMIT $3
		)`+auditNames, id, before, size+1)
	if err != nil {
		return nil, "", err
	}
	if len(rows) > size {
		rows = rows[:size]
		next = rows[size-1].ID
	}
	for _, r := range rows {
		out = append(out, &cloudv1.AuditEntry{
			Id: r.ID, At: timestamppb.New(r.At), Actor: r.Actor, Action: r.Action, TenantId: r.TenantID, TenantName: r.Tenant,
			Subject: r.Subject, Reason: r.Reason,
		})
	}
	return out, next, nil
}
