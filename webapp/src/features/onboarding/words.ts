import type { MessageDescriptor } from '@lingui/core'
import { msg } from '@lingui/core/macro'

/** By ChecklistStep.id. */
export const stepWords: Record<string, { title: MessageDescriptor; why: MessageDescriptor }> = {
  site: {
    title: msg`A site for your calls`,
    why: msg`Calls arrive at a site and stay there. Start on ours, or join machines of your own; you can have both.`,
  },
  trunk: {
    title: msg`Trunk and number`,
    why: msg`The line to your carrier. Not needed for the test call: that comes from your browser.`,
  },
  agents: { title: msg`People who answer`, why: msg`Invite agents and supervisors. You may answer calls yourself, too.` },
  routing: {
    title: msg`Greeting and queue`,
    why: msg`What callers hear and where they wait. It works as it is; change what you like.`,
  },
  test_call: {
    title: msg`Call yourself`,
    why: msg`Your browser calls your contact center, through the same path a customer takes.`,
  },
}
