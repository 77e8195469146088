-- +goose Up
-- What a tenant may call outside: nothing, until somebody says so. Each site counts
-- calls for itself.
ALTER TABLE settings
	ADD COLUMN dial_enabled      boolean NOT NULL DEFAULT false,
	ADD COLUMN dial_prefixes     text[] NOT NULL DEFAULT '{}', -- "+49": beginnings of numbers that may be called
	ADD COLUMN dial_max_calls    integer NOT NULL DEFAULT 5 CHECK (dial_max_calls BETWEEN 1 AND 1000),
	ADD COLUMN dial_shared_calls integer NOT NULL DEFAULT 0 CHECK (dial_shared_calls >= 0); -- over the platform's trunks, set by the platform

-- +goose Down
ALTER TABLE settings DROP COLUMN dial_enabled, DROP COLUMN dial_prefixes, DROP COLUMN dial_max_calls, DROP COLUMN dial_shared_calls;
