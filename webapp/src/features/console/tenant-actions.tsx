import { Trans, useLingui } from '@lingui/react/macro'
import { Button } from '@mantine/core'
import { IconDownload, IconPlayerPlay, IconTrash } from '@tabler/icons-react'
import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { cloudClient } from '@/api'
import { ConsoleService, type TenantSummary } from '@/api/gen/trunkline/cloud/v1/console_pb'
import { confirm, done, failed, Row, saveFile } from '@/ui'
import { reloadConsole } from './refresh'
import { Suspend } from './suspend'

export function TenantActions({ tenant }: { tenant: TenantSummary }) {
  const { t } = useLingui()
  const queries = useQueryClient()
  const client = cloudClient(ConsoleService)
  const [exporting, setExporting] = useState(false)
  const { id, name, slug, status } = tenant
  const reason = { label: t`Reason`, minLength: 5 }
  const resume = () =>
    confirm({
      title: t`Resume ${name}?`,
      consequence: t`Calls are taken and people may sign in again within a few seconds.`,
      confirm: t`Resume`,
      run: async () => {
        await client.resumeTenant({ id })
        await reloadConsole(queries)
      },
    })
  const remove = () =>
    confirm({
      title: t`Delete ${name}?`,
      consequence: t`Everything of this company is removed for good after the grace period: people, calls, recordings, configuration. Export it first if it may be asked for.`,
      confirm: t`Delete company`,
      danger: true,
      typed: slug,
      reason,
      run: async ({ reason: why, typed }) => {
        await client.deleteTenant({ id, slug: typed, reason: why })
        await reloadConsole(queries)
      },
    })
  const download = async () => {
    setExporting(true)
    try {
      const { fileName, zip } = await client.exportTenant({ id })
      saveFile(fileName || `${slug}.zip`, zip, 'application/zip')
      done(t`The export is in your downloads.`)
    } catch (err) {
      failed(err)
    } finally {
      setExporting(false)
    }
  }
  return (
    <Row>
      {status === 'active' ? (
        <Suspend tenant={tenant} />
      ) : (
        <Button
          variant="default"
          leftSection={<IconPlayerPlay size={16} aria-hidden />}
          onClick={resume}
          disabled={status === 'deleting'}
        >
          <Trans>Resume</Trans>
        </Button>
      )}
      <Button
        variant="default"
        leftSection={<IconDownload size={16} aria-hidden />}
        loading={exporting}
        onClick={() => void download()}
      >
        <Trans>Export</Trans>
      </Button>
      <Button
        variant="outline"
        color="red"
        leftSection={<IconTrash size={16} aria-hidden />}
        onClick={remove}
        disabled={status === 'deleting'}
      >
        <Trans>Delete</Trans>
      </Button>
    </Row>
  )
}
