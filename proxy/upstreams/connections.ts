import type { EndListener, EndSignal } from '../pipeline/end-signal.ts'
import { Fault } from '../pipeline/faults.ts'
import { dialTo, type Dial, type UpstreamTls } from './dial.ts'
import { Link, type LinkHome } from './link.ts'

export interface ConnectionSettings {
  readonly host: string
  readonly port: number
  /** Longest wait for a free connection. */
  readonly connectTimeoutMs: number
  /** Open connections to this target, busy ones included. */
  readonly maxConnections: number
  /** An unused connection is closed after this long, or earlier when the target says so. */
  readonly idleMs: number
  /** Exchanges that may wait for a connection. */
  readonly maxWaiting: number
  readonly tls: UpstreamTls | undefined
  /** How often the connections look at the clock. */
  readonly tickMs: number
}

interface Waiter {
  readonly resolve: (link: Link) => void
  readonly reject: (error: Error) => void
}

/** The connections to one target: last used first, so that those nobody needs grow old and close. */
export class Connections implements LinkHome {
  readonly idleMs: number
  readonly #settings: ConnectionSettings
  readonly #dial: Dial
  readonly #idle: Link[] = []
  readonly #all = new Set<Link>()
  /** Have left the pool, and still have to know the time. */
  readonly #tunnels = new Set<Link>()
  readonly #waiters = new Set<Waiter>()
  #drained: (() => void) | undefined = undefined
  #clock: NodeJS.Timeout | undefined = undefined

  constructor (settings: ConnectionSettings) {
    this.#settings = settings
    this.idleMs = settings.idleMs
    this.#dial = dialTo(settings)
  }

  /** Open connections, and places of connections being dialled. */
  get size (): number {
    return this.#all.size
  }

  get waiting (): number {
    return this.#waiters.size
  }

  /** A free connection, or a promise of one. Rejects with UPSTREAM_BUSY when too many wait or none gets free in time. */
  take (ending: EndSignal): Link | Promise<Link> {
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      if (idle.usable(performance.now())) return idle
      idle.destroy()
    }
    if (this.#all.size < this.#settings.maxConnections) return this.#open()
    if (this.#waiters.size >= this.#settings.maxWaiting) {
      return Promise.reject(new Fault('UPSTREAM_BUSY', `${this.#waiters.size} exchanges wait for a connection`))
    }
    return this.#wait(ending)
  }

  returned (link: Link): void {
    if (!this.#all.has(link)) return
    const waiter = this.#nextWaiter()
    if (waiter !== undefined) waiter.resolve(link)
    else if (this.#drained !== undefined) link.destroy()
    else this.#idle.push(link)
  }

  /** A tunnel outlives the configuration that it was opened under, and must not keep a place that requests need. */
  tunnelled (link: Link): void {
    if (!this.#all.has(link)) return
    this.#tunnels.add(link)
    this.lost(link)
  }

  /** Its place is free for another one. */
  lost (link: Link): void {
    if (!this.#all.delete(link)) return void this.#tunnels.delete(link)
    this.#forgetIdle(link)
    const waiter = this.#nextWaiter()
    if (waiter !== undefined) waiter.resolve(this.#open())
    else if (this.#all.size === 0) this.#drained?.()
  }

  closeIdle (): void {
    for (const link of this.#idle.slice()) link.destroy()
  }

  /** Resolves when the last exchange is over and the last connection closed. */
  drain (): Promise<void> {
    return new Promise((resolve) => {
      this.#drained = resolve
      this.closeIdle()
      if (this.#all.size === 0) resolve()
    })
  }

  destroy (error: Error): void {
    for (const waiter of this.#waiters) waiter.reject(error)
    this.#waiters.clear()
    for (const link of this.#all) link.cut(error)
  }

  #open (): Link {
    const link = new Link(this.#dial, this)
    this.#clock ??= setInterval(() => this.#tick(), this.#settings.tickMs).unref()
    this.#all.add(link)
    return link
  }

  #wait (ending: EndSignal): Promise<Link> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        this.#waiters.delete(waiter)
        clearTimeout(timer)
        ending.ignore(waiter)
      }
      const waiter: Waiter & EndListener = {
        resolve: (link) => { settle(); resolve(link) },
        reject: (error) => { settle(); reject(error) },
        onExchangeEnd: (reason) => waiter.reject(reason),
      }
      const { connectTimeoutMs } = this.#settings
      const timer = setTimeout(() => waiter.reject(new Fault('UPSTREAM_BUSY', `no connection got free in ${connectTimeoutMs} ms`)), connectTimeoutMs)
      this.#waiters.add(waiter)
      ending.listen(waiter)
    })
  }

  #nextWaiter (): Waiter | undefined {
    for (const waiter of this.#waiters) return waiter
    return undefined
  }

  #forgetIdle (link: Link): void {
    const at = this.#idle.indexOf(link)
    if (at !== -1) this.#idle.splice(at, 1)
  }

  /** One clock for all connections: a timer for each would be set and cleared with every request. */
  #tick (): void {
    const nowMs = performance.now()
    for (const link of this.#all) link.tick(nowMs)
    for (const link of this.#tunnels) link.tick(nowMs)
    if (this.#all.size + this.#tunnels.size > 0) return
    clearInterval(this.#clock)
    this.#clock = undefined
  }
}
