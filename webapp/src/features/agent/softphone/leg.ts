/**
 * One audio leg between this browser and the node that owns the call: offered while the call rings, both directions shut until
 * the agent answers. A leg is never mended; what breaks is replaced by a new one.
 */
import { uuidv7 } from '../session/ids'
import type { IceServerView } from '../session/model'
import type { LegWish, Quality } from '../session/state'
import type { Timer } from '../session/timer'
import { gathered, peerConfig, telephoneCodecs } from './peer'
import { between, read } from './quality'
import type { Output } from './speaker'
import { soundHeard } from './timing'

export interface LegTools {
  createPeer(config: RTCConfiguration): RTCPeerConnection
  /** The open microphone, if there is one. */
  source(): Promise<MediaStreamTrack | undefined>
  output(): Output
  negotiate(callId: string, sdpOffer: string, legId: string): Promise<string>
  codecs(): readonly RTCRtpCodec[] | undefined
  timer: Timer
}

export interface LegHooks {
  connected(): void
  /** The leg is of no more use. Told once. */
  broken(error?: unknown): void
  quality(quality: Quality | undefined): void
}

/** A pause in the path this long is taken for its end; ICE often recovers from a shorter one. */
const interruption = 1_000
/** From the answer of the node to the first connectivity check that succeeds. */
const connectWithin = 5_000
const qualityEvery = 2_000
const soundEvery = 10
const soundWithin = 10_000
/** Level above which a packet is sound, of 0 to 1. */
const audible = 0.0005

export class Leg {
  readonly nodeUrl: string
  #pc: RTCPeerConnection | undefined
  #sender: RTCRtpSender | undefined
  #track: MediaStreamTrack | undefined
  #output: Output
  #wish: LegWish
  #over = false
  #listening = false
  #began = performance.now()
  #alarms = new Set<() => void>()

  constructor(
    wish: LegWish,
    private readonly iceServers: IceServerView[],
    private readonly tools: LegTools,
    private readonly hooks: LegHooks,
  ) {
    this.nodeUrl = wish.nodeUrl
    this.#wish = wish
    this.#output = tools.output()
    this.apply(wish)
  }

  async start(): Promise<void> {
    try {
      await this.#negotiate()
    } catch (error) {
      this.#break(error)
    }
  }

  /** Opens and shuts both directions. Takes effect at once, no message is sent. */
  apply(wish: LegWish): void {
    this.#wish = wish
    if (this.#track) this.#track.enabled = wish.speak
    this.#output.setOpen(wish.open)
    if (wish.open) this.#listen()
  }

  /** Speaks through another microphone from now on. */
  async replaceSource(source: MediaStreamTrack): Promise<void> {
    const old = this.#track
    this.#track = source.clone()
    this.#track.enabled = this.#wish.speak
    await this.#sender?.replaceTrack(this.#track)
    old?.stop()
  }

  close(): void {
    this.#over = true
    for (const cancel of this.#alarms) cancel()
    this.#alarms.clear()
    this.#pc?.close()
    this.#track?.stop()
    this.#output.stop()
  }

  async #negotiate(): Promise<void> {
    const { tools } = this
    // Before the connection: with the permission granted the browser offers its addresses as they are.
    const source = await tools.source()
    if (this.#over) return
    const pc = tools.createPeer(peerConfig(this.iceServers))
    this.#pc = pc
    pc.addEventListener('track', ({ track, streams }) => this.#output.attach(streams[0] ?? new MediaStream([track])))
    pc.addEventListener('connectionstatechange', () => this.#moved())
    const transceiver = pc.addTransceiver('audio', { direction: 'sendrecv' })
    this.#sender = transceiver.sender
    if (source) await this.replaceSource(source)
    const codecs = telephoneCodecs(tools.codecs())
    if (codecs.length > 0) transceiver.setCodecPreferences(codecs)
    await pc.setLocalDescription(await pc.createOffer())
    await gathered(pc, tools.timer)
    if (this.#over) return
    const sdp = await tools.negotiate(this.#wish.callId, pc.localDescription?.sdp ?? '', uuidv7())
    if (this.#over) return
    await pc.setRemoteDescription({ type: 'answer', sdp })
    this.#after(connectWithin, () => {
      if (pc.connectionState !== 'connected') this.#break()
    })
  }

  #moved(): void {
    const state = this.#pc?.connectionState
    if (state === 'connected') {
      this.hooks.connected()
      this.#measure()
    }
    if (state === 'failed' || state === 'closed') this.#break()
    if (state === 'disconnected') {
      this.#after(interruption, () => {
        if (this.#pc?.connectionState !== 'connected') this.#break()
      })
    }
  }

  #break(error?: unknown): void {
    if (this.#over) return
    this.close()
    this.hooks.broken(error)
  }

  #after(ms: number, fn: () => void): void {
    const cancel = this.tools.timer.after(ms, () => {
      this.#alarms.delete(cancel)
      if (!this.#over) fn()
    })
    this.#alarms.add(cancel)
  }

  #measuring = false
  #measure(): void {
    if (this.#measuring) return
    this.#measuring = true
    let before: ReturnType<typeof read>
    const again = () =>
      this.#after(qualityEvery, async () => {
        const stats = await this.#pc?.getStats()
        const now = stats && read(stats.values() as Iterable<Record<string, unknown>>)
        if (this.#over) return
        if (now) this.hooks.quality(between(before, now))
        before = now
        again()
      })
    again()
  }

  /** Notes when the caller is first heard: audio that arrives from now on and is not silence. */
  #listen(): void {
    if (this.#listening) return
    this.#listening = true
    const until = performance.now() + soundWithin
    let first: number | undefined
    const look = () => {
      const heard = this.#pc?.getReceivers?.()[0]?.getSynchronizationSources?.()[0]
      first ??= heard?.rtpTimestamp
      if (heard && heard.rtpTimestamp !== first && (heard.audioLevel ?? 1) > audible)
        return soundHeard(this.#wish.callId, this.#began)
      if (performance.now() < until) this.#after(soundEvery, look)
    }
    look()
  }
}
