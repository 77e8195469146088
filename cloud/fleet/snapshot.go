package fleet

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/proto"

	"trunkline/internal/fault"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
	"trunkline/tenants/tenantdb"
)

const (
	// maxSnapshot is what a snapshot may weigh in bytes.
	maxSnapshot = 1 << 20
	// keepSnapshots is how many a site may still ask for.
	keepSnapshots = 10
)

// deterministic gives equal messages equal bytes, within one version of ours;
// another version may make a new snapshot of the same content, which harms nobody.
var deterministic = proto.MarshalOptions{Deterministic: true}

// assemble makes the tenant's snapshot for a site and stores it if it differs
// from the newest; it gives the manifest of what holds now. Replicas that do it
// at once wait for each other, so that the last to read is the last to write.
func (s *Service) assemble(ctx context.Context, tenant int64, site string) (manifest string, err error) {
	err = s.db.InTenant(ctx, tenant, func(ctx context.Context, tx pgx.Tx) error {
		lock := "trunkline:snapshot:" + site + ":" + strconv.FormatInt(tenant, 10)
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", lock); err != nil {
			return err
		}
		c, err := s.contents(ctx, tx, tenant, site)
		if err != nil {
			return err
		}
		manifest, err = store(ctx, tx, site, c)
		return err
	})
	return manifest, err
}

// contents asks every source for its part.
func (s *Service) contents(ctx context.Context, tx pgx.Tx, tenant int64, site string) (*edgev1.TenantConfig, error) {
	c := &edgev1.TenantConfig{TenantId: tenant}
	for _, src := range s.cfg.Sources {
		if err := src.Contribute(ctx, tx, tenant, site, c); err != nil {
			return nil, fmt.Errorf("snapshot of tenant %d: %w", tenant, err)
		}
	}
	return c, addKey(ctx, tx, c)
}

type stored struct {
	Version  int64
	Manifest string
	Content  []byte
}

func store(ctx context.Context, tx pgx.Tx, site string, c *edgev1.TenantConfig) (manifest string, err error) {
	c.Version = 0
	plain, err := deterministic.Marshal(c)
	if err != nil {
		return "", err
	}
	content := sha256.Sum256(plain)
	last, err := tenantdb.TxMany[stored](ctx, tx, `SELECT version, manifest, content FROM config_snapshots
		WHERE tenant_id = $1 AND site_id = $2 ORDER BY version DESC LIMIT 1`, c.TenantId, site)
	if err != nil {
		return "", err
	}
	if len(last) > 0 {
		if string(last[0].Content) == string(content[:]) {
			return last[0].Manifest, nil
		}
		c.Version = uint64(last[0].Version)
	}
	c.Version++
	b, err := deterministic.Marshal(c)
	if err != nil {
		return "", err
	}
	if len(b) > maxSnapshot {
		return "", fault.New(fault.Exhausted, "fault.fleet.snapshot_too_large", "bytes", fmt.Sprint(len(b)), "max", fmt.Sprint(maxSnapshot))
	}
	sum := sha256.Sum256(b)
	manifest = hex.EncodeToString(sum[:])
	batch := &pgx.Batch{}
	batch.Queue("INSERT INTO config_snapshots (tenant_id, site_id, version, manifest, content, config) VALUES ($1, $2, $3, $4, $5, $6)",
		c.TenantId, site, int64(c.Version), manifest, content[:], b)
	batch.Queue("DELETE FROM config_snapshots WHERE tenant_id = $1 AND site_id = $2 AND version <= $3 AND created_at < now() - interval '1 day'",
		c.TenantId, site, int64(c.Version)-keepSnapshots)
	snapshots.Inc()
	return manifest, tx.SendBatch(ctx, batch).Close()
}

// newest gives the manifest stored last, "" without any.
func (s *Service) newest(ctx context.Context, tenant int64, site string) (string, error) {
	found, err := tenantdb.Many[string](ctx, s.db, tenant, `SELECT manifest FROM config_snapshots
		WHERE tenant_id = $1 AND site_id = $2 ORDER BY version DESC LIMIT 1`, tenant, site)
	if err != nil || len(found) == 0 {
		return "", err
	}
	return found[0], nil
}

// GetTenantConfig gives a snapshot by its manifest; the newest without one.
func (s *Service) GetTenantConfig(ctx context.Context, req *edgev1.GetTenantConfigRequest) (*edgev1.GetTenantConfigResponse, error) {
	site, err := s.serves(ctx, req.TenantId)
	if err != nil {
		return nil, err
	}
	found, err := tenantdb.Many[[]byte](ctx, s.db, req.TenantId, `SELECT config FROM config_snapshots
		WHERE tenant_id = $1 AND site_id = $2 AND ($3 = '' OR manifest = $3) ORDER BY version DESC LIMIT 1`, req.TenantId, site, req.Manifest)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, errNoSnapshot
	}
	return &edgev1.GetTenantConfigResponse{Config: found[0]}, nil
}

// GetBlob gives what a snapshot names by hash.
func (s *Service) GetBlob(ctx context.Context, req *edgev1.GetBlobRequest) (*edgev1.GetBlobResponse, error) {
	if _, err := s.serves(ctx, req.TenantId); err != nil {
		return nil, err
	}
	data, err := s.cfg.Blobs.Blob(ctx, req.TenantId, req.Hash)
	if err != nil {
		return nil, err
	}
	return &edgev1.GetBlobResponse{Data: data}, nil
}

// ConfigChanged tells every replica that something a snapshot of the tenant is
// made of has changed. What is written to tables of migration 0013 tells itself.
func (s *Service) ConfigChanged(ctx context.Context, tenant int64) error {
	_, err := tenantdb.Exec(ctx, s.db, tenant, "SELECT pg_notify($1, $2)", ConfigChannel, "tenant:"+strconv.FormatInt(tenant, 10))
	return err
}
