/** Clients that are remembered; the one whose window began first gives way. */
const mostClients = 10_000

interface Window {
  readonly untilMs: number
  tries: number
}

/** How many wrong passwords a client has sent lately. One that is being checked counts as wrong until it proves right: many at a time are no way around. */
export class FailedLogins {
  readonly #windows = new Map<string, Window>()
  readonly #most: number
  readonly #windowMs: number

  constructor (most: number, windowMs: number) {
    this.#most = most
    this.#windowMs = windowMs
  }

  /** 0: it may try. Otherwise the time until it may. */
  take (client: string, nowMs: number): number {
    const window = this.#windows.get(client)
    if (window !== undefined && window.untilMs > nowMs) {
      if (window.tries >= this.#most) return window.untilMs - nowMs
      window.tries++
      return 0
    }
    this.#windows.delete(client)
    if (this.#windows.size >= mostClients) this.#windows.delete(this.#windows.keys().next().value!)
    this.#windows.set(client, { untilMs: nowMs + this.#windowMs, tries: 1 })
    return 0
  }

  /** It was right, or nobody could tell. */
  giveBack (client: string): void {
    const window = this.#windows.get(client)
    if (window !== undefined && window.tries > 0) window.tries--
  }
}
