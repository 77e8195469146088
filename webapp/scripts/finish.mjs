// After vite build: keeps the folder for go:embed, and writes .br and .gz beside what is worth compressing.
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'

const dist = new URL('../dist', import.meta.url).pathname
const worthIt = /\.(js|css|html|svg|json|txt)$/
const [br, gz] = [promisify(brotliCompress), promisify(gzip)]

for (const name of await readdir(dist, { recursive: true })) {
  const file = join(dist, name)
  if (!worthIt.test(name) || (await stat(file)).size < 512) continue
  const data = await readFile(file)
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: data.length }
  await Promise.all([
    br(data, { params }).then((b) => writeFile(`${file}.br`, b)),
    gz(data, { level: 9 }).then((b) => writeFile(`${file}.gz`, b)),
  ])
}
await writeFile(join(dist, '.gitkeep'), '')
