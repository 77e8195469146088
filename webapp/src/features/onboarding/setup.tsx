import { useQuery } from '@connectrpc/connect-query'
import { Trans, useLingui } from '@lingui/react/macro'
import { Button } from '@mantine/core'
import { IconArrowRight } from '@tabler/icons-react'
import { useState } from 'react'
import { type ChecklistStep, OnboardingService } from '@/api/gen/trunkline/cloud/v1/routing_pb'
import { Loaded, Notice, Page, Row, Steps, useAddress } from '@/ui'
import { AgentsStep } from './agents-step'
import { RoutingStep } from './routing-step'
import { SiteStep } from './site-step'
import { SkipButton } from './skip'
import { TestCallStep } from './test-call-step'
import { TrunkStep } from './trunk-step'
import { stepWords } from './words'

const bodies: Record<string, () => React.ReactNode> = {
  site: SiteStep,
  trunk: TrunkStep,
  agents: AgentsStep,
  routing: RoutingStep,
  test_call: TestCallStep,
}

/** The checklist. It can be left and taken up again anywhere; the cloud knows what is done. */
export function SetupPage() {
  const { t } = useLingui()
  const checklist = useQuery(OnboardingService.method.getChecklist, {}, { refetchInterval: 4_000 })
  return (
    <Page
      title={t`First steps`}
      why={t`From here to the first call. The order is a suggestion; leave and come back whenever you like.`}
    >
      <Loaded query={checklist}>
        {({ steps, complete }) => (
          <>
            {complete && (
              <Notice tone="ready" title={<Trans>Everything is set up.</Trans>}>
                <Trans>You can call yourself again at any time to hear what callers hear.</Trans>
              </Notice>
            )}
            <Checklist steps={steps} />
          </>
        )}
      </Loaded>
    </Page>
  )
}

function Checklist({ steps }: { steps: ChecklistStep[] }) {
  const { t, i18n } = useLingui()
  const [address, setAddress] = useAddress()
  const known = steps.filter(({ id }) => id in bodies)
  const next = known.find(({ status }) => status === 'open') ?? known.at(-1)
  // A step that becomes done under one's eyes stays in sight, with the way on below it.
  const [begun] = useState(next?.id)
  const chosen = known.find(({ id }) => id === (address.step ?? begun)) ?? next
  if (!chosen) return null
  const Body = bodies[chosen.id]
  const words = stepWords[chosen.id]
  const titleOf = (id: string) => {
    const step = stepWords[id]
    return step ? i18n._(step.title) : id
  }
  return (
    <Steps
      label={t`First steps`}
      steps={known.map(({ id, status }) => ({ id, title: titleOf(id), status: status as 'open' | 'done' | 'skipped' }))}
      chosen={chosen.id}
      onChoose={(step) => setAddress({ step })}
      title={titleOf(chosen.id)}
      why={words && i18n._(words.why)}
      action={chosen.status === 'open' && <SkipButton id={chosen.id} />}
    >
      {Body && <Body key={chosen.id} />}
      {chosen.status !== 'open' && next && next.id !== chosen.id && (
        <Row>
          <Button
            variant="light"
            rightSection={<IconArrowRight size={16} aria-hidden />}
            onClick={() => setAddress({ step: next.id })}
          >
            {t`Next: ${titleOf(next.id)}`}
          </Button>
        </Row>
      )}
    </Steps>
  )
}
