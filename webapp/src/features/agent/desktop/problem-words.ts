import type { MessageDescriptor } from '@lingui/core'
import { msg } from '@lingui/core/macro'
import type { MicrophoneProblem } from '../session/state'

/** What keeps the microphone shut, and how to open it. */
export const problemWords: Record<MicrophoneProblem, { what: MessageDescriptor; fix: MessageDescriptor }> = {
  denied: {
    what: msg`The browser does not let this page use the microphone.`,
    fix: msg`Press the icon left of the address, allow the microphone, then check again.`,
  },
  missing: {
    what: msg`No microphone is connected.`,
    fix: msg`Plug in a headset. It is taken as soon as the computer sees it.`,
  },
  busy: {
    what: msg`Another program holds the microphone.`,
    fix: msg`Close other meeting or recording programs, or unplug the headset and plug it in again.`,
  },
  insecure: {
    what: msg`Browsers open the microphone on secure addresses only.`,
    fix: msg`Open the desktop at the https address of your site. Ask an administrator if there is none.`,
  },
}
