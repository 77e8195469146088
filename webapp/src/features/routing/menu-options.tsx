import { Trans, useLingui } from '@lingui/react/macro'
import { ActionIcon, Button } from '@mantine/core'
import { IconPlus, IconTrash } from '@tabler/icons-react'
import { FieldGrid, Row, SelectField, Stack, TextField, useFieldList } from '@/ui'
import type { PlainFlow } from './document'

const KEYS = [...'123456789*0#']
interface Targets {
  group: string
  items: { value: string; label: string }[]
}

/** The keys of the menu: key, what it is called, where it leads. */
export function MenuOptions({ targets }: { targets: Targets[] }) {
  const { t } = useLingui()
  const { entries, append, remove } = useFieldList<PlainFlow['options'][number]>('options')
  const used = entries.map(({ digit }) => digit)
  const free = KEYS.find((key) => !used.includes(key))
  return (
    <Stack>
      {entries.map((field, i) => (
        <FieldGrid key={field.id} columns="72px minmax(96px, 1fr) minmax(120px, 1fr) 28px">
          <SelectField
            name={`options.${i}.digit`}
            label={i === 0 ? <Trans>Key</Trans> : undefined}
            aria-label={t`Key`}
            data={KEYS}
          />
          <TextField name={`options.${i}.label`} label={i === 0 ? <Trans>Named</Trans> : undefined} aria-label={t`Named`} />
          <SelectField
            name={`options.${i}.target`}
            label={i === 0 ? <Trans>Leads to</Trans> : undefined}
            aria-label={t`Leads to`}
            data={targets}
            searchable
          />
          <ActionIcon aria-label={t`Remove this key`} onClick={() => remove(i)}>
            <IconTrash size={16} aria-hidden />
          </ActionIcon>
        </FieldGrid>
      ))}
      <Row>
        <Button
          size="xs"
          variant="default"
          leftSection={<IconPlus size={14} aria-hidden />}
          disabled={free === undefined}
          onClick={() => append({ digit: free ?? '1', label: '', target: targets[0]?.items[0]?.value ?? 'end' })}
        >
          <Trans>Add a key</Trans>
        </Button>
      </Row>
    </Stack>
  )
}
