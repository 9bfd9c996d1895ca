import { randomBytes } from 'node:crypto'

const renewMs = 12 * 60 * 60_000

/**
 * What tickets of TLS sessions are sealed with is made from this. A new one takes its place twice a day, and the old one is gone: who finds it later
 * opens no recorded traffic. OpenSSL as Node offers it knows one key at a time, so clients that come back across a change shake hands in full, once.
 */
export class TicketSecret {
  #current: Buffer = randomBytes(32)
  readonly #timer: NodeJS.Timeout

  constructor (renewed: (secret: Buffer) => void, everyMs = renewMs) {
    this.#timer = setInterval(() => {
      this.#current = randomBytes(32)
      renewed(this.#current)
    }, everyMs).unref()
  }

  /** That of the process before this one: its clients come back. */
  inherit (secret: Buffer): void {
    this.#current = secret
  }

  get current (): Buffer {
    return this.#current
  }

  close (): void {
    clearInterval(this.#timer)
  }
}
