/**
 * The session with the site. It outlives the tab and the cloud: a reload needs neither sign-in nor cloud for its 12 hours, nor
 * after them while the site cannot send anybody to the cloud. The storage of this origin holds it, and this origin is one node
 * of one site.
 */
import type { NodeView } from './model'

export interface Credentials {
  token: string
  /** Milliseconds since 1970. */
  expiresAt: number
  nodes: NodeView[]
}

const key = 'trunkline.agent.session'
/** The site lets a session go on so long beyond its end while the cloud is away. Only the site knows whether it is. */
const grace = 72 * 3_600_000
const mutedKey = 'trunkline.agent.muted'

export class CredentialStore {
  constructor(
    private readonly storage: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>,
    private readonly now: () => number = Date.now,
  ) {}

  /** What is stored and may still be good. */
  load(): Credentials | undefined {
    return this.#stored(this.now() - grace)
  }

  /** What is stored and has not come to its end. */
  fresh(): Credentials | undefined {
    return this.#stored(this.now())
  }

  #stored(after: number): Credentials | undefined {
    try {
      const found = JSON.parse(this.storage.getItem(key) ?? 'null') as Credentials | null
      if (!found || typeof found.token !== 'string' || !Array.isArray(found.nodes) || !(found.expiresAt > after)) return undefined
      return found
    } catch {
      return undefined
    }
  }

  save(credentials: Credentials): void {
    try {
      this.storage.setItem(key, JSON.stringify(credentials))
    } catch {
      // A private window may refuse: the session then ends with the tab.
    }
  }

  /** The call that is muted: a reload must not open the microphone again. */
  muted(): string | undefined {
    try {
      return this.storage.getItem(mutedKey) ?? undefined
    } catch {
      return undefined
    }
  }

  setMuted(callId: string | undefined): void {
    try {
      if (callId) this.storage.setItem(mutedKey, callId)
      else this.storage.removeItem(mutedKey)
    } catch {
      // Muted until the next reload, then.
    }
  }

  clear(): void {
    try {
      this.storage.removeItem(key)
    } catch {
      // Nothing was kept then.
    }
  }
}

/**
 * What the cloud, or the same desktop at another node, handed over in the address: `#grant=` a cloud access token to be
 * exchanged, `#session=` a session of this site. It is a secret, so it leaves the address and the history at once.
 */
export function takeHandover(location: Location, history: History): { grant?: string; session?: string } {
  const given = new URLSearchParams(location.hash.replace(/^#/, ''))
  const grant = given.get('grant') ?? undefined
  const session = given.get('session') ?? undefined
  if (grant || session) history.replaceState(history.state, '', location.pathname + location.search)
  return { grant, session }
}
