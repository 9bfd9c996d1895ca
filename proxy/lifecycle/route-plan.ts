import type { AgentConfig, AgentFilterConfig, ListenerConfig, RouteConfig, SentinelConfig } from '../../config/sentinel/index.ts'
import { wafAgent } from '../../config/sentinel/waf-agent.ts'
import type { Exchange } from '../pipeline/exchange.ts'
import type { RouterEntry } from '../routing/router.ts'
import { cameByHttps } from './redirect-https.ts'

/** The routes as the router takes them: the one place where the proxy and `sentinel explain` get them from. */
export function routerEntries<T> (config: SentinelConfig, valueOf: (route: RouteConfig) => T): Array<RouterEntry<T>> {
  return config.routes.filter(({ enabled }) => enabled)
    .map((route) => ({ matches: route.matches, priority: route.priority, value: valueOf(route) }))
}

/** What a listener does with a request: asks its routes, answers 404 because it serves a namespace (not built yet), or sends it to https. */
export function receptionOf ({ namespace, redirectHttps }: Pick<ListenerConfig, 'namespace' | 'redirectHttps'>, x: Pick<Exchange, 'request'>): 'routes' | 'nothing' | 'redirect' {
  if (redirectHttps && !cameByHttps(x)) return 'redirect'
  return namespace === undefined ? 'routes' : 'nothing'
}

/** The one that a listener gives requests to that no route takes. */
export function defaultRouteOf ({ defaultRoute }: Pick<ListenerConfig, 'defaultRoute'>, routes: readonly RouteConfig[]): RouteConfig | undefined {
  return defaultRoute === undefined ? undefined : routes.find(({ id, enabled }) => enabled && id === defaultRoute)
}

export interface Step {
  readonly agent: AgentConfig
  /** The filter block that names the agent, when one does. */
  readonly override: AgentFilterConfig | undefined
  /** Why it is asked: it guards every route, or the route names it (itself or by a filter). */
  readonly by: 'guard' | 'filter' | 'agent'
}

/** A filter that the proxy does itself. */
export type OwnFilterConfig = Exclude<SentinelConfig['filters'][number], AgentFilterConfig>

/** What a route's exchanges pass, in order: agents that guard everything, then what its filters name, then its own agents. */
export function planOf (route: RouteConfig, config: SentinelConfig): Array<Step | OwnFilterConfig> {
  return [
    ...config.guardAgents.flatMap((id) => stepsNamed(id, 'guard', config)).filter((step) => route.wafEnabled !== false || !('agent' in step) || step.agent.type !== wafAgent),
    ...route.filters.flatMap((id) => stepsNamed(id, 'filter', config)),
    ...route.agents.flatMap((id) => stepsNamed(id, 'agent', config)),
  ]
}

/** Whom of them a route asks. */
export function stepsOf (route: RouteConfig, config: SentinelConfig): Step[] {
  return planOf(route, config).filter((step): step is Step => 'agent' in step)
}

/** A route names filters, which may name agents, or agents directly. */
function stepsNamed (id: string, by: Step['by'], { filters, agents }: SentinelConfig): Array<Step | OwnFilterConfig> {
  const filter = filters.find((candidate) => candidate.id === id)
  const agentOf = (name: string): AgentConfig => agents.find((agent) => agent.id === name)! // References were checked at load.
  if (filter === undefined) return [{ agent: agentOf(id), override: undefined, by }]
  return filter.type === 'agent' ? filter.agents.map((name) => ({ agent: agentOf(name), override: filter, by })) : [filter]
}

function wishOf (mode: AgentConfig['requestBodyMode']): AgentConfig['requestBodyMode'] {
  return typeof mode === 'object' ? { wholeBytes: mode.wholeBytes } : mode
}

function termsOf ({ eventTimeouts: own, chunkTimeout, maxTimeout }: AgentConfig) {
  if (own === undefined && chunkTimeout === undefined) return undefined
  const given = {
    'request-headers': own?.requestHeaders, 'request-body': own?.requestBody, 'response-headers': own?.responseHeaders, 'response-body': own?.responseBody,
    chunk: chunkTimeout,
  }
  return Object.fromEntries(Object.entries(given).flatMap(([kind, timeoutMs]) => (
    timeoutMs === undefined ? [] : [[kind, { timeoutMs, maxTimeoutMs: Math.max(timeoutMs, maxTimeout ?? 0) }]]
  )))
}

export function filterSettings ({ agent, override }: Step) {
  return {
    agentId: agent.id,
    mode: override?.mode ?? agent.mode,
    failureMode: override?.failureMode ?? agent.failureMode,
    timeoutMs: override?.timeout ?? agent.timeout,
    maxTimeoutMs: agent.maxTimeout ?? Math.max(override?.timeout ?? 0, agent.timeout),
    termsOf: termsOf(agent),
    events: agent.events,
    requestBodyMode: wishOf(agent.requestBodyMode),
    responseBodyMode: wishOf(agent.responseBodyMode),
    bodyOver: agent.bodyOver,
    maxRequestBodyBytes: agent.maxRequestBodySize,
    maxResponseBodyBytes: agent.maxResponseBodySize,
  }
}

/** Infinity: no limit. */
export function maxBodyBytes (route: RouteConfig, config: SentinelConfig): number {
  const bytes = route.maxBodySize ?? config.limits.maxBodySize
  return bytes === 0 ? Number.POSITIVE_INFINITY : bytes
}
