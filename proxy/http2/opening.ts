import type { SessionSettings } from './contract.ts'
import { defaultWindowBytes, frameHeader, frameType, preface, setting, uint32 } from './protocol.ts'

/** What we say first (RFC 9113 section 3.4): our settings, and how much of the bodies of all streams we take. */
export function opening ({ role, maxStreams, maxHeaderBytes, streamWindowBytes, connectionWindowBytes, extendedConnect }: SessionSettings): string {
  const ours: Array<[id: number, value: number]> = [[setting.initialWindowSize, streamWindowBytes], [setting.maxHeaderListSize, maxHeaderBytes]]
  if (role === 'server') ours.push([setting.maxConcurrentStreams, maxStreams])
  else ours.push([setting.enablePush, 0])
  if (role === 'server' && extendedConnect) ours.push([setting.enableConnectProtocol, 1])
  const payload = ours.map(([id, value]) => String.fromCharCode(id >>> 8, id & 255) + uint32(value)).join('')
  const settings = frameHeader(payload.length, frameType.settings, 0, 0) + payload
  const window = frameHeader(4, frameType.windowUpdate, 0, 0) + uint32(connectionWindowBytes - defaultWindowBytes)
  return (role === 'client' ? preface : '') + settings + window
}
