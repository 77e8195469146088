/** The other side of workerTimer: {id, ms} sets an alarm, {id} alone takes it back. */
const alarms = new Map<number, ReturnType<typeof setTimeout>>()

self.onmessage = ({ data }: MessageEvent<{ id: number; ms?: number }>) => {
  clearTimeout(alarms.get(data.id))
  alarms.delete(data.id)
  if (data.ms === undefined) return
  alarms.set(
    data.id,
    setTimeout(() => {
      alarms.delete(data.id)
      self.postMessage(data.id)
    }, data.ms),
  )
}
