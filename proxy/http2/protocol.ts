/** The numbers of RFC 9113, sections 6, 6.5.2 and 7, and of RFC 8441. */

export const frameType = {
  data: 0, headers: 1, priority: 2, rstStream: 3, settings: 4, pushPromise: 5, ping: 6, goAway: 7, windowUpdate: 8, continuation: 9,
} as const

export const flag = { endStream: 0x1, ack: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const

export const errorCode = {
  noError: 0x0, protocolError: 0x1, internalError: 0x2, flowControlError: 0x3, settingsTimeout: 0x4, streamClosed: 0x5, frameSizeError: 0x6,
  refusedStream: 0x7, cancel: 0x8, compressionError: 0x9, connectError: 0xa, enhanceYourCalm: 0xb, inadequateSecurity: 0xc, http11Required: 0xd,
} as const

export const setting = {
  headerTableSize: 1, enablePush: 2, maxConcurrentStreams: 3, initialWindowSize: 4, maxFrameSize: 5, maxHeaderListSize: 6, enableConnectProtocol: 8,
} as const

/** What a client says first, in front of its SETTINGS. */
export const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'

export const frameHeaderBytes = 9

/** Windows of streams and connections before anybody says otherwise. */
export const defaultWindowBytes = 65_535

export const maxWindowBytes = 0x7fff_ffff

/** The largest frame that may be sent to somebody who has not allowed more, and the largest we take. */
export const defaultFrameBytes = 16_384

/** For the log: "PROTOCOL_ERROR". */
export function errorName (code: number): string {
  const found = Object.entries(errorCode).find(([, value]) => value === code)?.[0]
  return found === undefined ? `error ${code}` : found.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase().replace('HTTP11', 'HTTP_1_1')
}

/** The head of a frame, latin1. Frames are made as text: short texts cost less to join than buffers, and go out in one write. */
export function frameHeader (length: number, type: number, flags: number, stream: number): string {
  return String.fromCharCode(length >>> 16, length >>> 8 & 255, length & 255, type, flags, stream >>> 24, stream >>> 16 & 255, stream >>> 8 & 255, stream & 255)
}

/** Asks the other side for a sign of life: whatever arrives next is one. */
export const pingFrame = frameHeader(8, frameType.ping, 0, 0) + '\0'.repeat(8)

export function uint32 (value: number): string {
  return String.fromCharCode(value >>> 24, value >>> 16 & 255, value >>> 8 & 255, value & 255)
}
