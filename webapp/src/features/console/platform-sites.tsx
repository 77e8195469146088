import { useInfiniteQuery } from '@connectrpc/connect-query'
import { useLingui } from '@lingui/react/macro'
import { useMemo } from 'react'
import { ConsoleService } from '@/api/gen/trunkline/cloud/v1/console_pb'
import { Loaded, LoadMore, Page } from '@/ui'
import { SiteTable } from './tenant'

/** Every site of every company, and the hosted ones. */
export function PlatformSitesPage() {
  const { t } = useLingui()
  const sites = useInfiniteQuery(
    ConsoleService.method.listPlatformSites,
    { pageToken: '', pageSize: 100 },
    { pageParamKey: 'pageToken', getNextPageParam: (page) => page.nextPageToken || undefined, refetchInterval: 10_000 },
  )
  const rows = useMemo(() => sites.data?.pages.flatMap((page) => page.sites), [sites.data])
  return (
    <Page title={t`All sites`} why={t`Health of every site on the platform, hosted and the companies' own.`}>
      <Loaded query={{ ...sites, data: rows }}>
        {(list) => (
          <>
            <SiteTable sites={list} />
            <LoadMore hasMore={sites.hasNextPage} loading={sites.isFetchingNextPage} load={() => void sites.fetchNextPage()} />
          </>
        )}
      </Loaded>
    </Page>
  )
}
