import type { ConfigTable } from './table.ts'

type Observability = ConfigTable['observability']

type AgentAsGiven = ConfigTable['agents'][number]
type Limited = 'maxRequestBodySize' | 'maxResponseBodySize' | 'maxQueuedCalls'

/** An agent whose limits are its own or, where it says nothing, those of the `limits` block. */
export type AgentConfig = Omit<AgentAsGiven, Limited> & { readonly [K in Limited]: number } & { readonly maxMessageSize: number | undefined }

/** A configuration without an error, all defaults filled in. Durations are milliseconds, sizes bytes. */
export interface SentinelConfig extends Omit<ConfigTable, 'observability' | 'system' | 'routes' | 'agents' | 'waf'> {
  readonly agents: readonly AgentConfig[]
  readonly system: Omit<ConfigTable['system'], 'logLevel'>
  readonly observability: Omit<Observability, 'metrics' | 'logging'> & {
    readonly metrics: Omit<Observability['metrics'], 'byDefault'>
    readonly logging: Omit<Observability['logging'], 'levelByDefault'>
  }
  readonly routes: readonly Omit<ConfigTable['routes'][number], 'inlineFilters'>[]
  /** Agents that no filter and no route names, in file order: they see every request before the route's own filters. */
  readonly guardAgents: readonly string[]
}

export type ListenerConfig = SentinelConfig['listeners'][number]
export type TlsConfig = NonNullable<ListenerConfig['tls']>
export type RouteConfig = SentinelConfig['routes'][number]
export type MatchConfig = RouteConfig['matches']
export type UpstreamConfig = SentinelConfig['upstreams'][number]
export type TargetConfig = UpstreamConfig['targets'][number]
export type FilterConfig = SentinelConfig['filters'][number]
export type AgentFilterConfig = Extract<FilterConfig, { readonly type: 'agent' }>
export type ObservabilityConfig = SentinelConfig['observability']
export type LimitsConfig = SentinelConfig['limits']
export type EvidenceConfig = NonNullable<SentinelConfig['evidence']>
