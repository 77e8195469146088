/** What a leg asks of WebRTC before it can be offered: the telephone's codecs, and the addresses it may be reached at. */
import type { Timer } from '../session/timer'

const wanted = ['audio/pcmu', 'audio/pcma', 'audio/telephone-event']

/**
 * The codecs of the telephone network, so that nothing is transcoded on the way: G.711 and the events of RFC 4733 at the same
 * 8 kHz. A browser without them (none is known) keeps its own list.
 */
export function telephoneCodecs(offered: readonly RTCRtpCodec[] | undefined): RTCRtpCodec[] {
  const fitting = (offered ?? []).filter((codec) => wanted.includes(codec.mimeType.toLowerCase()) && codec.clockRate === 8000)
  return fitting.toSorted((a, b) => wanted.indexOf(a.mimeType.toLowerCase()) - wanted.indexOf(b.mimeType.toLowerCase()))
}

/**
 * Waits until all candidates are known, at most limit milliseconds: a TURN server that does not answer must not keep the caller
 * waiting when the host's own addresses do.
 */
export function gathered(pc: RTCPeerConnection, timer: Timer, limit = 1_000): Promise<void> {
  return new Promise((resolve) => {
    if (pc.iceGatheringState === 'complete') return resolve()
    const look = () => {
      if (pc.iceGatheringState === 'complete') finish()
    }
    const finish = () => {
      cancel()
      pc.removeEventListener('icegatheringstatechange', look)
      resolve()
    }
    const cancel = timer.after(limit, finish)
    pc.addEventListener('icegatheringstatechange', look)
  })
}

/** Settings of the site's relays as the browser takes them. */
export function peerConfig(servers: { urls: string[]; username: string; credential: string }[]): RTCConfiguration {
  const iceServers = servers.map(({ urls, username, credential }) => ({ urls, ...(username && { username, credential }) }))
  return { iceServers, bundlePolicy: 'max-bundle', rtcpMuxPolicy: 'require' }
}
