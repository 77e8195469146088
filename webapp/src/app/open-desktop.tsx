import { useQuery } from '@connectrpc/connect-query'
import { Trans, useLingui } from '@lingui/react/macro'
import { Button } from '@mantine/core'
import { IconHeadset, IconServer2 } from '@tabler/icons-react'
import { Link } from '@tanstack/react-router'
import { useEffect, useRef, useState } from 'react'
import { accessToken, may, policyAllows, useMe } from '@/api'
import { type Site, SiteService } from '@/api/gen/trunkline/cloud/v1/sites_pb'
import { EmptyState, Loaded, Notice, Page, Row, Stack, StatusBadge, siteStatusLook } from '@/ui'
import { paths } from './paths'

/**
 * Sends an agent to the desktop at their site's own address, where it works with the cloud dead. The grant goes in the
 * fragment, which no server sees; the node exchanges it once and the page strips it.
 */
export function OpenDesktop() {
  const { t } = useLingui()
  const sites = useQuery(SiteService.method.listSites, { pageSize: 50 }, { refetchInterval: LOOK_MS })
  return (
    <Page title={t`Agent desktop`} why={t`Calls are taken at the address of your site, so they go on when the cloud is away.`}>
      <Loaded query={sites}>{({ sites: all }) => (all.length === 0 ? <NoSite /> : <Choose sites={all} />)}</Loaded>
    </Page>
  )
}

function NoSite() {
  const setup = may(useMe(), 'sites_manage')
  return (
    <EmptyState
      icon={IconServer2}
      title={<Trans>There is no site yet</Trans>}
      action={
        setup && (
          <Button component={Link} to={paths.setup}>
            <Trans>Set up a site</Trans>
          </Button>
        )
      }
    >
      {setup ? (
        <Trans>Use the hosted site or join your own nodes; it takes a few minutes.</Trans>
      ) : (
        <Trans>An administrator of your company has to set it up first.</Trans>
      )}
    </EmptyState>
  )
}

function Choose({ sites }: { sites: Site[] }) {
  const { i18n, t } = useLingui()
  const [opening, setOpening] = useState('')
  const [silent, setSilent] = useState('')
  const usable = sites.filter(({ agentUrls }) => agentUrls.length > 0)
  const open = async (site: Site) => {
    setOpening(site.id)
    setSilent('')
    const url = (await firstAnswering(site.agentUrls)) ?? (await firstUnlisted(site.agentUrls))
    const token = await accessToken()
    if (url && token) return window.location.assign(`${url.replace(/\/+$/, '')}${paths.desktop}#grant=${encodeURIComponent(token)}`)
    setSilent(site.name)
    setOpening('')
  }
  // With one site there is nothing to choose. Once only: coming back with the browser's button must not trap anybody.
  const tried = useRef(false)
  const only = usable.length === 1 && sites.length === 1 ? usable[0] : undefined
  // biome-ignore lint/correctness/useExhaustiveDependencies: runs once the only site is known
  useEffect(() => {
    if (only && !tried.current && window.history.state?.[OPENED] !== true) {
      tried.current = true
      window.history.replaceState({ ...window.history.state, [OPENED]: true }, '')
      void open(only)
    }
  }, [only])
  return (
    <Stack gap="wide">
      {silent && (
        <Notice tone="breach" title={t`No node of ${silent} answers from this computer.`}>
          <Trans>Check that you are in its network and that a firewall lets the site's address through, then try again.</Trans>
        </Notice>
      )}
      {sites.map((site) => {
        const look = siteStatusLook(site.status)
        return (
          <Row key={site.id} gap="wide">
            <Button
              leftSection={<IconHeadset size={16} aria-hidden />}
              loading={opening === site.id}
              disabled={site.agentUrls.length === 0}
              onClick={() => void open(site)}
            >
              <Trans>Open the desktop of {site.name}</Trans>
            </Button>
            <StatusBadge tone={look.tone} icon={look.icon}>
              {i18n._(look.word)}
            </StatusBadge>
          </Row>
        )
      })}
    </Stack>
  )
}

/** An address this page may not ask, as its node joined after the page was loaded; it can be opened all the same. */
async function firstUnlisted(urls: string[]): Promise<string | undefined> {
  for (const url of urls) if (!(await policyAllows(url))) return url
  return undefined
}

/** A site that comes up is noticed within this time; the page is open for moments only. */
const LOOK_MS = 3_000

const OPENED = 'trunklineOpened'

/** The first address that answers at all, in the given order; two seconds each before the next is asked as well. */
export async function firstAnswering(urls: string[], waitMs = 2000): Promise<string | undefined> {
  const stop = new AbortController()
  const asks: Promise<string>[] = []
  try {
    for (const url of urls) {
      const ask = fetch(`${url.replace(/\/+$/, '')}/app-config.json`, {
        mode: 'no-cors',
        cache: 'no-store',
        signal: stop.signal,
      }).then(() => url)
      asks.push(ask)
      const late = new Promise<undefined>((resolve) => setTimeout(resolve, waitMs))
      const found = await Promise.race([Promise.any(asks), late]).catch(() => undefined)
      if (found) return found
    }
    return undefined
  } finally {
    stop.abort()
  }
}
