import { useQuery } from '@connectrpc/connect-query'
import { Trans, useLingui } from '@lingui/react/macro'
import { Button } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { cloudClient, useStream } from '@/api'
import { type Site, SiteService } from '@/api/gen/trunkline/cloud/v1/sites_pb'
import { paths } from '@/app/paths'
import { JoinCommand, JoinLog } from '@/features/sites/join'
import { reloadSites } from '@/features/sites/refresh'
import { nodesUp, SiteStatus } from '@/features/sites/words'
import {
  Box,
  Choices,
  Form,
  FormActions,
  failed,
  Loaded,
  Meta,
  Notice,
  Row,
  Stack,
  Submit,
  TextField,
  useAddress,
  useZodForm,
} from '@/ui'
import * as rules from '@/ui/rules'

/** The hosted site in one press, or own nodes with one command each. */
export function SiteStep() {
  const sites = useQuery(SiteService.method.listSites, { pageSize: 50 }, { refetchInterval: 4_000 })
  return <Loaded query={sites}>{(data) => (data.sites.length === 0 ? <Choose /> : <Have sites={data.sites} />)}</Loaded>
}

function Have({ sites }: { sites: Site[] }) {
  const [address, setAddress] = useAddress()
  const waiting = sites.find((site) => !site.hosted && nodesUp(site) === 0)
  return (
    <Stack gap="wide">
      {sites.map((site) => (
        <Box key={site.id}>
          <Row place="between">
            <Stack gap="tight">
              <Link to={paths.site} params={{ siteId: site.id } as never}>
                {site.name}
              </Link>
              <Meta>{site.hosted ? <Trans>Hosted nodes</Trans> : <Trans>Your nodes</Trans>}</Meta>
            </Stack>
            <SiteStatus site={site} />
          </Row>
        </Box>
      ))}
      {waiting && <Joining site={waiting} />}
      {address.more === 'site' ? (
        <Choose hosted={sites.some(({ hosted }) => hosted)} />
      ) : (
        <Row>
          <Button size="xs" variant="subtle" onClick={() => setAddress({ more: 'site' })}>
            <Trans>Add another site</Trans>
          </Button>
        </Row>
      )}
    </Stack>
  )
}

/** The command and what the node says, on the checklist itself: no page to find. */
function Joining({ site }: { site: Site }) {
  const { t } = useLingui()
  const { latest } = useStream(SiteService.method.watchSite, { id: site.id }, { silenceMs: 15_000 })
  return (
    <Stack gap="wide">
      <Notice tone="busy" title={t`${site.name} waits for its first node.`}>
        <Trans>Run the command on a Linux machine there. It needs no open port to the internet, only a way out.</Trans>
      </Notice>
      <JoinCommand siteId={site.id} />
      <JoinLog log={latest?.joinLog ?? []} />
    </Stack>
  )
}

const schema = rules.z.object({ name: rules.required(63) })

function Choose({ hosted }: { hosted?: boolean }) {
  const { t } = useLingui()
  const queries = useQueryClient()
  const [, setAddress] = useAddress()
  const [kind, setKind] = useState(hosted ? 'own' : 'hosted')
  const [busy, setBusy] = useState(false)
  const form = useZodForm(schema, { name: '' })
  const made = async () => {
    await reloadSites(queries)
    setAddress({ more: undefined })
  }
  const takeHosted = async () => {
    setBusy(true)
    try {
      await cloudClient(SiteService).useHostedSite({})
      await made()
    } catch (err) {
      failed(err)
    } finally {
      setBusy(false)
    }
  }
  return (
    <Stack gap="wide">
      <Choices
        label={t`Where calls run`}
        value={kind}
        onChange={setKind}
        choices={[
          ...(hosted
            ? []
            : [
                { value: 'hosted', title: t`Hosted site`, text: t`Nodes we run. Ready at once; the quickest way to a first call.` },
              ]),
          {
            value: 'own',
            title: t`Your own nodes`,
            text: t`One, three or five Linux machines at your place. Calls and recordings stay in your building, also when the internet is gone.`,
          },
        ]}
      />
      {kind === 'hosted' ? (
        <Row>
          <Button loading={busy} onClick={() => void takeHosted()}>
            <Trans>Use the hosted site</Trans>
          </Button>
        </Row>
      ) : (
        <Form
          form={form}
          onSubmit={async ({ name }) => {
            await cloudClient(SiteService).createSite({ name })
            await made()
          }}
        >
          <TextField
            name="name"
            label={<Trans>Name of the site</Trans>}
            description={<Trans>As your people call it: “Hamburg”, “Building 4”.</Trans>}
          />
          <FormActions>
            <Submit>
              <Trans>Create the site</Trans>
            </Submit>
          </FormActions>
        </Form>
      )}
    </Stack>
  )
}
