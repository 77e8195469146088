/** What the cloud counts, as it is shown. Pure. */
import type { QueueFigures } from '@/api/gen/trunkline/cloud/v1/calls_pb'

/** Per cent from per mille; undefined where nothing counts. */
export const percent = (perMille: number): number | undefined => (perMille < 0 ? undefined : perMille / 10)
/** Milliseconds; undefined where nothing counts. */
export const length = (ms: bigint): number | undefined => (ms < 0n ? undefined : Number(ms))

export type FigureName = Exclude<keyof QueueFigures, `$${string}`>

/** Which of the calls that waited each figure counted. A rate opens those in its numerator, a longest wait all it looked at. */
export const counted: Record<FigureName, { outcomes?: string[]; level?: boolean }> = {
  offered: {},
  answered: { outcomes: ['answered'] },
  answeredInLevel: { level: true },
  serviceLevelPm: { level: true },
  abandoned: { outcomes: ['abandoned'] },
  abandonmentPm: { outcomes: ['abandoned'] },
  abandonedShort: { outcomes: ['abandoned_short'] },
  failed: { outcomes: ['failed'] },
  other: { outcomes: ['max_wait'] },
  asaMs: { outcomes: ['answered'] },
  ahtMs: { outcomes: ['answered'] },
  maxWaitMs: {},
}
