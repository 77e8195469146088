-- +goose Up
-- Why a node does not record its calls, and since when; empty while it does, or is
-- of a release that does not tell. And how much of that disk is free, in percent.
ALTER TABLE nodes
	ADD COLUMN recording_stopped        text NOT NULL DEFAULT '',
	ADD COLUMN recording_stopped_at     timestamptz,
	ADD COLUMN recording_free_percent   real NOT NULL DEFAULT 0,
	ADD COLUMN recording_needed_percent real NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE nodes DROP COLUMN recording_stopped, DROP COLUMN recording_stopped_at,
	DROP COLUMN recording_free_percent, DROP COLUMN recording_needed_percent;
