import type { AgentConfig, RouteConfig, SentinelConfig, UpstreamConfig } from '../../config/sentinel/index.ts'
import type { BreakerSettings, ChangeableSettings, CheckSettings, ConnectingSettings, GatePlan, GateSettings, HealthPlan, InferenceCheck, WatchSettings } from '../upstreams/index.ts'

type PartsOf = (upstream: UpstreamConfig) => { readonly connecting: ConnectingSettings, readonly changeable: Pick<ChangeableSettings, 'targets'> }

export interface HealthPlans {
  readonly plans: readonly HealthPlan[]
  readonly gates: readonly GatePlan[]
  /** Of what stands in a namespace, by "upstream app" or "route app". */
  readonly scopes: ReadonlyMap<string, string>
}

/** What there is to judge in a configuration: for the one who judges. Throws when files that connections need cannot be read. */
export function healthPlans ({ upstreams, routes }: SentinelConfig, partsOf: PartsOf): HealthPlans {
  return {
    plans: upstreams.map((upstream) => planOf(upstream, partsOf(upstream))),
    gates: [
      ...upstreams.flatMap(({ id, circuitBreaker }) => circuitBreaker?.scope === 'upstream' ? [{ gate: upstreamGate(id), breaker: breakerOf(circuitBreaker) }] : []),
      ...routes.flatMap(({ id, circuitBreaker }) => circuitBreaker === undefined ? [] : [{ gate: routeGate(id), breaker: breakerOf(circuitBreaker) }]),
    ],
    scopes: new Map([...upstreams.map(({ id, scope }) => [upstreamGate(id), scope] as const), ...routes.map(({ id, scope }) => [routeGate(id), scope] as const)]
      .filter(([, scope]) => scope !== '')),
  }
}

function planOf ({ id, healthCheck, circuitBreaker, outlierDetection }: UpstreamConfig, parts: ReturnType<PartsOf>): HealthPlan {
  return {
    upstream: id,
    targets: parts.changeable.targets,
    check: healthCheck === undefined ? undefined : { reach: parts.connecting, settings: checkOf(healthCheck) },
    outliers: outlierDetection === undefined ? undefined : {
      consecutiveErrors: outlierDetection.consecutiveErrors,
      consecutiveGatewayErrors: outlierDetection.consecutiveGatewayErrors,
      errorRate: outlierDetection.errorRate,
      maxLatencyMs: outlierDetection.maxLatency,
      latencyFactor: outlierDetection.latencyFactor,
      minRequests: outlierDetection.minRequests,
      intervalMs: outlierDetection.interval,
      baseEjectionMs: outlierDetection.baseEjectionTime,
      maxEjectionMs: outlierDetection.maxEjectionTime,
      maxEjectionPercent: outlierDetection.maxEjectionPercent,
    },
    breaker: circuitBreaker?.scope === 'target' ? breakerOf(circuitBreaker) : undefined,
  }
}

/** As metrics tell it. */
export const breakerValues = { closed: 0, 'half-open': 1, open: 2 } as const

export function breakerOf ({ failureThreshold, successThreshold, timeout, halfOpenMaxRequests }: NonNullable<AgentConfig['circuitBreaker']>): BreakerSettings {
  return { failureThreshold, successThreshold, timeoutMs: timeout, halfOpenMaxRequests }
}

function checkOf (check: NonNullable<UpstreamConfig['healthCheck']>): CheckSettings {
  const { interval: intervalMs, timeout: timeoutMs, healthyThreshold, unhealthyThreshold, port } = check
  const timing = { intervalMs, timeoutMs, healthyThreshold, unhealthyThreshold, port }
  switch (check.type) {
    case 'tcp': return { ...timing, type: 'tcp' }
    case 'grpc': return { ...timing, type: 'grpc', service: check.service ?? '' }
    case 'inference': return { ...timing, type: 'inference', endpoint: check.endpoint ?? '/v1/models', expectedModels: check.expectedModels, ...readinessOf(check.readiness) }
    case 'http': {
      const { method, path = '/health', expectedStatus, host, expectedBody } = check
      return { ...timing, type: 'http', method, path, expectedStatus, host, expectedBody }
    }
  }
}

type Readiness = NonNullable<UpstreamConfig['healthCheck']>['readiness']

function readinessOf (readiness: Readiness): Pick<InferenceCheck, 'completion' | 'modelStatus' | 'queueDepth' | 'warmth'> {
  const { inferenceProbe: probe, modelStatus: status, queueDepth: queue, warmthDetection: warmth } = readiness ?? {}
  return {
    completion: probe === undefined ? undefined : {
      endpoint: probe.endpoint, model: probe.model, prompt: probe.prompt, maxTokens: probe.maxTokens, timeoutMs: probe.timeout, maxLatencyMs: probe.maxLatency,
    },
    modelStatus: status === undefined ? undefined : {
      endpointPattern: status.endpointPattern, models: status.models, expectedStatus: status.expectedStatus, statusField: status.statusField,
      timeoutMs: status.timeout,
    },
    queueDepth: queue === undefined ? undefined : {
      header: queue.header, bodyField: queue.bodyField, endpoint: queue.endpoint, degradedThreshold: queue.degradedThreshold,
      unhealthyThreshold: queue.unhealthyThreshold, timeoutMs: queue.timeout,
    },
    warmth: warmth === undefined ? undefined : { sampleSize: warmth.sampleSize, coldFactor: warmth.coldThresholdMultiplier, action: warmth.coldAction },
  }
}

/** What of an upstream's traffic is to be told to the one who judges; `undefined`: nothing. */
export function watchOf ({ id, circuitBreaker, outlierDetection: outliers }: UpstreamConfig): WatchSettings | undefined {
  if (circuitBreaker?.scope !== 'target' && outliers === undefined) return undefined
  const rates = outliers !== undefined && [outliers.errorRate, outliers.maxLatency, outliers.latencyFactor].some((one) => one !== undefined)
  return {
    upstream: id,
    failureStatus: circuitBreaker?.scope === 'target' ? circuitBreaker.failureStatus : serverErrors,
    tallyMs: rates ? Math.max(50, Math.min(1_000, outliers.interval / 4)) : 0,
  }
}

const serverErrors = [{ from: 500, to: 599 }]

/** The gates of a route, the outermost first: that of its own breaker, and that of the upstream it asks. */
export function gatesOf (route: RouteConfig, upstream: UpstreamConfig): GateSettings[] {
  const own = route.circuitBreaker
  const behind = upstream.circuitBreaker
  return [
    ...own === undefined ? [] : [{ gate: routeGate(route.id), failureStatus: own.failureStatus }],
    ...behind?.scope !== 'upstream' ? [] : [{ gate: upstreamGate(upstream.id), failureStatus: behind.failureStatus }],
  ]
}

function upstreamGate (id: string): string {
  return `upstream ${id}`
}

function routeGate (id: string): string {
  return `route ${id}`
}
