import { Trans, useLingui } from '@lingui/react/macro'
import { IconPlayerRecord } from '@tabler/icons-react'
import { at } from '@/api'
import type { Site, SiteNode } from '@/api/gen/trunkline/cloud/v1/sites_pb'
import { ExactTime, Notice, StatusBadge } from '@/ui'

/** Up, and makes no recording of its calls. Of a node that is down nothing is known. */
export const doesNotRecord = (node: SiteNode) => node.status === 'up' && node.recordingStopped !== ''

export const someDoNotRecord = (site: Site) => site.nodes.some(doesNotRecord)

export function NotRecordingBadge() {
  return (
    <StatusBadge tone="breach" icon={IconPlayerRecord}>
      <Trans>Not recording</Trans>
    </StatusBadge>
  )
}

/** Since when and why a node does not record, and what helps; for a node of the platform, what it means. */
export function NotRecording({ node, hosted }: { node: SiteNode; hosted: boolean }) {
  const { t } = useLingui()
  const name = node.name
  const since = <ExactTime at={at(node.recordingStoppedAt)} />
  return (
    <Notice tone="breach" title={t`${name} does not record its calls`}>
      <Trans>Since {since}. Calls there go on, without a recording.</Trans> <Why node={node} hosted={hosted} />
    </Notice>
  )
}

function Why({ node, hosted }: { node: SiteNode; hosted: boolean }) {
  const { i18n } = useLingui()
  // Rounded down: 19.96 is less than 20.
  const percent = new Intl.NumberFormat(i18n.locale, { maximumFractionDigits: 1, roundingMode: 'floor' })
  const free = percent.format(node.recordingFreePercent)
  const needed = percent.format(node.recordingNeededPercent)
  if (hosted) return <Trans>The platform’s people see this too. It records again by itself once they have put it right.</Trans>
  if (node.recordingStopped === 'disk_full') {
    return (
      <Trans>
        {free} % of the disk for recordings is free, and {needed} % must be. Free some space on that machine; what waits to be
        uploaded lies there too, so look at its connection to the cloud. It records again by itself once there is room.
      </Trans>
    )
  }
  return (
    <Trans>
      Its disk does not take what is written. Look at the disk, at who owns the node’s directory, and at the node’s log. It records
      again by itself once a write works.
    </Trans>
  )
}
