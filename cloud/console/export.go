package console

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5"

	"trunkline/internal/fault"
	cloudv1 "trunkline/proto/gen/trunkline/cloud/v1"
	"trunkline/tenants"
	"trunkline/tenants/tenantdb"
)

// maxExport bounds an export, compressed, in bytes: it travels as one message.
const maxExport = 200 << 20

// ExportTenant gives all rows of a tenant as a ZIP with one file of JSON lines
// per table, read under the tenant's own role: what row-level security hides
// cannot get in. Hashes of secrets are left out.
func (s *Service) ExportTenant(ctx context.Context, req *cloudv1.GetTenantRequest) (*cloudv1.ExportTenantResponse, error) {
	var t tenant
	err := s.DB.Platform(ctx, "console: export tenant", func(ctx context.Context, tx pgx.Tx) (err error) {
		if t, err = get(ctx, tx, req.Id); err != nil {
			return err
		}
		return tenants.Audit(ctx, tx, tenants.Entry{Tenant: req.Id, Action: "tenant.exported", Subject: t.Slug})
	})
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := s.export(ctx, req.Id, &limited{w: &b, left: maxExport}); err != nil {
		return nil, err
	}
	name := fmt.Sprintf("%s-%s.zip", t.Slug, time.Now().UTC().Format("20060102-150405"))
	return &cloudv1.ExportTenantResponse{FileName: name, Zip: b.Bytes()}, nil
}

func (s *Service) export(ctx context.Context, id int64, w io.Writer) error {
	z := zip.NewWriter(w)
	err := s.DB.InTenant(ctx, id, func(ctx context.Context, tx pgx.Tx) error {
		// All tables as of one moment.
		if _, err := tx.Exec(ctx, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"); err != nil {
			return err
		}
		tables, err := tenantdb.TxMany[string](ctx, tx, tenantTables)
		if err != nil {
			return err
		}
		for _, name := range tables {
			sql := "SELECT to_jsonb(x) - '{token_hash}'::text[] FROM " + pgx.Identifier{name}.Sanitize() + " x WHERE tenant_id = $1"
			if err := exportRows(ctx, tx, z, name, sql, id); err != nil {
				return err
			}
		}
		return exportRows(ctx, tx, z, "accounts", `SELECT jsonb_build_object('id', a.id, 'email', a.email, 'display_name', a.display_name,
			'language', a.language, 'time_zone', a.time_zone) FROM accounts a JOIN memberships m ON m.account_id = a.id WHERE m.tenant_id = $1`, id)
	})
	if err != nil {
		return err
	}
	return z.Close()
}

func exportRows(ctx context.Context, tx pgx.Tx, z *zip.Writer, name, sql string, tenant int64) error {
	f, err := z.Create(name + ".jsonl")
	if err != nil {
		return err
	}
	rows, err := tx.Query(ctx, sql, tenant)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	var line json.RawMessage
	_, err = pgx.ForEachRow(rows, []any{&line}, func() error {
		_, err := f.Write(append(line, '\n'))
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// limited fails once more is written than there is room for.
type limited struct {
	w    io.Writer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	if len(p) > l.left {
		return 0, fault.New(fault.Exhausted, "fault.export.too_large", "max_mb", fmt.Sprint(maxExport>>20))
	}
	l.left -= len(p)
	return l.w.Write(p)
}
