-- +goose Up
-- A call that moved to another node has a recording of several parts: each names
-- the chain of the one before, where it began. And a recording may be announced
-- twice, by its owner and by the node that has a copy, which may be shorter: the
-- file has to fit one of the two.
ALTER TABLE recordings
	ADD COLUMN prev_chain bytea,
	ADD COLUMN chains     bytea[] NOT NULL DEFAULT '{}'; -- of all manifests that came

-- +goose Down
ALTER TABLE recordings DROP COLUMN prev_chain, DROP COLUMN chains;
