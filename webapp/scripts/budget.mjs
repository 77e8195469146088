// What a first visit loads, in brotli bytes, held against the budget. Also each chunk loaded later.
import { readFile, rm } from 'node:fs/promises'

const KB = 1024
const budget = { js: 260 * KB, css: 40 * KB, lazy: 180 * KB }
const dist = new URL('../dist/', import.meta.url)
const size = async (file) => (await readFile(new URL(`${file}.br`, dist)).catch(() => readFile(new URL(file, dist)))).length

const manifest = JSON.parse(await readFile(new URL('.vite/manifest.json', dist), 'utf8'))
const entry = Object.values(manifest).find((chunk) => chunk.isEntry)
const first = new Set()
const walk = (chunk) => {
  if (first.has(chunk.file)) return
  first.add(chunk.file)
  for (const css of chunk.css ?? []) first.add(css)
  for (const name of chunk.imports ?? []) walk(manifest[name])
}
walk(entry)

const sum = async (pattern) => {
  let total = 0
  for (const file of first) if (pattern.test(file)) total += await size(file)
  return total
}
const [js, css] = [await sum(/\.js$/), await sum(/\.css$/)]
let worst = { file: 'none', bytes: 0 }
for (const { file } of Object.values(manifest)) {
  if (first.has(file) || !file.endsWith('.js')) continue
  const bytes = await size(file)
  if (bytes > worst.bytes) worst = { file, bytes }
}

const kb = (bytes) => `${(bytes / KB).toFixed(1)} KB`
console.log(`FIGURE web_initial_js ${(js / KB).toFixed(1)} KB`)
console.log(`FIGURE web_initial_css ${(css / KB).toFixed(1)} KB`)
console.log(`FIGURE web_largest_lazy_chunk ${(worst.bytes / KB).toFixed(1)} KB`)
const over = [
  js > budget.js && `first JavaScript ${kb(js)}, at most ${kb(budget.js)}`,
  css > budget.css && `first CSS ${kb(css)}, at most ${kb(budget.css)}`,
  worst.bytes > budget.lazy && `${worst.file} ${kb(worst.bytes)}, at most ${kb(budget.lazy)}`,
].filter(Boolean)
if (over.length > 0) {
  console.error(`web: too big: ${over.join('; ')}`)
  process.exit(1)
}
// It served its purpose; what is embedded in the programs is only what browsers ask for.
await rm(new URL('.vite', dist), { recursive: true })
