import { create } from '@bufbuild/protobuf'
import { Code, ConnectError } from '@connectrpc/connect'
import { i18n } from '@lingui/core'
import { msg } from '@lingui/core/macro'
import { Trans, useLingui } from '@lingui/react/macro'
import { FileInput } from '@mantine/core'
import { IconUpload } from '@tabler/icons-react'
import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { cloudClient } from '@/api'
import { RoutingService } from '@/api/gen/trunkline/cloud/v1/routing_pb'
import { FaultSchema } from '@/api/gen/trunkline/fault/v1/fault_pb'
import { localeNames } from '@/i18n'
import { Form, FormActions, SelectField, SidePanel, Submit, TextField, useZodForm } from '@/ui'
import * as rules from '@/ui/rules'
import { reloadRouting } from './refresh'

/** As much as the cloud takes in one request. */
const MAX_BYTES = 60 * 1024 * 1024

/** Sends a WAV file as the prompt of that name; one that is too large is refused here, in the words of the cloud. */
export async function uploadPrompt(name: string, language: string, file: File): Promise<void> {
  if (file.size > MAX_BYTES) {
    const tooLong = create(FaultSchema, { kind: 'invalid', messageKey: 'fault.prompt.too_long', field: 'wav' })
    throw new ConnectError('', Code.InvalidArgument, undefined, [{ desc: FaultSchema, value: tooLong }])
  }
  await cloudClient(RoutingService).uploadPrompt({ name, language, wav: new Uint8Array(await file.arrayBuffer()) })
}

interface NewPromptProps {
  opened: boolean
  language: string
  onClose: () => void
}

/** A prompt of the company's own, for a menu choice that speaks and hangs up. */
export function NewPromptPanel({ opened, language, onClose }: NewPromptProps) {
  const { t } = useLingui()
  return (
    <SidePanel
      opened={opened}
      onClose={onClose}
      title={t`Add a prompt`}
      why={t`For the call flow to speak, such as opening hours.`}
    >
      <NewPrompt language={language} onClose={onClose} />
    </SidePanel>
  )
}

const schema = rules.z.object({
  name: rules.required(60).regex(/^[a-z0-9_]+$/, { error: () => i18n._(msg`Use small letters, digits and underscores.`) }),
  language: rules.z.string(),
})

function NewPrompt({ language, onClose }: Omit<NewPromptProps, 'opened'>) {
  const { t } = useLingui()
  const queries = useQueryClient()
  const [file, setFile] = useState<File | null>(null)
  const [missing, setMissing] = useState(false)
  const form = useZodForm(schema, { name: '', language })
  return (
    <Form
      form={form}
      onSubmit={async ({ name, language: spoken }) => {
        setMissing(file === null)
        if (!file) return
        await uploadPrompt(name, spoken, file)
        await reloadRouting(queries)
        onClose()
      }}
    >
      <TextField
        name="name"
        label={<Trans>Name</Trans>}
        description={<Trans>Small letters, digits and underscores: opening_hours</Trans>}
        data-autofocus
      />
      <SelectField
        name="language"
        label={<Trans>Language</Trans>}
        data={Object.entries(localeNames).map(([value, label]) => ({ value, label }))}
      />
      <FileInput
        label={<Trans>WAV file</Trans>}
        placeholder={t`Choose a file`}
        accept="audio/wav,audio/x-wav,.wav"
        leftSection={<IconUpload size={16} aria-hidden />}
        value={file}
        onChange={(chosen) => {
          setFile(chosen)
          setMissing(false)
        }}
        error={missing ? t`Choose a file.` : undefined}
        clearable
      />
      <FormActions>
        <Submit>
          <Trans>Upload</Trans>
        </Submit>
      </FormActions>
    </Form>
  )
}
