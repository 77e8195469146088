import { i18n } from '@lingui/core'
import { I18nProvider } from '@lingui/react'
import { cleanup, fireEvent, render, screen, waitFor } from '@testing-library/react'
import { afterEach, expect, it } from 'vitest'
import { activate } from '@/i18n'
import { LanguageSelect, UiProvider } from '.'

afterEach(async () => {
  cleanup()
  localStorage.clear()
  await activate('en')
})

it('shows the language of the page, and changes it', async () => {
  render(
    <I18nProvider i18n={i18n}>
      <UiProvider scheme="light">
        <LanguageSelect label="Language" />
      </UiProvider>
    </I18nProvider>,
  )
  const field = screen.getByRole<HTMLInputElement>('combobox', { name: 'Language' })
  expect(field.value).toBe('English')
  fireEvent.click(field)
  fireEvent.click(await screen.findByText('简体中文'))
  await waitFor(() => expect(i18n.locale).toBe('zh-Hans'), { timeout: 50_000 })
  expect(field.value).toBe('简体中文')
})
