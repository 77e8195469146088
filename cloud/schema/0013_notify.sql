-- +goose Up
-- Whatever a site's configuration is made of tells the channel trunkline_config
-- when it is committed, whoever wrote it: "tenant:<id>" or "site:<id>". Equal
-- payloads of one transaction are sent once.

-- +goose StatementBegin
CREATE FUNCTION trunkline_config_of_tenant() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_notify('trunkline_config', 'tenant:' || CASE TG_OP WHEN 'DELETE' THEN OLD.tenant_id ELSE NEW.tenant_id END);
	RETURN NULL;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION trunkline_config_of_site() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_notify('trunkline_config', 'site:' || CASE TG_OP WHEN 'DELETE' THEN OLD.site_id ELSE NEW.site_id END);
	RETURN NULL;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION trunkline_config_of_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_notify('trunkline_config', 'tenant:' || m.tenant_id) FROM memberships m WHERE m.account_id = NEW.id;
	RETURN NULL;
END $$;
-- +goose StatementEnd

CREATE TRIGGER config AFTER INSERT OR UPDATE OR DELETE ON site_tenants FOR EACH ROW EXECUTE FUNCTION trunkline_config_of_site();
CREATE TRIGGER config AFTER INSERT OR DELETE OR UPDATE OF node_addr, web_url ON nodes FOR EACH ROW EXECUTE FUNCTION trunkline_config_of_site();
CREATE TRIGGER config AFTER INSERT OR UPDATE OR DELETE ON trunks FOR EACH ROW EXECUTE FUNCTION trunkline_config_of_site();
CREATE TRIGGER config AFTER INSERT OR UPDATE OR DELETE ON numbers FOR EACH ROW EXECUTE FUNCTION trunkline_config_of_tenant();
CREATE TRIGGER config AFTER INSERT OR UPDATE OR DELETE ON queues FOR EACH ROW EXECUTE FUNCTION trunkline_config_of_tenant();
CREATE TRIGGER config AFTER INSERT OR UPDATE OR DELETE ON queue_members FOR EACH ROW EXECUTE FUNCTION trunkline_config_of_tenant();
CREATE TRIGGER config AFTER INSERT OR UPDATE OR DELETE ON flows FOR EACH ROW EXECUTE FUNCTION trunkline_config_of_tenant();
CREATE TRIGGER config AFTER INSERT OR UPDATE OR DELETE ON prompts FOR EACH ROW EXECUTE FUNCTION trunkline_config_of_tenant();
CREATE TRIGGER config AFTER INSERT OR UPDATE OR DELETE ON settings FOR EACH ROW EXECUTE FUNCTION trunkline_config_of_tenant();
CREATE TRIGGER config AFTER INSERT OR UPDATE OR DELETE ON tenant_keys FOR EACH ROW EXECUTE FUNCTION trunkline_config_of_tenant();
CREATE TRIGGER config AFTER INSERT OR DELETE OR UPDATE OF roles, disabled, revoked_before ON memberships FOR EACH ROW EXECUTE FUNCTION trunkline_config_of_tenant();
CREATE TRIGGER config AFTER UPDATE OF name, slug, language, time_zone, suspend_at, delete_at ON tenants FOR EACH ROW EXECUTE FUNCTION trunkline_config_of_tenant();
CREATE TRIGGER config AFTER UPDATE OF display_name, email ON accounts FOR EACH ROW EXECUTE FUNCTION trunkline_config_of_account();

-- +goose Down
DROP TRIGGER config ON accounts;
DROP TRIGGER config ON tenants;
DROP TRIGGER config ON memberships;
DROP TRIGGER config ON tenant_keys;
DROP TRIGGER config ON settings;
DROP TRIGGER config ON prompts;
DROP TRIGGER config ON flows;
DROP TRIGGER config ON queue_members;
DROP TRIGGER config ON queues;
DROP TRIGGER config ON numbers;
DROP TRIGGER config ON trunks;
DROP TRIGGER config ON nodes;
DROP TRIGGER config ON site_tenants;
DROP FUNCTION trunkline_config_of_account(), trunkline_config_of_site(), trunkline_config_of_tenant();
