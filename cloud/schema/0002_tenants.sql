-- +goose Up
CREATE TABLE tenants (
	tenant_id    bigint GENERATED ALWAYS AS IDENTITY (START WITH 1001) PRIMARY KEY,
	slug         text NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$'),
	name         text NOT NULL CHECK (name <> ''),
	language     text NOT NULL CHECK (language IN ('en', 'zh-Hans')),
	time_zone    text NOT NULL DEFAULT 'UTC',
	-- When set and passed, the tenant is suspended; when set and ahead, it is about to be.
	suspend_at     timestamptz,
	suspend_reason text,
	-- Whether its people were signed out and its sites told since suspend_at passed.
	suspend_told   boolean NOT NULL DEFAULT false,
	-- When passed, the tenant's data is removed for good.
	delete_at    timestamptz,
	created_at   timestamptz NOT NULL DEFAULT now()
);
SELECT trunkline_tenant_table('tenants');

-- People. Global: one account may be a member of several tenants. What proves
-- identity is kept apart, in account_secrets, where no tenant's query reaches.
CREATE TABLE accounts (
	id             text PRIMARY KEY,
	email          text NOT NULL CHECK (email = lower(email)),
	display_name   text NOT NULL DEFAULT '',
	language       text NOT NULL DEFAULT 'en' CHECK (language IN ('en', 'zh-Hans')),
	time_zone      text NOT NULL DEFAULT 'UTC',
	platform_admin boolean NOT NULL DEFAULT false,
	second_factor  boolean NOT NULL DEFAULT false,
	last_tenant    bigint NOT NULL DEFAULT 0,
	last_seen_at   timestamptz,
	created_at     timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT accounts_email UNIQUE (email)
);

CREATE TABLE memberships (
	tenant_id    bigint NOT NULL REFERENCES tenants ON DELETE CASCADE,
	id           text NOT NULL,
	account_id   text NOT NULL REFERENCES accounts,
	roles        text[] NOT NULL CHECK (roles <> '{}' AND roles <@ ARRAY['owner', 'admin', 'supervisor', 'agent']),
	disabled     boolean NOT NULL DEFAULT false,
	created_at   timestamptz NOT NULL DEFAULT now(),
	last_seen_at timestamptz,
	-- Sessions begun before this are over, at the sites too.
	revoked_before timestamptz,
	PRIMARY KEY (tenant_id, id),
	CONSTRAINT memberships_account UNIQUE (tenant_id, account_id)
);
CREATE INDEX memberships_by_account ON memberships (account_id);
SELECT trunkline_tenant_table('memberships');

-- A tenant sees the accounts of its members, and of them no secrets. Both
-- policies read memberships under the reader's own policy there.
ALTER TABLE accounts ENABLE ROW LEVEL SECURITY;
ALTER TABLE accounts FORCE ROW LEVEL SECURITY;
CREATE POLICY members ON accounts FOR SELECT TO trunkline_app
	USING (EXISTS (SELECT FROM memberships m WHERE m.account_id = accounts.id));
CREATE POLICY platform ON accounts TO trunkline_platform USING (true) WITH CHECK (true);
GRANT SELECT (id, email, display_name, language, time_zone, second_factor, last_seen_at, created_at) ON accounts TO trunkline_app;
SELECT trunkline_platform_table('accounts');

CREATE TABLE invitations (
	tenant_id   bigint NOT NULL REFERENCES tenants ON DELETE CASCADE,
	id          text NOT NULL,
	email       text NOT NULL CHECK (email = lower(email)),
	roles       text[] NOT NULL CHECK (roles <> '{}' AND roles <@ ARRAY['owner', 'admin', 'supervisor', 'agent']),
	queue_ids   text[] NOT NULL DEFAULT '{}',
	token_hash  bytea NOT NULL,
	invited_by  text NOT NULL,
	created_at  timestamptz NOT NULL DEFAULT now(),
	expires_at  timestamptz NOT NULL,
	accepted_at timestamptz,
	revoked_at  timestamptz,
	PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX invitations_token ON invitations (token_hash);
CREATE UNIQUE INDEX invitations_pending ON invitations (tenant_id, email) WHERE accepted_at IS NULL AND revoked_at IS NULL;
SELECT trunkline_tenant_table('invitations');

-- +goose Down
DROP TABLE invitations, memberships, accounts, tenants;
