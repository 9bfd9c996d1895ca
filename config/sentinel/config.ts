import type { HostMember } from './agent-host.ts'
import type { Scope, Scoped } from './scopes.ts'
import type { ConfigTable } from './table.ts'

type Observability = ConfigTable['observability']

type AgentAsGiven = ConfigTable['agents'][number]
type Limited = 'maxRequestBodySize' | 'maxResponseBodySize' | 'maxQueuedCalls'

/** An agent whose limits are its own or, where it says nothing, those of the `limits` block. */
export type AgentConfig = Omit<AgentAsGiven, Limited> & { readonly [K in Limited]: number } & { readonly maxMessageSize: number | undefined } & {
  /** All agents of its host, itself among them. */
  readonly hostMembers?: readonly HostMember[]
} & Scoped

/** A configuration without an error, all defaults filled in. Durations are milliseconds, sizes bytes. */
export interface SentinelConfig extends Omit<ConfigTable, 'observability' | 'system' | 'listeners' | 'routes' | 'upstreams' | 'filters' | 'agents' | 'waf' | 'namespaces'> {
  /** Things of namespaces stand among the others, with full names ("tenant:service:name"): references are full names as well. */
  readonly listeners: ReadonlyArray<ConfigTable['listeners'][number] & Scoped>
  readonly upstreams: ReadonlyArray<ConfigTable['upstreams'][number] & Scoped>
  readonly filters: ReadonlyArray<ConfigTable['filters'][number] & Scoped>
  /** Namespaces, each before its services. */
  readonly scopes: readonly Scope[]
  readonly agents: readonly AgentConfig[]
  readonly system: Omit<ConfigTable['system'], 'logLevel'>
  readonly observability: Omit<Observability, 'metrics' | 'logging'> & {
    readonly metrics: Omit<Observability['metrics'], 'byDefault'>
    readonly logging: Omit<Observability['logging'], 'levelByDefault'>
  }
  readonly routes: ReadonlyArray<Omit<ConfigTable['routes'][number], 'inlineFilters'> & Scoped>
  /** Agents that no filter and no route names, in file order: they see every request to routes where they stand, before the route's own filters. */
  readonly guardAgents: readonly string[]
}

export type ListenerConfig = SentinelConfig['listeners'][number]
export type ReverseListenerConfig = SentinelConfig['reverseListeners'][number]
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
