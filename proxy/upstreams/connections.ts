import type { Socket } from 'node:net'
import type { EndSignal } from '../pipeline/end-signal.ts'
import type { Exchange } from '../pipeline/exchange.ts'
import { Fault } from '../pipeline/faults.ts'
import { ChosenVersion } from './chosen-version.ts'
import { dialTo, type Dial, type UpstreamTls } from './dial.ts'
import { Link, type LinkHome } from './link.ts'
import { SharedLink, type SharedHome, type SharingSettings } from './shared-link.ts'
import { Waiters, type Need, type Place } from './waiters.ts'

export interface ConnectionSettings {
  readonly host: string
  readonly port: number
  /** A Unix socket in place of host and port. */
  readonly path?: string | undefined
  readonly connectTimeoutMs: number
  /** Longest wait for a free connection. */
  readonly waitTimeoutMs: number
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
  /** How HTTP/2 is spoken; `undefined`: it is not. */
  readonly sharing: SharingSettings | undefined
  readonly pace: Pace
}

/** How often connections look at the clock. Whoever has less time to wait makes it shorter. */
export interface Pace {
  tickMs: number
}

export interface IdleCount {
  readonly max: number
  now: number
}

/**
 * The connections to one target: last used first, so that those nobody needs grow old and close.
 *
 * Connections of HTTP/1.1 have one exchange each and are dialled by it. Those of HTTP/2 are shared: exchanges wait for one to be ready, and further
 * ones are dialled only for those whom it will not hold. While nobody knows what the target speaks, one connection finds out for all.
 */
export class Connections implements LinkHome, SharedHome {
  readonly idleMs: number
  readonly maxAgeMs: number
  readonly sharing: SharingSettings
  readonly #settings: ConnectionSettings
  readonly #dial: Dial
  readonly #dialShared: Dial
  readonly #version: ChosenVersion
  /** Connections begun. */
  opened = 0
  readonly #idle: Link[] = []
  readonly #all = new Set<Place>()
  readonly #shared = new Set<SharedLink>()
  #dialling = 0
  /** Unused ones among the shared. */
  #sharedIdle = 0
  /** Exchanges that one shared connection holds, as far as is known. */
  #expected: number
  /** Have left the pool, and still have to know the time. */
  readonly #tunnels = new Set<Place>()
  readonly #waiters: Waiters
  #draining: Promise<void> | undefined = undefined
  #drained: (() => void) | undefined = undefined
  #clock: NodeJS.Timeout | undefined = undefined
  #clockMs = 0

  constructor (settings: ConnectionSettings) {
    const { sharing } = settings
    this.#settings = settings
    this.idleMs = settings.idleMs
    this.maxAgeMs = settings.maxAgeMs
    this.sharing = sharing ?? notShared
    this.#waiters = new Waiters(settings.waitTimeoutMs)
    this.#version = new ChosenVersion(sharing === undefined ? 'http/1.1' : sharing.mayChoose ? 'unknown' : 'h2')
    this.#expected = this.sharing.maxStreams
    this.#dial = dialTo(settings)
    this.#dialShared = sharing === undefined ? this.#dial : dialTo(settings, sharing.mayChoose ? ['h2', 'http/1.1'] : ['h2'])
  }

  /** Open connections, and places of connections being dialled. */
  get size (): number {
    return this.#all.size
  }

  get waiting (): number {
    return this.#waiters.size
  }

  /**
   * A place on a connection, or a promise of one. Rejects with UPSTREAM_BUSY when too many wait or none gets free in time.
   *
   * @param endMs When the exchange has to be over.
   * @param x Is told how long it waited.
   * @param greeting What the connection begins with ("" for nothing): one that began with something else is another client's.
   */
  take (ending: EndSignal, greeting: string, need: Need, endMs: number, x: Exchange): Place | Promise<Place> {
    const place = this.#place(greeting, need)
    if (place !== undefined) return place
    const never = this.#never(need)
    if (never !== undefined) return Promise.reject(never)
    // Those who wait for connections that are being made are as many as these will hold.
    if (this.#waiters.size >= this.#settings.maxWaiting + this.#dialling * Math.max(this.#expected, this.#settings.maxConnections)) {
      return Promise.reject(new Fault('UPSTREAM_BUSY', `${this.#waiters.size} exchanges wait for a connection`))
    }
    const waiting = this.#waiters.wait(ending, greeting, need, endMs, x)
    this.#dialMore()
    return waiting
  }

  // As the home of connections of HTTP/1.1.

  returned (link: Link): void {
    if (!this.#all.has(link)) return
    const waiter = this.#waiters.first
    const { maxIdle, allIdle } = this.#settings
    if (waiter !== undefined && waiter.greeting === link.greeting && !link.tooOld) waiter.resolve(link)
    else if (waiter !== undefined || this.#drained !== undefined || link.tooOld || this.idleSize >= maxIdle || allIdle.now >= allIdle.max) link.destroy()
    else {
      this.#idle.push(link)
      allIdle.now++
    }
  }

  /** A tunnel outlives the configuration that it was opened under, and must not keep a place that requests need. */
  tunnelled (link: Place): void {
    if (!this.#all.has(link)) return
    this.#tunnels.add(link)
    this.#leave(link)
  }

  /** Its place is free for another one. */
  lost (link: Place): void {
    if (this.#tunnels.delete(link) || !this.#all.has(link)) return
    // What was true of the target may be so no longer.
    if (link instanceof Link && !link.connected) this.#version.doubt()
    this.#leave(link)
  }

  // As the home of shared connections.

  hasRoom (link: SharedLink): void {
    this.#settle(link)
    if (link.capacity > 0) this.#expected = link.capacity
    this.#serve()
  }

  choseHttp1 (link: SharedLink, socket: Socket): void {
    this.#version.learn('http/1.1')
    this.#settle(link)
    this.#shared.delete(link)
    this.#all.delete(link)
    const adopted = new Link(this.#dial, this, '')
    this.#all.add(adopted)
    adopted.adopt(socket, link)
    this.returned(adopted)
    this.#serve()
  }

  failed (link: SharedLink, fault: Fault): void {
    this.#dialling--
    this.#version.doubt()
    this.#shared.delete(link)
    this.#all.delete(link)
    // Others may still succeed, or have and will have room again.
    if (this.#shared.size === 0) this.#waiters.rejectAll(fault)
    this.#whenEmpty()
  }

  unused (link: SharedLink): void {
    const { maxIdle, allIdle } = this.#settings
    if (link.countedIdle || !this.#all.has(link)) return
    if (this.#drained !== undefined || link.tooOld || this.idleSize >= maxIdle || allIdle.now >= allIdle.max) return link.retire()
    link.countedIdle = true
    this.#sharedIdle++
    allIdle.now++
  }

  closeIdle (): void {
    for (const link of this.#idle.slice()) link.destroy()
    for (const link of this.#shared) if (link.ready && link.exchanges === 0) link.retire()
  }

  /** Resolves when the last exchange is over and the last connection closed. */
  drain (): Promise<void> {
    return this.#draining ??= new Promise((resolve) => {
      this.#drained = resolve
      this.closeIdle()
      this.#whenEmpty()
    })
  }

  /** As `drain`, until `aborted` resolves: what is open then is cut. */
  async close (aborted: Promise<void>, cut: Fault): Promise<void> {
    await Promise.race([this.drain(), aborted])
    this.destroy(cut)
  }

  destroy (error: Fault): void {
    this.#waiters.rejectAll(error)
    for (const link of this.#all) link.cut(error)
  }

  /** Open connections that no exchange has. */
  get idleSize (): number {
    return this.#idle.length + this.#sharedIdle
  }

  /** Room that there is, or that is made at once. */
  #place (greeting: string, need: Need): Place | undefined {
    const shared = need === 'http/1.1' ? undefined : this.#takeShared(need)
    if (shared !== undefined) return shared
    if (this.#version.now !== 'h2' || need !== 'exchange') {
      for (let idle = this.#takeIdle(greeting); idle !== undefined; idle = this.#takeIdle(greeting)) {
        if (idle.usable(performance.now())) return idle
        idle.destroy()
      }
    }
    return this.#inHttp1(need) && this.#makePlace() ? this.#open(greeting) : undefined
  }

  #takeShared (need: Need): SharedLink | undefined {
    for (const link of this.#shared) {
      if (need === 'tunnel' && !link.takesTunnels || !link.reserve()) continue
      this.#forgetIdle(link)
      return link
    }
    return undefined
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

  /** Whether it is asked in HTTP/1.1, on a connection that it may dial itself. */
  #inHttp1 (need: Need): boolean {
    const version = this.#version.now
    if (version === 'http/1.1' || need === 'exchange') return version === 'http/1.1'
    return this.sharing.mayChoose && (need === 'http/1.1' || version === 'h2' && !this.#tunnelsShared)
  }

  /** Whether streams may become tunnels; without a connection that could tell, the next one will. */
  get #tunnelsShared (): boolean {
    let told = false
    for (const link of this.#shared) {
      if (link.takesTunnels) return true
      told ||= link.ready
    }
    return !told
  }

  /** What the target cannot do at all. */
  #never (need: Need): Fault | undefined {
    if (need !== 'tunnel' || this.#version.now !== 'h2' || this.sharing.mayChoose || this.#tunnelsShared) return undefined
    return new Fault('UPSTREAM_HTTP_VERSION', 'the target lets no stream become a tunnel, and HTTP/1.1 may not be spoken')
  }

  /** Whether another connection may be made. The place of one that nobody waits for is worth more than the connection. */
  #makePlace (): boolean {
    if (this.#all.size >= this.#settings.maxConnections) this.#idle[0]?.destroy()
    return this.#all.size < this.#settings.maxConnections
  }

  #open (greeting: string): Link {
    const link = new Link(this.#dial, this, greeting)
    this.#startClock()
    this.opened++
    this.#all.add(link)
    return link
  }

  /** Makes as many shared connections as those who wait will need. */
  #dialMore (): void {
    while (this.#version.now !== 'http/1.1' && this.#waiters.size > this.#dialling * this.#expected) {
      if (this.#dialling > 0 && this.#version.now === 'unknown' || !this.#makePlace()) return
      const link = new SharedLink(this.#dialShared, this)
      this.#startClock()
      this.opened++
      this.#dialling++
      this.#all.add(link)
      this.#shared.add(link)
    }
  }

  /** It is being dialled no longer. */
  #settle (link: SharedLink): void {
    if (link.countedDialled) return
    link.countedDialled = true
    this.#dialling--
    if (link.ready) this.#version.learn('h2')
  }

  /** Gives room to those who wait for it, the first ones first. */
  #serve (): void {
    let blocked: Need | undefined
    for (const waiter of this.#waiters) {
      if (waiter.need === blocked) continue
      const never = this.#never(waiter.need)
      const place = never === undefined ? this.#place(waiter.greeting, waiter.need) : undefined
      if (place !== undefined) waiter.resolve(place)
      else if (never !== undefined) waiter.reject(never)
      else if (blocked !== undefined) break
      else blocked = waiter.need
    }
    if (this.#waiters.size > 0) this.#dialMore()
  }

  #leave (link: Place): void {
    this.#forgetIdle(link)
    if (link instanceof SharedLink) this.#shared.delete(link)
    this.#all.delete(link)
    if (this.#waiters.size > 0) this.#serve()
    this.#whenEmpty()
  }

  #whenEmpty (): void {
    if (this.#all.size === 0) this.#drained?.()
  }

  #forgetIdle (link: Place): void {
    if (link instanceof SharedLink) {
      if (!link.countedIdle) return
      link.countedIdle = false
      this.#sharedIdle--
    } else {
      const at = this.#idle.lastIndexOf(link)
      if (at === -1) return
      this.#idle.splice(at, 1)
    }
    this.#settings.allIdle.now--
  }

  #startClock (): void {
    const { tickMs } = this.#settings.pace
    if (this.#clock !== undefined && this.#clockMs === tickMs) return
    clearInterval(this.#clock)
    this.#clockMs = tickMs
    this.#clock = setInterval(() => this.#tick(), tickMs).unref()
  }

  /** One clock for all connections: a timer for each would be set and cleared with every request. */
  #tick (): void {
    const nowMs = performance.now()
    for (const link of this.#all) link.tick(nowMs)
    for (const link of this.#tunnels) link.tick(nowMs)
    if (this.#all.size + this.#tunnels.size > 0) return this.#startClock()
    clearInterval(this.#clock)
    this.#clock = undefined
  }
}

const notShared: SharingSettings = {
  mayChoose: true, secure: false, maxStreams: 1, pingIntervalMs: Infinity, connectTimeoutMs: Infinity, readTimeoutMs: Infinity, writeTimeoutMs: Infinity,
}
