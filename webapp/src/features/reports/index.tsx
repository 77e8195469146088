/** Reports from the event log. */
export { ReportsPage } from './queues'
