import type { Address } from '../schema/address.ts'
import type { Report } from '../schema/report.ts'
import type { AgentConfig, SentinelConfig } from './config.ts'
import type { NamespacePart } from './namespace.ts'
import { namespaceParts } from './namespace.ts'
import type { ConfigTable } from './table.ts'

/** What only the whole configuration shows. */
export function checkWhole (config: ConfigTable, report: Report): SentinelConfig {
  const observability = checkAddresses(config, report)
  checkUnused(config, report)
  checkSockets(config, report)
  const guards = config.agents.filter(agent => !report.referred('agent').has(agent.id))
  for (const agent of guards) {
    report.note('CONFIG_DEFAULTED', `no filter and no route names agent '${agent.id}': it guards every route`, agent.at)
  }
  return { ...config, observability, guardAgents: guards.map(agent => agent.id) }
}

/** Gives the metrics' settings: where only their default collides, they give way. */
function checkAddresses (config: ConfigTable, report: Report): SentinelConfig['observability'] {
  const taken: { readonly listener: Pick<ConfigTable['listeners'][number], 'id' | 'at'>, readonly address: Address }[] = []
  const inNamespaces = namespaceParts(report).flatMap(({ names, listeners }) => listeners.map(listener => ({ ...listener, id: `${names}:${listener.id}` })))
  for (const listener of [...config.listeners, ...inNamespaces]) {
    const { address } = listener
    if (address.port === 0) continue
    const other = taken.find(candidate => overlaps(candidate.address, address))
    if (other === undefined) {
      taken.push({ listener, address })
      continue
    }
    report.add('error', 'CONFIG_CONTRADICTION', `listener '${listener.id}' has the address of listener '${other.listener.id}'`, listener.at,
      { related: { message: 'the other one is', position: other.listener.at } })
  }
  const { metrics: { byDefault, ...metrics }, ...rest } = config.observability
  const bound = metrics.enabled && metrics.address.port !== 0
  const other = bound ? taken.find(candidate => overlaps(candidate.address, metrics.address)) : undefined
  if (other === undefined) return { ...rest, metrics }
  if (byDefault) {
    report.warning('CONFIG_DEFAULTED', `listener '${other.listener.id}' has the default address of the metrics: they are not served`, other.listener.at,
      'write observability { metrics { address "127.0.0.1:…" } } with another port')
    return { ...rest, metrics: { ...metrics, enabled: false } }
  }
  report.error('CONFIG_CONTRADICTION', `listener '${other.listener.id}' has the address of the metrics`, other.listener.at)
  return { ...rest, metrics }
}

/** Whether both cannot be bound: the same port on the same address, or on all of them. */
function overlaps (a: Address, b: Address): boolean {
  return a.port === b.port && (a.host === b.host || isWildcard(a.host) || isWildcard(b.host))
}

function isWildcard (host: string): boolean {
  return host === '0.0.0.0' || host === '::'
}

function checkUnused (config: ConfigTable, report: Report): void {
  if (config.routes.length === 0 && config.listeners.length > 0) {
    report.warning('CONFIG_NO_EFFECT', 'there is no route: every request gets 404', config.listeners[0]?.at ?? { file: '', line: 1, column: 1, length: 1 })
  }
  for (const [kind, things] of [['upstream', config.upstreams], ['filter', config.filters]] as const) {
    // A name that leads nowhere was perhaps meant for one of these.
    if (report.dangling(kind)) continue
    const used = report.referred(kind)
    for (const thing of things) {
      if (!used.has(thing.id)) report.warning('CONFIG_NO_EFFECT', `no route uses ${kind} '${thing.id}'`, thing.at)
    }
  }
  checkRoutes(config, report)
  const parts = namespaceParts(report)
  for (const { names, routes } of parts) {
    const around = parts.filter(other => other.names === names || names.startsWith(`${other.names}:`))
    checkRoutes({ routes, filters: [...config.filters, ...around.flatMap(part => part.filters)] }, report)
  }
}

function checkRoutes ({ routes, filters }: Pick<NamespacePart, 'routes' | 'filters'>, report: Report): void {
  for (const route of routes) {
    const redirects = filters.some(filter => filter.type === 'redirect' && route.filters.includes(filter.id))
    if (route.upstream === undefined && !route.serviceNotBuilt && !redirects) {
      report.error('CONFIG_MISSING', `route '${route.id}' has nothing that answers`, route.at, 'write upstream "name"')
    }
  }
}

/** Two agents on one socket would get each other's configuration. */
function checkSockets (config: ConfigTable, report: Report): void {
  const taken = new Map<string, AgentConfig>()
  for (const agent of config.agents) {
    if (agent.transport.kind !== 'unix' || agent.transport.path === undefined) continue
    const first = taken.get(agent.transport.path)
    if (first === undefined) taken.set(agent.transport.path, agent)
    else report.add('error', 'CONFIG_CONTRADICTION', `agent '${agent.id}' has the socket of agent '${first.id}'`, agent.at, { related: { message: 'the other one is', position: first.at } })
  }
}
