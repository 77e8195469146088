-- +goose Up
-- The newest floor of each site, to be seen by all replicas. Worth nothing after
-- a crash: sites report again within two seconds.
CREATE UNLOGGED TABLE live_floors (
	tenant_id  bigint NOT NULL,
	site_id    text NOT NULL,
	floor      bytea NOT NULL, -- edge.v1.LiveTenant
	updated_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant_id, site_id)
);
SELECT trunkline_tenant_table('live_floors');

-- +goose Down
DROP TABLE live_floors;
