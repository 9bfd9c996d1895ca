import type { Exchange, Reply, Responder } from '../pipeline/exchange.ts'
import { Fault } from '../pipeline/faults.ts'
import { Attempt, type AttemptSettings } from './attempt.ts'
import { balancers, type Ask, type BalancerName } from './balancers/index.ts'
import { Connections, type IdleCount } from './connections.ts'
import { Link } from './link.ts'
import type { UpstreamTls } from './dial.ts'
import type { HeaderList } from '../pipeline/headers.ts'
import { keyOf, newKey, webSocketVersion } from '../websocket/handshake.ts'
import { proxyHeader, type ProxyProtocolVersion } from './proxy-header.ts'
import { requestFields } from './request-fields.ts'
import { requestHead } from './request-head.ts'
import type { SharingSettings } from './shared-link.ts'
import { StreamAttempt } from './stream-attempt.ts'
import type { Target, TargetSettings } from './target.ts'
import { TargetSet } from './target-set.ts'
import type { Need, Place } from './waiters.ts'

export interface UpstreamSettings {
  readonly id: string
  readonly targets: readonly TargetSettings[]
  readonly balance: BalancerName
  readonly connectTimeoutMs: number
  /** Longest wait for the response head after the request, and for each piece of the response body. */
  readonly readTimeoutMs: number
  /** Longest wait for a target to take a piece of the request body. */
  readonly writeTimeoutMs: number
  /** For each target. */
  readonly poolMaxConnections: number
  readonly poolIdleMs: number
  /** Unused connections for each target, and for all of them; without them there is no such limit. */
  readonly poolMaxIdle?: number
  readonly poolMaxIdleTotal?: number
  /** Age at which a connection is closed. */
  readonly poolMaxAgeMs?: number
  /** Each connection begins with this header, and is its client's. */
  readonly proxyProtocol?: ProxyProtocolVersion
  /** Exchanges that wait for a connection to one target; more are refused with UPSTREAM_BUSY. Default 1000. */
  readonly poolMaxWaiting?: number
  /** Present: the targets speak TLS. */
  readonly tls?: UpstreamTls
  /** Present: HTTP/2 is spoken to targets. Not together with `proxyProtocol`, which states one client for each connection. */
  readonly http2?: Http2Settings
}

export interface Http2Settings {
  /** "chosen": by the targets in the TLS handshake, HTTP/1.1 being the alternative. "always": also without TLS, and nothing else. */
  readonly when: 'chosen' | 'always'
  /** Requests at a time on one connection; a target may allow fewer. */
  readonly maxStreams: number
  /** Silence after which a target is asked for a sign of life; 0 = never. */
  readonly pingIntervalMs: number
}

/** What a route says of the way of its exchanges through an upstream; bound once, when the configuration is loaded. */
export type RoutePolicy = Readonly<Record<string, never>>

export interface Upstream extends Responder {
  /** Its targets as they are now, and where their list and their standing change. */
  readonly set: TargetSet
  /** For metrics: one row for each target. */
  readonly targets: readonly TargetState[]
  /** Itself, when the policy says nothing. */
  forRoute (policy: RoutePolicy): Responder
  /** Closes unused connections at once and the others when their exchange is over, or when the deadline aborts. */
  close (deadline: AbortSignal): Promise<void>
}

export interface TargetState {
  readonly name: string
  readonly connections: number
  readonly waiting: number
  readonly inFlight: number
  /** Bits of `standingBits`; 0 = well. */
  readonly standing: number
}

/** What is known of one request on its way from target to target. */
interface Asking extends Ask<Target> {
  readonly x: Exchange
  readonly greeting: string
  need: Need
  /** Targets that are not asked again. */
  skip: Set<Target> | undefined
  /** Why the last one did not take it. */
  last: Fault | undefined
}

export function createUpstream (settings: UpstreamSettings): Upstream {
  return new TargetGroup(settings)
}

/** Methods that may be sent twice (RFC 9110 section 9.2.2). */
const idempotent: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'])

class TargetGroup implements Upstream {
  readonly name: string
  readonly set: TargetSet
  readonly #attempt: AttemptSettings
  readonly #proxyProtocol: ProxyProtocolVersion | undefined

  constructor (settings: UpstreamSettings) {
    this.name = settings.id
    this.#attempt = {
      secure: settings.tls !== undefined,
      connectTimeoutMs: settings.connectTimeoutMs,
      readTimeoutMs: settings.readTimeoutMs,
      writeTimeoutMs: settings.writeTimeoutMs,
    }
    this.#proxyProtocol = settings.proxyProtocol
    const nowMs = (): number => performance.now()
    this.set = new TargetSet({
      targets: settings.targets,
      balancer: balancers[settings.balance]({ random: Math.random, nowMs }),
      connect: connectWith(settings),
      nowMs,
    })
  }

  get targets (): readonly TargetState[] {
    return this.set.targets.map(({ name, connections, inFlight, standing }) => (
      { name, connections: connections.size, waiting: connections.waiting, inFlight, standing }
    ))
  }

  forRoute (_policy: RoutePolicy): Responder {
    return this
  }

  respond (x: Exchange): Promise<Reply> {
    x.upstream = this.name
    if (!isServed(x.request)) return Promise.reject(new Fault('BAD_REQUEST', 'no upstream serves this request target'))
    if (x.upgrade !== undefined) prepareHandshake(x.request.headers)
    const greeting = this.#proxyProtocol === undefined ? '' : proxyHeader(this.#proxyProtocol, x)
    return this.#ask({ x, greeting, need: x.upgrade === undefined ? 'exchange' : 'tunnel', skip: undefined, last: undefined })
  }

  /** Asks targets in turn until one takes the request. Only a request of which nothing has left is offered to another one. */
  #ask (asking: Asking): Promise<Reply> {
    const { x } = asking
    const target = this.#choose(asking)
    if (target === undefined) return Promise.reject(asking.last ?? this.set.whyNobody())
    x.target = target.name
    x.tries++
    target.begin()
    const taken = target.connections.take(x.ending, asking.greeting, asking.need)
    if (!(taken instanceof Promise)) return this.#askOn(asking, target, taken)
    return taken.then((place) => this.#askOn(asking, target, place), (error: unknown) => this.#notAsked(asking, target, error))
  }

  #choose (asking: Asking): Target | undefined {
    for (;;) {
      const target = this.set.pick(asking)
      if (target === undefined || !target.isFull) return target
      asking.last = target.whyFull()
      ;(asking.skip ??= new Set()).add(target)
    }
  }

  /** One promise for an exchange whose first target answers, as nearly all do. */
  #askOn (asking: Asking, target: Target, place: Place): Promise<Reply> {
    let attempt: Attempt | StreamAttempt
    try {
      attempt = this.#attemptOn(asking.x, place, target)
    } catch (error) {
      place.giveBack()
      return this.#notAsked(asking, target, error)
    }
    return attempt.run((error) => this.#askAgain(asking, target, error, attempt))
  }

  /** No try was begun that could tell its end. */
  #notAsked (asking: Asking, target: Target, thrown: unknown): Promise<Reply> {
    target.over(false)
    return this.#askAgain(asking, target, thrown instanceof Error ? thrown : new Error(String(thrown)), undefined)
  }

  #askAgain (asking: Asking, target: Target, error: Error, attempt: Attempt | StreamAttempt | undefined): Promise<Reply> {
    const { x } = asking
    target.failed(error instanceof Fault ? error : undefined, 0)
    if (!(error instanceof Fault) || x.tries > this.set.targets.length || !mayRetry(error, attempt, x)) return Promise.reject(error)
    asking.last = error
    if (attempt?.refused === true) asking.need = error.code === 'UPSTREAM_HTTP_VERSION' ? 'http/1.1' : asking.need
    // A stale connection says nothing about its target, but much about the other unused ones: the next one is dialled.
    else if (attempt?.begun === true) target.connections.closeIdle()
    else (asking.skip ??= new Set()).add(target)
    return this.#ask(asking)
  }

  #attemptOn (x: Exchange, place: Place, target: Target): Attempt | StreamAttempt {
    if (place instanceof Link) return new Attempt(x, place, requestHead(x), this.#attempt, target)
    return new StreamAttempt(x, place, requestFields(x, this.#attempt.secure ? 'https' : 'http'), this.#attempt, target)
  }

  close (deadline: AbortSignal): Promise<void> {
    const aborted = new Promise<void>((resolve) => {
      if (deadline.aborted) resolve()
      else deadline.addEventListener('abort', () => resolve(), { once: true })
    })
    return this.set.close(aborted, new Fault('SHUTTING_DOWN', `upstream ${this.name} was closed`))
  }
}

/** How each target of the upstream gets its connections. */
function connectWith (settings: UpstreamSettings): (target: TargetSettings) => Connections {
  const tickMs = tickOf(settings)
  const allIdle: IdleCount = { max: settings.poolMaxIdleTotal ?? Infinity, now: 0 }
  return ({ host, port, path }) => new Connections({
    host,
    port,
    path,
    maxIdle: settings.poolMaxIdle ?? Infinity,
    allIdle,
    maxAgeMs: settings.poolMaxAgeMs ?? Infinity,
    connectTimeoutMs: settings.connectTimeoutMs,
    maxConnections: settings.poolMaxConnections,
    idleMs: settings.poolIdleMs,
    maxWaiting: settings.poolMaxWaiting ?? 1_000,
    tls: settings.tls,
    sharing: sharingOf(settings),
    tickMs,
  })
}

/** The asterisk asks about the server as a whole (RFC 9112 section 3.2.4). */
function isServed ({ method, upstreamPath }: Exchange['request']): boolean {
  return upstreamPath.startsWith('/') || upstreamPath === '*' && method === 'OPTIONS'
}

/** A client of HTTP/2 sends no key (RFC 8441 section 5), and filters may have taken it out. */
function prepareHandshake (headers: HeaderList): void {
  if (keyOf(headers) === undefined) headers.set('Sec-WebSocket-Key', newKey())
  headers.set('Sec-WebSocket-Version', webSocketVersion)
}

/** Often enough that no time-out is late by more than an eighth of it or a quarter of a second. */
function tickOf ({ connectTimeoutMs, readTimeoutMs, writeTimeoutMs, poolIdleMs, http2 }: UpstreamSettings): number {
  const pingMs = http2 === undefined || http2.pingIntervalMs === 0 ? Infinity : http2.pingIntervalMs
  return Math.max(10, Math.min(250, Math.min(connectTimeoutMs, readTimeoutMs, writeTimeoutMs, poolIdleMs, pingMs) / 8))
}

function sharingOf ({ http2, tls, connectTimeoutMs, readTimeoutMs, writeTimeoutMs }: UpstreamSettings): SharingSettings | undefined {
  if (http2 === undefined) return undefined
  const { when, maxStreams, pingIntervalMs } = http2
  return {
    mayChoose: when === 'chosen', secure: tls !== undefined, maxStreams,
    pingIntervalMs: pingIntervalMs === 0 ? Infinity : pingIntervalMs, connectTimeoutMs, readTimeoutMs, writeTimeoutMs,
  }
}

/**
 * Refused: the target said that it did nothing about the request. Nothing was sent: any other target will do. Sent on a connection that had
 * served others and was closed without a byte in return: the target closed it at the same moment, and a request that may be sent twice is sent
 * again (RFC 9112 section 9.3.1).
 */
function mayRetry (fault: Fault, attempt: Attempt | StreamAttempt | undefined, x: Exchange): boolean {
  if (x.ending.reason !== undefined) return false
  if (attempt?.refused === true) return true
  if (attempt === undefined || !attempt.begun) return fault.row.retry === 'unsent'
  const stale = fault.code === 'UPSTREAM_RESET' && attempt.onUsedConnection && !attempt.answered
  return stale && x.requestBody === undefined && idempotent.has(x.request.method)
}
