import { errorCode, frameHeader, frameType, maxWindowBytes, uint32 } from './protocol.ts'

/** A client that does not answer is waited for no longer. */
const mostMs = 1_000

/** What the client is asked to send back. */
const question = 'farewell'

/**
 * The first of two steps of an orderly end (RFC 9113 section 6.8): the client is asked to open no more streams, while those that it has sent
 * meanwhile are still served. When it has answered a ping it has read that, and the number of its last stream is known.
 */
export class Farewell {
  readonly #heard: () => void
  readonly #timer: NodeJS.Timeout

  constructor (put: (frame: string) => void, heard: () => void) {
    this.#heard = heard
    put(frameHeader(8, frameType.goAway, 0, 0) + uint32(maxWindowBytes) + uint32(errorCode.noError) + frameHeader(8, frameType.ping, 0, 0) + question)
    this.#timer = setTimeout(heard, mostMs)
  }

  /** Answers of the client to pings, this one or another. */
  answered (payload: string): void {
    if (payload !== question) return
    this.stop()
    this.#heard()
  }

  stop (): void {
    clearTimeout(this.#timer)
  }
}
