import type { ListenerConfig, RouteConfig, SentinelConfig } from '../../config/sentinel/index.ts'
import { httpsPort, redirectFor } from '../lifecycle/redirect-https.ts'
import { defaultRouteOf, filterSettings, maxBodyBytes, ownAnswerOf, planOf, receptionOf, routerEntries, stepsOf } from '../lifecycle/route-plan.ts'
import type { Exchange } from '../pipeline/exchange.ts'
import type { Finding } from '../routing/finding.ts'
import { compileRouter } from '../routing/router.ts'
import { seenFrom } from '../lifecycle/scope-rules.ts'
import { alone, changeable } from '../lifecycle/upstream-settings.ts'
import { routePolicy } from '../lifecycle/route-policy.ts'
import { firstTarget, idempotent, type TriesPolicy } from '../upstreams/index.ts'
import { readAsked, type Asked, type ReadRequest } from './explained-request.ts'
import type { ShownCertificate } from './shown-certificate.ts'

export interface Place {
  readonly file: string
  readonly line: number
}

/** What would become of a request: the JSON of `sentinel explain --json`, and what its screen shows. Durations in ms, sizes in bytes. */
export interface Explanation {
  readonly request: {
    readonly method: string
    readonly host: string
    /** As received, and as routes and agents judge it. */
    readonly rawPath: string
    readonly path: string
    readonly upstreamPath: string
    readonly query: string
    readonly clientIp: string
  } | null
  readonly listener: { readonly id: string, readonly protocol: ListenerConfig['protocol'], readonly address: string, readonly note: string | null }
  /** Of the listener, for a client that asks for the host; `null` without TLS. Added by the command: finding it reads files. */
  readonly certificate?: ShownCertificate | null
  /** The answer of the proxy itself, when no route is asked or none takes the request. */
  readonly refused: { readonly status: number, readonly why: string } | null
  /** In matching order, up to the one that was found. */
  readonly tried: ReadonlyArray<{ readonly route: string, readonly place: Place, readonly failed: Finding | null }>
  /** `byDefault`: no route takes it by its conditions, and it is the listener's default route. */
  readonly route: { readonly id: string, readonly priority: number, readonly place: Place, readonly byDefault: boolean } | null
  readonly chain: readonly ChainStep[]
  /** What the proxy does itself on the way, in order, apart from asking agents. */
  readonly filters: ReadonlyArray<{ readonly id: string, readonly type: string }>
  readonly limits: { readonly bodyBytes: number | null, readonly headerBytes: number, readonly headerCount: number, readonly requestTimeoutMs: number } | null
  readonly upstream: UpstreamPart | null
  /** Status that the route itself answers with, in place of an upstream. */
  readonly responds: number | string | null
  /** Upstreams that an agent may choose instead. */
  readonly otherUpstreams: readonly string[]
  /** What the proxy changes in the header before it goes on; agents may change more. */
  readonly headers: { readonly set: ReadonlyArray<readonly [name: string, value: string]>, readonly removed: readonly string[] } | null
}

export interface ChainStep {
  readonly agent: string
  readonly by: 'guard' | 'filter' | 'agent' | 'guardrail'
  readonly filter: string | null
  readonly type: string
  readonly mode: string
  readonly failureMode: string
  readonly timeoutMs: number
  readonly maxTimeoutMs: number
  /** `null`: whatever the agent asks for. */
  readonly events: readonly string[] | null
}

interface UpstreamPart {
  readonly id: string
  readonly balancing: string
  readonly targets: ReadonlyArray<{ readonly address: string, readonly weight: number }>
  /** What a balancer that has seen no request yet picks, when nothing is left to chance. */
  readonly firstTarget: string | null
  readonly tls: boolean
  readonly connectTimeoutMs: number
  /** Until the head of the answer. */
  readonly readTimeoutMs: number
  /** Of the whole exchange. */
  readonly requestTimeoutMs: number | null
  /** How often it is tried, where the route says something about that, and what makes it so; `hedgeMs`: after which another target is asked as well. */
  readonly tries: { readonly most: number, readonly after: readonly string[], readonly hedgeMs: number | null } | null
}

type Env = Readonly<Record<string, string | undefined>>

/** A text instead: the question itself is wrong. */
export function explanationOf (asked: Asked, config: SentinelConfig, env: Env): Explanation | string {
  const read = readAsked(asked, config)
  if (typeof read === 'string') return read
  const { listener, exchange } = read
  const where = { id: listener.id, protocol: listener.protocol, address: listener.address.text, note: read.note ?? null }
  const nothing = { route: null, chain: [], filters: [], limits: null, upstream: null, responds: null, otherUpstreams: [], headers: null }
  if ('status' in exchange) {
    return { ...nothing, request: null, listener: where, tried: [], refused: { status: exchange.status, why: exchange.detail } }
  }
  const { request } = exchange
  const own = answerOfListener(listener, exchange, config)
  if (own !== undefined) return { ...nothing, request: seenOf(exchange), listener: where, tried: [], refused: own }
  const router = compileRouter(routerEntries(listener, config, (route) => route))
  const tried = router.explain(request).map(({ value, failed }) => ({ route: value.id, place: placeOf(value), failed: failed ?? null }))
  const matched = router.match(request)
  const route = matched ?? defaultRouteOf(listener, config.routes)
  const seen = seenOf(exchange)
  if (route === undefined) return { ...nothing, request: seen, listener: where, tried, refused: { status: 404, why: whyNone(tried.length, listener) } }
  return {
    request: seen, listener: where, tried, refused: null,
    route: { id: route.id, priority: route.priority, place: placeOf(route), byDefault: matched === undefined },
    chain: chainOf(route, config),
    filters: ownFiltersOf(route, config),
    limits: limitsOf(route, read, seenFrom(route.scope, config)),
    upstream: upstreamOf(route, seenFrom(route.scope, config), exchange, env),
    responds: ownAnswerOf(route),
    otherUpstreams: route.otherUpstreams,
    headers: headerChanges(read.sent, exchange),
  }
}

function seenOf ({ request, clientIp }: Exchange): NonNullable<Explanation['request']> {
  const { method, authority, rawPath, path, upstreamPath, query } = request
  return { method, host: authority, rawPath, path, upstreamPath, query, clientIp }
}

/** What a listener answers before any route is asked, as the running proxy does. */
function answerOfListener (listener: ListenerConfig, exchange: Exchange, { listeners }: SentinelConfig): Explanation['refused'] | undefined {
  const { id } = listener
  if (receptionOf(listener, exchange) === 'routes') return undefined
  if (!exchange.request.headers.has('x-forwarded-host')) return { status: 400, why: 'no host to redirect to' }
  const { status, location } = redirectFor(exchange, httpsPort(listeners, listener))
  return { status, why: `listener '${id}' sends clients to ${location}` }
}

export function placeOf ({ at }: RouteConfig): Place {
  return { file: at.file, line: at.line }
}

function whyNone (count: number, { namespace }: ListenerConfig): string {
  return count === 0 ? `there is no route${namespace === undefined ? '' : ` in '${namespace}'`}` : count === 1 ? 'the only route does not take it' : `none of the ${count} routes takes it`
}

export function chainOf (route: RouteConfig, config: SentinelConfig): ChainStep[] {
  const asked = stepsOf(route, config).map((step): ChainStep => {
    const { mode, failureMode, timeoutMs, maxTimeoutMs, events } = filterSettings(step)
    return {
      agent: step.agent.id, by: step.by, filter: step.override?.id ?? null, type: step.agent.type,
      mode, failureMode, timeoutMs, maxTimeoutMs, events: events ?? null,
    }
  })
  return [...asked, ...guardrailsOf(route, config)]
}

/** Agents that look texts through, last before the upstream. */
function guardrailsOf ({ guardrails }: RouteConfig, { agents }: SentinelConfig): ChainStep[] {
  return [guardrails?.promptInjection, guardrails?.piiDetection].flatMap((guardrail): ChainStep[] => {
    const agent = agents.find(({ id }) => id === guardrail?.agent)
    if (guardrail?.enabled !== true || agent === undefined) return []
    const { failureMode, timeout } = guardrail
    return [{ agent: agent.id, by: 'guardrail', filter: null, type: agent.type, mode: agent.mode, failureMode, timeoutMs: timeout, maxTimeoutMs: timeout, events: ['guardrail'] }]
  })
}

function ownFiltersOf (route: RouteConfig, config: SentinelConfig): Explanation['filters'] {
  return planOf(route, config).flatMap((step) => 'agent' in step ? [] : [{ id: step.id, type: step.type }])
}

function limitsOf (route: RouteConfig, { listener }: ReadRequest, config: SentinelConfig): Explanation['limits'] {
  const bytes = maxBodyBytes(route, config)
  return {
    bodyBytes: Number.isFinite(bytes) ? bytes : null, headerBytes: config.limits.maxHeaderSize, headerCount: config.limits.maxHeaderCount,
    requestTimeoutMs: listener.requestTimeout,
  }
}

function upstreamOf (route: RouteConfig, config: SentinelConfig, x: Exchange, env: Env): UpstreamPart | null {
  const upstream = config.upstreams.find(({ id }) => id === route.upstream)
  if (upstream === undefined) return null
  const { targets, loadBalancing, tls, timeouts } = upstream
  const { timeouts: own = {}, tries } = routePolicy(route, config, { used: 0 })
  const first = firstTarget(upstream.id, changeable(upstream, config, { env, cookieSecret: '', drainMs: 0, among: alone }), x)
  return {
    id: upstream.id, balancing: loadBalancing.policy, targets: targets.map(({ address, weight }) => ({ address: address.text, weight })),
    firstTarget: first === undefined ? null : targets[first]!.address.text,
    tls: tls !== undefined, connectTimeoutMs: own.connectTimeoutMs ?? timeouts.connect,
    readTimeoutMs: own.firstByteTimeoutMs ?? own.readTimeoutMs ?? timeouts.firstByte ?? timeouts.read,
    requestTimeoutMs: own.requestTimeoutMs ?? timeouts.request ?? null,
    tries: tries === undefined ? null : triesOf(tries, x, targets.length),
  }
}

function triesOf ({ retry, hedge }: TriesPolicy, { request: { method } }: Exchange, targets: number): UpstreamPart['tries'] {
  const { maxAttempts: most = targets, on, statuses, nonIdempotent } = retry
  const again = nonIdempotent || idempotent.has(method)
  return {
    most,
    after: again ? [...on, ...[...statuses].map(String)] : ['connect-failure'],
    hedgeMs: hedge !== undefined && idempotent.has(method) ? hedge.delayMs : null,
  }
}

function headerChanges (sent: readonly string[], { request }: Exchange): Explanation['headers'] {
  const before = new Set<string>()
  const names = new Set<string>()
  for (let i = 0; i < sent.length; i += 2) {
    before.add(`${sent[i]!.toLowerCase()}: ${sent[i + 1]!}`)
    names.add(sent[i]!)
  }
  return {
    set: [...request.headers].filter(([name, value]) => !before.has(`${name.toLowerCase()}: ${value}`)),
    removed: [...names].filter((name) => !request.headers.has(name.toLowerCase())),
  }
}
