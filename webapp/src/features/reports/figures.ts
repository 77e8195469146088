/** What the cloud counts, as it is shown. Pure. */
/** Per cent from per mille; undefined where nothing counts. */
export const percent = (perMille: number): number | undefined => (perMille < 0 ? undefined : perMille / 10)
/** Milliseconds; undefined where nothing counts. */
export const length = (ms: bigint): number | undefined => (ms < 0n ? undefined : Number(ms))
