// Drives one Chromium for a test. Arguments: one JSON object
//   {"modules": folder of node_modules, "chromium": program, "wav": what the microphone says, "tones": [Hz to listen for]}
// Each line on standard input is a request {"id", "page", "do", ...}; each line on standard output is its answer
// {"id", "value"} or {"id", "error"}, or what a page tells {"page", "event", "at", ...}. It ends when its input does.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const given = JSON.parse(process.argv[2])
const require = createRequire(join(given.modules, 'x.js'))
const { chromium } = require('playwright-core')
const ears = readFileSync(join(dirname(fileURLToPath(import.meta.url)), 'ears.js'), 'utf8')
// How long a page may take for one act, on a busy machine too.
const limit = 60_000

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`)

const browser = await chromium.launch({
  executablePath: given.chromium,
  headless: true,
  chromiumSandbox: false,
  args: [
    '--use-fake-device-for-media-stream',
    '--use-fake-ui-for-media-stream',
    ...(given.wav ? [`--use-file-for-fake-audio-capture=${given.wav}`] : []),
    '--autoplay-policy=no-user-gesture-required',
    '--allow-loopback-in-peer-connection',
    '--disable-background-timer-throttling',
    '--disable-backgrounding-occluded-windows',
    '--disable-renderer-backgrounding',
    '--disable-features=WebRtcHideLocalIpsWithMdns',
    '--disable-dev-shm-usage',
    '--disable-gpu',
  ],
})
const pages = new Map()
const underWay = new Map()

/** A page of a context of its own: somebody else's browser, as far as cookies go. */
async function open(name, { locale = 'en-US', width = 1440, height = 900, keep = {}, beside }) {
  if (beside) return another(name, pages.get(beside).context())
  const context = await browser.newContext({ locale, viewport: { width, height }, timezoneId: 'UTC', reducedMotion: 'reduce' })
  context.setDefaultTimeout(limit)
  await context.exposeBinding('__tell', (_, event) => say({ page: name, ...event }))
  await context.addInitScript(`window.__watchedTones = ${JSON.stringify(given.tones ?? [])}`)
  await context.addInitScript(
    (items) => Object.entries(items).forEach(([k, v]) => localStorage.getItem(k) ?? localStorage.setItem(k, v)),
    keep,
  )
  await context.addInitScript(ears)
  watch(name, await context.newPage())
  // A desktop opened in a new tab takes the name over.
  context.on('page', (page) => byHand.has(context) || watch(name, page))
}

const byHand = new Set()

/** One more tab of somebody's browser. */
async function another(name, context) {
  byHand.add(context)
  watch(name, await context.newPage())
  byHand.delete(context)
}

function watch(name, page) {
  pages.set(name, page)
  const asked = new Set()
  page.on('request', (request) => asked.add(request))
  for (const over of ['requestfinished', 'requestfailed']) page.on(over, (request) => asked.delete(request))
  underWay.set(page, asked)
  page.on('console', (message) => {
    if (message.type() === 'error') say({ page: name, event: 'console', at: Date.now(), text: message.text(), url: message.location().url })
  })
  page.on('pageerror', (error) => say({ page: name, event: 'pageerror', at: Date.now(), text: String(error.stack ?? error) }))
}

/** What WCAG rules the page breaks, one line each. */
async function axe(page) {
  if (!(await page.evaluate('"axe" in window'))) await page.evaluate(readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8'))
  const { violations } = await page.evaluate(() =>
    window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }),
  )
  return violations.map(({ id, impact, help, nodes, tags }) => ({
    id,
    wcag: tags.some((tag) => tag.startsWith('wcag')),
    impact,
    help,
    count: nodes.length,
    example: nodes[0]?.html.slice(0, 200),
    why: nodes[0]?.failureSummary?.replaceAll('\n', ' ').slice(0, 240),
  }))
}

const rpc = /\/trunkline\.(?!access\.)/

const acts = {
  goto: (page, { url }) => page.goto(url).then(() => undefined),
  reload: (page) => page.reload({ waitUntil: 'commit' }).then(() => undefined),
  click: (page, { on }) => page.locator(on).first().click(),
  fill: (page, { on, text }) => page.locator(on).first().fill(text),
  choose: (page, { on, label, index }) => page.locator(on).first().selectOption(label === undefined ? { index } : { label }),
  wait: (page, { on, state, ms }) => page.locator(on).first().waitFor({ state: state || 'visible', timeout: ms || limit }),
  text: (page, { on }) => page.locator(on).first().innerText(),
  press: (page, { keys }) => keys.reduce((before, key) => before.then(() => page.keyboard.press(key)), Promise.resolve()),
  /** What has the focus, by its test id, else its name, else its text. */
  focus: (page) =>
    page.evaluate(() => {
      const { activeElement: e } = document
      return e?.getAttribute('data-testid') ?? e?.getAttribute('aria-label') ?? e?.textContent?.trim().slice(0, 80) ?? ''
    }),
  /** How many requests to the address have no end yet: open streams. */
  open_requests: (page, { ending }) => [...underWay.get(page)].filter((request) => request.url().endsWith(ending)).length,
  /** The system's wish for light or dark, which pages follow at once. */
  scheme: (page, { scheme }) => page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' }),
  /** All that is asked from now on fails as when the cloud is away; never again after `off`. */
  cut: (page, { off }) =>
    off ? page.unroute(rpc) : page.route(rpc, (route) => route.fulfill({ status: 503, contentType: 'text/plain', body: '' })),
  address: (page) => page.url(),
  // Streams never end: quiet is when the page has a heading and no placeholder, and that for a moment.
  settle: async (page, { ms, pause }) => {
    await page
      .waitForFunction(
        () => document.querySelector('h1, h2, [data-testid=desktop]') && !document.querySelector('[aria-busy=true]'),
        undefined,
        { timeout: ms || 4000 },
      )
      .catch(() => undefined)
    await page.evaluate(() => document.fonts.ready.then(() => undefined))
    await page.waitForTimeout(pause ?? 350)
  },
  /** Makes the window as high as what scrolls in it. Gives by how many pixels the page is too wide. */
  stretch: async (page, { width, height }) => {
    await page.setViewportSize({ width, height })
    const more = () => {
      const frame = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))
      const taller = [...document.querySelectorAll('main, main *')]
        .filter((e) => e.clientHeight > 300 && ['auto', 'scroll'].includes(getComputedStyle(e).overflowY))
        .map((e) => e.scrollHeight - e.clientHeight)
      return frame().then(() => ({
        high: Math.max(0, document.documentElement.scrollHeight - innerHeight, ...taller),
        wide: document.documentElement.scrollWidth - innerWidth,
      }))
    }
    const { high, wide } = await page.evaluate(more)
    if (high > 0) await page.setViewportSize({ width, height: Math.min(4000, height + high) })
    await page.waitForTimeout(150)
    return wide
  },
  run: (page, { code }) => page.evaluate(code),
  size: (page, { width, height }) => page.setViewportSize({ width, height }),
  picture: (page, { file }) => page.screenshot({ path: file, animations: 'disabled' }).then(() => undefined),
  axe,
  close: (page) => page.context().close(),
  close_tab: (page) => page.close(),
}

async function act(request) {
  if (request.do === 'open') return open(request.page, request)
  const page = pages.get(request.page)
  if (!page) throw new Error(`no page ${request.page}`)
  return acts[request.do](page, request)
}

say({ event: 'ready' })
for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line)
  act(request).then(
    (value) => say({ id: request.id, value: value ?? null }),
    (error) => say({ id: request.id, error: String(error.message ?? error) }),
  )
}
await browser.close()
