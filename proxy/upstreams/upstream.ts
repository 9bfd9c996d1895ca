import type { Exchange, Reply, Responder } from '../pipeline/exchange.ts'
import { Fault } from '../pipeline/faults.ts'
import type { EndSignal } from '../pipeline/end-signal.ts'
import { Attempt, type AttemptSettings, type Timeouts, type Watcher } from './attempt.ts'
import { balancingOf, tokensOf, type Balancing, type BalancingSettings } from './balancing.ts'
import type { Ask } from './balancers/index.ts'
import { forgetConnecting } from './connecting-times.ts'
import { connectWith, paceOf, quicken } from './connect-targets.ts'
import { Link } from './link.ts'
import type { UpstreamTls } from './dial.ts'
import type { HeaderList } from '../pipeline/headers.ts'
import { keyOf, newKey, webSocketVersion } from '../websocket/handshake.ts'
import { proxyHeader, type ProxyProtocolVersion } from './proxy-header.ts'
import { requestFields } from './request-fields.ts'
import { requestHead } from './request-head.ts'
import { idempotent, type TriesPolicy } from './retry/policy.ts'
import { Retrying, type Tries } from './retry/retrying.ts'
import type { Trial } from './retry/trial.ts'
import { StreamAttempt } from './stream-attempt.ts'
import type { Session } from './sessions.ts'
import { TokenWatcher, type Target, type TargetSettings } from './target.ts'
import { TargetSet } from './target-set.ts'
import { TargetStore } from './target-store.ts'
import { bothOf } from './both-of.ts'
import type { Need, Place } from './waiters.ts'

/** What may differ between configurations that share their targets. */
export interface ChangeableSettings extends BalancingSettings {
  readonly targets: readonly TargetSettings[]
  /** Time until a target that is new, or well again, has its whole share; default 0: it has it at once. */
  readonly slowStartMs?: number
  /** How long a target that is in the list no longer may finish its exchanges; default: as long as they take. */
  readonly drainMs?: number
  /** When less of the weight of all targets is well, those who are not are asked too; default 0: never. */
  readonly panicShare?: number
  /** Longest wait for the response head after the request; default: as long as for each piece of the body. */
  readonly firstByteTimeoutMs?: number
  /** From the head of the request to the end of the answer; default: there is no such limit. */
  readonly requestTimeoutMs?: number
}

/** What connections depend on. Configurations that agree in it share their targets. */
export interface ConnectingSettings {
  readonly id: string
  readonly connectTimeoutMs: number
  /** Longest wait for each piece of the response body. */
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
  /** Longest such wait; default: as long as connecting may take. */
  readonly poolWaitTimeoutMs?: number
  /** Present: the targets speak TLS. */
  readonly tls?: UpstreamTls
  /** Present: HTTP/2 is spoken to targets. Not together with `proxyProtocol`, which states one client for each connection. */
  readonly http2?: Http2Settings
}

export type UpstreamSettings = ConnectingSettings & ChangeableSettings

export interface Http2Settings {
  /** "chosen": by the targets in the TLS handshake, HTTP/1.1 being the alternative. "always": also without TLS, and nothing else. */
  readonly when: 'chosen' | 'always'
  /** Requests at a time on one connection; a target may allow fewer. */
  readonly maxStreams: number
  /** Silence after which a target is asked for a sign of life; 0 = never. */
  readonly pingIntervalMs: number
}

/** What a route says of the way of its exchanges through an upstream; bound once, when the configuration is loaded. */
export interface RoutePolicy {
  /** In place of the upstream's. */
  readonly timeouts?: Partial<Timeouts>
  /** What is tried more than once, and how often. */
  readonly tries?: TriesPolicy
}

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
  /** Of these, those that nobody uses. */
  readonly idle: number
  /** Begun since it is there. */
  readonly opened: number
  readonly waiting: number
  readonly inFlight: number
  /** Exchanges that it was picked for. */
  readonly picks: number
  /** Share of the exchanges, as it is now. */
  readonly weight: number
  /** Bits of `standingBits`; 0 = well. */
  readonly standing: number
}

/** What is known of one request on its way from target to target. */
export interface Asking extends Ask<Target> {
  readonly x: Exchange
  readonly settings: AttemptSettings
  readonly greeting: string
  need: Need
  /** Targets that are not asked again. */
  skip: Set<Target> | undefined
  readonly session: Session | undefined
  /** Why the last one did not take it. */
  last: Fault | undefined
}

const nowMs = (): number => performance.now()

/** @param store Targets that other configurations of the same upstream have as well, made from the same settings of connections. */
export function createUpstream (settings: UpstreamSettings, store = createTargetStore(settings)): Upstream {
  return new TargetGroup(settings, store)
}

export function createTargetStore (settings: ConnectingSettings): TargetStore {
  const pace = paceOf(settings)
  return new TargetStore(connectWith(settings, pace), nowMs, pace)
}

class TargetGroup implements Upstream, Tries {
  readonly name: string
  readonly set: TargetSet
  readonly refusals: TargetStore['refusals']
  readonly #store: TargetStore
  readonly #attempt: AttemptSettings
  readonly #proxyProtocol: ProxyProtocolVersion | undefined
  readonly #balancing: Balancing

  constructor (settings: UpstreamSettings, store: TargetStore) {
    this.name = settings.id
    this.refusals = store.refusals
    this.#store = store
    this.#attempt = {
      secure: settings.tls !== undefined,
      connectTimeoutMs: settings.connectTimeoutMs,
      firstByteTimeoutMs: settings.firstByteTimeoutMs ?? settings.readTimeoutMs,
      readTimeoutMs: settings.readTimeoutMs,
      writeTimeoutMs: settings.writeTimeoutMs,
      requestTimeoutMs: settings.requestTimeoutMs ?? Infinity,
    }
    quicken(store.pace, this.#attempt)
    this.#proxyProtocol = settings.proxyProtocol
    this.#balancing = balancingOf(this.name, settings)
    const { targets, slowStartMs = 0, drainMs = Infinity, panicShare = 0 } = settings
    this.set = new TargetSet({ targets, store, slowStartMs, drainMs, panicShare, nowMs, balancer: () => this.#balancing.make() })
  }

  get targets (): readonly TargetState[] {
    return this.set.targets.map(({ name, connections: { size, idleSize, opened, waiting }, inFlight, picks, weight, standing }) => (
      { name, connections: size, idle: idleSize, opened, waiting, inFlight, picks, weight, standing }
    ))
  }

  forRoute ({ timeouts, tries }: RoutePolicy): Responder {
    if (timeouts === undefined && tries === undefined) return this
    const settings = timeouts === undefined ? this.#attempt : routeTimeouts(this.#attempt, timeouts)
    quicken(this.#store.pace, settings)
    if (tries === undefined) return { name: this.name, respond: (x) => this.respondWith(x, settings) }
    return new Retrying(this, settings, tries, this.#store.budgets.of(tries.budget))
  }

  respond (x: Exchange): Promise<Reply> {
    return this.respondWith(x, this.#attempt)
  }

  respondWith (x: Exchange, settings: AttemptSettings): Promise<Reply> {
    const asking = this.asking(x, settings)
    if (asking instanceof Fault) return Promise.reject(asking)
    const reply = this.#ask(asking)
    return this.#balancing.sessions === undefined ? reply : reply.then((given) => this.inSession(asking, given))
  }

  asking (x: Exchange, settings: AttemptSettings): Asking | Fault {
    x.upstream = this.name
    if (!isServed(x.request)) return new Fault('BAD_REQUEST', 'no upstream serves this request target')
    if (x.upgrade !== undefined) prepareHandshake(x.request.headers)
    const greeting = this.#proxyProtocol === undefined ? '' : proxyHeader(this.#proxyProtocol, x)
    const { keyOf, sessions } = this.#balancing
    const need = x.upgrade === undefined ? 'exchange' : 'tunnel'
    const session = sessions?.of(x, this.set.targets)
    return { x, settings, greeting, need, key: keyOf?.(x), session, wanted: session?.target, skip: undefined, last: undefined }
  }

  /** The client is told whom its session is with, when that is somebody else than before, or when it would forget soon. */
  inSession ({ x, session }: Asking, reply: Reply): Reply {
    const { sessions } = this.#balancing
    if (sessions === undefined || session?.fresh === true && session.target.name === x.target) return reply
    reply.headers.append('Set-Cookie', sessions.cookieFor(x.target))
    return reply
  }

  /** Asks targets in turn until one takes the request. Only a request of which nothing has left is offered to another one. */
  #ask (asking: Asking): Promise<Reply> {
    const { x } = asking
    const target = this.choose(asking)
    if (target === undefined) return Promise.reject(asking.last ?? this.set.whyNobody())
    x.target = target.name
    if (x.tries++ > 0) forgetConnecting(x)
    target.begin()
    x.trace?.recording?.asks(target.name)
    const taken = target.connections.take(x.ending, asking.greeting, asking.need, endMsOf(asking), x)
    if (!(taken instanceof Promise)) return this.#askOn(asking, target, taken)
    return taken.then((place) => this.#askOn(asking, target, place), (error: unknown) => this.#notAsked(asking, target, error))
  }

  choose (asking: Asking): Target | undefined {
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
      attempt = this.#attemptOn(asking, place, target, asking.x.ending, undefined)
    } catch (error) {
      place.giveBack()
      return this.#notAsked(asking, target, error)
    }
    return attempt.run((error) => this.#askAgain(asking, target, error, attempt))
  }

  /** No try was begun that could tell its end. */
  #notAsked (asking: Asking, target: Target, thrown: unknown): Promise<Reply> {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown))
    asking.x.trace?.recording?.notAsked(target.name, error)
    target.failed(error instanceof Fault ? error : undefined, 0)
    target.over(false)
    return this.#askAgain(asking, target, error, undefined)
  }

  #askAgain (asking: Asking, target: Target, error: Error, attempt: Attempt | StreamAttempt | undefined): Promise<Reply> {
    const { x } = asking
    if (!(error instanceof Fault) || x.tries > this.set.targets.length || !mayRetry(error, attempt, x)) return Promise.reject(error)
    asking.last = error
    if (attempt?.refused === true) asking.need = error.code === 'UPSTREAM_HTTP_VERSION' ? 'http/1.1' : asking.need
    // A stale connection says nothing about its target, but much about the other unused ones: the next one is dialled.
    else if (attempt?.begun === true) target.connections.closeIdle()
    else (asking.skip ??= new Set()).add(target)
    return this.#ask(asking)
  }

  /** One try that may be one of several. What it comes to is for others to judge. */
  put (asking: Asking, trial: Trial): Promise<Reply> {
    const { x } = asking
    const { target } = trial
    x.target = target.name
    if (x.tries++ > 0) forgetConnecting(x)
    target.begin()
    x.trace?.recording?.asks(target.name)
    const taken = target.connections.take(trial.ending, asking.greeting, asking.need, endMsOf(asking), x)
    if (!(taken instanceof Promise)) return this.#putOn(asking, trial, taken)
    return taken.then((place) => this.#putOn(asking, trial, place), (error: unknown) => neverBegun(x, target, error))
  }

  #putOn (asking: Asking, trial: Trial, place: Place): Promise<Reply> {
    const { target, ending } = trial
    // Another try may have been begun meanwhile.
    asking.x.target = target.name
    try {
      trial.attempt = this.#attemptOn(asking, place, target, ending, trial)
    } catch (error) {
      place.giveBack()
      return neverBegun(asking.x, target, error)
    }
    return trial.attempt.run(rejected)
  }

  #attemptOn ({ x, settings }: Asking, place: Place, target: Target, ending: EndSignal, trial: Trial | undefined): Attempt | StreamAttempt {
    // The head that goes out says which part of a trace this try is.
    const recording = x.trace?.recording?.tryBegins(x, target.name)
    if (place instanceof Link) {
      const head = requestHead(x)
      return new Attempt(x, place, head, settings, this.#watcher(x, target, trial, recording), ending)
    }
    const fields = requestFields(x, settings.secure ? 'https' : 'http')
    return new StreamAttempt(x, place, fields, settings, this.#watcher(x, target, trial, recording), ending)
  }

  #watcher (x: Exchange, target: Target, trial: Trial | undefined, recording: Watcher | undefined): Watcher {
    const counting = this.#balancing.countsTokens ? new TokenWatcher(target, tokensOf(x)) : target
    const own = recording === undefined ? counting : bothOf(counting, recording)
    return trial === undefined ? own : trial.watchedBy(own)
  }

  close (deadline: AbortSignal): Promise<void> {
    const aborted = new Promise<void>((resolve) => {
      if (deadline.aborted) resolve()
      else deadline.addEventListener('abort', () => resolve(), { once: true })
    })
    return this.set.close({ until: aborted, cut: new Fault('SHUTTING_DOWN', `upstream ${this.name} was closed`) })
  }
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

function neverBegun (x: Exchange, target: Target, error: unknown): Promise<never> {
  x.trace?.recording?.notAsked(target.name, error)
  target.failed(error instanceof Fault ? error : undefined, 0)
  target.over(false)
  return rejected(error instanceof Error ? error : new Error(String(error)))
}

function rejected (error: Error): Promise<never> {
  return Promise.reject(error)
}

/** When the exchange has to be over. */
function endMsOf ({ x, settings }: Asking): number {
  return x.startedMs + settings.requestTimeoutMs
}

/** A route that says how long the head of an answer may take says so with `read` as well, as upstreams do. */
function routeTimeouts (upstream: AttemptSettings, route: Partial<Timeouts>): AttemptSettings {
  const firstByte = route.firstByteTimeoutMs ?? route.readTimeoutMs
  return { ...upstream, ...route, ...firstByte === undefined ? {} : { firstByteTimeoutMs: firstByte } }
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
