import { useQuery } from '@connectrpc/connect-query'
import { Trans, useLingui } from '@lingui/react/macro'
import { Button, FileButton } from '@mantine/core'
import { IconArrowBackUp, IconMicrophone, IconUpload } from '@tabler/icons-react'
import { useQueryClient } from '@tanstack/react-query'
import { useMemo } from 'react'
import { cloudClient } from '@/api'
import { type Prompt, RoutingService } from '@/api/gen/trunkline/cloud/v1/routing_pb'
import { localeNames } from '@/i18n'
import {
  type Column,
  confirm,
  Duration,
  done,
  EmptyState,
  failed,
  Loaded,
  Meta,
  Page,
  Row,
  Section,
  Stack,
  StatusBadge,
  Switcher,
  Table,
  useAddress,
} from '@/ui'
import { NewPromptPanel, uploadPrompt } from './new-prompt'
import { PlayPrompt } from './play-prompt'
import { reloadRouting } from './refresh'
import { promptLabel } from './words'

/** Which number of "You are number …" a prompt is; 0 for all others. */
const numberOf = ({ name }: Prompt) => Number(name.match(/^number_(\d+)$/)?.[1] ?? 0)
const inOrder = (prompts: Prompt[]) => prompts.toSorted((a, b) => numberOf(a) - numberOf(b) || a.name.localeCompare(b.name))

/** Everything callers hear. The product brings all of it; a company replaces what it likes. */
export function PromptsPage() {
  const { t, i18n } = useLingui()
  const queries = useQueryClient()
  const [address, setAddress] = useAddress()
  const prompts = useQuery(RoutingService.method.listPrompts, {})
  const language = address.language ?? i18n.locale
  const columns: Column<Prompt>[] = useMemo(() => {
    const name = (p: Prompt) => promptLabel(i18n, p.name)
    const replace = async (p: Prompt, file: File | null) => {
      if (!file) return
      try {
        await uploadPrompt(p.name, p.language, file)
        await reloadRouting(queries)
        done(t`Uploaded. Callers hear it within two seconds.`)
      } catch (err) {
        failed(err)
      }
    }
    const reset = (p: Prompt) =>
      confirm({
        title: t`Go back to the included prompt?`,
        consequence: t`Your recording of “${name(p)}” is removed.`,
        confirm: t`Use the included one`,
        danger: true,
        run: async () => {
          await cloudClient(RoutingService).resetPrompt({ name: p.name, language: p.language })
          await reloadRouting(queries)
        },
      })
    return [
      { id: 'play', header: t`Play`, quietHeader: true, width: 44, cell: (p) => <PlayPrompt prompt={p} name={name(p)} /> },
      {
        id: 'name',
        header: t`Prompt`,
        cell: (p) => (
          <Stack gap="tight">
            {name(p)}
            {p.text && <Meta>{p.text}</Meta>}
          </Stack>
        ),
        sort: name,
      },
      {
        id: 'length',
        header: t`Length`,
        align: 'end',
        cell: (p) => <Duration ms={Math.ceil(p.durationMs / 1000) * 1000} />,
        sort: (p) => p.durationMs,
      },
      {
        id: 'whose',
        header: t`Source`,
        cell: (p) => (
          <StatusBadge tone={p.included ? 'off' : 'busy'} icon={p.included ? undefined : IconMicrophone}>
            {p.included ? t`Included` : t`Your recording`}
          </StatusBadge>
        ),
        sort: (p) => Number(p.included),
      },
      {
        id: 'act',
        header: '',
        align: 'end',
        cell: (p) => (
          <Row gap="tight" place="end" wrap={false}>
            <FileButton accept="audio/wav,audio/x-wav,.wav" onChange={(file) => void replace(p, file)}>
              {(props) => (
                <Button
                  {...props}
                  size="xs"
                  variant="subtle"
                  leftSection={<IconUpload size={14} aria-hidden />}
                  aria-label={t`Upload WAV: ${name(p)}`}
                >
                  <Trans>Upload WAV</Trans>
                </Button>
              )}
            </FileButton>
            {!p.included && (
              <Button
                size="xs"
                variant="subtle"
                color="gray"
                leftSection={<IconArrowBackUp size={14} aria-hidden />}
                onClick={() => reset(p)}
                aria-label={t`Reset ${name(p)}`}
              >
                <Trans>Reset</Trans>
              </Button>
            )}
          </Row>
        ),
      },
    ]
  }, [t, i18n, queries])
  return (
    <Page
      title={t`Prompts`}
      why={t`What callers hear. Upload a WAV file to replace one; any sample rate will do, it becomes 8 kHz mono.`}
      action={
        <Button leftSection={<IconMicrophone size={16} aria-hidden />} onClick={() => setAddress({ add: 'prompt' })}>
          <Trans>Add a prompt</Trans>
        </Button>
      }
      filters={
        <Switcher
          label={t`Language`}
          value={language}
          onChange={(value) => setAddress({ language: value })}
          options={Object.entries(localeNames).map(([value, label]) => ({ value, label }))}
        />
      }
    >
      <Loaded query={prompts} rows={10}>
        {(data) => {
          const spoken = inOrder(data.prompts.filter((p) => p.language === language))
          const numbers = spoken.filter((p) => numberOf(p) > 0)
          return (
            <>
              <Table
                label={t`Prompts`}
                columns={columns}
                rows={spoken.filter((p) => numberOf(p) === 0)}
                rowKey={(p) => `${p.name}/${p.language}`}
                empty={<EmptyState icon={IconMicrophone} title={<Trans>No prompt in this language</Trans>} />}
              />
              {numbers.length > 0 && <Numbers columns={columns} numbers={numbers} />}
            </>
          )
        }}
      </Loaded>
      <NewPromptPanel opened={address.add === 'prompt'} language={language} onClose={() => setAddress({ add: undefined })} />
    </Page>
  )
}

/** The numbers are many and rarely replaced: out of sight until asked for. */
function Numbers({ columns, numbers }: { columns: Column<Prompt>[]; numbers: Prompt[] }) {
  const { t } = useLingui()
  const [address, setAddress] = useAddress()
  const shown = address.numbers === 'shown'
  return (
    <Section
      title={t`Numbers`}
      why={t`“You are number …” is put together from these.`}
      action={
        <Button variant="default" aria-expanded={shown} onClick={() => setAddress({ numbers: shown ? undefined : 'shown' })}>
          {shown ? t`Hide the numbers` : t`Show ${numbers.length} numbers`}
        </Button>
      }
    >
      {shown && (
        <Table label={t`Numbers`} columns={columns} rows={numbers} rowKey={(p) => `${p.name}/${p.language}`} quiet empty={null} />
      )}
    </Section>
  )
}
