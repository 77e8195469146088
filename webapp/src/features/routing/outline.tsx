import { useLingui } from '@lingui/react/macro'
import { IconDialpad, IconPhoneOff, IconUserOff, IconUsersGroup, IconVolume } from '@tabler/icons-react'
import type { ReactNode } from 'react'
import type { Queue } from '@/api/gen/trunkline/cloud/v1/routing_pb'
import { Outline, type OutlineItem } from '@/ui'
import type { FlowDocument } from './document'
import { promptLabel } from './words'

/** A flow in words, as a tree: each branch once, then a reference. */
export function FlowOutline({ document, queues }: { document: FlowDocument; queues: Queue[] }) {
  const { t, i18n } = useLingui()
  const seen = new Set<string>()
  const endings = new Set<string>()
  const say = (prompt = '') => promptLabel(i18n, prompt)
  const walk = (id: string): OutlineItem[] => {
    const node = document.nodes[id]
    if (!node) return []
    const again = seen.has(id) && node.type !== 'hangup'
    seen.add(id)
    const item = (icon: OutlineItem['icon'], text: ReactNode, children: OutlineItem['children'] = []): OutlineItem => ({
      key: id,
      icon,
      text,
      children,
    })
    if (node.type === 'queue') {
      // Queues mostly end alike: said once, below all of them.
      if (node.next) endings.add(node.next)
      const name = queues.find((queue) => queue.id === node.queue_id)?.name ?? t`an unknown queue`
      return [item(IconUsersGroup, t`Wait in “${name}” for an agent`)]
    }
    const after = again ? [] : walk(node.next ?? '')
    switch (node.type) {
      case 'play':
        return [item(IconVolume, t`Say “${say(node.prompt)}”`), ...after]
      case 'menu': {
        const choices = Object.entries(node.options ?? {}).map(([digit, option]) => ({
          key: `${id}/${digit}`,
          mark: digit,
          text: option.label,
          children: again ? [] : walk(option.next),
        }))
        return [
          item(IconDialpad, t`Say “${say(node.prompt)}” and ask for a key`, [
            ...choices,
            { key: `${id}/-`, mark: '–', text: t`Nothing pressed`, children: after },
          ]),
        ]
      }
      default:
        return [item(IconPhoneOff, t`Hang up`)]
    }
  }
  const items = walk(document.start)
  for (const ending of endings) {
    const children = walk(ending)
    items.push({ key: `ending/${ending}`, icon: IconUserOff, text: t`When nobody can answer`, children })
  }
  return <Outline label={t`Call flow`} items={items} />
}
