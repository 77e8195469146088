-- +goose Up
-- "lost": the site lost the caller who waited. Such visits were "abandoned" so far,
-- which means that the caller hung up. The release before this one goes on to write
-- them so until it is gone; a rebuild of the reports puts those right.
ALTER TABLE queue_visits DROP CONSTRAINT queue_visits_outcome_check;
ALTER TABLE queue_visits ADD CONSTRAINT queue_visits_outcome_check
	CHECK (outcome IN ('answered', 'abandoned', 'max_wait', 'flow', 'direct', 'lost'));
SET LOCAL ROLE trunkline_platform; -- all tenants' rows, whoever migrates
UPDATE queue_visits v SET outcome = 'lost' FROM calls c
	WHERE c.tenant_id = v.tenant_id AND c.id = v.call_id AND c.ended_by = 'lost' AND v.outcome = 'abandoned';
RESET ROLE;

-- +goose Down
SET LOCAL ROLE trunkline_platform;
UPDATE queue_visits SET outcome = 'abandoned' WHERE outcome = 'lost';
RESET ROLE;
ALTER TABLE queue_visits DROP CONSTRAINT queue_visits_outcome_check;
ALTER TABLE queue_visits ADD CONSTRAINT queue_visits_outcome_check
	CHECK (outcome IN ('answered', 'abandoned', 'max_wait', 'flow', 'direct'));
