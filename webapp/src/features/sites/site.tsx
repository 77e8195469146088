import { Trans, useLingui } from '@lingui/react/macro'
import { useParams } from '@tanstack/react-router'
import { useStream } from '@/api'
import { type SiteNode, SiteService, type WatchSiteResponse } from '@/api/gen/trunkline/cloud/v1/sites_pb'
import { paths } from '@/app/paths'
import {
  CopyButton,
  EmptyState,
  ErrorState,
  Notice,
  Page,
  Section,
  Skeleton,
  Stack,
  Switcher,
  Table,
  useAddress,
  useNow,
} from '@/ui'
import { JoinSection } from './join'
import { Nodes } from './nodes'
import { doesNotRecord, NotRecording } from './recording'
import { RefusedCalls } from './refused'
import { SiteTrunks } from './trunk-health'
import { SiteStatus } from './words'

/** The cloud sends the whole picture when something changes, and at least every 5 s. */
const SILENCE_MS = 15_000

/** One site, live: nodes, trunks, refused calls, and the log of joining. */
export function SitePage() {
  const { t } = useLingui()
  const { siteId = '' } = useParams({ strict: false }) as { siteId?: string }
  const { latest, connected, receivedAt, error } = useStream(
    SiteService.method.watchSite,
    { id: siteId },
    { silenceMs: SILENCE_MS },
  )
  const [address, setAddress] = useAddress()
  const site = latest?.site
  const back = { to: paths.sites, label: t`Sites` }
  if (!latest || !site) {
    return (
      <Page title={t`Site`} back={back}>
        {error ? <ErrorState error={error} /> : <Skeleton rows={8} />}
      </Page>
    )
  }
  const tab = address.tab ?? (site.nodes.length === 0 && !site.hosted ? 'join' : 'nodes')
  return (
    <Page
      title={site.name}
      why={
        site.hosted
          ? t`The hosted site: nodes run by the platform.`
          : t`Your own nodes. One works; three survive the loss of any one.`
      }
      back={back}
      status={<SiteStatus site={site} />}
      filters={
        <Switcher
          label={t`Show`}
          value={tab}
          onChange={(value) => setAddress({ tab: value })}
          options={[
            { value: 'nodes', label: t`Nodes` },
            { value: 'trunks', label: t`Trunks` },
            { value: 'refused', label: t`Refused calls` },
            ...(site.hosted ? [] : [{ value: 'join', label: t`Join a node` }]),
          ]}
        />
      }
    >
      {!connected && receivedAt !== undefined && <Stale since={receivedAt} />}
      <Tab tab={tab} latest={latest} />
    </Page>
  )
}

function Stale({ since }: { since: number }) {
  const age = Math.round((useNow(1000) - since) / 1000)
  return (
    <Notice tone="warning" title={<Trans>Not live: what you see is {age} s old.</Trans>}>
      <Trans>The connection to the cloud dropped; it is being opened again. Calls at the site go on.</Trans>
    </Notice>
  )
}

function ClockOff({ node }: { node: SiteNode }) {
  const { i18n } = useLingui()
  const name = node.name
  const seconds = new Intl.NumberFormat(i18n.locale, { maximumFractionDigits: 1 }).format(Math.abs(Number(node.clockOffUs)) / 1e6)
  return (
    <Notice
      tone="warning"
      title={
        node.clockOffUs > 0n ? (
          <Trans>
            The clock of {name} is {seconds} s ahead of the other nodes
          </Trans>
        ) : (
          <Trans>
            The clock of {name} is {seconds} s behind the other nodes
          </Trans>
        )
      }
    >
      <Trans>
        It takes calls, but does not lead the site until its clock is right. Turn on time synchronisation on that machine, for
        example with “timedatectl set-ntp true”.
      </Trans>
    </Notice>
  )
}

function Tab({ tab, latest }: { tab: string; latest: WatchSiteResponse }) {
  const { t } = useLingui()
  const { site } = latest
  if (!site) return null
  switch (tab) {
    case 'trunks':
      return <SiteTrunks trunks={latest.trunks} />
    case 'refused':
      return <RefusedCalls refused={latest.refused} />
    case 'join':
      return <JoinSection siteId={site.id} log={latest.joinLog} />
  }
  return (
    <Stack gap="loose">
      {site.nodes.length === 0 ? (
        <EmptyState title={<Trans>No node has joined yet</Trans>}>
          <Trans>Open “Join a node” for the one command to run on your machine.</Trans>
        </EmptyState>
      ) : (
        <>
          {site.nodes
            .filter(({ clockOffUs }) => clockOffUs !== 0n)
            .map((node) => (
              <ClockOff key={node.name} node={node} />
            ))}
          {site.nodes.filter(doesNotRecord).map((node) => (
            <NotRecording key={node.name} node={node} hosted={site.hosted} />
          ))}
          <Nodes nodes={site.nodes} />
        </>
      )}
      {site.agentUrls.length > 0 && (
        <Section
          title={t`Addresses for agents`}
          why={t`Agents open these. Any of them works; the others take over when it is gone.`}
        >
          <Table
            label={t`Addresses for agents`}
            rows={site.agentUrls.map((url) => ({ url, node: site.nodes.find(({ webUrl }) => webUrl === url)?.name ?? '–' }))}
            rowKey={({ url }) => url}
            quiet
            empty={null}
            columns={[
              { id: 'node', header: t`Node`, width: 160, cell: ({ node }) => node },
              { id: 'url', header: t`Address`, cell: ({ url }) => url },
              {
                id: 'copy',
                header: t`Copy`,
                quietHeader: true,
                align: 'end',
                cell: ({ url }) => <CopyButton label={url} value={url} />,
              },
            ]}
          />
        </Section>
      )}
    </Stack>
  )
}
