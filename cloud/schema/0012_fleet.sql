-- +goose Up
-- Recordings are wrapped with public_key at the site; the private half is sealed
-- with the key in the data directory.
CREATE TABLE tenant_keys (
	tenant_id      bigint NOT NULL REFERENCES tenants ON DELETE CASCADE,
	id             text NOT NULL,
	public_key     bytea NOT NULL,
	sealed_private bytea NOT NULL,
	created_at     timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant_id, id)
);
SELECT trunkline_tenant_table('tenant_keys');

-- Snapshots of a tenant's configuration for a site; never changed.
CREATE TABLE config_snapshots (
	tenant_id  bigint NOT NULL REFERENCES tenants ON DELETE CASCADE,
	site_id    text NOT NULL,
	version    bigint NOT NULL CHECK (version > 0),
	manifest   text NOT NULL,      -- SHA-256 of config, hex
	content    bytea NOT NULL,     -- SHA-256 of the same without its version
	config     bytea NOT NULL CHECK (octet_length(config) <= 1048576),
	created_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant_id, site_id, version),
	CONSTRAINT config_snapshots_manifest UNIQUE (tenant_id, site_id, manifest)
);
SELECT trunkline_tenant_table('config_snapshots');
REVOKE UPDATE ON config_snapshots FROM trunkline_app, trunkline_platform;

-- Work down, in order for each site.
CREATE TABLE inbox (
	tenant_id  bigint NOT NULL REFERENCES tenants ON DELETE CASCADE,
	site_id    text NOT NULL,
	seq        bigint NOT NULL,
	id         text NOT NULL,
	kind       text NOT NULL,
	body       bytea NOT NULL CHECK (octet_length(body) <= 65536),
	created_at timestamptz NOT NULL DEFAULT now(),
	expires_at timestamptz NOT NULL,
	acked_at   timestamptz,
	PRIMARY KEY (tenant_id, site_id, seq)
);
CREATE UNIQUE INDEX inbox_by_site ON inbox (site_id, seq);
CREATE INDEX inbox_by_end ON inbox (expires_at);
SELECT trunkline_tenant_table('inbox');

-- The next number of a site's inbox. Taking one locks the row until commit, so
-- items become visible in the order of their numbers.
CREATE TABLE inbox_counters (
	site_id text PRIMARY KEY,
	seq     bigint NOT NULL
);
SELECT trunkline_platform_table('inbox_counters');

CREATE FUNCTION trunkline_inbox_seq(site text) RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = public
	AS $$ INSERT INTO inbox_counters VALUES (site, 1)
		ON CONFLICT (site_id) DO UPDATE SET seq = inbox_counters.seq + 1 RETURNING seq $$;
ALTER FUNCTION trunkline_inbox_seq(text) OWNER TO trunkline_owner;
REVOKE ALL ON FUNCTION trunkline_inbox_seq(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION trunkline_inbox_seq(text) TO trunkline_app, trunkline_platform;

-- The event log: what sites reported, chained. Reports are rebuilt from it.
CREATE TABLE facts (
	tenant_id   bigint NOT NULL,
	site_id     text NOT NULL,
	epoch       bigint NOT NULL,
	seq         bigint NOT NULL CHECK (seq > 0),
	kind        text NOT NULL,
	at          timestamptz NOT NULL,
	at_us       bigint NOT NULL, -- as hashed
	hash        bytea NOT NULL CHECK (octet_length(hash) = 32),
	body        bytea NOT NULL,
	received_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant_id, site_id, epoch, seq)
);
CREATE INDEX facts_by_time ON facts (tenant_id, kind, at);
SELECT trunkline_tenant_table('facts');
REVOKE UPDATE ON facts FROM trunkline_app, trunkline_platform;

-- How far each chain has come.
CREATE TABLE fact_cursors (
	tenant_id  bigint NOT NULL REFERENCES tenants ON DELETE CASCADE,
	site_id    text NOT NULL,
	epoch      bigint NOT NULL CHECK (epoch >= 0),
	seq        bigint NOT NULL CHECK (seq >= 0),
	hash       bytea NOT NULL,
	clock_offset_us bigint NOT NULL DEFAULT 0,
	updated_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant_id, site_id, epoch)
);
SELECT trunkline_tenant_table('fact_cursors');

-- Facts in the log that could not be applied; applied later, or looked at.
CREATE TABLE quarantine (
	tenant_id bigint NOT NULL,
	site_id   text NOT NULL,
	epoch     bigint NOT NULL,
	seq       bigint NOT NULL,
	error     text NOT NULL,
	retry     boolean NOT NULL, -- false: held for good
	attempts  integer NOT NULL DEFAULT 1,
	first_at  timestamptz NOT NULL DEFAULT now(),
	last_at   timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant_id, site_id, epoch, seq),
	FOREIGN KEY (tenant_id, site_id, epoch, seq) REFERENCES facts ON DELETE CASCADE
);
SELECT trunkline_tenant_table('quarantine');

-- +goose Down
DROP TABLE quarantine, fact_cursors, facts, inbox, config_snapshots, tenant_keys;
DROP FUNCTION trunkline_inbox_seq(text);
DROP TABLE inbox_counters;
