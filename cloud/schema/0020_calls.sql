-- +goose Up
-- One row for each call, made from its facts.
CREATE TABLE calls (
	tenant_id    bigint NOT NULL REFERENCES tenants ON DELETE CASCADE,
	id           text NOT NULL,
	site_id      text NOT NULL,
	node         text NOT NULL,
	direction    text NOT NULL,
	trunk_id     text NOT NULL,
	caller       text NOT NULL,
	called       text NOT NULL,
	started_at   timestamptz NOT NULL,
	answered_at  timestamptz,
	ended_at     timestamptz NOT NULL,
	ended_by     text NOT NULL,
	end_reason   text NOT NULL,
	outcome      text NOT NULL CHECK (outcome IN ('answered', 'abandoned', 'max_wait', 'self_service', 'failed')),
	queue_id     text NOT NULL, -- of the last visit; '' = none
	agent_id     text NOT NULL, -- of the last talk; '' = none
	wait_ms      bigint NOT NULL,
	talk_ms      bigint NOT NULL,
	hold_ms      bigint NOT NULL,
	wrap_up_ms   bigint NOT NULL DEFAULT 0,
	wrap_up_code text NOT NULL DEFAULT '',
	wrap_up_note text NOT NULL DEFAULT '',
	test         boolean NOT NULL,
	record       bytea NOT NULL, -- edge.v1.CallRecord
	PRIMARY KEY (tenant_id, id)
);
CREATE INDEX calls_by_time ON calls (tenant_id, started_at DESC, id DESC);
SELECT trunkline_tenant_table('calls');

-- Each stay of a call in a queue: what queue reports count.
CREATE TABLE queue_visits (
	tenant_id   bigint NOT NULL REFERENCES tenants ON DELETE CASCADE,
	call_id     text NOT NULL,
	n           integer NOT NULL,
	site_id     text NOT NULL,
	queue_id    text NOT NULL,
	enqueued_at timestamptz NOT NULL,
	outcome     text NOT NULL CHECK (outcome IN ('answered', 'abandoned', 'max_wait', 'flow')),
	wait_ms     bigint NOT NULL,
	agent_id    text NOT NULL,
	handle_ms   bigint NOT NULL, -- talk and hold
	wrap_up_ms  bigint NOT NULL DEFAULT 0,
	PRIMARY KEY (tenant_id, call_id, n)
);
CREATE INDEX queue_visits_by_time ON queue_visits (tenant_id, enqueued_at);
SELECT trunkline_tenant_table('queue_visits');

CREATE TABLE agent_intervals (
	tenant_id  bigint NOT NULL REFERENCES tenants ON DELETE CASCADE,
	agent_id   text NOT NULL,
	started_at timestamptz NOT NULL,
	site_id    text NOT NULL,
	ended_at   timestamptz NOT NULL,
	state      text NOT NULL,
	reason     text NOT NULL,
	call_id    text NOT NULL,
	PRIMARY KEY (tenant_id, agent_id, started_at, site_id)
);
SELECT trunkline_tenant_table('agent_intervals');

-- Recordings: announced by their manifest, uploaded apart, in any order.
CREATE TABLE recordings (
	tenant_id  bigint NOT NULL REFERENCES tenants ON DELETE CASCADE,
	id         text NOT NULL,
	call_id    text NOT NULL,
	site_id    text NOT NULL,
	segment    integer NOT NULL DEFAULT 0,
	started_at timestamptz,
	ended_at   timestamptz,
	bytes      bigint NOT NULL DEFAULT 0,
	chunks     integer NOT NULL DEFAULT 0,
	chain      bytea,          -- from the manifest; NULL until it came
	file_chain bytea,          -- of the file; NULL until it is whole
	key_id     text NOT NULL DEFAULT '',
	received   bigint NOT NULL DEFAULT 0,
	status     text NOT NULL CHECK (status IN ('expected', 'uploading', 'stored', 'damaged')),
	PRIMARY KEY (tenant_id, id)
);
CREATE INDEX recordings_by_call ON recordings (tenant_id, call_id, segment);
SELECT trunkline_tenant_table('recordings');

-- +goose Down
DROP TABLE recordings, agent_intervals, queue_visits, calls;
