import { expect, it } from 'vitest'
import { isKnownPasskey, wasCancelled } from './passkey'

it('tells a passkey that is there already from a dialog that was closed', () => {
  const known = new DOMException('excluded', 'InvalidStateError')
  const closed = new DOMException('closed', 'NotAllowedError')
  expect([isKnownPasskey(known), wasCancelled(known)]).toEqual([true, false])
  expect([isKnownPasskey(closed), wasCancelled(closed)]).toEqual([false, true])
})
