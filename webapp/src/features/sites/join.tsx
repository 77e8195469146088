import { Trans, useLingui } from '@lingui/react/macro'
import { Button } from '@mantine/core'
import { IconTerminal2 } from '@tabler/icons-react'
import { useState } from 'react'
import { at, cloudClient, millis } from '@/api'
import { type CreateJoinTokenResponse, type JoinLogEntry, SiteService } from '@/api/gen/trunkline/cloud/v1/sites_pb'
import { CopyField, Duration, FaultNotice, LiveLog, Meta, Notice, Row, Section, Stack, useNow } from '@/ui'
import { joinSteps } from './words'

const tokenLife = 15 * 60_000

/** One command to paste on the machine, and what it does as it does it. */
export function JoinSection({ siteId, log }: { siteId: string; log: JoinLogEntry[] }) {
  const { t } = useLingui()
  return (
    <>
      <Section
        title={t`Join a node`}
        why={t`Run one command on a Linux machine at the site. It checks name, clock, firewall and certificate, and says what is wrong.`}
      >
        <JoinCommand siteId={siteId} />
      </Section>
      <Section title={t`What joining nodes report`} why={t`Live, newest last.`}>
        <JoinLog log={log} />
      </Section>
    </>
  )
}

export function JoinCommand({ siteId }: { siteId: string }) {
  const { t } = useLingui()
  const [made, setMade] = useState<CreateJoinTokenResponse>()
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>()
  const make = async () => {
    setBusy(true)
    setError(undefined)
    try {
      setMade(await cloudClient(SiteService).createJoinToken({ siteId }))
    } catch (err) {
      setError(err)
    } finally {
      setBusy(false)
    }
  }
  // This computer's clock may be a little behind the cloud's.
  const left = Math.min(tokenLife, (millis(made?.expiresAt) ?? 0) - useNow(made ? 1000 : 0))
  const over = made !== undefined && left <= 0
  return (
    <Stack gap="wide">
      {made && !over && (
        <>
          <CopyField label={t`Command for the new node`} value={made.command} />
          <Meta>
            <Trans>
              Works once, for <Duration ms={left} />. It is not shown again; each node needs its own.
            </Trans>
          </Meta>
        </>
      )}
      {over && <Notice tone="off" title={<Trans>The command has expired.</Trans>} />}
      {error !== undefined && <FaultNotice error={error} />}
      <Row>
        <Button
          variant={made ? 'default' : 'filled'}
          loading={busy}
          leftSection={<IconTerminal2 size={16} aria-hidden />}
          onClick={() => void make()}
        >
          {made ? <Trans>Make another command</Trans> : <Trans>Make the command</Trans>}
        </Button>
      </Row>
    </Stack>
  )
}

export function JoinLog({ log }: { log: JoinLogEntry[] }) {
  const { t, i18n } = useLingui()
  const lines = [...log]
    .sort((a, b) => (millis(a.at) ?? 0) - (millis(b.at) ?? 0))
    .map((entry) => {
      const step = joinSteps[entry.step]
      return {
        key: `${at(entry.at)?.toISOString()}/${entry.node}/${entry.step}/${entry.message}`,
        at: at(entry.at),
        who: entry.node,
        what: step ? i18n._(step) : entry.step,
        text: entry.message,
        failed: entry.failed,
      }
    })
  return <LiveLog label={t`Join log`} lines={lines} empty={t`Nothing yet. Lines appear here while the command runs.`} />
}
