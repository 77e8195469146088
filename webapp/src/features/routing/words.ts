import type { I18n, MessageDescriptor } from '@lingui/core'
import { msg } from '@lingui/core/macro'

const promptWords: Record<string, MessageDescriptor> = {
  greeting: msg`Greeting`,
  main_menu: msg`Main menu`,
  invalid_choice: msg`Invalid choice`,
  please_wait: msg`Please wait`,
  position_prefix: msg`Position, before the number`,
  position_suffix: msg`Position, after the number`,
  nobody_available: msg`Nobody available`,
  suspended_notice: msg`Company suspended`,
  overload: msg`All lines busy`,
  test_call_notice: msg`Test call`,
  music: msg`Music while waiting`,
  hold_music: msg`Music on hold`,
  beep: msg`Signal tone`,
}

/** The name of an included prompt in words; others go by the name they were uploaded with. */
export function promptLabel(i18n: I18n, name: string): string {
  const number = name.match(/^number_(\d+)$/)?.[1]
  if (number) return i18n._({ ...msg({ message: 'Number {number}' }), values: { number } })
  const words = promptWords[name]
  return words ? i18n._(words) : name
}

/** What the check of a flow found, by key. */
export const findingWords: Record<string, MessageDescriptor> = {
  'flow.unreadable': msg({ message: 'The flow cannot be read: {detail}' }),
  'flow.no_start': msg`The flow has no first step.`,
  'flow.unreachable': msg`No caller can reach this step.`,
  'flow.menu_empty': msg`The menu offers no choice.`,
  'flow.menu_digit': msg({ message: '“{digit}” is no key of a telephone.' }),
  'flow.menu_timeout': msg`The pause before the menu is said again must be 1 to 60 seconds.`,
  'flow.menu_retries': msg`The menu may be said again five times at most.`,
  'flow.queue_unknown': msg`This queue does not exist.`,
  'flow.type_unknown': msg({ message: 'The step “{type}” is not known.' }),
  'flow.prompt_missing': msg`Nothing is chosen to be spoken here.`,
  'flow.prompt_unknown': msg({ message: 'The prompt “{prompt}” does not exist in this language.' }),
  'flow.next_missing': msg`This step leads nowhere.`,
  'flow.loop': msg`A caller who presses nothing goes round in circles.`,
}
