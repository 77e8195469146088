/**
 * From sign-up to the first call. Puts together pieces of sites, members and routing, which is why it alone may import other
 * features.
 */
export { SetupPage } from './setup'
