-- +goose Up
-- "direct": a colleague passed the caller on to this agent, outside the queue. Only
-- its handling time counts.
ALTER TABLE queue_visits DROP CONSTRAINT queue_visits_outcome_check;
ALTER TABLE queue_visits ADD CONSTRAINT queue_visits_outcome_check
	CHECK (outcome IN ('answered', 'abandoned', 'max_wait', 'flow', 'direct'));

-- What each agent of a call wrote up; calls.wrap_up_* sum up and show the last talk's.
CREATE TABLE call_wrap_ups (
	tenant_id  bigint NOT NULL REFERENCES tenants ON DELETE CASCADE,
	call_id    text NOT NULL,
	agent_id   text NOT NULL,
	started_at timestamptz NOT NULL,
	ended_at   timestamptz NOT NULL,
	code       text NOT NULL,
	note       text NOT NULL,
	PRIMARY KEY (tenant_id, call_id, agent_id, started_at)
);
INSERT INTO call_wrap_ups
	SELECT tenant_id, id, agent_id, ended_at, ended_at + wrap_up_ms * interval '1 ms', wrap_up_code, wrap_up_note
	FROM calls WHERE wrap_up_ms > 0 OR wrap_up_code <> '' OR wrap_up_note <> '';
SELECT trunkline_tenant_table('call_wrap_ups');

-- +goose Down
DROP TABLE call_wrap_ups;
DELETE FROM queue_visits WHERE outcome = 'direct';
ALTER TABLE queue_visits DROP CONSTRAINT queue_visits_outcome_check;
ALTER TABLE queue_visits ADD CONSTRAINT queue_visits_outcome_check
	CHECK (outcome IN ('answered', 'abandoned', 'max_wait', 'flow'));
