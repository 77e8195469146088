/**
 * The page's content security policy lists the nodes known when the page was loaded. A node that joined since can be opened
 * but not called from this page: asked here, a reload brings the new list.
 */
export async function policyAllows(url: string): Promise<boolean> {
  const { origin } = new URL(url, window.location.href)
  let blocked = false
  const hear = ({ blockedURI }: SecurityPolicyViolationEvent) => {
    if (blockedURI.startsWith(origin)) blocked = true
  }
  document.addEventListener('securitypolicyviolation', hear)
  try {
    await fetch(`${origin}/app-config.json`, { mode: 'no-cors', cache: 'no-store', signal: AbortSignal.timeout(2000) })
  } catch {
    // Refused by the policy, or not there: only the first is said by the event, which comes right after.
    await new Promise((resolve) => setTimeout(resolve, 50))
  } finally {
    document.removeEventListener('securitypolicyviolation', hear)
  }
  return !blocked
}

const RELOADED = 'trunkline-reloaded-for'

/** Reloads the page when its policy does not list all of these addresses yet; once for the same list. */
export async function reloadForNewNodes(urls: string[]): Promise<void> {
  const list = [...urls].sort().join(' ')
  if (list === '' || sessionStorage.getItem(RELOADED) === list) return
  const known = await Promise.all(urls.map(policyAllows))
  if (known.every(Boolean)) return
  sessionStorage.setItem(RELOADED, list)
  window.location.reload()
}
