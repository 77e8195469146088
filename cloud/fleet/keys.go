package fleet

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"trunkline/internal/fault"
	"trunkline/internal/recfile"
	"trunkline/internal/seal"
	edgev1 "trunkline/proto/gen/trunkline/edge/v1"
	"trunkline/tenants"
	"trunkline/tenants/tenantdb"
)

// Keys holds the keys tenants' recordings are wrapped with. Sites get the public
// half; the private one is sealed and opened only to play a recording.
type Keys struct {
	db  *tenantdb.DB
	box *seal.Box
}

// NewKeys makes it.
func NewKeys(db *tenantdb.DB, box *seal.Box) *Keys { return &Keys{db, box} }

// Provision makes a new tenant's first key.
func (k *Keys) Provision(ctx context.Context, tx pgx.Tx, t tenants.Tenant) error {
	public, private, err := recfile.Keypair()
	if err != nil {
		return err
	}
	id := tenants.NewID()
	_, err = tx.Exec(ctx, "INSERT INTO tenant_keys (tenant_id, id, public_key, sealed_private) VALUES ($1, $2, $3, $4)",
		t.ID, id, public, k.box.Seal(private, purpose(t.ID, id)))
	return err
}

func purpose(tenant int64, id string) string { return fmt.Sprintf("tenant_key:%d:%s", tenant, id) }

// Private opens the private half of a tenant's key, or a NotFound fault.
func (k *Keys) Private(ctx context.Context, tenant int64, id string) ([]byte, error) {
	found, err := tenantdb.Many[[]byte](ctx, k.db, tenant, "SELECT sealed_private FROM tenant_keys WHERE tenant_id = $1 AND id = $2", tenant, id)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, fault.New(fault.NotFound, "fault.recording.key_unknown")
	}
	return k.box.Open(found[0], purpose(tenant, id))
}

// addKey puts the newest public key into a snapshot.
func addKey(ctx context.Context, tx pgx.Tx, c *edgev1.TenantConfig) error {
	type key struct {
		ID        string
		PublicKey []byte
	}
	found, err := tenantdb.TxMany[key](ctx, tx, "SELECT id, public_key FROM tenant_keys WHERE tenant_id = $1 ORDER BY id DESC LIMIT 1", c.TenantId)
	if err == nil && len(found) > 0 {
		c.RecordingKeyId, c.RecordingPublicKey = found[0].ID, found[0].PublicKey
	}
	return err
}
