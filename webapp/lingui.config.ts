import { defineConfig } from '@lingui/cli'
import { formatter } from '@lingui/format-po'

// Two catalogues, so that the pages of the floor and those of administration are translated apart:
// floor holds features/{agent,wallboard,calls,reports}, admin all else. CATALOG=floor limits a run to one.
const floor = ['agent', 'wallboard', 'calls', 'reports'].map((name) => `<rootDir>/src/features/${name}`)
// The check extracts into a folder of its own.
const locales = process.env.LOCALES ?? '<rootDir>/src/i18n/locales'
const catalogs = [
  {
    name: 'admin',
    path: `${locales}/admin/{locale}`,
    include: ['<rootDir>/src'],
    exclude: [...floor.map((dir) => `${dir}/**`), '<rootDir>/src/api/gen/**', '**/*.test.*'],
  },
  { name: 'floor', path: `${locales}/floor/{locale}`, include: floor, exclude: ['**/*.test.*'] },
]
const only = process.env.CATALOG

export default defineConfig({
  sourceLocale: 'en',
  locales: ['en', 'zh-Hans'],
  orderBy: 'message',
  format: formatter({ lineNumbers: false }),
  catalogs: only ? catalogs.filter(({ name }) => name === only) : catalogs,
})
