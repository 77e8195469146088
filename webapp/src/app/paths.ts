/**
 * Every address of the app, once. Routes are made from these and links point to them: `<Link to={paths.site} params={{ siteId }}>`.
 * Those marked "mailed" stand in mails and invitations: changing one breaks links already sent.
 */
export const paths = {
  home: '/',

  signIn: '/sign-in',
  signUp: '/sign-up',
  /** Mailed: ?token= , or typed: ?email= */
  confirm: '/confirm',
  forgot: '/forgot',
  /** Mailed: ?token= */
  reset: '/reset',
  /** Mailed: ?token= */
  invitation: '/invitation',
  /** Mailed: ?token= */
  confirmEmail: '/confirm-email',

  setup: '/setup',
  desktop: '/desktop',
  wallboard: '/wallboard',
  calls: '/calls',
  call: '/calls/$callId',
  reports: '/reports/queues',

  sites: '/sites',
  site: '/sites/$siteId',
  numbers: '/numbers',
  queues: '/queues',
  flow: '/flow',
  prompts: '/prompts',
  members: '/members',
  settings: '/settings',
  account: '/account',

  tenants: '/console',
  tenant: '/console/tenants/$tenantId',
  platformSites: '/console/sites',
  audit: '/console/audit',

  gallery: '/gallery',
} as const

export type Path = (typeof paths)[keyof typeof paths]

/** Where the address of a page goes as text: mails, redirects after sign-in. */
export function fill(path: Path, params: Record<string, string> = {}): string {
  return path.replace(/\$(\w+)/g, (_, name: string) => {
    const value = params[name]
    if (!value) throw new Error(`address ${path} needs ${name}`)
    return encodeURIComponent(value)
  })
}

/** A path to go to after sign-in: of this app only, never another origin. */
export function safeNext(next: unknown): string {
  if (typeof next !== 'string' || !next.startsWith('/') || next.startsWith('//') || next.includes('\\')) return paths.home
  return next
}
