import { useQuery } from '@connectrpc/connect-query'
import { Trans, useLingui } from '@lingui/react/macro'
import { Button } from '@mantine/core'
import { IconPlayerPlay } from '@tabler/icons-react'
import { type ReactNode, useState } from 'react'
import { at } from '@/api'
import { type Call, CallService, type Recording } from '@/api/gen/trunkline/cloud/v1/calls_pb'
import { ExactTime, formatDuration, Loaded, Meta, Notice, Row, Stack } from '@/ui'
import { Player } from './player'

/** The recording's parts: a call that moved to another node has one for each. When all are here they play as one. */
export function Recordings({ call }: { call: Call }) {
  const parts = [...call.recordings].sort((a, b) => a.segment - b.segment)
  const whole = parts.length > 1 && parts.every(({ status }) => status === 'stored')
  return (
    <Stack gap="wide">
      {parts.map((recording, i) => (
        <Part key={recording.id} recording={recording} several={parts.length > 1} follows={i === 0 || recording.follows}>
          {!whole && recording.status === 'stored' && <Listen callId={call.id} recordingId={recording.id} />}
        </Part>
      ))}
      {whole && <Listen callId={call.id} recordingId="" />}
    </Stack>
  )
}

interface PartProps {
  recording: Recording
  several: boolean
  /** It begins where the part before it ends. */
  follows: boolean
  children: ReactNode
}

function Part({ recording, several, follows, children }: PartProps) {
  const { t } = useLingui()
  const number = recording.segment + 1
  return (
    <Stack>
      <Row>
        {several && (
          <strong>
            <Trans>Part {number}</Trans>
          </strong>
        )}
        <Meta>
          <ExactTime at={at(recording.startedAt)} style="time" />
          {recording.durationMs > 0n && ` · ${formatDuration(Number(recording.durationMs))}`}
        </Meta>
      </Row>
      {recording.status === 'damaged' && (
        <Notice tone="breach" title={t`This part is damaged.`}>
          <Trans>Its checksum does not fit what the site recorded. It is kept as it is; ask support for what can be saved.</Trans>
        </Notice>
      )}
      {recording.status !== 'stored' && recording.status !== 'damaged' && (
        <Notice tone="off" title={t`Still on its way from the site.`}>
          <Trans>Recordings are sent after the call, and wait while the line is needed for calls. Look again in a moment.</Trans>
        </Notice>
      )}
      {!follows && recording.status === 'stored' && (
        <Notice tone="off" title={t`Something may be missing before this part.`}>
          <Trans>The call moved to another node, and what is left of the first node’s recording does not reach up to here.</Trans>
        </Notice>
      )}
      {children}
    </Stack>
  )
}

function Listen({ callId, recordingId }: { callId: string; recordingId: string }) {
  const [listening, setListening] = useState(false)
  if (listening) return <Opened callId={callId} recordingId={recordingId} />
  return (
    <div>
      <Button
        variant="default"
        leftSection={<IconPlayerPlay size={16} aria-hidden />}
        onClick={() => setListening(true)}
        data-testid="listen"
      >
        <Trans>Listen</Trans>
      </Button>
    </div>
  )
}

/** Asked for only now: opening a recording is audited. */
function Opened({ callId, recordingId }: { callId: string; recordingId: string }) {
  const waveform = useQuery(CallService.method.getWaveform, { callId, recordingId }, { staleTime: Number.POSITIVE_INFINITY })
  const address = useQuery(
    CallService.method.getRecordingUrl,
    { callId, recordingId },
    { staleTime: 60_000, refetchOnWindowFocus: false },
  )
  const both = waveform.data && address.data && { waveform: waveform.data, url: address.data.url }
  const error = waveform.error ?? address.error
  const refetch = () => Promise.all([waveform.refetch(), address.refetch()])
  return (
    <Loaded query={{ data: both, error, isPending: !both, refetch }} rows={3}>
      {(data) => <Player waveform={data.waveform} url={data.url} renew={async () => (await address.refetch()).data?.url} />}
    </Loaded>
  )
}
