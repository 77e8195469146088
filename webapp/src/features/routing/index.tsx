/** What happens to a call: queues, the flow before them, what callers hear, and the codes of the floor. */
export { FlowPage } from './flow'
export { PromptsPage } from './prompts'
export { QueuesPage } from './queues'
export { SettingsPage } from './settings'
