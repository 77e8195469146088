import { useQuery } from '@connectrpc/connect-query'
import { Trans, useLingui } from '@lingui/react/macro'
import { Button, MultiSelect, Switch, TextInput } from '@mantine/core'
import { useDebouncedCallback } from '@mantine/hooks'
import { IconSearch, IconX } from '@tabler/icons-react'
import { useState } from 'react'
import { listOf, may, outcomes, useMe } from '@/api'
import { AccessService } from '@/api/gen/trunkline/access/v1/access_pb'
import { RoutingService } from '@/api/gen/trunkline/cloud/v1/routing_pb'
import { SiteService } from '@/api/gen/trunkline/cloud/v1/sites_pb'
import { callOutcomeLook, useAddress } from '@/ui'
import { PeriodFilter } from '@/ui/period-filter'

const names = ['queue', 'agent', 'site', 'outcome', 'number', 'level', 'queued'] as const

/** What narrows the list; all of it in the address, so that a link shows the same calls. */
export function CallFilters({ zone }: { zone: string }) {
  const { i18n, t } = useLingui()
  const [address, setAddress] = useAddress()
  const queues = useQuery(RoutingService.method.listQueues, {})
  const sites = useQuery(SiteService.method.listSites, { pageSize: 200 })
  // Only who manages members may list them; others follow a link from the wallboard to an agent's calls.
  const manages = may(useMe(), 'members_manage')
  const members = useQuery(AccessService.method.listMembers, { pageSize: 200 }, { enabled: manages })
  const change = (name: (typeof names)[number]) => (values: string[]) => setAddress({ [name]: values.join(',') || undefined })
  const narrowed = names.some((name) => address[name] !== undefined)
  const many = (sites.data?.sites.length ?? 0) > 1
  return (
    <>
      <PeriodFilter zone={zone} />
      <Choose
        label={t`Queue`}
        value={listOf(address.queue)}
        onChange={change('queue')}
        options={queues.data?.queues.map(({ id, name }) => ({ value: id, label: name })) ?? []}
      />
      <Choose
        label={t`Outcome`}
        value={listOf(address.outcome)}
        onChange={change('outcome')}
        options={outcomes.map((outcome) => ({ value: outcome, label: i18n._(callOutcomeLook(outcome).word) }))}
      />
      {manages && (
        <Choose
          label={t`Agent`}
          value={listOf(address.agent)}
          onChange={change('agent')}
          options={members.data?.members.map(({ id, displayName, email }) => ({ value: id, label: displayName || email })) ?? []}
        />
      )}
      {many && (
        <Choose
          label={t`Site`}
          value={listOf(address.site)}
          onChange={change('site')}
          options={sites.data?.sites.map(({ id, name }) => ({ value: id, label: name })) ?? []}
        />
      )}
      <NumberSearch />
      <Switch
        label={t`Answered in time`}
        checked={String(address.level ?? '') === '1'}
        onChange={(event) => setAddress({ level: event.currentTarget.checked ? '1' : undefined })}
      />
      {String(address.queued ?? '') === '1' && (
        <Switch label={t`Waited in a queue`} checked onChange={() => setAddress({ queued: undefined })} />
      )}
      {narrowed && (
        <Button
          variant="subtle"
          leftSection={<IconX size={14} aria-hidden />}
          onClick={() => setAddress(Object.fromEntries(names.map((name) => [name, undefined])))}
        >
          <Trans>All calls</Trans>
        </Button>
      )}
    </>
  )
}

interface ChooseProps {
  label: string
  value: string[]
  onChange: (value: string[]) => void
  options: { value: string; label: string }[]
}

/** Several of a list. What the address names but the list does not have (yet) keeps its place. */
function Choose({ label, value, onChange, options }: ChooseProps) {
  const unknown = value
    .filter((id) => !options.some((option) => option.value === id))
    .map((id) => ({ value: id, label: `…${id.slice(-4)}` }))
  return (
    <MultiSelect
      aria-label={label}
      placeholder={value.length === 0 ? label : undefined}
      data={[...options, ...unknown]}
      value={value}
      onChange={onChange}
      w={value.length === 0 ? 150 : 220}
      clearable
      searchable={options.length > 8}
      hidePickedOptions={false}
    />
  )
}

/** Any run of digits of the caller's or the called number. */
function NumberSearch() {
  const { t } = useLingui()
  const [address, setAddress] = useAddress()
  const given = address.number === undefined ? '' : String(address.number)
  const [typed, setTyped] = useState(given)
  const [shownFor, setShownFor] = useState(given)
  if (given !== shownFor) {
    setShownFor(given)
    setTyped(given)
  }
  const search = useDebouncedCallback((text: string) => {
    setShownFor(text)
    setAddress({ number: text || undefined })
  }, 300)
  return (
    <TextInput
      type="search"
      aria-label={t`Number`}
      placeholder={t`Number`}
      w={170}
      leftSection={<IconSearch size={14} aria-hidden />}
      value={typed}
      onChange={(event) => {
        const text = event.currentTarget.value.replace(/[^\d+*#\s-]/g, '')
        setTyped(text)
        search(text.replace(/[\s-]/g, ''))
      }}
    />
  )
}
