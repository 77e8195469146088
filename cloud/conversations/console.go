package conversations

import (
	"context"
	"os"
	"path/filepath"
	"strconv"

	"github.com/jackc/pgx/v5"

	"trunkline/tenants/tenantdb"
)

// CallsToday counts each tenant's calls since its own midnight (console.Calls).
func (s *Service) CallsToday(ctx context.Context, tenants []int64) (map[int64]uint64, error) {
	type count struct {
		TenantID int64
		N        int64
	}
	out := map[int64]uint64{}
	err := s.db.Platform(ctx, "console: calls of today", func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tenantdb.TxMany[count](ctx, tx, `SELECT t.tenant_id, count(*) AS n FROM tenants t JOIN calls c USING (tenant_id)
			WHERE t.tenant_id = ANY ($1) AND c.started_at >= date_trunc('day', now() AT TIME ZONE t.time_zone) AT TIME ZONE t.time_zone
			GROUP BY 1`, tenants)
		for _, r := range rows {
			out[r.TenantID] = uint64(r.N)
		}
		return err
	})
	return out, err
}

// Erase removes a tenant's recordings (console.Eraser).
func (s *Service) Erase(_ context.Context, tenant int64) error {
	return os.RemoveAll(filepath.Join(s.files.dir, strconv.FormatInt(tenant, 10)))
}
