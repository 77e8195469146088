-- +goose Up
CREATE TABLE account_secrets (
	account_id    text PRIMARY KEY REFERENCES accounts ON DELETE CASCADE,
	password_hash text NOT NULL,                     -- argon2id, PHC string
	totp_secret   bytea,                             -- sealed with the data directory's key
	totp_confirmed_at timestamptz,
	totp_last_step bigint NOT NULL DEFAULT 0,        -- a code works once
	changed_at    timestamptz NOT NULL DEFAULT now()
);
SELECT trunkline_platform_table('account_secrets');

CREATE TABLE recovery_codes (
	account_id text NOT NULL REFERENCES accounts ON DELETE CASCADE,
	code_hash  bytea NOT NULL,
	used_at    timestamptz,
	PRIMARY KEY (account_id, code_hash)
);
SELECT trunkline_platform_table('recovery_codes');

CREATE TABLE passkeys (
	id            text PRIMARY KEY,
	account_id    text NOT NULL REFERENCES accounts ON DELETE CASCADE,
	name          text NOT NULL DEFAULT '',
	credential_id bytea NOT NULL UNIQUE,
	credential    jsonb NOT NULL,                    -- webauthn.Credential: public key, flags, counter
	created_at    timestamptz NOT NULL DEFAULT now(),
	last_used_at  timestamptz
);
CREATE INDEX passkeys_by_account ON passkeys (account_id);
SELECT trunkline_platform_table('passkeys');

-- A session is one chain of refresh cookies. Cookie number n is a MAC over the
-- session and n, so none is stored: generation is the cookie valid now, the one
-- before it is good for a moment more (two tabs, a lost answer), and any older
-- one ends the session, for somebody has stolen it.
CREATE TABLE sessions (
	id              text PRIMARY KEY,
	account_id      text NOT NULL REFERENCES accounts ON DELETE CASCADE,
	tenant_id       bigint NOT NULL DEFAULT 0,       -- of the last access token
	generation      bigint NOT NULL DEFAULT 0,
	rotated_at      timestamptz NOT NULL DEFAULT now(),
	acting_tenant   bigint,
	acting_reason   text,
	acting_until    timestamptz,
	ip              text NOT NULL DEFAULT '',
	user_agent      text NOT NULL DEFAULT '',
	created_at      timestamptz NOT NULL DEFAULT now(),
	expires_at      timestamptz NOT NULL,
	ended_at        timestamptz,
	ended_why       text
);
CREATE INDEX sessions_by_account ON sessions (account_id) WHERE ended_at IS NULL;
CREATE INDEX sessions_by_end ON sessions (expires_at);
SELECT trunkline_platform_table('sessions');

-- Access tokens made before "at" no longer hold, though they have not run out.
-- key is "session:<id>", "membership:<id>", "account:<id>" or "tenant:<id>". Rows
-- live as long as such a token could.
CREATE TABLE revocations (
	key text PRIMARY KEY,
	at  timestamptz NOT NULL DEFAULT now()
);
SELECT trunkline_platform_table('revocations');

-- What was promised to whoever holds a secret sent by mail or a half-finished
-- sign-in: used once, for a short while.
CREATE TABLE promises (
	id         text PRIMARY KEY,
	kind       text NOT NULL CHECK (kind IN ('sign_up', 'reset', 'email', 'second_factor', 'passkey_enrol', 'passkey_sign_in')),
	secret_hash bytea NOT NULL,
	code_hash  bytea,                                -- six digits, with email only
	email      text NOT NULL DEFAULT '',
	account_id text REFERENCES accounts ON DELETE CASCADE,
	body       jsonb NOT NULL DEFAULT '{}',
	tries      integer NOT NULL DEFAULT 0,
	created_at timestamptz NOT NULL DEFAULT now(),
	expires_at timestamptz NOT NULL,
	used_at    timestamptz
);
CREATE UNIQUE INDEX promises_secret ON promises (secret_hash);
CREATE INDEX promises_by_email ON promises (kind, email) WHERE used_at IS NULL;
CREATE INDEX promises_by_end ON promises (expires_at);
SELECT trunkline_platform_table('promises');

-- Keys that sign access tokens and secrets of the platform, sealed with the key
-- in the data directory, so that replicas share them and a dump does not.
CREATE TABLE token_keys (
	kid        text PRIMARY KEY,
	public_key bytea NOT NULL,
	sealed_key bytea NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	retired_at timestamptz
);
SELECT trunkline_platform_table('token_keys');

CREATE TABLE platform_secrets (
	name       text PRIMARY KEY,
	sealed     bytea NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now()
);
SELECT trunkline_platform_table('platform_secrets');

-- Token buckets shared by all replicas; key is "<what>:<whom>".
CREATE TABLE rate_limits (
	key    text PRIMARY KEY,
	tokens double precision NOT NULL,
	allowed boolean NOT NULL DEFAULT true,           -- whether the last request was
	at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX rate_limits_by_age ON rate_limits (at);
SELECT trunkline_platform_table('rate_limits');

-- Mail waits here in the transaction that caused it, and is sent afterwards.
CREATE TABLE mail_outbox (
	id         text PRIMARY KEY,
	recipient  text NOT NULL,
	subject    text NOT NULL,
	body       text NOT NULL,
	language   text NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	next_at    timestamptz NOT NULL DEFAULT now(),
	attempts   integer NOT NULL DEFAULT 0,
	error      text,
	sent_at    timestamptz
);
CREATE INDEX mail_outbox_due ON mail_outbox (next_at) WHERE sent_at IS NULL;
SELECT trunkline_platform_table('mail_outbox');

-- +goose Down
DROP TABLE mail_outbox, rate_limits, platform_secrets, token_keys, promises, revocations, sessions, passkeys, recovery_codes, account_secrets;
