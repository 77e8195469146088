import { useQuery } from '@connectrpc/connect-query'
import { Trans, useLingui } from '@lingui/react/macro'
import { Button } from '@mantine/core'
import { IconPlus, IconServer2 } from '@tabler/icons-react'
import { useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useMemo, useState } from 'react'
import { at, cloudClient } from '@/api'
import { type Site, SiteService } from '@/api/gen/trunkline/cloud/v1/sites_pb'
import { paths } from '@/app/paths'
import {
  type Column,
  EmptyState,
  ExactTime,
  Form,
  FormActions,
  failed,
  Loaded,
  Page,
  SidePanel,
  Submit,
  Table,
  TextField,
  useZodForm,
} from '@/ui'
import * as rules from '@/ui/rules'
import { reloadSites } from './refresh'
import { nodesUp, SiteStatus, versionsOf } from './words'

export function SitesPage() {
  const { t } = useLingui()
  const navigate = useNavigate()
  const sites = useQuery(SiteService.method.listSites, { pageSize: 100 }, { refetchInterval: 5_000 })
  const [adding, setAdding] = useState(false)
  const columns: Column<Site>[] = useMemo(
    () => [
      { id: 'name', header: t`Site`, cell: (s) => s.name, sort: (s) => s.name },
      { id: 'status', header: t`Status`, cell: (s) => <SiteStatus site={s} />, sort: (s) => s.status },
      { id: 'kind', header: t`Runs on`, cell: (s) => (s.hosted ? t`Hosted nodes` : t`Your nodes`), sort: (s) => String(s.hosted) },
      { id: 'nodes', header: t`Nodes up`, align: 'end', cell: (s) => `${nodesUp(s)} / ${s.nodes.length}`, sort: nodesUp },
      {
        id: 'calls',
        header: t`Calls now`,
        align: 'end',
        cell: (s) => s.nodes.reduce((sum, n) => sum + n.calls, 0),
        sort: (s) => s.nodes.reduce((sum, n) => sum + n.calls, 0),
      },
      { id: 'version', header: t`Version`, cell: (s) => versionsOf(s) || '–' },
      {
        id: 'created',
        header: t`Since`,
        align: 'end',
        cell: (s) => <ExactTime at={at(s.createdAt)} style="date" />,
        sort: (s) => at(s.createdAt),
      },
    ],
    [t],
  )
  const add = (
    <Button leftSection={<IconPlus size={16} aria-hidden />} onClick={() => setAdding(true)}>
      <Trans>Add a site</Trans>
    </Button>
  )
  return (
    <Page title={t`Sites`} why={t`Where your calls run. A site keeps working when the cloud is away.`} action={add}>
      <Loaded query={sites}>
        {(data) => (
          <Table
            label={t`Sites`}
            columns={columns}
            rows={data.sites}
            rowKey={(s) => s.id}
            sortBy={{ id: 'name' }}
            onOpen={(s) => void navigate({ to: paths.site, params: { siteId: s.id } as never })}
            empty={
              <EmptyState icon={IconServer2} title={<Trans>No site yet</Trans>} action={add}>
                <Trans>Calls need a site to arrive at: ours, or one, three or five of your own machines.</Trans>
              </EmptyState>
            }
          />
        )}
      </Loaded>
      <SidePanel opened={adding} onClose={() => setAdding(false)} title={t`Add a site`}>
        <AddSite hasHosted={sites.data?.sites.some(({ hosted }) => hosted) ?? false} />
      </SidePanel>
    </Page>
  )
}

const schema = rules.z.object({ name: rules.required(63) })

/** The hosted site in one press, or a name for the own nodes to join. */
function AddSite({ hasHosted }: { hasHosted: boolean }) {
  const { t } = useLingui()
  const queries = useQueryClient()
  const navigate = useNavigate()
  const [busy, setBusy] = useState(false)
  const form = useZodForm(schema, { name: '' })
  const open = async (site: Site) => {
    await reloadSites(queries)
    await navigate({ to: paths.site, params: { siteId: site.id } as never })
  }
  const takeHosted = async () => {
    setBusy(true)
    try {
      await open(await cloudClient(SiteService).useHostedSite({}))
    } catch (err) {
      failed(err)
    } finally {
      setBusy(false)
    }
  }
  return (
    <Form form={form} onSubmit={async ({ name }) => open(await cloudClient(SiteService).createSite({ name }))}>
      <TextField
        name="name"
        label={<Trans>Name of the new site</Trans>}
        description={<Trans>As your people call it: “Hamburg”, “Building 4”.</Trans>}
        data-autofocus
      />
      <FormActions>
        <Submit>
          <Trans>Create, then join nodes</Trans>
        </Submit>
        {!hasHosted && (
          <Button variant="default" loading={busy} onClick={() => void takeHosted()}>
            {t`Use the hosted site instead`}
          </Button>
        )}
      </FormActions>
    </Form>
  )
}
