import type { MessageDescriptor } from '@lingui/core'
import { msg } from '@lingui/core/macro'
import { useLingui } from '@lingui/react/macro'

/** Roles in words, with what each may do. */
export const roleWords: Record<string, { name: MessageDescriptor; may: MessageDescriptor }> = {
  owner: { name: msg`Owner`, may: msg`Everything, also deleting the company's data` },
  admin: { name: msg`Administrator`, may: msg`Members, sites, numbers, queues and call flow, and all a supervisor may` },
  supervisor: { name: msg`Supervisor`, may: msg`Wallboard, calls, recordings and reports, and changing an agent's state` },
  agent: { name: msg`Agent`, may: msg`Taking calls` },
}

/** The names of roles, as a sentence would list them. */
export function RoleNames({ roles }: { roles: readonly string[] }) {
  const { i18n } = useLingui()
  const names = roles.map((role) => {
    const words = roleWords[role]
    return words ? i18n._(words.name) : role
  })
  return <>{new Intl.ListFormat(i18n.locale, { type: 'conjunction' }).format(names)}</>
}
