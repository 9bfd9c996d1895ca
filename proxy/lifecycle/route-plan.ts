import { isWithin, leadsTo, type AgentConfig, type AgentFilterConfig, type ListenerConfig, type RouteConfig, type SentinelConfig } from '../../config/sentinel/index.ts'
import { wafAgent } from '../../config/sentinel/waf-agent.ts'
import type { Exchange } from '../pipeline/exchange.ts'
import type { RouterEntry } from '../routing/router.ts'
import { cameByHttps } from './redirect-https.ts'

/** The routes that a listener leads to, as the router takes them: the one place where the proxy and `sentinel explain` get them from. */
export function routerEntries<T> (listener: Pick<ListenerConfig, 'namespace'>, config: SentinelConfig, valueOf: (route: RouteConfig) => T): Array<RouterEntry<T>> {
  return config.routes.filter((route) => route.enabled && leadsTo(listener, route))
    .map((route) => ({ matches: route.matches, priority: route.priority, value: valueOf(route) }))
}

/** What a listener does with a request: asks its routes, or sends it to https. */
export function receptionOf ({ redirectHttps }: Pick<ListenerConfig, 'redirectHttps'>, x: Pick<Exchange, 'request'>): 'routes' | 'redirect' {
  return redirectHttps && !cameByHttps(x) ? 'redirect' : 'routes'
}

/** The one that a listener gives requests to that no route takes. */
export function defaultRouteOf ({ defaultRoute }: Pick<ListenerConfig, 'defaultRoute'>, routes: readonly RouteConfig[]): RouteConfig | undefined {
  return defaultRoute === undefined ? undefined : routes.find(({ id, enabled }) => enabled && id === defaultRoute)
}

/** What a route answers with that needs no upstream: the status of a fixed answer, or words; `null` for others. */
export function ownAnswerOf ({ respond, staticFiles, builtinHandler }: Pick<RouteConfig, 'respond' | 'staticFiles' | 'builtinHandler'>): number | string | null {
  if (builtinHandler !== undefined) return `the ${builtinHandler.handler} page`
  return respond?.status ?? (staticFiles === undefined ? null : `files in ${staticFiles.root}`)
}

export interface Step {
  readonly agent: AgentConfig
  /** The filter block that names the agent, when one does. */
  readonly override: AgentFilterConfig | undefined
  /** Why it is asked: it guards every route, or the route names it (itself or by a filter). */
  readonly by: 'guard' | 'filter' | 'agent'
  /** Of the route. */
  readonly failureMode: 'open' | 'closed' | undefined
}

/** Agents that are asked at the same time. */
export interface ParallelStage {
  readonly stage: string
  readonly steps: readonly Step[]
}

/** A filter that the proxy does itself. */
export type OwnFilterConfig = Exclude<SentinelConfig['filters'][number], AgentFilterConfig>

export type Planned = Step | ParallelStage | OwnFilterConfig

/** What a route's exchanges pass, in order: agents that guard everything, then what its filters name, then its own agents. */
export function planOf (route: RouteConfig, config: SentinelConfig): Planned[] {
  return [
    ...guardsOf(route, config).flatMap((id) => stepsNamed(id, 'guard', route, config)).filter((step) => isWanted(step, route)),
    ...route.filters.flatMap((id) => stepsNamed(id, 'filter', route, config)),
    ...route.agents.flatMap((id) => stepsNamed(id, 'agent', route, config)),
  ]
}

/** A route may do without the firewall. */
function isWanted (step: Planned, { wafEnabled }: RouteConfig): boolean {
  return wafEnabled !== false || !('agent' in step) || step.agent.type !== wafAgent
}

/** Agents that nobody names, and that stand where the route does or further outside. */
export function guardsOf ({ scope }: Pick<RouteConfig, 'scope'>, { guardAgents, agents }: SentinelConfig): string[] {
  return guardAgents.filter((id) => agents.some((agent) => agent.id === id && isWithin(scope, agent.scope)))
}

/** Whom of them a route asks. */
export function stepsOf (route: RouteConfig, config: SentinelConfig): Step[] {
  return planOf(route, config).flatMap((step) => 'stage' in step ? step.steps : 'agent' in step ? [step] : [])
}

/** Agents that routes of a listener ask, and those that nobody names where nobody's namespace is: what they say about header fields counts there. */
export function agentsBehind (listener: Pick<ListenerConfig, 'namespace'>, config: SentinelConfig): readonly AgentConfig[] {
  if (config.scopes.length === 0) return config.agents
  const asked = new Set(config.routes.filter((route) => leadsTo(listener, route)).flatMap((route) => stepsOf(route, config).map(({ agent }) => agent.id)))
  return config.agents.filter(({ id, scope }) => asked.has(id) || scope === '')
}

/** As `agentsBehind`, for filters. */
export function filtersBehind (listener: Pick<ListenerConfig, 'namespace'>, { filters, routes, scopes }: SentinelConfig): SentinelConfig['filters'] {
  if (scopes.length === 0) return filters
  const named = new Set(routes.filter((route) => leadsTo(listener, route)).flatMap((route) => route.filters))
  return filters.filter(({ id, scope }) => named.has(id) || scope === '')
}

/** A route names filters, which may name agents, or agents directly. */
function stepsNamed (id: string, by: Step['by'], { failureMode }: RouteConfig, { filters, agents }: SentinelConfig): Planned[] {
  const filter = filters.find((candidate) => candidate.id === id)
  const agentOf = (name: string): AgentConfig => agents.find((agent) => agent.id === name)! // References were checked at load.
  if (filter === undefined) return [{ agent: agentOf(id), override: undefined, by, failureMode }]
  if (filter.type !== 'agent' && filter.type !== 'parallel') return [filter]
  const steps = filter.agents.map((name) => ({ agent: agentOf(name), override: filter, by, failureMode }))
  return filter.type === 'agent' ? steps : [{ stage: filter.id, steps }]
}

function wishOf (mode: AgentConfig['requestBodyMode']): AgentConfig['requestBodyMode'] {
  return typeof mode === 'object' ? { wholeBytes: mode.wholeBytes } : mode
}

function termsOf ({ eventTimeouts: own, chunkTimeout, maxTimeout }: AgentConfig) {
  if (own === undefined && chunkTimeout === undefined) return undefined
  const given = {
    'request-headers': own?.requestHeaders, 'request-body': own?.requestBody, 'response-headers': own?.responseHeaders, 'response-body': own?.responseBody,
    'websocket-message': own?.websocketMessage, chunk: chunkTimeout,
  }
  return Object.fromEntries(Object.entries(given).flatMap(([kind, timeoutMs]) => (
    timeoutMs === undefined ? [] : [[kind, { timeoutMs, maxTimeoutMs: Math.max(timeoutMs, maxTimeout ?? 0) }]]
  )))
}

export function filterSettings ({ agent, override, failureMode }: Step) {
  return {
    agentId: agent.id,
    mode: override?.mode ?? agent.mode,
    failureMode: override?.failureMode ?? failureMode ?? agent.failureMode,
    timeoutMs: override?.timeout ?? agent.timeout,
    maxTimeoutMs: agent.maxTimeout ?? Math.max(override?.timeout ?? 0, agent.timeout),
    termsOf: termsOf(agent),
    events: agent.events,
    requestBodyMode: wishOf(agent.requestBodyMode),
    responseBodyMode: wishOf(agent.responseBodyMode),
    bodyOver: agent.bodyOver,
    maxRequestBodyBytes: override?.maxBodySize ?? agent.maxRequestBodySize,
    maxResponseBodyBytes: override?.maxBodySize ?? agent.maxResponseBodySize,
    phase: override?.phase ?? 'both',
    bodies: override?.inspectBody,
  }
}

/** Infinity: no limit. */
export function maxBodyBytes (route: RouteConfig, config: SentinelConfig): number {
  const bytes = route.maxBodySize ?? config.limits.maxBodySize
  return bytes === 0 ? Number.POSITIVE_INFINITY : bytes
}
