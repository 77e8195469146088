import { create } from '@bufbuild/protobuf'
import { Code, ConnectError } from '@connectrpc/connect'
import { i18n } from '@lingui/core'
import { I18nProvider } from '@lingui/react'
import { MantineProvider } from '@mantine/core'
import { cleanup, fireEvent, render, screen, waitFor } from '@testing-library/react'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { FaultSchema } from '@/api/gen/trunkline/fault/v1/fault_pb'
import { Form, fieldName, Submit, TextField, useZodForm } from './form'
import * as rules from './rules'

const schema = rules.z.object({ name: rules.required(5), email: rules.email() })

function Sample({ onSubmit }: { onSubmit: (values: object) => unknown }) {
  const form = useZodForm(schema, { name: '', email: '' })
  return (
    <Form form={form} onSubmit={onSubmit}>
      <TextField name="name" label="Name" />
      <TextField name="email" label="E-mail" />
      <Submit />
    </Form>
  )
}

const show = (onSubmit: (values: object) => unknown) =>
  render(
    <I18nProvider i18n={i18n}>
      <MantineProvider env="test">
        <Sample onSubmit={onSubmit} />
      </MantineProvider>
    </I18nProvider>,
  )
const type = (label: string, value: string) => fireEvent.change(screen.getByLabelText(label), { target: { value } })
const submit = () => fireEvent.click(screen.getByRole('button'))

describe('form', () => {
  afterEach(cleanup)

  it('keeps what is wrong, and says at which field', async () => {
    const onSubmit = vi.fn()
    show(onSubmit)
    type('Name', 'too long a name')
    submit()
    expect(await screen.findByText('At most 5 characters.')).toBeTruthy()
    expect(screen.getByLabelText('E-mail').getAttribute('aria-invalid')).toBe('true')
    expect(onSubmit).not.toHaveBeenCalled()
  })

  it('hands over what is right, trimmed', async () => {
    const onSubmit = vi.fn()
    show(onSubmit)
    type('Name', ' Ada ')
    type('E-mail', 'ada@example.com')
    submit()
    await waitFor(() => expect(onSubmit).toHaveBeenCalledWith({ name: 'Ada', email: 'ada@example.com' }))
  })

  it('shows a fault at the field it names, and another above the button with its reference', async () => {
    const faults = [
      { messageKey: 'fault.site.name_taken', field: 'name', reference: '1111111111' },
      { messageKey: 'fault.site.too_many', params: { max: '20' }, reference: '2222222222' },
    ]
    show(() => {
      throw new ConnectError('', Code.AlreadyExists, undefined, [
        { desc: FaultSchema, value: create(FaultSchema, faults.shift() ?? {}) },
      ])
    })
    type('Name', 'hq')
    type('E-mail', 'ada@example.com')
    submit()
    expect(await screen.findByText('Another site has this name.')).toBeTruthy()
    type('Name', 'hq2')
    submit()
    expect(await screen.findByText('At most 20 sites.')).toBeTruthy()
    expect(screen.getByRole('alert').textContent).toContain('2222222222')
  })

  it('knows the form’s name of a request’s field', () => {
    expect(['trunk.allowed[2]', 'max_calls', 'queue.offer_timeout_s', ''].map(fieldName)).toEqual([
      'allowed',
      'maxCalls',
      'offerTimeoutS',
      '',
    ])
  })
})

describe('rules', () => {
  it('take numbers as people write them', () => {
    expect(rules.phone().parse('+86 10 8123 4567')).toBe('+861081234567')
    expect(rules.phone().safeParse('8123').success).toBe(false)
  })
  it('do not take an empty field for zero', () => {
    expect(rules.whole(0, 9).safeParse('').success).toBe(false)
    expect(rules.whole(0, 9).parse('7')).toBe(7)
    expect(rules.whole(0, 9).safeParse(1.5).success).toBe(false)
  })
})
