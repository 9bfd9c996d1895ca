import type { Position } from '../kdl/position.ts'
import type { LimitsConfig } from './config.ts'
import { nearestLimits } from './scoped-limits.ts'
import type { ConfigTable } from './table.ts'

/** Where something was declared: '' outside of namespaces, else "tenant" or "tenant:service". */
export interface Scoped {
  readonly scope: string
}

type Namespace = ConfigTable['namespaces'][number]
type Part = Omit<Namespace, 'services' | 'exports'>

/** A namespace or a service of one. */
export interface Scope {
  /** "tenant" or "tenant:service". */
  readonly id: string
  readonly at: Position
  readonly limits: Part['limits']
}

type Things = 'listeners' | 'routes' | 'upstreams' | 'filters' | 'agents'

/** Everything of the file in one list for each kind, whatever namespace it stands in; names are full names. */
export type Flat = { readonly [K in Things]: ReadonlyArray<ConfigTable[K][number] & Scoped> } & { readonly scopes: readonly Scope[] }

export function flatten (table: ConfigTable): Flat {
  const parts: Part[] = table.namespaces.flatMap(({ services, ...own }) => [own, ...services])
  const all = <T>(own: readonly T[], of: (part: Part) => readonly T[]): Array<T & Scoped> => [
    ...inScope(own, ''), ...parts.flatMap(part => inScope(of(part), part.id)),
  ]
  return {
    listeners: all(table.listeners, part => part.listeners).map(listener => listener.scope === '' ? listener : { ...listener, namespace: listener.scope }),
    routes: all(table.routes, part => part.routes),
    upstreams: all(table.upstreams, part => part.upstreams),
    filters: all(table.filters, part => part.filters),
    agents: all(table.agents, part => part.agents),
    scopes: parts.map(({ id, at, limits }) => ({ id, at, limits })),
  }
}

function inScope<T> (things: readonly T[], scope: string): Array<T & Scoped> {
  return things.map(thing => ({ ...thing, scope }))
}

/** Whether something that stands in `scope` belongs to `around`: everything does to ''. */
export function isWithin (scope: string, around: string): boolean {
  return around === '' || scope === around || scope.startsWith(`${around}:`)
}

/** The namespace and the service that something stands in, from the outside. */
export function scopesAround (scope: string, { scopes }: { readonly scopes: readonly Scope[] }): Scope[] {
  return scope === '' ? [] : scopes.filter(({ id }) => isWithin(scope, id))
}

/** Limits that count in a scope: of those that are of each route, listener, upstream or agent, the nearest. */
export function limitsIn (scope: string, config: { readonly limits: LimitsConfig, readonly scopes: readonly Scope[] }): LimitsConfig {
  const around = scopesAround(scope, config)
  if (around.length === 0) return config.limits
  const said = around.flatMap(({ limits }) => Object.entries(limits ?? {})).filter(([key, value]) => value !== undefined && nearestLimits.includes(key))
  return { ...config.limits, ...Object.fromEntries(said) }
}

/** Whether a listener leads to a route: one that names a namespace or a service to all in it, one that names none to those outside of namespaces. */
export function leadsTo ({ namespace }: { readonly namespace: string | undefined }, { scope }: Scoped): boolean {
  return namespace === undefined ? scope === '' : isWithin(scope, namespace)
}
