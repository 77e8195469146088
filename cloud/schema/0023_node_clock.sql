-- +goose Up
-- How far a node's clock is ahead of the majority of its site's, in microseconds;
-- 0 unless that is more than it may be, and the node does not lead.
ALTER TABLE nodes ADD COLUMN clock_off_us bigint NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE nodes DROP COLUMN clock_off_us;
