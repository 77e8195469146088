-- +goose Up
-- Who did what. tenant_id 0 is the platform itself. Rows are added, never
-- changed: the programs have no right to.
CREATE TABLE audit (
	tenant_id bigint NOT NULL,
	id        text NOT NULL,
	at        timestamptz NOT NULL DEFAULT now(),
	actor     text NOT NULL,          -- account id, "acting:<e-mail>", "node:<site>/<name>", "system"
	action    text NOT NULL,          -- e.g. "member.invited"
	subject   text NOT NULL DEFAULT '',
	reason    text NOT NULL DEFAULT '',
	ip        text NOT NULL DEFAULT '',
	details   jsonb NOT NULL DEFAULT '{}',
	PRIMARY KEY (tenant_id, id)
);
CREATE INDEX audit_by_id ON audit (id); -- ids sort by time
SELECT trunkline_tenant_table('audit');
REVOKE UPDATE, DELETE ON audit FROM trunkline_app;
REVOKE UPDATE ON audit FROM trunkline_platform; -- DELETE stays, for a tenant removed for good

-- +goose Down
DROP TABLE audit;
