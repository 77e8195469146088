import { Trans, useLingui } from '@lingui/react/macro'
import { Anchor } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import type { TenantSummary } from '@/api/gen/trunkline/cloud/v1/console_pb'
import { paths } from '@/app/paths'
import { DefinedFigure, Definition } from '@/ui'
import { toCalls } from './act-as'

/** The figure in the list of companies. The calls are the company's own: its list is seen by acting as it, with a reason. */
export function CallsToday({ tenant }: { tenant: TenantSummary }) {
  const { t, i18n } = useLingui()
  const value = new Intl.NumberFormat(i18n.locale).format(tenant.callsToday)
  return (
    <DefinedFigure name={t`Calls today`} value={value} way={<Way tenant={tenant} />}>
      <Meaning />
    </DefinedFigure>
  )
}

/** The same beside the figure on the company's page. */
export function CallsTodayDefinition({ tenant }: { tenant: TenantSummary }) {
  const { t } = useLingui()
  return (
    <Definition name={t`Calls today`} way={<Way tenant={tenant} />}>
      <Meaning />
    </Definition>
  )
}

const Meaning = () => (
  <Trans>
    Calls that began since midnight in the company’s time zone and have ended, test calls too. They belong to the company: act as
    it, with a reason, and its list shows exactly these.
  </Trans>
)

const Way = ({ tenant }: { tenant: TenantSummary }) =>
  tenant.status !== 'deleting' && (
    <Anchor
      component={Link}
      to={paths.tenant}
      params={{ tenantId: String(tenant.id) } as never}
      search={toCalls as never}
      size="sm"
    >
      <Trans>Act as {tenant.name}</Trans>
    </Anchor>
  )
