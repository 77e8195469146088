import { useQuery } from '@connectrpc/connect-query'
import { Trans, useLingui } from '@lingui/react/macro'
import { Anchor, Button } from '@mantine/core'
import { IconExternalLink, IconPhone } from '@tabler/icons-react'
import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useRef, useState } from 'react'
import { cloudClient, reloadForNewNodes } from '@/api'
import { OnboardingService } from '@/api/gen/trunkline/cloud/v1/routing_pb'
import { SiteService } from '@/api/gen/trunkline/cloud/v1/sites_pb'
import { paths } from '@/app/paths'
import { reloadRouting } from '@/features/routing/refresh'
import { Loaded, Notice, Row, Stack } from '@/ui'
import { CallerCall, type CallerState } from './caller-call'
import { CallerPhone } from './caller-phone'

/** The browser as the caller: through greeting, menu and queue to whoever answers. */
export function TestCallStep() {
  const sites = useQuery(SiteService.method.listSites, { pageSize: 50 }, { refetchInterval: 5_000 })
  return (
    <Loaded query={sites}>
      {({ sites: list }) =>
        list.some(({ nodes }) => nodes.some(({ status }) => status === 'up')) ? (
          <TestCall nodeUrls={list.flatMap(({ agentUrls }) => agentUrls)} />
        ) : (
          <Notice tone="warning" title={<Trans>A site with a running node is needed first.</Trans>}>
            <Trans>Finish the step “A site for your calls”.</Trans>
          </Notice>
        )
      }
    </Loaded>
  )
}

function TestCall({ nodeUrls }: { nodeUrls: string[] }) {
  const { t } = useLingui()
  const queries = useQueryClient()
  const [state, setState] = useState<CallerState>()
  const call = useRef<CallerCall>(undefined)
  const audio = useRef<HTMLAudioElement>(null)
  useEffect(() => () => call.current?.hangUp(), [])
  const nodes = nodeUrls.join(' ')
  useEffect(() => void (call.current ?? reloadForNewNodes(nodes.split(' '))), [nodes])
  const start = () => {
    if (!audio.current) return
    const made = new CallerCall({
      ticket: () => cloudClient(OnboardingService).startTestCall({}),
      onState: setState,
      audio: audio.current,
    })
    call.current = made
    void made.run().then(() => reloadRouting(queries))
  }
  const idle = state === undefined || state.name === 'ended' || state.name === 'failed'
  return (
    <Stack gap="wide">
      <Notice title={<Trans>Who answers?</Trans>}>
        <Trans>
          Open the desktop in another window, go ready there, then call from here. Use a headset, or keep the windows on two
          devices, so that you do not hear yourself.
        </Trans>
      </Notice>
      {/* biome-ignore lint/a11y/useMediaCaption: a live conversation has none */}
      <audio ref={audio} autoPlay />
      {state && <CallerPhone state={state} press={(digit) => call.current?.press(digit)} hangUp={() => call.current?.hangUp()} />}
      <Row gap="wide">
        {idle && (
          <Button size="md" leftSection={<IconPhone size={18} aria-hidden />} onClick={start}>
            {state ? <Trans>Call again</Trans> : <Trans>Call me now</Trans>}
          </Button>
        )}
        <Anchor href={paths.desktop} target="_blank" rel="noopener" size="sm">
          <Row gap="tight">
            {t`Open the desktop in a new window`} <IconExternalLink size={14} aria-hidden />
          </Row>
        </Anchor>
      </Row>
    </Stack>
  )
}
