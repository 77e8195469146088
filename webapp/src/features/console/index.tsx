/** The platform's own staff: tenants, all sites, the audit log. */
export { AuditPage } from './audit'
export { PlatformSitesPage } from './platform-sites'
export { TenantPage } from './tenant'
export { TenantsPage } from './tenants'
