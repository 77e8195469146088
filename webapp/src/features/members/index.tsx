import { Trans, useLingui } from '@lingui/react/macro'
import { Button, TextInput } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { IconMailPlus, IconSearch } from '@tabler/icons-react'
import { useState } from 'react'
import { Page, Switcher, useAddress } from '@/ui'
import { Invitations } from './invitations'
import { InvitePanel } from './invite'
import { MemberList } from './list'

/** People of the company: members with their roles and queues, and open invitations. */
export function MembersPage() {
  const { t } = useLingui()
  const [address, setAddress] = useAddress()
  const [typed, setTyped] = useState(address.search ?? '')
  const [search] = useDebouncedValue(typed, 250)
  const [inviting, setInviting] = useState(false)
  const tab = address.tab === 'invitations' ? 'invitations' : 'members'
  return (
    <Page
      title={t`Members`}
      why={t`Who works here, what they may do, and which queues they answer.`}
      action={
        <Button leftSection={<IconMailPlus size={16} aria-hidden />} onClick={() => setInviting(true)}>
          <Trans>Invite</Trans>
        </Button>
      }
      filters={
        <>
          <Switcher
            label={t`Show`}
            value={tab}
            onChange={(value) => setAddress({ tab: value === 'invitations' ? value : undefined })}
            options={[
              { value: 'members', label: t`Members` },
              { value: 'invitations', label: t`Invitations` },
            ]}
          />
          {tab === 'members' && (
            <TextInput
              aria-label={t`Search members`}
              placeholder={t`Name or e-mail`}
              leftSection={<IconSearch size={14} aria-hidden />}
              value={typed}
              onChange={(event) => setTyped(event.currentTarget.value)}
            />
          )}
        </>
      }
    >
      {tab === 'members' ? (
        <MemberList search={search.trim()} onInvite={() => setInviting(true)} />
      ) : (
        <Invitations onInvite={() => setInviting(true)} />
      )}
      <InvitePanel opened={inviting} onClose={() => setInviting(false)} />
    </Page>
  )
}
