import type { MessageDescriptor } from '@lingui/core'
import { msg } from '@lingui/core/macro'
import { useLingui } from '@lingui/react/macro'
import type { Site, SiteNode } from '@/api/gen/trunkline/cloud/v1/sites_pb'
import { nodeStatusLook, Row, StatusBadge, siteStatusLook } from '@/ui'
import { doesNotRecord, NotRecordingBadge, someDoNotRecord } from './recording'

export const nodesUp = (site: Site) => site.nodes.filter(({ status }) => status === 'up').length
export const versionsOf = (site: Site) => [...new Set(site.nodes.map(({ version }) => version).filter(Boolean))].sort().join(', ')

export function SiteStatus({ site }: { site: Site }) {
  const { i18n } = useLingui()
  const { tone, icon, word } = siteStatusLook(site.status)
  return (
    <Row>
      <StatusBadge tone={tone} icon={icon}>
        {i18n._(word)}
      </StatusBadge>
      {someDoNotRecord(site) && <NotRecordingBadge />}
    </Row>
  )
}

export function NodeStatus({ node }: { node: SiteNode }) {
  const { i18n } = useLingui()
  const { tone, icon, word } = nodeStatusLook(node.status)
  return (
    <Row>
      <StatusBadge tone={tone} icon={icon}>
        {i18n._(word)}
      </StatusBadge>
      {doesNotRecord(node) && <NotRecordingBadge />}
    </Row>
  )
}

/** Steps of a join, in the order a node takes them. */
export const joinSteps: Record<string, MessageDescriptor> = {
  dns: msg`Name of the cloud`,
  cloud: msg`Reaching the cloud`,
  clock: msg`Clock`,
  ca: msg`Cloud's certificate`,
  ports: msg`Ports`,
  certificate: msg`Own certificate`,
  saved: msg`Saved`,
  started: msg`Started`,
  voter: msg`Part of the group`,
  up: msg`Up`,
}

/** Why a site did not take a call, and what helps. */
export const refusals: Record<string, { reason: MessageDescriptor; help: MessageDescriptor }> = {
  address_not_listed: {
    reason: msg`No trunk lists this address`,
    help: msg`Add the carrier's address to a trunk if the call is yours.`,
  },
  unknown_number: { reason: msg`The number belongs to nobody here`, help: msg`Add the number and give it a call flow.` },
  no_common_codec: { reason: msg`No audio format in common`, help: msg`Ask the carrier to offer G.711 (PCMU or PCMA).` },
  overload: { reason: msg`The node was at its limit`, help: msg`Spread calls over more nodes, or add one.` },
  limit: {
    reason: msg`The trunk's or company's limit of calls was reached`,
    help: msg`Raise the limit of the trunk if the machines can carry it.`,
  },
  suspended: { reason: msg`The company is suspended`, help: msg`New calls are taken again once it is resumed.` },
  malformed: { reason: msg`The request could not be read`, help: msg`Not SIP as the standard has it; often a scanner.` },
  other: { reason: msg`Refused`, help: msg`The node's log has the detail.` },
}
