import type { I18n, MessageDescriptor } from '@lingui/core'
import { msg } from '@lingui/core/macro'

/** What an entry of the audit log says was done. */
const words: Record<string, MessageDescriptor> = {
  'account.email_changed': msg`E-mail address changed`,
  'acting.begun': msg`Began acting as a company`,
  'acting.ended': msg`Stopped acting as a company`,
  'agent.commanded': msg`Agent's state changed by a supervisor`,
  'dialling.changed': msg`Numbers that may be called changed`,
  'dialling.granted': msg`Calls over the platform's trunks granted`,
  'flow.published': msg`Call flow published`,
  'invitation.revoked': msg`Invitation withdrawn`,
  'member.disabled': msg`Member disabled`,
  'member.enabled': msg`Member enabled`,
  'member.factors_reset': msg`Second factors removed`,
  'member.invited': msg`Member invited`,
  'member.joined': msg`Member joined`,
  'member.roles_changed': msg`Role changed`,
  'node.joined': msg`Node joined`,
  'number.changed': msg`Number changed`,
  'number.created': msg`Number added`,
  'number.deleted': msg`Number deleted`,
  'number.given': msg`Number given by the platform`,
  'onboarding.skipped': msg`Step skipped`,
  'passkey.added': msg`Passkey added`,
  'passkey.removed': msg`Passkey removed`,
  'password.changed': msg`Password changed`,
  'password.reset_requested': msg`Password reset asked for`,
  'platform.looked': msg`Looked across companies`,
  'platform_admin.created': msg`Platform administrator made`,
  'prompt.reset': msg`Prompt reset`,
  'prompt.uploaded': msg`Prompt uploaded`,
  'queue.changed': msg`Queue changed`,
  'queue.created': msg`Queue added`,
  'recording.played': msg`Recording played`,
  'reports.rebuilt': msg`Reports recomputed`,
  'second_factor.refused': msg`Second factor refused`,
  'session.begun': msg`Signed in`,
  'session.ended': msg`Signed out`,
  'session.ended_all': msg`Signed out everywhere`,
  'session.refused': msg`Sign-in refused`,
  'settings.changed': msg`Settings changed`,
  'site.created': msg`Site created`,
  'site.hosted_used': msg`Hosted site chosen`,
  'site.token_created': msg`Join command made`,
  'tenant.created': msg`Company created`,
  'tenant.deleted': msg`Deletion of the company begun`,
  'tenant.erased': msg`Company erased`,
  'tenant.exported': msg`Company exported`,
  'tenant.resumed': msg`Company resumed`,
  'tenant.suspended': msg`Company suspended`,
  'totp.added': msg`Authenticator app added`,
  'totp.removed': msg`Authenticator app removed`,
  'trunk.changed': msg`Trunk changed`,
  'trunk.created': msg`Trunk added`,
  'trunk.deleted': msg`Trunk deleted`,
}

/** In words; the name itself for one this version does not know. */
export const auditAction = (i18n: I18n, action: string): string => (words[action] ? i18n._(words[action]) : action)

/** Who did it, by AuditEntry.actor. */
export function actorWords(i18n: I18n, actor: string): string {
  const [, kind, rest = ''] = actor.match(/^(acting|node):(.*)$/) ?? []
  if (kind === 'acting') return i18n._(msg`${rest}, acting as the company`)
  if (kind === 'node') {
    const [site = '', node = ''] = rest.split('/')
    return site ? i18n._(msg`Node ${node} of ${site}`) : i18n._(msg`Node ${node}`)
  }
  if (actor === 'system') return i18n._(msg`The system itself`)
  if (actor === 'command line') return i18n._(msg`The operator's command line`)
  return actor || '–'
}
