-- +goose Up
-- A site is one group of nodes. tenant_id 0 is the platform: a hosted site. A
-- tenant sees its own sites and the hosted ones it is assigned to.
CREATE TABLE sites (
	tenant_id  bigint NOT NULL,
	id         text NOT NULL,
	name       text NOT NULL CHECK (name <> ''),
	-- The node told to start the site's Raft group; only ever one.
	bootstrap_node text,
	-- When that group was first seen with a leader.
	bootstrapped_at timestamptz,
	-- Epoch handed to the node that starts the group: facts of a group that was
	-- lost and begun again never share numbers with those before.
	epoch      bigint NOT NULL DEFAULT 0,
	created_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant_id, id),
	CONSTRAINT sites_id UNIQUE (id),
	CONSTRAINT sites_name UNIQUE (tenant_id, name)
);
SELECT trunkline_tenant_table('sites');

-- Which tenants a site serves, and when: a node may report these alone.
CREATE TABLE site_tenants (
	tenant_id   bigint NOT NULL REFERENCES tenants ON DELETE CASCADE,
	site_id     text NOT NULL,
	assigned_at timestamptz NOT NULL DEFAULT now(),
	ended_at    timestamptz CHECK (ended_at >= assigned_at),
	PRIMARY KEY (tenant_id, site_id, assigned_at)
);
CREATE UNIQUE INDEX site_tenants_now ON site_tenants (tenant_id, site_id) WHERE ended_at IS NULL;
CREATE INDEX site_tenants_by_site ON site_tenants (site_id);
SELECT trunkline_tenant_table('site_tenants');

-- A tenant assigns itself to sites of its own alone; the rest is the platform's.
CREATE POLICY own_site ON site_tenants AS RESTRICTIVE FOR INSERT TO trunkline_app
	WITH CHECK (EXISTS (SELECT FROM sites s WHERE s.id = site_tenants.site_id AND s.tenant_id = site_tenants.tenant_id));
REVOKE UPDATE, DELETE ON site_tenants FROM trunkline_app;

CREATE POLICY hosted ON sites FOR SELECT TO trunkline_app USING (tenant_id = 0
	AND EXISTS (SELECT FROM site_tenants t WHERE t.site_id = sites.id AND t.ended_at IS NULL));

CREATE TABLE nodes (
	tenant_id bigint NOT NULL,
	site_id   text NOT NULL,
	name      text NOT NULL CHECK (name ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
	node_addr text NOT NULL,
	web_url   text NOT NULL DEFAULT '',
	sip_addr  text NOT NULL DEFAULT '',
	version   text NOT NULL DEFAULT '',
	-- Certificates by serial number, hex. The one before works on for a while
	-- after a renewal, not after a new join.
	serial    text NOT NULL,
	certificate_expires_at timestamptz NOT NULL,
	previous_serial text,
	previous_until  timestamptz,
	joined_at  timestamptz NOT NULL DEFAULT now(),
	-- What the node last reported, at most once a second.
	seen_at    timestamptz,
	started_at timestamptz,
	leader     boolean NOT NULL DEFAULT false,
	voter      boolean NOT NULL DEFAULT false,
	raft_state text NOT NULL DEFAULT '',
	applied_index bigint NOT NULL DEFAULT 0,
	lag        bigint NOT NULL DEFAULT 0,
	disk_free_bytes  bigint NOT NULL DEFAULT 0,
	disk_total_bytes bigint NOT NULL DEFAULT 0,
	calls      integer NOT NULL DEFAULT 0,
	facts_waiting      bigint NOT NULL DEFAULT 0,
	recordings_waiting bigint NOT NULL DEFAULT 0,
	config_version     bigint NOT NULL DEFAULT 0,
	clock_offset_us    bigint NOT NULL DEFAULT 0,
	-- [{"trunk_id", "reachable", "last_call_at", "calls"}]
	trunks     jsonb NOT NULL DEFAULT '[]',
	PRIMARY KEY (tenant_id, site_id, name),
	FOREIGN KEY (tenant_id, site_id) REFERENCES sites (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX nodes_by_site ON nodes (site_id);
SELECT trunkline_tenant_table('nodes');
CREATE POLICY hosted ON nodes FOR SELECT TO trunkline_app USING (tenant_id = 0
	AND EXISTS (SELECT FROM site_tenants t WHERE t.site_id = nodes.site_id AND t.ended_at IS NULL));

-- A token lets one node join, once; only its hash is kept.
CREATE TABLE join_tokens (
	tenant_id  bigint NOT NULL,
	hash       bytea NOT NULL,
	site_id    text NOT NULL,
	created_by text NOT NULL DEFAULT '',
	created_at timestamptz NOT NULL DEFAULT now(),
	expires_at timestamptz NOT NULL,
	spent_at   timestamptz,
	spent_node text,
	-- SHA-256 of the public key it was spent for: the same node may ask again
	-- when the answer was lost.
	spent_key  bytea,
	PRIMARY KEY (tenant_id, hash),
	CONSTRAINT join_tokens_hash UNIQUE (hash),
	FOREIGN KEY (tenant_id, site_id) REFERENCES sites (tenant_id, id) ON DELETE CASCADE,
	CHECK ((spent_at IS NULL) = (spent_node IS NULL) AND (spent_at IS NULL) = (spent_key IS NULL))
);
SELECT trunkline_tenant_table('join_tokens');

-- Progress of joins; the newest few hundred of a site.
CREATE TABLE join_log (
	tenant_id bigint NOT NULL,
	id        text NOT NULL,
	site_id   text NOT NULL,
	at        timestamptz NOT NULL DEFAULT now(),
	node      text NOT NULL,
	step      text NOT NULL,
	message   text NOT NULL DEFAULT '',
	failed    boolean NOT NULL DEFAULT false,
	PRIMARY KEY (tenant_id, id),
	FOREIGN KEY (tenant_id, site_id) REFERENCES sites (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX join_log_by_site ON join_log (tenant_id, site_id, id);
SELECT trunkline_tenant_table('join_log');

-- Calls a site did not take, the newest few hundred of each tenant and site.
-- tenant_id 0: at a hosted site, and for nobody's number.
CREATE TABLE refused_invites (
	tenant_id bigint NOT NULL,
	id        text NOT NULL,
	site_id   text NOT NULL,
	at        timestamptz NOT NULL,
	node      text NOT NULL,
	source    text NOT NULL,
	caller    text NOT NULL DEFAULT '',
	called    text NOT NULL DEFAULT '',
	reason    text NOT NULL,
	status    integer NOT NULL,
	trunk_id  text NOT NULL DEFAULT '',
	PRIMARY KEY (tenant_id, id)
);
CREATE INDEX refused_invites_by_site ON refused_invites (tenant_id, site_id, id);
SELECT trunkline_tenant_table('refused_invites');

-- tenant_id 0 is a platform trunk, shared by the tenants of a hosted site.
CREATE TABLE trunks (
	tenant_id  bigint NOT NULL,
	id         text NOT NULL,
	site_id    text NOT NULL,
	name       text NOT NULL CHECK (name <> ''),
	allowed    text[] NOT NULL CHECK (allowed <> '{}'),
	target     text NOT NULL DEFAULT '',
	transport  text NOT NULL DEFAULT 'udp' CHECK (transport IN ('udp', 'tcp')),
	takeover   text NOT NULL DEFAULT 'any-node' CHECK (takeover IN ('any-node', 'floating-ip')),
	max_calls  integer NOT NULL DEFAULT 0 CHECK (max_calls >= 0),
	created_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant_id, id),
	CONSTRAINT trunks_name UNIQUE (tenant_id, site_id, name)
);
CREATE INDEX trunks_by_site ON trunks (site_id);
SELECT trunkline_tenant_table('trunks');
CREATE POLICY hosted ON trunks FOR SELECT TO trunkline_app USING (tenant_id = 0
	AND EXISTS (SELECT FROM site_tenants t WHERE t.site_id = trunks.site_id AND t.ended_at IS NULL));

-- A number belongs to one tenant of the platform.
CREATE TABLE numbers (
	tenant_id  bigint NOT NULL REFERENCES tenants ON DELETE CASCADE,
	id         text NOT NULL,
	e164       text NOT NULL CHECK (e164 ~ '^\+[1-9][0-9]{1,14}$'),
	flow_id    text NOT NULL DEFAULT '',
	trunk_id   text NOT NULL DEFAULT '',
	-- In order: a caller is taken by the first that can.
	site_ids   text[] NOT NULL DEFAULT '{}',
	-- Given by the platform on its trunk: the tenant may choose the flow alone.
	platform   boolean NOT NULL DEFAULT false,
	created_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant_id, id),
	CONSTRAINT numbers_e164 UNIQUE (e164)
);
SELECT trunkline_tenant_table('numbers');

-- +goose Down
DROP TABLE numbers, trunks, refused_invites, join_log, join_tokens, nodes, site_tenants, sites;
