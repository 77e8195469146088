import { i18n, type Messages } from '@lingui/core'

export const localeNames = { en: 'English', 'zh-Hans': '简体中文' } as const
export type Locale = keyof typeof localeNames
const KEY = 'trunkline-locale'

const isLocale = (value: string | null | undefined): value is Locale => value != null && value in localeNames

/** This browser's choice, else what the browser asks for. */
export function preferredLocale(): Locale {
  try {
    const chosen = localStorage.getItem(KEY)
    if (isLocale(chosen)) return chosen
  } catch {
    // No storage: the browser's languages decide.
  }
  return navigator.languages.some((tag) => /^zh\b/i.test(tag)) && !/^en\b/i.test(navigator.languages[0] ?? '') ? 'zh-Hans' : 'en'
}

type Catalogue = Promise<{ messages: Messages }>

const catalogues: Record<Locale, () => [Catalogue, Catalogue, ...Promise<unknown>[]]> = {
  en: () => [import('./locales/admin/en.po'), import('./locales/floor/en.po')],
  'zh-Hans': () => [import('./locales/admin/zh-Hans.po'), import('./locales/floor/zh-Hans.po'), import('./chinese')],
}

/** Loads both catalogues of a language, and for Chinese its font, then shows it. */
export async function activate(locale: Locale): Promise<void> {
  const [admin, floor] = await Promise.all(catalogues[locale]())
  i18n.loadAndActivate({ locale, messages: { ...floor.messages, ...admin.messages } })
  document.documentElement.lang = locale
}

/** The same, remembered for this browser. */
export async function chooseLocale(locale: Locale): Promise<void> {
  await activate(locale)
  try {
    localStorage.setItem(KEY, locale)
  } catch {
    // Kept for this page only.
  }
}

/** An account's language, unless this browser was told another. */
export async function followAccount(language: string): Promise<void> {
  try {
    if (localStorage.getItem(KEY) || !isLocale(language) || language === i18n.locale) return
  } catch {
    return
  }
  await activate(language)
}
