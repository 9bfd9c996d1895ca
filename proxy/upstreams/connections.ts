import type { EndListener, EndSignal } from '../pipeline/end-signal.ts'
import { Fault } from '../pipeline/faults.ts'
import { dialTo, type Dial, type UpstreamTls } from './dial.ts'
import { Link, type LinkHome } from './link.ts'

export interface ConnectionSettings {
  readonly host: string
  readonly port: number
  /** A Unix socket in place of host and port. */
  readonly path?: string | undefined
  /** Longest wait for a free connection. */
  readonly connectTimeoutMs: number
  /** Open connections to this target, busy ones included. */
  readonly maxConnections: number
  /** An unused connection is closed after this long, or earlier when the target says so. */
  readonly idleMs: number
  /** Unused connections to this target. */
  readonly maxIdle: number
  /** Unused connections to all targets of the upstream. */
  readonly allIdle: IdleCount
  /** A connection is closed when it is so old, once its exchange is over. */
  readonly maxAgeMs: number
  /** Exchanges that may wait for a connection. */
  readonly maxWaiting: number
  readonly tls: UpstreamTls | undefined
  /** How often the connections look at the clock. */
  readonly tickMs: number
}

export interface IdleCount {
  readonly max: number
  now: number
}

interface Waiter {
  readonly greeting: string
  readonly resolve: (link: Link) => void
  readonly reject: (error: Error) => void
}

/** The connections to one target: last used first, so that those nobody needs grow old and close. */
export class Connections implements LinkHome {
  readonly idleMs: number
  readonly maxAgeMs: number
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
    this.maxAgeMs = settings.maxAgeMs
    this.#dial = dialTo(settings)
  }

  /** Open connections, and places of connections being dialled. */
  get size (): number {
    return this.#all.size
  }

  get waiting (): number {
    return this.#waiters.size
  }

  /** Exchanges that have a connection, or wait for one. */
  get busy (): number {
    return this.#all.size - this.#idle.length + this.#waiters.size
  }

  /**
   * A free connection, or a promise of one. Rejects with UPSTREAM_BUSY when too many wait or none gets free in time.
   *
   * @param greeting What the connection begins with ("" for nothing): one that began with something else is another client's.
   */
  take (ending: EndSignal, greeting: string): Link | Promise<Link> {
    for (let idle = this.#takeIdle(greeting); idle !== undefined; idle = this.#takeIdle(greeting)) {
      if (idle.usable(performance.now())) return idle
      idle.destroy()
    }
    // The place of one that nobody waits for is worth more than the connection.
    if (this.#all.size >= this.#settings.maxConnections) this.#idle[0]?.destroy()
    if (this.#all.size < this.#settings.maxConnections) return this.#open(greeting)
    if (this.#waiters.size >= this.#settings.maxWaiting) {
      return Promise.reject(new Fault('UPSTREAM_BUSY', `${this.#waiters.size} exchanges wait for a connection`))
    }
    return this.#wait(ending, greeting)
  }

  returned (link: Link): void {
    if (!this.#all.has(link)) return
    const waiter = this.#nextWaiter()
    const { maxIdle, allIdle } = this.#settings
    if (waiter !== undefined && waiter.greeting === link.greeting && !link.tooOld) waiter.resolve(link)
    else if (waiter !== undefined || this.#drained !== undefined || link.tooOld || this.#idle.length >= maxIdle || allIdle.now >= allIdle.max) link.destroy()
    else {
      this.#idle.push(link)
      allIdle.now++
    }
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
    if (waiter !== undefined) waiter.resolve(this.#open(waiter.greeting))
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

  /** The last used of those that began like this. */
  #takeIdle (greeting: string): Link | undefined {
    for (let at = this.#idle.length - 1; at >= 0; at--) {
      const link = this.#idle[at]!
      if (link.greeting !== greeting) continue
      this.#forgetIdle(link)
      return link
    }
    return undefined
  }

  #open (greeting: string): Link {
    const link = new Link(this.#dial, this, greeting)
    this.#clock ??= setInterval(() => this.#tick(), this.#settings.tickMs).unref()
    this.#all.add(link)
    return link
  }

  #wait (ending: EndSignal, greeting: string): Promise<Link> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        this.#waiters.delete(waiter)
        clearTimeout(timer)
        ending.ignore(waiter)
      }
      const waiter: Waiter & EndListener = {
        greeting,
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
    const at = this.#idle.lastIndexOf(link)
    if (at === -1) return
    this.#idle.splice(at, 1)
    this.#settings.allIdle.now--
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
