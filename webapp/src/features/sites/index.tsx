/** Sites with their nodes, trunks and numbers. */
export { NumbersPage } from './numbers'
export { SitePage } from './site'
export { SitesPage } from './sites'
