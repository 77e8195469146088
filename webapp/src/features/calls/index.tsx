/** Call history: the list of calls and the page of one. */
export { CallPage } from './call'
export { CallsPage } from './list'
