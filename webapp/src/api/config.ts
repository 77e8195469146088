/**
 * Which program serves this page. Both do: the cloud to administrators and supervisors, a site's node to its agents, so
 * that the desktop loads with the cloud dead.
 */
export interface AppConfig {
  role: 'cloud' | 'edge'
  /** Base address of the tenant's cloud; empty = this origin. */
  cloudUrl: string
  /** Name of the site, at an edge. */
  site: string
}

let current: AppConfig = { role: 'cloud', cloudUrl: '', site: '' }

/** Reads /app-config.json once, before anything is drawn. A node that cannot answer is treated as the cloud it came from. */
export async function loadAppConfig(): Promise<AppConfig> {
  try {
    const response = await fetch('/app-config.json', { headers: { accept: 'application/json' }, cache: 'no-store' })
    if (response.ok && response.headers.get('content-type')?.includes('json')) current = parseAppConfig(await response.json())
  } catch {
    // Kept as it is: the first RPC will say what is wrong, in words.
  }
  return current
}

export function parseAppConfig(raw: unknown): AppConfig {
  const from = (typeof raw === 'object' && raw !== null ? raw : {}) as Record<string, unknown>
  const text = (name: string) => (typeof from[name] === 'string' ? (from[name] as string) : '')
  return { role: from.role === 'edge' ? 'edge' : 'cloud', cloudUrl: text('cloud_url').replace(/\/+$/, ''), site: text('site') }
}

export const appConfig = (): AppConfig => current
