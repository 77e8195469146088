import { useLingui } from '@lingui/react/macro'
import { Columns, CopyField, Duration, ExactTime, Facts, Meter, PhoneNumber, RelativeTime, Section, StatTile } from '@/ui'

const earlier = new Date(Date.now() - 185_000)

export function Figures() {
  const { t } = useLingui()
  return (
    <Section title={t`Figures`} why={t`Not known is a dash, never zero; old is grey.`}>
      <Columns>
        <StatTile label={t`Waiting`} value={3} note={t`longest 0:48`} />
        <StatTile label={t`Service level`} value={92} unit="%" tone="ready" note={t`goal 80 % in 20 s`} />
        <StatTile label={t`Service level`} value={74} unit="%" tone="warning" note={t`goal 80 % in 20 s`} />
        <StatTile label={t`Longest wait`} value="4:12" tone="breach" note={t`limit 3:00`} />
        <StatTile label={t`Calls today`} value="1,284" stale note={t`40 s old`} />
        <StatTile label={t`Handling time`} value={undefined} note={t`no call yet`} />
      </Columns>
      <Columns min={320}>
        <Facts
          of={[
            [t`Caller`, <PhoneNumber key="p" e164="+861012345678" />],
            [t`Withheld`, <PhoneNumber key="w" e164="" />],
            [t`Talked`, <Duration key="d" ms={3_723_000} />],
            [t`Since`, <Duration key="s" since={earlier} />],
            [t`Last seen`, <RelativeTime key="r" at={earlier} />],
            [t`Started`, <ExactTime key="e" at={earlier} />],
            [t`Disk`, <Meter key="m" share={0.82} tone="warning" label={t`18 GB free`} />],
          ]}
        />
        <CopyField
          label={t`Command for the new node`}
          value="trunkline-edge join --cloud https://cloud.example --token tlj1_Vn3…_9c1a…"
        />
      </Columns>
    </Section>
  )
}
