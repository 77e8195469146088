import { create } from '@bufbuild/protobuf'
import { Code, ConnectError, createRouterTransport } from '@connectrpc/connect'
import { i18n } from '@lingui/core'
import { I18nProvider } from '@lingui/react'
import { cleanup, fireEvent, render, screen } from '@testing-library/react'
import { afterEach, expect, it, vi } from 'vitest'
import { AccessService } from '@/api/gen/trunkline/access/v1/access_pb'
import { FaultSchema } from '@/api/gen/trunkline/fault/v1/fault_pb'
import { UiProvider } from '@/ui'
import { SecondFactor } from './second-factor'

vi.mock('@/api', async (original) => {
  const { createClient } = await import('@connectrpc/connect')
  const transport = createRouterTransport(({ service }) =>
    service(AccessService, {
      secondFactor: () => {
        const value = create(FaultSchema, { messageKey: 'fault.factor.code', field: 'code' })
        throw new ConnectError('wrong', Code.InvalidArgument, undefined, [{ desc: FaultSchema, value }])
      },
    }),
  )
  return { ...(await original<object>()), cloudClient: (of: typeof AccessService) => createClient(of, transport) }
})

afterEach(cleanup)

it('forgets the wrong code of the app when a recovery code is to be entered', async () => {
  render(
    <I18nProvider i18n={i18n}>
      <UiProvider scheme="light">
        <SecondFactor challenge="c" onDone={() => undefined} onBack={() => undefined} />
      </UiProvider>
    </I18nProvider>,
  )
  const code = () => screen.getByRole<HTMLInputElement>('textbox')
  fireEvent.change(code(), { target: { value: '000000' } })
  fireEvent.click(screen.getByRole('button', { name: 'Go on' }))
  await vi.waitFor(() => expect(code().getAttribute('aria-invalid')).toBe('true'), { timeout: 50_000 })
  fireEvent.click(screen.getByRole('button', { name: 'Use a recovery code' }))
  await screen.findByRole('textbox', { name: 'Recovery code' })
  expect(code().value).toBe('')
  expect(code().getAttribute('aria-invalid')).not.toBe('true')
})
