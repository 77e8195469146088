-- +goose Up
CREATE TABLE queues (
	tenant_id  bigint NOT NULL REFERENCES tenants ON DELETE CASCADE,
	id         text NOT NULL,
	name       text NOT NULL CHECK (name <> ''),
	offer_timeout_s  integer NOT NULL DEFAULT 20 CHECK (offer_timeout_s BETWEEN 5 AND 120),
	wrap_up_s        integer NOT NULL DEFAULT 30 CHECK (wrap_up_s BETWEEN 0 AND 3600),
	max_wait_s       integer NOT NULL DEFAULT 600 CHECK (max_wait_s BETWEEN 0 AND 86400),
	max_waiting      integer NOT NULL DEFAULT 100 CHECK (max_waiting BETWEEN 0 AND 100000),
	position_every_s integer NOT NULL DEFAULT 60 CHECK (position_every_s BETWEEN 0 AND 600),
	music      text NOT NULL DEFAULT 'music',
	priority   integer NOT NULL DEFAULT 0,
	created_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant_id, id),
	CONSTRAINT queues_name UNIQUE (tenant_id, name)
);
SELECT trunkline_tenant_table('queues');

-- Who serves a queue. A member without any row serves all of them.
CREATE TABLE queue_members (
	tenant_id     bigint NOT NULL,
	membership_id text NOT NULL,
	queue_id      text NOT NULL,
	PRIMARY KEY (tenant_id, membership_id, queue_id),
	FOREIGN KEY (tenant_id, membership_id) REFERENCES memberships (tenant_id, id) ON DELETE CASCADE,
	FOREIGN KEY (tenant_id, queue_id) REFERENCES queues (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX queue_members_by_queue ON queue_members (tenant_id, queue_id);
SELECT trunkline_tenant_table('queue_members');

CREATE TABLE flows (
	tenant_id  bigint NOT NULL REFERENCES tenants ON DELETE CASCADE,
	id         text NOT NULL,
	name       text NOT NULL CHECK (name <> ''),
	published  integer NOT NULL CHECK (published > 0),
	created_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant_id, id),
	CONSTRAINT flows_name UNIQUE (tenant_id, name)
);
SELECT trunkline_tenant_table('flows');

-- Versions are added, never changed: a call names the one it ran on.
CREATE TABLE flow_versions (
	tenant_id  bigint NOT NULL,
	flow_id    text NOT NULL,
	version    integer NOT NULL CHECK (version > 0),
	document   text NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	created_by text NOT NULL DEFAULT '', -- account id; '' = made with the tenant
	author     text NOT NULL DEFAULT '', -- their name then
	PRIMARY KEY (tenant_id, flow_id, version),
	FOREIGN KEY (tenant_id, flow_id) REFERENCES flows (tenant_id, id) ON DELETE CASCADE
);
SELECT trunkline_tenant_table('flow_versions');
REVOKE UPDATE ON flow_versions FROM trunkline_app, trunkline_platform;

-- Audio as 8 kHz mono u-law, by its SHA-256 (hex).
CREATE TABLE prompt_blobs (
	tenant_id  bigint NOT NULL REFERENCES tenants ON DELETE CASCADE,
	hash       text NOT NULL,
	data       bytea NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant_id, hash)
);
SELECT trunkline_tenant_table('prompt_blobs');

-- Prompts of the tenant's own, in place of the included one of that name.
CREATE TABLE prompts (
	tenant_id   bigint NOT NULL,
	name        text NOT NULL CHECK (name ~ '^[a-z0-9_]{1,60}$'),
	language    text NOT NULL CHECK (language IN ('en', 'zh-Hans')),
	hash        text NOT NULL,
	duration_ms integer NOT NULL,
	uploaded_at timestamptz NOT NULL DEFAULT now(),
	uploaded_by text NOT NULL,
	PRIMARY KEY (tenant_id, name, language),
	FOREIGN KEY (tenant_id, hash) REFERENCES prompt_blobs (tenant_id, hash)
);
CREATE INDEX prompts_by_hash ON prompts (tenant_id, hash);
SELECT trunkline_tenant_table('prompts');

CREATE TABLE settings (
	tenant_id bigint PRIMARY KEY REFERENCES tenants ON DELETE CASCADE,
	short_abandon_s integer NOT NULL DEFAULT 5 CHECK (short_abandon_s BETWEEN 0 AND 60),
	service_level_s integer NOT NULL DEFAULT 20 CHECK (service_level_s BETWEEN 1 AND 600),
	service_level_target_pct integer NOT NULL DEFAULT 80 CHECK (service_level_target_pct BETWEEN 1 AND 100),
	max_calls       integer NOT NULL DEFAULT 100 CHECK (max_calls > 0), -- at one site, set by the platform
	wrap_up_codes   jsonb NOT NULL DEFAULT '[]', -- [{"id", "name"}]
	break_reasons   jsonb NOT NULL DEFAULT '[]'
);
SELECT trunkline_tenant_table('settings');

CREATE TABLE onboarding (
	tenant_id bigint NOT NULL REFERENCES tenants ON DELETE CASCADE,
	step      text NOT NULL CHECK (step IN ('site', 'trunk', 'agents', 'routing', 'test_call')),
	status    text NOT NULL CHECK (status IN ('done', 'skipped')),
	at        timestamptz NOT NULL DEFAULT now(),
	by        text NOT NULL DEFAULT '',
	PRIMARY KEY (tenant_id, step)
);
SELECT trunkline_tenant_table('onboarding');

-- +goose Down
DROP TABLE onboarding, settings, prompts, prompt_blobs, flow_versions, flows, queue_members, queues;
