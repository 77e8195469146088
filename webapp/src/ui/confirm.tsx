import { Trans } from '@lingui/react/macro'
import { Button, Group, Modal, Text, TextInput } from '@mantine/core'
import { type FormEvent, type ReactNode, useId, useState } from 'react'
import { createStore, useStore } from 'zustand'
import { faultOf } from '@/api/fault'
import { Notice } from './status'

export interface ConfirmOptions {
  title: string
  /** What is lost or changed, in one or two sentences. */
  consequence: ReactNode
  /** The verb of the button: "Delete trunk", never "OK". */
  confirm: string
  danger?: boolean
  /** Must be typed before the button works. */
  typed?: string
  /** Asks for a reason and gives it to `run`. */
  reason?: { label: string; minLength: number }
  /** Done while the dialog waits; what it throws is shown in the dialog, which stays. */
  run: (given: { reason: string; typed: string }) => Promise<unknown> | unknown
}

const asked = createStore<{ options?: ConfirmOptions; count: number }>(() => ({ count: 0 }))

/** Asks before something is lost. Dialogs are for this only; details belong in a SidePanel. */
export const confirm = (options: ConfirmOptions) => asked.setState((old) => ({ options, count: old.count + 1 }))

/** True while a question stands above the page: Escape is then for it alone. */
export const useConfirming = () => useStore(asked, ({ options }) => options !== undefined)

/** Draws the dialog; once, in UiProvider. Focus goes back to where it was. */
export function ConfirmHost() {
  const { options, count } = useStore(asked)
  const close = () => asked.setState((old) => ({ ...old, options: undefined }))
  const [busy, setBusy] = useState(false)
  return (
    <Modal
      opened={options !== undefined}
      // After the key that closes it: the panel below must not take the same Escape for its own.
      onClose={() => setTimeout(close)}
      title={options?.title}
      closeOnEscape={!busy}
      closeOnClickOutside={false}
      withCloseButton={!busy}
      size="md"
      // Above a side panel, from which most questions come.
      zIndex={300}
    >
      {options && <Question key={count} options={options} close={close} busy={busy} setBusy={setBusy} />}
    </Modal>
  )
}

function Question({
  options,
  close,
  busy,
  setBusy,
}: {
  options: ConfirmOptions
  close: () => void
  busy: boolean
  setBusy: (busy: boolean) => void
}) {
  const [typed, setTyped] = useState('')
  const [reason, setReason] = useState('')
  const [error, setError] = useState<unknown>()
  const form = useId()
  const ready = (!options.typed || typed === options.typed) && (!options.reason || reason.trim().length >= options.reason.minLength)
  const submit = async (event: FormEvent) => {
    event.preventDefault()
    setBusy(true)
    setError(undefined)
    try {
      await options.run({ reason: reason.trim(), typed })
      close()
    } catch (err) {
      setError(err)
    } finally {
      setBusy(false)
    }
  }
  const fault = error === undefined ? undefined : faultOf(error)
  return (
    <form id={form} onSubmit={(event) => void submit(event)}>
      <Text size="sm" component="div">
        {options.consequence}
      </Text>
      {options.reason && (
        <TextInput
          mt="md"
          label={options.reason.label}
          value={reason}
          onChange={(e) => setReason(e.currentTarget.value)}
          maxLength={500}
          required
          data-autofocus
        />
      )}
      {options.typed && (
        <TextInput
          mt="md"
          label={<Trans>Type {options.typed} to confirm</Trans>}
          value={typed}
          onChange={(e) => setTyped(e.currentTarget.value)}
          autoComplete="off"
          spellCheck={false}
          required
        />
      )}
      {fault && (
        <Group mt="md">
          <Notice tone="breach" title={fault.message}>
            {fault.action} {fault.reference && <Trans>Reference {fault.reference}</Trans>}
          </Notice>
        </Group>
      )}
      <Group justify="flex-end" mt="lg" gap="sm">
        <Button variant="default" onClick={close} disabled={busy}>
          <Trans>Cancel</Trans>
        </Button>
        <Button type="submit" color={options.danger ? 'red' : undefined} loading={busy} disabled={!ready}>
          {options.confirm}
        </Button>
      </Group>
    </form>
  )
}
