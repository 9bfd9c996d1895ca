import type { ConnectionError } from './head-reader.ts'
import { defaultFrameBytes, defaultWindowBytes, errorCode, maxWindowBytes, setting } from './protocol.ts'

/** What the other side allows. */
export class PeerSettings {
  /** Known once its first SETTINGS came; nobody sends very many before. */
  maxStreams = 100
  windowBytes = defaultWindowBytes
  maxFrameBytes = defaultFrameBytes
  /** It lets streams become tunnels (RFC 8441). */
  extendedConnect = false
  /** Its table was made smaller than what everybody begins with: the next block has to say that we know. */
  #tableShrunk = false
  received = false

  /** Takes the payload of a SETTINGS frame. Gives the error it is, or `undefined`. */
  take (bytes: Buffer, start: number, end: number, fromServer: boolean): ConnectionError | undefined {
    for (let at = start; at < end; at += 6) {
      const wrong = this.#takeOne(bytes.readUInt16BE(at), bytes.readUInt32BE(at + 2), fromServer)
      if (wrong !== undefined) return wrong
    }
    this.received = true
    return undefined
  }

  /** Whether the next block has to say that our table is empty; asked once for each block. */
  takeTableUpdate (): boolean {
    const due = this.#tableShrunk
    this.#tableShrunk = false
    return due
  }

  #takeOne (id: number, value: number, fromServer: boolean): ConnectionError | undefined {
    switch (id) {
      case setting.headerTableSize:
        this.#tableShrunk ||= value < 4096
        break
      case setting.enablePush:
        // Only clients may allow it, and we never ask for it.
        if (value > 1 || (fromServer && value !== 0)) return { code: errorCode.protocolError, detail: 'ENABLE_PUSH that cannot be' }
        break
      case setting.maxConcurrentStreams:
        this.maxStreams = value
        break
      case setting.initialWindowSize:
        if (value > maxWindowBytes) return { code: errorCode.flowControlError, detail: 'INITIAL_WINDOW_SIZE above 2^31-1' }
        this.windowBytes = value
        break
      case setting.maxFrameSize:
        if (value < 16_384 || value > 0xff_ffff) return { code: errorCode.protocolError, detail: 'MAX_FRAME_SIZE out of range' }
        this.maxFrameBytes = value
        break
      case setting.enableConnectProtocol:
        if (value > 1 || (this.extendedConnect && value === 0)) return { code: errorCode.protocolError, detail: 'ENABLE_CONNECT_PROTOCOL that cannot be' }
        this.extendedConnect = value === 1
        break
      default: // RFC 9113 section 6.5.2: what nobody knows is ignored.
    }
    return undefined
  }
}
