// Fails when a message of the sources is missing from a catalogue, or a Chinese one has no translation or other placeholders.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = new URL('..', import.meta.url).pathname
const locales = join(root, 'src/i18n/locales')
const fresh = mkdtempSync(join(tmpdir(), 'catalogues-'))
const problems = []

/** msgid -> msgstr of one file; obsolete entries are comments and so left out. */
function read(file) {
  const entries = new Map()
  if (!existsSync(file)) return entries
  let [id, text, field] = ['', '', '']
  const unquote = (line) => JSON.parse(line.slice(line.indexOf('"')))
  const keep = () => id && entries.set(id, text)
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    if (line.startsWith('msgid ')) {
      keep()
      ;[id, text, field] = [unquote(line), '', 'id']
    } else if (line.startsWith('msgstr ')) {
      ;[text, field] = [unquote(line), 'text']
    } else if (line.startsWith('"')) {
      if (field === 'id') id += unquote(line)
      else text += unquote(line)
    }
  }
  keep()
  return entries
}

const placeholders = (text) => [...new Set(text.match(/\{\s*(\w+)/g)?.map((p) => p.replace(/\W/g, '')) ?? [])].sort().join()
const tags = (text) => [...(text.match(/<\/?\d+\/?>/g) ?? [])].sort().join()

try {
  const env = { ...process.env, CATALOG: '', LOCALES: fresh }
  execFileSync(join(root, 'node_modules/.bin/lingui'), ['extract', '--clean'], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
    env,
  })
  for (const catalogue of readdirSync(fresh)) {
    const current = read(join(fresh, catalogue, 'en.po'))
    const had = read(join(locales, catalogue, 'en.po'))
    const chinese = read(join(locales, catalogue, 'zh-Hans.po'))
    for (const id of current.keys()) {
      const name = `${catalogue}: ${JSON.stringify(id)}`
      const text = chinese.get(id)
      if (!had.has(id)) problems.push(`${name} is not in en.po; run npm run i18n:extract`)
      else if (!text) problems.push(`${name} has no Chinese`)
      else if (placeholders(text) !== placeholders(id)) problems.push(`${name} has other placeholders in Chinese`)
      else if (tags(text) !== tags(id)) problems.push(`${name} has other tags in Chinese`)
    }
  }
} finally {
  rmSync(fresh, { recursive: true })
}
if (problems.length > 0) {
  console.error(problems.slice(0, 40).join('\n'))
  if (problems.length > 40) console.error(`and ${problems.length - 40} more`)
  process.exit(1)
}
console.log('translations: complete')
