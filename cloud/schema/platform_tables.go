package schema

// PlatformTables are the tables that hold no tenant's rows, each with the reason
// why it may. The store test fails for any other table without tenant_id first
// in its key, forced row-level security and the tenant policy.
var PlatformTables = map[string]string{
	"goose_db_version": "the migration runner's own list",
	"accounts":         "a person may be a member of several tenants; tenants see their members' rows by policy",
	"account_secrets":  "belongs to a person, not to a tenant; no tenant's query reaches it",
	"recovery_codes":   "belongs to a person",
	"passkeys":         "belongs to a person",
	"sessions":         "belongs to a person, who may switch tenants within it",
	"revocations":      "names sessions, members and tenants for minutes, to refuse their tokens",
	"promises":         "before sign-up is confirmed there is no tenant; the rest belongs to a person",
	"token_keys":       "the platform signs tokens for all tenants with them",
	"platform_secrets": "the platform's own keys, such as the internal CA's",
	"rate_limits":      "counts by address and account before anybody is known",
	"mail_outbox":      "mail to persons, some of them not yet members of anything",
	"inbox_counters":   "a number for each site, which says nothing of any tenant",

	"river.river_job":          "what the platform has to do, for many tenants or for none; no tenant's query reaches it",
	"river.river_leader":       "which replica of the cloud leads the job runner",
	"river.river_migration":    "the job runner's own list",
	"river.river_notification": "the job runner's own; unused on PostgreSQL",
	"river.river_queue":        "the job runner's queues, which are the platform's",
}
