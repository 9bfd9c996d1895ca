import type { RouteConfig, SentinelConfig } from '../../config/sentinel/index.ts'
import type { StageMember } from '../decisions/index.ts'
import type { Exchange, Filter, Responder, Route } from '../pipeline/exchange.ts'
import { Fault } from '../pipeline/faults.ts'
import { behind, type ReplayRoom, type Upstream } from '../upstreams/index.ts'
import { Places, webSocketFilter, type WebSocketSettings } from '../websocket/index.ts'
import { schemaStep } from './api-schemas.ts'
import { guardrailSteps } from './guardrails.ts'
import { gatesOf } from './health-plans.ts'
import { canonicalKey } from './leases.ts'
import { rateRules, type RateParts } from './rate-limits.ts'
import { ownFilter, rulesAfter, rulesBefore } from './route-filters.ts'
import { placesFilter, RoutePlaces } from './route-places.ts'
import { errorPagesOf, ownResponder, upstreamErrors } from './route-services.ts'
import { routePolicy } from './route-policy.ts'
import { filterSettings, maxBodyBytes, planOf, type OwnFilterConfig, type Planned, type Step } from './route-plan.ts'
import { namesOf, placeOfRoute, scopeRules } from './scope-rules.ts'
import { shadowStep } from './shadows.ts'

import type { Surroundings } from './snapshot.ts'

type UpstreamOf = (id: string) => Responder | undefined

/** What the routes of one configuration share. */
export interface RouteSurroundings extends Surroundings, RateParts {
  readonly kept: ReplayRoom
  readonly tunnels: Map<string, Places>
  /** Puts what is kept of a route's answers before whoever gives them. */
  readonly keeping: (route: RouteConfig, responder: Responder) => Responder
}

export function compileRoute (route: RouteConfig, config: SentinelConfig, upstreams: ReadonlyMap<string, Upstream>, around: RouteSurroundings): Route {
  const policy = routePolicy(route, config, around.kept)
  const upstreamOf: UpstreamOf = (id) => {
    const gates = gatesOf(route, config.upstreams.find((upstream) => upstream.id === id)!) // References were checked at load.
    const way = upstreams.get(id)?.forRoute(policy)
    if (way === undefined) return undefined
    return around.keeping(route, gates.length === 0 ? way : behind(gates.map(around.gate), way))
  }
  const plan = planOf(route, config)
  const amongOthers = agentsIn(plan) > 1
  const memberOf = (step: Step): StageMember => ({
    client: around.agents.get(step.agent.id)!.client,
    settings: {
      ...filterSettings(step),
      ...rulesOf(step, around),
      amongOthers,
      places: placesOf(step, around),
      chooseUpstream: choiceOf(route, upstreamOf),
      recordLate: around.observeLate,
      successor: () => around.agentNow(step.agent.id)?.client,
    },
  })
  const askAgent = (step: Step): Filter => {
    const { client, settings } = memberOf(step)
    return around.parts.agents!.agentFilter(client, settings)
  }
  const stepOf = (planned: Planned): readonly Filter[] => {
    if ('agent' in planned) return [askAgent(planned)]
    if ('stage' in planned) return [around.parts.agents!.parallelFilter(planned.stage, planned.steps.map(memberOf))]
    return traced(own(planned), planned.id)
  }
  const webSocket = webSocketSettings(route, around.parts)
  const rates = rateRules(route, config, around)
  const more = around.parts.moreFilters?.({ ...around, config, route, upstreams })
  const own = (planned: OwnFilterConfig): Filter[] => [
    ...ownFilter(planned, route, around), ...more?.step(planned) ?? [],
  ]
  // Agents are told apart by their questions.
  const trace = around.traces?.step
  const traced = (filters: readonly Filter[], name?: string): readonly Filter[] => trace === undefined ? filters : filters.map((one) => trace(one, name))
  const { maxConnectionsPerRoute: max } = config.limits
  return {
    name: route.id,
    ...placeOfRoute(route),
    filters: [
      ...scopeRules(route, config, around),
      ...max === undefined ? [] : [placesFilter(around.lend(`places ${route.id}`, () => new RoutePlaces(around.shares, route.id)), max)],
      ...traced([...rulesBefore(route, rates.before), ...more?.before() ?? []]),
      ...webSocket === undefined ? [] : [tunnelFilter(route.id, webSocket, around)],
      ...plan.flatMap(stepOf),
      ...guardrailSteps(route, config, around),
      ...traced([
        ...rates.after,
        ...schemaStep(route, config, around.parts, around.metrics),
        ...rulesAfter(route),
        ...more?.after() ?? [],
        ...upstreamErrors(route, config, around.parts),
      ]),
      ...shadowStep(route, config, upstreams, around),
    ],
    upgrades: webSocket !== undefined,
    faultPages: errorPagesOf(route, config, around.parts),
    responder: responderOf(route, upstreamOf, config, around),
    maxBodyBytes: maxBodyBytes(route, config),
  }
}

function agentsIn (plan: readonly Planned[]): number {
  return plan.reduce((count, one) => count + ('agent' in one ? 1 : 'stage' in one ? one.steps.length : 0), 0)
}

/** What the operator lets an agent see and change. */
function rulesOf ({ agent: { see, may } }: Step, { parts }: RouteSurroundings): Pick<StageMember['settings'], 'sight' | 'may'> {
  return {
    sight: see === undefined ? undefined : parts.agents!.sightOf(see),
    may: may === undefined ? undefined : parts.agents!.permissionsOf(may),
  }
}

/** All routes that name a filter share its places. */
function placesOf ({ override }: Step, { parts, lend }: RouteSurroundings): ReturnType<NonNullable<RouteSurroundings['parts']['agents']>['callPlaces']> | undefined {
  const max = override?.maxConcurrentCalls
  return max === undefined ? undefined : lend(canonicalKey(`calls ${override!.id}`, max), () => parts.agents!.callPlaces(max))
}

function responderOf (route: RouteConfig, upstreamOf: UpstreamOf, config: SentinelConfig, around: RouteSurroundings): Responder {
  const { id, upstream } = route
  return ownResponder(route, config, around) ?? (upstream === undefined ? notBuilt(id) : upstreamOf(upstream)!) // References were checked at load.
}

function tunnelFilter (route: string, settings: WebSocketSettings, { lend, shares, tunnels, metrics }: RouteSurroundings): Filter {
  const places = lend(`tunnels ${route}`, () => new Places(shares, route))
  tunnels.set(route, places)
  return webSocketFilter(settings, places, {
    passed: (direction, kind, frames) => metrics.table.tunnelFrames.cell(route, direction, kind).add(frames),
    judged: (direction, outcome) => metrics.table.tunnelMessages.cell(route, direction, outcome).add(),
  })
}

function webSocketSettings ({ websocket, websocketInspection }: RouteConfig, { inspection }: Pick<RouteSurroundings['parts'], 'inspection'>): WebSocketSettings | undefined {
  if (websocket?.enabled !== true) return undefined
  const { pingInterval, pingTimeout, idleTimeout, maxMessageSize, maxConnections, maxConnectionsPerIp } = websocket
  return {
    idleMs: idleTimeout,
    pingIntervalMs: pingInterval,
    pingTimeoutMs: pingTimeout,
    maxMessageBytes: maxMessageSize ?? Infinity,
    maxConnections: maxConnections ?? Infinity,
    maxConnectionsPerIp: maxConnectionsPerIp ?? Infinity,
    ...websocketInspection ? { inspection } : {},
  }
}

/** Takes an agent's choice among the upstreams that the route lists; false for any other, and for a route that has none. */
function choiceOf (route: RouteConfig, upstreamOf: UpstreamOf): (x: Exchange, name: string) => boolean {
  const listed = [...route.upstream === undefined ? [] : [route.upstream], ...route.otherUpstreams]
  const allowed = new Map(namesOf(listed, route.scope).map(([name, id]) => [name, upstreamOf(id)]))
  return (x, name) => {
    const chosen = allowed.get(name)
    if (chosen === undefined) return false
    x.responder = chosen
    return true
  }
}

function notBuilt (route: string): Responder {
  return { name: '', respond: () => Promise.reject(new Fault('NOT_BUILT', `route ${route}`)) }
}
