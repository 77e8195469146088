/**
 * The audio of all calls: keeps one leg for each call that rings or lasts. A leg that breaks, or whose call moved to another
 * node, is replaced; the old one is kept until the new one is connected.
 */

import { Backoff } from '../session/backoff'
import type { IceServerView } from '../session/model'
import type { AudioHooks, AudioPort } from '../session/session'
import { type AudioView, type LegView, type LegWish, silentAudio } from '../session/state'
import { pageTimer, type Timer } from '../session/timer'
import { Leg, type LegTools } from './leg'
import { Microphone } from './microphone'
import { makeOutput, type Output } from './speaker'

/** What the softphone needs of the browser. */
export interface Browser {
  devices: MediaDevices | undefined
  createPeer(config: RTCConfiguration): RTCPeerConnection
  codecs(): readonly RTCRtpCodec[] | undefined
  output(blocked: (is: boolean) => void): Output
  timer: Timer
}

export const thisBrowser = (timer: Timer = pageTimer): Browser => ({
  devices: navigator.mediaDevices,
  createPeer: (config) => new RTCPeerConnection(config),
  codecs: () => RTCRtpReceiver.getCapabilities('audio')?.codecs,
  output: makeOutput,
  timer,
})

interface Line {
  wish: LegWish
  leg: Leg
  /** Still heard until `leg` is connected. */
  old?: Leg
  backoff: Backoff
  retry?: () => void
  view: LegView
}

export class Softphone implements AudioPort {
  #lines = new Map<string, Line>()
  #iceServers: IceServerView[] = []
  #view: AudioView = silentAudio
  #microphone: Microphone
  #stopped = false

  constructor(
    private readonly browser: Browser,
    private readonly hooks: AudioHooks,
  ) {
    this.#microphone = new Microphone(browser.devices, {
      source: (track, from) => this.#source(track, from),
      problem: (problem) => this.#tell({ problem }),
    })
  }

  sync(wishes: LegWish[], iceServers: IceServerView[]): void {
    if (this.#stopped) return
    this.#iceServers = iceServers
    const calls = new Set(wishes.map(({ callId }) => callId))
    for (const callId of [...this.#lines.keys()]) if (!calls.has(callId)) this.#close(callId)
    for (const wish of wishes) this.#serve(wish)
  }

  stop(): void {
    this.#stopped = true
    for (const callId of [...this.#lines.keys()]) this.#close(callId)
    this.#microphone.close()
  }

  #serve(wish: LegWish): void {
    const line = this.#lines.get(wish.callId)
    if (!line) {
      this.#connect({ wish, backoff: new Backoff(), view: { state: 'negotiating' } })
      return
    }
    const moved = wish.nodeUrl !== '' && wish.nodeUrl !== line.wish.nodeUrl
    const same = wish.open === line.wish.open && wish.speak === line.wish.speak
    line.wish = wish
    if (!same) {
      line.leg.apply(wish)
      line.old?.apply(wish)
    }
    if (moved) this.#replace(line)
  }

  /** A new leg beside the old one, which may still carry audio. */
  #replace(line: Line): void {
    line.retry?.()
    line.retry = undefined
    line.old?.close()
    const connected = line.view.state === 'connected'
    if (!connected) line.leg.close()
    this.#connect({
      ...line,
      old: connected ? line.leg : undefined,
      view: { ...line.view, state: connected ? 'connected' : 'interrupted' },
    })
  }

  #connect(from: Omit<Line, 'leg'>): void {
    const { callId } = from.wish
    const current = () => this.#lines.get(callId)?.leg === leg
    const leg = new Leg(from.wish, this.#iceServers, this.#tools(), {
      connected: () => {
        if (current()) this.#connected(callId)
      },
      broken: () => {
        if (current()) this.#broken(callId)
      },
      quality: (quality) => {
        if (current()) this.#show(callId, { quality })
      },
    })
    this.#lines.set(callId, { ...from, leg })
    this.#show(callId, {})
    void leg.start()
  }

  #connected(callId: string): void {
    const line = this.#lines.get(callId)
    if (!line) return
    line.backoff.reset()
    line.old?.close()
    line.old = undefined
    this.#show(callId, { state: 'connected' })
  }

  #broken(callId: string): void {
    const line = this.#lines.get(callId)
    if (!line || line.retry) return
    line.old?.close()
    line.old = undefined
    this.#show(callId, { state: 'interrupted', quality: undefined })
    line.retry = this.browser.timer.after(line.backoff.next(), () => {
      const now = this.#lines.get(callId)
      if (now !== line) return
      line.retry = undefined
      this.#connect(line)
    })
  }

  #close(callId: string): void {
    const line = this.#lines.get(callId)
    if (!line) return
    line.retry?.()
    line.old?.close()
    line.leg.close()
    this.#lines.delete(callId)
    const { [callId]: _, ...legs } = this.#view.legs
    // Nothing left to say about a microphone that is no longer needed.
    const idle = this.#lines.size === 0
    if (idle) this.#microphone.close()
    this.#tell(idle ? { legs, problem: undefined, switched: undefined, microphone: undefined, blocked: false } : { legs })
  }

  #tools(): LegTools {
    return {
      createPeer: this.browser.createPeer,
      source: () => this.#microphone.open(),
      output: () => this.browser.output((blocked) => this.#tell({ blocked })),
      negotiate: this.hooks.negotiate,
      codecs: this.browser.codecs,
      timer: this.browser.timer,
    }
  }

  #source(track: MediaStreamTrack, from?: string): void {
    const switched = from && from !== track.label ? { switched: { from, to: track.label, at: Date.now() } } : {}
    this.#tell({ microphone: track.label, ...switched })
    if (from === undefined) return
    for (const { leg, old } of this.#lines.values()) {
      void leg.replaceSource(track)
      void old?.replaceSource(track)
    }
  }

  #show(callId: string, change: Partial<LegView>): void {
    const line = this.#lines.get(callId)
    if (!line) return
    line.view = { ...line.view, ...change }
    this.#tell({ legs: { ...this.#view.legs, [callId]: line.view } })
  }

  #tell(change: Partial<AudioView>): void {
    this.#view = { ...this.#view, ...change }
    if (!this.#stopped) this.hooks.changed(this.#view)
  }
}
