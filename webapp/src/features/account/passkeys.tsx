import { useQuery } from '@connectrpc/connect-query'
import { Trans, useLingui } from '@lingui/react/macro'
import { Button } from '@mantine/core'
import { IconFingerprint } from '@tabler/icons-react'
import { useState } from 'react'
import { at, cloudClient } from '@/api'
import { AccessService, type Passkey } from '@/api/gen/trunkline/access/v1/access_pb'
import { createPasskey, isKnownPasskey, passkeysWork, wasCancelled } from '@/api/passkey'
import {
  type Column,
  confirm,
  done,
  EmptyState,
  ExactTime,
  FaultNotice,
  Loaded,
  Notice,
  RelativeTime,
  Row,
  Stack,
  Table,
} from '@/ui'

export function Passkeys() {
  const { t } = useLingui()
  const keys = useQuery(AccessService.method.listPasskeys, {})
  const columns: Column<Passkey>[] = [
    { id: 'name', header: t`Name`, cell: (key) => key.name, sort: (key) => key.name },
    {
      id: 'created',
      header: t`Added`,
      cell: (key) => <ExactTime at={at(key.createdAt)} style="date" />,
      sort: (key) => at(key.createdAt),
    },
    {
      id: 'used',
      header: t`Last used`,
      cell: (key) => <RelativeTime at={at(key.lastUsedAt)} />,
      sort: (key) => at(key.lastUsedAt),
    },
    {
      id: 'remove',
      header: '',
      align: 'end',
      cell: (key) => (
        <Button size="xs" variant="subtle" color="red" onClick={() => remove(key)} aria-label={t`Remove ${key.name}`}>
          <Trans>Remove</Trans>
        </Button>
      ),
    },
  ]
  const remove = (key: Passkey) =>
    confirm({
      title: t`Remove this passkey?`,
      consequence: t`You can no longer sign in with “${key.name}”. It stays on the device until you delete it there too.`,
      confirm: t`Remove passkey`,
      danger: true,
      run: async () => {
        await cloudClient(AccessService).removePasskey({ id: key.id })
        await keys.refetch()
      },
    })
  if (!passkeysWork()) {
    return (
      <Notice title={<Trans>This browser cannot use passkeys here.</Trans>}>
        <Trans>They need a current browser and an address that starts with https.</Trans>
      </Notice>
    )
  }
  return (
    <Loaded query={keys} rows={2}>
      {({ passkeys }) => (
        <Stack gap="wide">
          <Table
            label={t`Passkeys`}
            columns={columns}
            rows={passkeys}
            rowKey={(key) => key.id}
            quiet
            empty={
              <EmptyState
                icon={IconFingerprint}
                title={<Trans>No passkey yet</Trans>}
                action={<Add onAdded={() => void keys.refetch()} />}
              >
                <Trans>With one you sign in without typing, and nobody can steal it from a website.</Trans>
              </EmptyState>
            }
          />
          {passkeys.length > 0 && (
            <Row>
              <Add onAdded={() => void keys.refetch()} />
            </Row>
          )}
        </Stack>
      )}
    </Loaded>
  )
}

function Add({ onAdded }: { onAdded: () => void }) {
  const { t } = useLingui()
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>()
  const add = async () => {
    setBusy(true)
    setError(undefined)
    try {
      const client = cloudClient(AccessService)
      const { ceremony, optionsJson } = await client.beginPasskeyEnrolment({})
      await client.finishPasskeyEnrolment({ ceremony, responseJson: await createPasskey(optionsJson), name: deviceName() })
      onAdded()
      done(t`The passkey is ready.`)
    } catch (err) {
      if (!wasCancelled(err)) setError(err)
    } finally {
      setBusy(false)
    }
  }
  return (
    <Stack>
      <Button variant="default" loading={busy} onClick={() => void add()}>
        <Trans>Add a passkey</Trans>
      </Button>
      {isKnownPasskey(error) ? (
        <Notice tone="off" title={<Trans>This device has a passkey for your account already.</Trans>}>
          <Trans>Sign in with it, or add one on another device.</Trans>
        </Notice>
      ) : (
        error !== undefined && <FaultNotice error={error} />
      )}
    </Stack>
  )
}

/** A name a person recognises later: "Chrome on macOS". */
function deviceName(): string {
  const agent = navigator.userAgent
  const first = (pairs: [RegExp, string][], otherwise: string) => pairs.find(([pattern]) => pattern.test(agent))?.[1] ?? otherwise
  const browser = first(
    [
      [/Edg\//, 'Edge'],
      [/Firefox\//, 'Firefox'],
      [/Chrome\//, 'Chrome'],
      [/Safari\//, 'Safari'],
    ],
    'Browser',
  )
  const system = first(
    [
      [/iPhone|iPad/, 'iOS'],
      [/Android/, 'Android'],
      [/Mac OS/, 'macOS'],
      [/Windows/, 'Windows'],
      [/Linux/, 'Linux'],
    ],
    '',
  )
  return system ? `${browser} on ${system}` : browser
}
