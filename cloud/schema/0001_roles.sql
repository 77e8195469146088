-- +goose Up
-- Four roles. Nobody logs in as the owner; the programs log in as trunkline,
-- which owns nothing and may become trunkline_app (one tenant at a time) or
-- trunkline_platform (all tenants, for named reasons).

-- +goose StatementBegin
DO $$
DECLARE
	name text;
BEGIN
	FOREACH name IN ARRAY ARRAY['trunkline_owner', 'trunkline_app', 'trunkline_platform'] LOOP
		IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
			EXECUTE format('CREATE ROLE %I NOLOGIN NOBYPASSRLS', name);
		END IF;
	END LOOP;
	IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'trunkline') THEN
		CREATE ROLE trunkline LOGIN NOINHERIT NOBYPASSRLS;
	END IF;
	GRANT trunkline_app, trunkline_platform TO trunkline;
	-- The migrating role hands tables to the owner, and may run the programs too.
	IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
		EXECUTE format('GRANT trunkline_owner, trunkline_app, trunkline_platform TO %I', current_user);
	END IF;
	GRANT USAGE, CREATE ON SCHEMA public TO trunkline_owner;
	GRANT USAGE ON SCHEMA public TO trunkline_app, trunkline_platform;
END $$;
-- +goose StatementEnd

-- The tenant of this transaction. An ended local setting is '', not NULL.
CREATE FUNCTION trunkline_tenant() RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE
	AS $$ SELECT nullif(current_setting('app.tenant', true), '')::bigint $$;

-- +goose StatementBegin
CREATE FUNCTION trunkline_tenant_table(name regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', name);
	EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', name);
	EXECUTE format('CREATE POLICY tenant ON %s TO trunkline_app
		USING (tenant_id = nullif(current_setting(''app.tenant'', true), '''')::bigint)
		WITH CHECK (tenant_id = nullif(current_setting(''app.tenant'', true), '''')::bigint)', name);
	EXECUTE format('CREATE POLICY platform ON %s TO trunkline_platform USING (true) WITH CHECK (true)', name);
	EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO trunkline_app, trunkline_platform', name);
	EXECUTE format('ALTER TABLE %s OWNER TO trunkline_owner', name);
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION trunkline_platform_table(name regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO trunkline_platform', name);
	EXECUTE format('ALTER TABLE %s OWNER TO trunkline_owner', name);
END $$;
-- +goose StatementEnd

-- +goose Down
SELECT 1;
