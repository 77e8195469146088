/**
 * The flow document (internal/flow, schema 1) and the plain shape this form edits: a greeting, one menu, queues, an
 * announcement when nobody could answer. Pure.
 */
export interface FlowNode {
  type: 'play' | 'menu' | 'queue' | 'hangup'
  prompt?: string
  next?: string
  options?: Record<string, { label: string; next: string }>
  timeout_ms?: number
  retries?: number
  queue_id?: string
  priority?: number
}

export interface FlowDocument {
  schema: number
  language: string
  start: string
  nodes: Record<string, FlowNode>
}

/** Where a choice leads: "queue:<id>" waits there, "say:<prompt>" speaks and hangs up, "end" hangs up. */
export type Target = `queue:${string}` | `say:${string}` | 'end'

export interface PlainFlow {
  language: string
  /** Prompt spoken first; empty = none. */
  greeting: string
  menu: boolean
  menuPrompt: string
  /** Seconds of silence before the menu is said again. */
  timeoutS: number
  /** How often it is said again. */
  retries: number
  options: { digit: string; label: string; target: string }[]
  /** Where callers go who press nothing, or everybody without a menu. */
  otherwise: string
  /** Spoken when a queue could not serve the caller; empty = hang up at once. */
  nobody: string
}

export function parseDocument(json: string): FlowDocument | undefined {
  try {
    const document = JSON.parse(json) as FlowDocument
    return document.schema === 1 && typeof document.nodes === 'object' ? document : undefined
  } catch {
    return undefined
  }
}

export function toDocument(flow: PlainFlow): FlowDocument {
  const nodes: Record<string, FlowNode> = {}
  const end = () => {
    nodes.end = { type: 'hangup' }
    return 'end'
  }
  const afterQueue = () => {
    if (!flow.nobody) return end()
    nodes.nobody = { type: 'play', prompt: flow.nobody, next: end() }
    return 'nobody'
  }
  /** Makes the target's node once and gives its id. */
  const lead = (target: string): string => {
    const [kind, value = ''] = split(target)
    const number = (prefix: string) => 1 + Object.keys(nodes).filter((id) => id.startsWith(prefix)).length
    if (kind === 'queue') {
      const known = Object.entries(nodes).find(([, node]) => node.type === 'queue' && node.queue_id === value)
      if (known) return known[0]
      const id = `queue_${number('queue_')}`
      nodes[id] = { type: 'queue', queue_id: value, next: '' }
      nodes[id] = { type: 'queue', queue_id: value, next: afterQueue() }
      return id
    }
    if (kind === 'say') {
      const known = Object.entries(nodes).find(([id, node]) => id.startsWith('say_') && node.prompt === value)
      if (known) return known[0]
      const id = `say_${number('say_')}`
      nodes[id] = { type: 'play', prompt: value, next: '' }
      nodes[id] = { type: 'play', prompt: value, next: end() }
      return id
    }
    return end()
  }
  let first = lead(flow.otherwise)
  if (flow.menu) {
    const options = Object.fromEntries(flow.options.map(({ digit, label, target }) => [digit, { label, next: lead(target) }]))
    nodes.menu = {
      type: 'menu',
      prompt: flow.menuPrompt,
      timeout_ms: flow.timeoutS * 1000,
      retries: flow.retries,
      options,
      next: first,
    }
    first = 'menu'
  }
  if (flow.greeting) {
    nodes.greeting = { type: 'play', prompt: flow.greeting, next: first }
    first = 'greeting'
  }
  return { schema: 1, language: flow.language, start: first, nodes }
}

const split = (target: string): [string, string?] => {
  const at = target.indexOf(':')
  return at < 0 ? [target] : [target.slice(0, at), target.slice(at + 1)]
}

/** The plain shape of a document, or undefined when it is more than this form can hold. */
export function toPlain(document: FlowDocument): PlainFlow | undefined {
  const { nodes } = document
  let at = document.start
  const plain: PlainFlow = {
    language: document.language,
    greeting: '',
    menu: false,
    menuPrompt: 'main_menu',
    timeoutS: 4,
    retries: 1,
    options: [],
    otherwise: 'end',
    nobody: '',
  }
  const first = nodes[at]
  // A spoken step that leads on is the greeting; one that only hangs up is a target.
  if (first?.type === 'play' && nodes[first.next ?? '']?.type !== 'hangup') {
    plain.greeting = first.prompt ?? ''
    at = first.next ?? ''
  }
  const after = new Set<string>()
  const target = (id: string): Target | undefined => {
    const node = nodes[id]
    if (node?.type === 'hangup') return 'end'
    if (node?.type === 'play' && nodes[node.next ?? '']?.type === 'hangup') return `say:${node.prompt ?? ''}`
    if (node?.type !== 'queue' || node.priority) return undefined
    const next = target(node.next ?? '')
    if (next === undefined || next.startsWith('queue:')) return undefined
    after.add(next === 'end' ? '' : next.slice('say:'.length))
    return `queue:${node.queue_id ?? ''}`
  }
  const menu = nodes[at]
  if (menu?.type === 'menu') {
    plain.menu = true
    plain.menuPrompt = menu.prompt ?? ''
    plain.timeoutS = Math.round((menu.timeout_ms ?? 4000) / 1000)
    plain.retries = menu.retries ?? 0
    for (const [digit, option] of Object.entries(menu.options ?? {})) {
      const to = target(option.next)
      if (to === undefined) return undefined
      plain.options.push({ digit, label: option.label, target: to })
    }
    at = menu.next ?? ''
  }
  const otherwise = target(at)
  if (otherwise === undefined || after.size > 1) return undefined
  plain.otherwise = otherwise
  plain.nobody = [...after][0] ?? ''
  return plain
}
