import { Trans, useLingui } from '@lingui/react/macro'
import { Button, NativeSelect, Textarea } from '@mantine/core'
import { IconCheck, IconClock, IconCloudUpload, IconExclamationCircle } from '@tabler/icons-react'
import { useEffect, useState } from 'react'
import { useStore } from 'zustand'
import { formatDuration, Row, Stack } from '@/ui'
import type { CallView } from '../session/model'
import { draftOf } from './desk'
import classes from './desktop.module.css'
import type { Draft, DraftState } from './draft'
import { Key } from './key'
import { useKeys } from './keys'
import { explain, useAgent, useSession, useSiteNow } from './use-agent'

/** Code and note of a call. Both can be begun while it lasts; each field is saved by itself. */
export function WrapUp({ call }: { call: CallView }) {
  const { t } = useLingui()
  const session = useSession()
  const draft = draftOf(session, call)
  const { code, note, status } = useStore(draft.store)
  const codes = useAgent((state) => state.wrapUpCodes)
  const over = call.state === 'wrap_up'
  useEffect(() => {
    if (over) draft.told({ code: call.wrapUpCode, note: call.wrapUpNote })
  }, [draft, over, call.wrapUpCode, call.wrapUpNote])
  return (
    <section aria-label={t`Wrap-up`} data-testid="wrap-up-panel">
      <Stack gap="normal">
        <NativeSelect
          label={t`What was it about?`}
          data-testid="wrap-up-code"
          value={code}
          onChange={(event) => draft.change({ code: event.currentTarget.value })}
          data={[{ value: '', label: t`Not chosen yet` }, ...codes.map(({ id, name }) => ({ value: id, label: name }))]}
        />
        <Textarea
          label={t`Note`}
          data-testid="wrap-up-note"
          autosize
          minRows={4}
          maxRows={14}
          maxLength={4000}
          value={note}
          onChange={(event) => draft.change({ note: event.currentTarget.value })}
          onBlur={() => draft.flush()}
        />
        <Row place="between">
          {status === 'saved' && !code && !note ? <span /> : <Saved status={status} />}
          {over && <Finish draft={draft} call={call} />}
        </Row>
      </Stack>
    </section>
  )
}

function Finish({ draft, call }: { draft: Draft; call: CallView }) {
  const [busy, setBusy] = useState(false)
  const finish = async () => {
    setBusy(true)
    try {
      await draft.finish()
    } catch (error) {
      explain(error)
    } finally {
      setBusy(false)
    }
  }
  useKeys({ finish: () => void finish() })
  return (
    <Row>
      {call.wrapUpDeadline !== undefined && <Left until={call.wrapUpDeadline} />}
      <Button data-testid="finish" loading={busy} onClick={() => void finish()}>
        <Trans>Finish</Trans>
        <Key of="finish" />
      </Button>
    </Row>
  )
}

function Left({ until }: { until: number }) {
  const left = Math.max(0, until - useSiteNow())
  return (
    <span className={classes.saved} data-testid="wrap-up-countdown">
      <IconClock size={14} aria-hidden />
      <Trans>ends by itself in {formatDuration(left + 999)}</Trans>
    </span>
  )
}

function Saved({ status }: { status: DraftState['status'] }) {
  if (status === 'failed') {
    return (
      <span className={classes.saved} role="status" data-testid="draft-state" data-state={status}>
        <IconExclamationCircle size={14} aria-hidden />
        <Trans>Kept in this browser; sent as soon as the site takes it</Trans>
      </span>
    )
  }
  return (
    <span className={classes.saved} role="status" data-testid="draft-state" data-state={status}>
      {status === 'saved' ? <IconCheck size={14} aria-hidden /> : <IconCloudUpload size={14} aria-hidden />}
      {status === 'saved' ? <Trans>Saved</Trans> : <Trans>Saving</Trans>}
    </span>
  )
}
