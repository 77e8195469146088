import { Trans, useLingui } from '@lingui/react/macro'
import { Menu, VisuallyHidden } from '@mantine/core'
import { IconCheck, IconChevronDown, IconLogout, IconUser } from '@tabler/icons-react'
import { Link, useNavigate } from '@tanstack/react-router'
import { type MeResponse, refreshSession, signOut } from '@/api'
import { failed } from '@/ui'
import { Mark } from './mark'
import { paths } from './paths'
import classes from './shell.module.css'

/** The tenant this session is for, and the others of the same account. */
export function TenantMenu({ me }: { me: MeResponse }) {
  const { t } = useLingui()
  const navigate = useNavigate()
  const name = me.membership?.tenantName ?? (me.platformAdmin ? t`Platform` : 'Trunkline')
  if (me.memberships.length < 2 || me.actingAs) {
    return (
      <div className={classes.tenant} style={{ cursor: 'default' }}>
        <Mark className={classes.mark} />
        <span title={name}>{name}</span>
      </div>
    )
  }
  const change = async (tenantId: bigint) => {
    try {
      await refreshSession({ tenantId })
      await navigate({ to: paths.home })
    } catch (err) {
      failed(err)
    }
  }
  return (
    <Menu position="bottom-start" width={240}>
      <Menu.Target>
        <button type="button" className={classes.tenant} aria-label={t`Company: ${name}. Change`}>
          <Mark className={classes.mark} />
          <span>{name}</span>
          <IconChevronDown size={14} aria-hidden />
        </button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          <Trans>Your companies</Trans>
        </Menu.Label>
        {me.memberships.map(({ id, tenantId, tenantName, suspended }) => (
          <Menu.Item
            key={id}
            disabled={suspended}
            rightSection={id === me.membership?.id && <IconCheck size={14} aria-hidden />}
            onClick={() => void change(tenantId)}
          >
            {suspended ? <Trans>{tenantName} (suspended)</Trans> : tenantName}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  )
}

/** Own account and sign-out. */
export function PersonMenu({ me }: { me: MeResponse }) {
  const name = me.displayName || me.email
  return (
    <Menu position="top-start" width={220}>
      <Menu.Target>
        <button type="button" className={classes.person}>
          <VisuallyHidden>
            <Trans>Your account</Trans>
          </VisuallyHidden>
          <span className={classes.personName}>{name}</span>
          {me.displayName && <span className={classes.personMail}>{me.email}</span>}
        </button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item component={Link} to={paths.account} leftSection={<IconUser size={14} aria-hidden />}>
          <Trans>Your account</Trans>
        </Menu.Item>
        <Menu.Item leftSection={<IconLogout size={14} aria-hidden />} onClick={() => void signOut()}>
          <Trans>Sign out</Trans>
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  )
}
