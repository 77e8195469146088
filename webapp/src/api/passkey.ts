/**
 * WebAuthn with the JSON both sides already speak: options as the server made them, the answer as the browser gives it.
 * Throws DOMException NotAllowedError when the person cancels.
 */
export const passkeysWork = () => typeof PublicKeyCredential !== 'undefined' && 'parseRequestOptionsFromJSON' in PublicKeyCredential

const publicKeyOf = (json: string) => {
  const parsed = JSON.parse(json)
  return parsed.publicKey ?? parsed
}

export async function presentPasskey(optionsJson: string): Promise<string> {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(publicKeyOf(optionsJson))
  return answer(await navigator.credentials.get({ publicKey }))
}

export async function createPasskey(optionsJson: string): Promise<string> {
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(publicKeyOf(optionsJson))
  return answer(await navigator.credentials.create({ publicKey }))
}

function answer(credential: Credential | null): string {
  if (!(credential instanceof PublicKeyCredential)) throw new DOMException('no passkey', 'NotAllowedError')
  return JSON.stringify(credential.toJSON())
}

/** The computer or key at hand holds one for this account already. */
export const isKnownPasskey = (err: unknown) => err instanceof DOMException && err.name === 'InvalidStateError'

/** The person closed the browser's dialog, or it timed out: nothing to report. */
export const wasCancelled = (err: unknown) =>
  err instanceof DOMException && (err.name === 'NotAllowedError' || err.name === 'AbortError')
