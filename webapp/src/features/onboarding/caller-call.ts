import { type Client, createClient } from '@connectrpc/connect'
import { createEdgeTransport, faultOf } from '@/api'
import { type CallerEvent, CallerService } from '@/api/gen/trunkline/agent/v1/agent_pb'

/**
 * One call with this browser as the caller, without React. The ticket comes from the cloud and works once; it reaches the
 * site by its own way, so a node may need a moment before it knows it.
 */
export type CallerState =
  | { name: 'microphone' }
  | { name: 'dialing' }
  | { name: 'menu' | 'ringing' | 'talking'; queue: string }
  | { name: 'queued'; queue: string; position: number }
  | { name: 'ended'; reason: string }
  | { name: 'failed'; error: unknown; cause: 'microphone' | 'site' | 'audio' }

interface Ticket {
  ticket: string
  nodeUrls: string[]
  /** Ways round a network that does not lead to the nodes. */
  relays: { urls: string[]; username: string; credential: string }[]
}

export interface CallerCallOptions {
  ticket: () => Promise<Ticket>
  onState: (state: CallerState) => void
  /** Where the far side is heard. */
  audio: HTMLAudioElement
}

/** ICE candidates of this machine are found within moments; a slow interface must not hold up the call. */
const GATHER_MS = 1_500
/** How long a ticket may be on its way to the site. */
const TICKET_MS = 8_000

export class CallerCall {
  #peer: RTCPeerConnection | undefined
  readonly #stop = new AbortController()
  readonly #options: CallerCallOptions
  #microphone: MediaStream | undefined
  #live: { client: Client<typeof CallerService>; callId: string; callSecret: string } | undefined
  #over = false

  constructor(options: CallerCallOptions) {
    this.#options = options
  }

  /** Runs the call to its end. Never throws: what goes wrong is a state. */
  async run(): Promise<void> {
    let cause: 'microphone' | 'site' | 'audio' = 'microphone'
    try {
      this.#tell({ name: 'microphone' })
      this.#microphone = await navigator.mediaDevices.getUserMedia({
        audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true },
      })
      cause = 'site'
      this.#tell({ name: 'dialing' })
      const { ticket, nodeUrls, relays } = await this.#options.ticket()
      if (this.#over) return
      const peer = new RTCPeerConnection({
        iceServers: relays.map(({ urls, username, credential }) => ({ urls, username, credential })),
      })
      this.#peer = peer
      const offer = await this.#offer(peer, this.#microphone)
      const { client, answer } = await this.#dial(ticket, nodeUrls, offer)
      this.#live = { client, callId: answer.callId, callSecret: answer.callSecret }
      cause = 'audio'
      await peer.setRemoteDescription({ type: 'answer', sdp: answer.sdpAnswer })
      cause = 'site'
      for await (const event of client.watch(
        { callId: answer.callId, callSecret: answer.callSecret },
        { signal: this.#stop.signal },
      )) {
        if (this.#hear(event)) break
      }
      this.#finish({ name: 'ended', reason: '' })
    } catch (error) {
      this.#finish(this.#stop.signal.aborted ? { name: 'ended', reason: 'caller' } : { name: 'failed', error, cause })
    }
  }

  async press(digit: string): Promise<void> {
    if (!this.#live) return
    const { client, callId, callSecret } = this.#live
    await client.press({ callId, callSecret, digit })
  }

  /** Hangs up. The audio stops at once, the site is told. */
  hangUp(): void {
    const live = this.#live
    if (live) void live.client.end({ callId: live.callId, callSecret: live.callSecret }).catch(() => undefined)
    this.#stop.abort()
    this.#finish({ name: 'ended', reason: 'caller' })
  }

  async #offer(peer: RTCPeerConnection, microphone: MediaStream): Promise<string> {
    for (const track of microphone.getAudioTracks()) peer.addTrack(track, microphone)
    peer.ontrack = ({ streams, track }) => {
      this.#options.audio.srcObject = streams[0] ?? new MediaStream([track])
      void this.#options.audio.play().catch(() => undefined)
    }
    peer.onconnectionstatechange = () => {
      if (peer.connectionState === 'failed') this.#finish({ name: 'failed', error: undefined, cause: 'audio' })
    }
    await peer.setLocalDescription(await peer.createOffer())
    await gathered(peer)
    return peer.localDescription?.sdp ?? ''
  }

  /** Asks one node after the other, and again while the ticket is on its way. */
  async #dial(ticket: string, nodeUrls: string[], sdpOffer: string) {
    const until = Date.now() + TICKET_MS
    let last: unknown
    do {
      for (const url of nodeUrls) {
        const client = createClient(CallerService, createEdgeTransport(url))
        try {
          return { client, answer: await client.dial({ ticket, sdpOffer }, { signal: this.#stop.signal, timeoutMs: 10_000 }) }
        } catch (error) {
          last = error
          const { kind } = faultOf(error)
          if (this.#stop.signal.aborted || !(kind === 'not_found' || kind === 'unavailable')) throw error
        }
      }
      await new Promise((resolve) => setTimeout(resolve, 300))
    } while (Date.now() < until && !this.#stop.signal.aborted)
    throw last
  }

  /** True when the call is over. */
  #hear(event: CallerEvent): boolean {
    const { state, queueName: queue, position, reason } = event
    switch (state) {
      case 'menu':
      case 'ringing':
      case 'talking':
        this.#tell({ name: state, queue })
        return false
      case 'queued':
        this.#tell({ name: 'queued', queue, position })
        return false
      case 'ended':
        this.#finish({ name: 'ended', reason })
        return true
    }
    return false
  }

  #tell(state: CallerState) {
    if (!this.#over) this.#options.onState(state)
  }

  #finish(state: CallerState) {
    if (this.#over) return
    this.#tell(state)
    this.#over = true
    this.#stop.abort()
    for (const track of this.#microphone?.getTracks() ?? []) track.stop()
    this.#peer?.close()
    this.#options.audio.srcObject = null
  }
}

function gathered(peer: RTCPeerConnection): Promise<void> {
  if (peer.iceGatheringState === 'complete') return Promise.resolve()
  return new Promise((resolve) => {
    const late = setTimeout(resolve, GATHER_MS)
    peer.addEventListener('icegatheringstatechange', () => {
      if (peer.iceGatheringState !== 'complete') return
      clearTimeout(late)
      resolve()
    })
  })
}
