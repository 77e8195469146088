/** The agent's page at a node of the site. */
export { DesktopPage } from './desktop/desktop-page'
