import type { Exchange, Reply, Responder } from '../pipeline/exchange.ts'
import { Fault } from '../pipeline/faults.ts'
import { Attempt, type AttemptSettings } from './attempt.ts'
import { balancers, type Balancer, type BalancerName } from './balancers/index.ts'
import { Connections } from './connections.ts'
import { Link } from './link.ts'
import type { UpstreamTls } from './dial.ts'
import type { HeaderList } from '../pipeline/headers.ts'
import { keyOf, newKey, webSocketVersion } from '../websocket/handshake.ts'
import { proxyHeader, type ProxyProtocolVersion } from './proxy-header.ts'
import { requestFields } from './request-fields.ts'
import { requestHead } from './request-head.ts'
import type { SharingSettings } from './shared-link.ts'
import { StreamAttempt } from './stream-attempt.ts'
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

export interface TargetSettings {
  /** Name or address; IPv6 without brackets. */
  readonly host: string
  readonly port: number
  /** A Unix socket in place of host and port, which are empty then. */
  readonly path?: string
  /** Requests at a time. */
  readonly maxRequests?: number
  /** Share of the exchanges; 0 = none. */
  readonly weight: number
}

export interface Upstream extends Responder {
  /** For metrics: one row for each target. */
  readonly targets: readonly TargetState[]
  /** Closes unused connections at once and the others when their exchange is over, or when the deadline aborts. */
  close (deadline: AbortSignal): Promise<void>
}

export interface TargetState {
  readonly name: string
  readonly connections: number
  readonly waiting: number
}

interface Target {
  readonly name: string
  readonly maxRequests: number
  readonly connections: Connections
}

/** What is known of one request on its way from target to target. */
interface Asking {
  readonly x: Exchange
  readonly greeting: string
  need: Need
  /** Targets that are not asked again. */
  failed: Set<number> | undefined
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
  readonly #targets: readonly Target[]
  readonly #balancer: Balancer
  readonly #attempt: AttemptSettings
  readonly #proxyProtocol: ProxyProtocolVersion | undefined

  constructor (settings: UpstreamSettings) {
    this.name = settings.id
    this.#balancer = balancers[settings.balance](settings.targets.map((target) => target.weight))
    this.#attempt = {
      secure: settings.tls !== undefined,
      connectTimeoutMs: settings.connectTimeoutMs,
      readTimeoutMs: settings.readTimeoutMs,
      writeTimeoutMs: settings.writeTimeoutMs,
    }
    this.#proxyProtocol = settings.proxyProtocol
    const tickMs = tickOf(settings)
    const allIdle = { max: settings.poolMaxIdleTotal ?? Infinity, now: 0 }
    this.#targets = settings.targets.map(({ host, port, path, maxRequests = Infinity }) => ({
      name: path !== undefined ? `unix:${path}` : host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`,
      maxRequests,
      connections: new Connections({
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
      }),
    }))
  }

  get targets (): readonly TargetState[] {
    return this.#targets.map(({ name, connections }) => ({ name, connections: connections.size, waiting: connections.waiting }))
  }

  respond (x: Exchange): Promise<Reply> {
    x.upstream = this.name
    if (!isServed(x.request)) return Promise.reject(new Fault('BAD_REQUEST', 'no upstream serves this request target'))
    if (x.upgrade !== undefined) prepareHandshake(x.request.headers)
    const greeting = this.#proxyProtocol === undefined ? '' : proxyHeader(this.#proxyProtocol, x)
    return this.#ask({ x, greeting, need: x.upgrade === undefined ? 'exchange' : 'tunnel', failed: undefined, last: undefined })
  }

  /** Asks targets in turn until one takes the request. Only a request of which nothing has left is offered to another one. */
  #ask (asking: Asking): Promise<Reply> {
    const { x } = asking
    const index = this.#choose(asking)
    if (index === undefined) return Promise.reject(asking.last ?? new Fault('NO_TARGET', 'no target of weight above 0'))
    const { connections, name } = this.#targets[index]!
    x.target = name
    x.tries++
    const taken = connections.take(x.ending, asking.greeting, asking.need)
    if (!(taken instanceof Promise)) return this.#askOn(asking, index, taken)
    return taken.then((place) => this.#askOn(asking, index, place), (error: unknown) => this.#askAgain(asking, index, asError(error), undefined))
  }

  #choose (asking: Asking): number | undefined {
    for (;;) {
      const index = this.#balancer.next(asking.failed)
      if (index === undefined) return undefined
      const { connections, name, maxRequests } = this.#targets[index]!
      if (maxRequests === Infinity || connections.busy < maxRequests) return index
      asking.last = new Fault('UPSTREAM_BUSY', `${name} has ${maxRequests} requests`)
      ;(asking.failed ??= new Set()).add(index)
    }
  }

  /** One promise for an exchange whose first target answers, as nearly all do. */
  #askOn (asking: Asking, index: number, place: Place): Promise<Reply> {
    try {
      const attempt = this.#attemptOn(asking.x, place)
      return attempt.run((error) => this.#askAgain(asking, index, error, attempt))
    } catch (error) {
      return this.#askAgain(asking, index, asError(error), undefined)
    }
  }

  #askAgain (asking: Asking, index: number, error: Error, attempt: Attempt | StreamAttempt | undefined): Promise<Reply> {
    const { x } = asking
    if (!(error instanceof Fault) || x.tries > this.#targets.length || !mayRetry(error, attempt, x)) return Promise.reject(error)
    asking.last = error
    if (attempt?.refused === true) asking.need = error.code === 'UPSTREAM_HTTP_VERSION' ? 'http/1.1' : asking.need
    // A stale connection says nothing about its target, but much about the other unused ones: the next one is dialled.
    else if (attempt?.begun === true) this.#targets[index]!.connections.closeIdle()
    else (asking.failed ??= new Set()).add(index)
    return this.#ask(asking)
  }

  #attemptOn (x: Exchange, place: Place): Attempt | StreamAttempt {
    try {
      if (place instanceof Link) return new Attempt(x, place, requestHead(x), this.#attempt)
      return new StreamAttempt(x, place, requestFields(x, this.#attempt.secure ? 'https' : 'http'), this.#attempt)
    } catch (error) {
      place.giveBack()
      throw error
    }
  }

  async close (deadline: AbortSignal): Promise<void> {
    const cut = new Fault('SHUTTING_DOWN', `upstream ${this.name} was closed`)
    const aborted = new Promise<void>((resolve) => {
      if (deadline.aborted) resolve()
      else deadline.addEventListener('abort', () => resolve(), { once: true })
    })
    const drained = Promise.all(this.#targets.map(({ connections }) => connections.drain()))
    await Promise.race([drained, aborted])
    for (const { connections } of this.#targets) connections.destroy(cut)
  }
}

function asError (thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown))
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
