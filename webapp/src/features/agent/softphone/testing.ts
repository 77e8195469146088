/** A browser without a network for tests: microphones that can be unplugged, connections that connect and fail on command. */

import { pageTimer } from '../session/timer'
import type { Browser } from './softphone'

export class FakeTrack extends EventTarget {
  enabled = true
  readyState: 'live' | 'ended' = 'live'
  constructor(
    readonly label: string,
    readonly deviceId = label,
  ) {
    super()
  }
  clone() {
    return new FakeTrack(this.label, this.deviceId)
  }
  stop() {
    this.readyState = 'ended'
  }
  getSettings() {
    return { deviceId: this.deviceId }
  }
}

export class FakeDevices extends EventTarget {
  problem: string | undefined
  asked: MediaTrackConstraints[] = []
  opened: FakeTrack[] = []
  constructor(public inputs: string[] = ['Headset', 'Built-in']) {
    super()
  }
  getUserMedia = async ({ audio }: MediaStreamConstraints) => {
    const constraints = audio as MediaTrackConstraints
    this.asked.push(constraints)
    if (this.problem) throw new DOMException('no', this.problem)
    const wanted = (constraints.deviceId as { exact?: string } | undefined)?.exact
    const device = wanted ? this.inputs.find((name) => name === wanted) : this.inputs[0]
    if (!device) throw new DOMException('none', 'NotFoundError')
    const track = new FakeTrack(device)
    this.opened.push(track)
    return { getAudioTracks: () => [track] }
  }
  enumerateDevices = async () => this.inputs.map((deviceId) => ({ kind: 'audioinput', deviceId, label: deviceId }))
  unplug(name: string) {
    this.inputs = this.inputs.filter((other) => other !== name)
    const track = this.opened.findLast((other) => other.label === name)
    if (track) track.readyState = 'ended'
    track?.dispatchEvent(new Event('ended'))
    this.dispatchEvent(new Event('devicechange'))
  }
  plug(name: string) {
    this.inputs = [name, ...this.inputs]
    this.dispatchEvent(new Event('devicechange'))
  }
}

export class FakePeer extends EventTarget {
  connectionState = 'new'
  iceGatheringState = 'complete'
  localDescription: { sdp: string } | undefined
  remote: string | undefined
  track: FakeTrack | undefined
  codecs: RTCRtpCodec[] = []
  constructor(readonly config: RTCConfiguration) {
    super()
  }
  addTransceiver() {
    const peer = this
    return {
      sender: {
        async replaceTrack(track: FakeTrack) {
          peer.track = track
        },
      },
      setCodecPreferences(codecs: RTCRtpCodec[]) {
        peer.codecs = codecs
      },
    }
  }
  async createOffer() {
    return { type: 'offer', sdp: 'v=0 offer' }
  }
  async setLocalDescription(description: { sdp: string }) {
    this.localDescription = description
  }
  async setRemoteDescription({ sdp }: { sdp: string }) {
    this.remote = sdp
  }
  getReceivers() {
    return []
  }
  async getStats() {
    return new Map()
  }
  become(state: string) {
    this.connectionState = state
    this.dispatchEvent(new Event('connectionstatechange'))
  }
  close() {
    this.connectionState = 'closed'
  }
}

export class FakeOutput {
  open = false
  stopped = false
  attach() {}
  setOpen(open: boolean) {
    this.open = open
  }
  stop() {
    this.stopped = true
  }
}

export class FakeBrowser {
  readonly devices = new FakeDevices()
  readonly peers: FakePeer[] = []
  readonly outputs: FakeOutput[] = []
  get last(): FakePeer {
    const peer = this.peers.at(-1)
    if (!peer) throw new Error('no connection yet')
    return peer
  }
  get output(): FakeOutput {
    const output = this.outputs.at(-1)
    if (!output) throw new Error('no output yet')
    return output
  }
  asBrowser(): Browser {
    return {
      devices: this.devices as unknown as MediaDevices,
      createPeer: (config) => {
        const peer = new FakePeer(config)
        this.peers.push(peer)
        return peer as unknown as RTCPeerConnection
      },
      codecs: () => [
        { mimeType: 'audio/opus', clockRate: 48_000 },
        { mimeType: 'audio/telephone-event', clockRate: 48_000 },
        { mimeType: 'audio/PCMA', clockRate: 8_000 },
        { mimeType: 'audio/PCMU', clockRate: 8_000 },
        { mimeType: 'audio/telephone-event', clockRate: 8_000 },
      ],
      output: () => {
        const output = new FakeOutput()
        this.outputs.push(output)
        return output
      },
      timer: pageTimer,
    }
  }
}
