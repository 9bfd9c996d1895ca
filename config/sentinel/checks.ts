import type { Position } from '../kdl/position.ts'
import type { Address } from '../schema/address.ts'
import type { Report } from '../schema/report.ts'
import { withHosts } from './agent-host.ts'
import { checkHandlers } from './builtin-handler.ts'
import type { AgentConfig, SentinelConfig } from './config.ts'
import { checkMessages } from './check-messages.ts'
import { checkScopes } from './check-scopes.ts'
import { checkReverse } from './reverse-listener.ts'
import type { Scoped } from './scopes.ts'
import { flatten, limitsIn } from './scopes.ts'
import type { ConfigTable } from './table.ts'
import { checkReachable } from './unreachable.ts'
import { wafAgent } from './waf-agent.ts'

/** What only the whole configuration shows. */
export function checkWhole (table: ConfigTable, report: Report): SentinelConfig {
  const { waf, namespaces: _flat, ...rest } = table
  const { routes, filters, agents, scopes, ...flat } = flatten(table)
  const limitsOf = ({ scope }: Scoped): ConfigTable['limits'] => limitsIn(scope, { limits: table.limits, scopes })
  const all = waf === undefined ? agents : [{ ...waf, scope: '' }, ...agents]
  const limitedAgents = withHosts(all.map(agent => ({ ...unpacking(limited(agent, limitsOf(agent)), limitsOf(agent)), scope: agent.scope })), report)
  const config = { ...rest, ...flat, scopes, routes, filters: [...filters, ...inlineFilters(routes)], agents: limitedAgents }
  const { logLevel, ...system } = config.system
  const metrics = checkAddresses(config, report)
  const { logging: { levelByDefault, ...logging } } = config.observability
  const level = levelByDefault ? logLevel ?? logging.level : logging.level
  checkUnused(config, filters, report)
  for (const scope of new Set(routes.map(route => route.scope))) checkReachable(routes.filter(route => route.scope === scope), report)
  checkScopes(config, report)
  checkSockets(config, report)
  checkReverse(config, report)
  checkWaf(waf, report)
  checkHandlers(config, report)
  checkSessions(config, report)
  const guardAgents = guards(limitedAgents, waf?.at, report)
  checkWafOfRoutes(config, limitedAgents.filter(({ id }) => guardAgents.includes(id)), report)
  checkComparisons(config, report)
  checkMessages({ routes, filters: config.filters, agents: limitedAgents, guardAgents }, report)
  return { ...config, system, observability: { ...config.observability, metrics, logging: { ...logging, level } }, guardAgents }
}

/** Agents that nobody names. One that is exported is there for those who do. */
function guards (agents: readonly AgentConfig[], firewall: Position | undefined, report: Report): string[] {
  const named = report.referred('agent', false)
  const exported = report.referred('agent')
  return agents.flatMap(({ id, at, scope }) => {
    if (named.has(id)) return []
    if (exported.has(id)) {
      report.warning('CONFIG_NO_EFFECT', `no filter and no route names agent '${id}'`, at, 'it is exported: only those who name it ask it')
      return []
    }
    const where = scope === '' ? '' : ` of '${scope}'`
    // The block of the firewall says so itself.
    if (at !== firewall) report.note('CONFIG_DEFAULTED', `no filter and no route names agent '${id}': it guards every route${where}`, at)
    return [id]
  })
}

/** What an agent leaves unsaid about its limits, the `limits` block says. */
function limited (agent: ConfigTable['agents'][number] & Scoped, limits: ConfigTable['limits']): AgentConfig {
  const body = Math.min(limits.maxAgentBody, limits.maxBodyInspection ?? Infinity)
  return {
    ...agent,
    maxRequestBodySize: agent.maxRequestBodySize ?? body,
    maxResponseBodySize: agent.maxResponseBodySize ?? body,
    maxQueuedCalls: agent.maxQueuedCalls ?? limits.maxAgentQueueDepth,
    maxMessageSize: limits.maxAgentResponse,
  }
}

/** The built-in firewall unpacks bodies, too: what it does not say itself about that, the `limits` block says. */
function unpacking (agent: AgentConfig, { maxDecompressionRatio: ratio, maxDecompressedSize: bytes }: ConfigTable['limits']): AgentConfig {
  if (agent.type !== wafAgent || agent.command.length > 0 || agent.managed === false || (ratio === 100 && bytes > unpackedByDefault)) return agent
  const given = agent.config?.json ?? {}
  const json = { 'max-decompression-ratio': ratio, ...bytes > unpackedByDefault ? {} : { 'max-decompressed-size': bytes }, ...given }
  return { ...agent, config: { json, positionOf: path => agent.config?.positionOf(path) ?? agent.at } }
}

/** More than this the firewall does not look into anyhow, unless it is told to. */
const unpackedByDefault = 16 * 1024 * 1024

/** A browser has one cookie of a name: where a client meets both upstreams on one host, each forgets what the other was told. */
function checkSessions ({ upstreams }: Pick<Config, 'upstreams'>, report: Report): void {
  const seen = new Map<string, string>()
  for (const { id, at, loadBalancing: { policy, cookieName, cookiePath } } of upstreams) {
    if (policy !== 'sticky') continue
    const other = seen.get(`${cookieName} ${cookiePath}`)
    if (other === undefined) seen.set(`${cookieName} ${cookiePath}`, id)
    else report.warning('CONFIG_CONTRADICTION', `upstreams '${other}' and '${id}' keep their sessions in one cookie, ${cookieName}`, at, 'give each a cookie-name of its own, unless no host leads to both')
  }
}

type Config = Omit<SentinelConfig, 'observability' | 'system' | 'guardAgents'> & Pick<ConfigTable, 'observability' | 'system'>

/** Filters that routes declare themselves are filters like any other from here on. */
function inlineFilters (routes: ReadonlyArray<ConfigTable['routes'][number] & Scoped>): Config['filters'] {
  return routes.flatMap(({ inlineFilters, scope }) => inlineFilters.map(filter => ({ ...filter, scope })))
}

/** The firewall stands before every route; an agent that somebody names stands only there. */
function checkWaf (waf: ConfigTable['waf'], report: Report): void {
  if (waf === undefined || !report.referred('agent').has(wafAgent)) return
  report.error('CONFIG_CONTRADICTION', 'the agent of the waf block guards every route: no filter and no route can name it as well', waf.at,
    `declare agent "${wafAgent}" in agents in place of this block to choose its routes`)
}

/** A route that asks for a firewall should have one. */
function checkWafOfRoutes ({ routes, agents, filters }: Config, guards: readonly AgentConfig[], report: Report): void {
  const firewalls = new Set(agents.filter(({ type }) => type === wafAgent).map(({ id }) => id))
  const guarded = guards.some(({ type }) => type === wafAgent)
  for (const route of routes) {
    if (route.wafEnabled !== true || guarded) continue
    const byFilter = filters.flatMap(filter => filter.type === 'agent' && route.filters.includes(filter.id) ? filter.agents : [])
    const named = [...route.agents, ...route.filters, ...byFilter]
    if (named.some(id => firewalls.has(id))) continue
    report.warning('CONFIG_NO_EFFECT', `route '${route.id}' asks for the firewall, but there is none`, route.at, 'write waf { mode "prevention" }')
  }
}

/** An agent is not compared with itself. */
function checkComparisons ({ agents }: Config, report: Report): void {
  for (const { id, against, at } of agents) {
    if (against === id) report.error('CONFIG_CONTRADICTION', `agent '${id}' is compared with itself`, at, "name another one in 'against'")
  }
}

/** Gives the metrics' settings: where only their default collides, they give way. */
function checkAddresses (config: Config, report: Report): SentinelConfig['observability']['metrics'] {
  const taken: (Bound & { readonly listener: Pick<ConfigTable['listeners'][number], 'id' | 'at'> })[] = []
  for (const listener of config.listeners) {
    const { address, ipv6Only } = listener
    const bound = { listener, address, ipv6Only }
    const other = taken.find(candidate => overlaps(candidate, bound))
    if (other === undefined) {
      taken.push(bound)
      continue
    }
    const byFamily = address.path === undefined && address.host.includes(':') !== other.address.host.includes(':')
    report.add('error', 'CONFIG_CONTRADICTION', `listener '${listener.id}' has the address of listener '${other.listener.id}'`, listener.at,
      { related: { message: 'the other one is', position: other.listener.at }, ...byFamily ? { hint: 'write ipv6-only #true beside "[::]": it takes IPv4 clients as well without it' } : {} })
  }
  const { byDefault, ...metrics } = config.observability.metrics
  const other = metrics.enabled ? taken.find(candidate => overlaps(candidate, { address: metrics.address, ipv6Only: false })) : undefined
  if (other === undefined) return metrics
  if (byDefault) {
    report.warning('CONFIG_DEFAULTED', `listener '${other.listener.id}' has the default address of the metrics: they are not served`, other.listener.at,
      'write observability { metrics { address "127.0.0.1:…" } } with another port')
    return { ...metrics, enabled: false }
  }
  report.error('CONFIG_CONTRADICTION', `listener '${other.listener.id}' has the address of the metrics`, other.listener.at)
  return metrics
}

interface Bound {
  readonly address: Address
  readonly ipv6Only: boolean
}

/** Whether both cannot be bound: the same socket, or the same port on the same address or on all of a family. */
function overlaps (a: Bound, b: Bound): boolean {
  if (a.address.path !== undefined || b.address.path !== undefined) return a.address.path === b.address.path
  if (a.address.port !== b.address.port || a.address.port === 0) return false
  return a.address.host === b.address.host || covers(a, b.address.host) || covers(b, a.address.host)
}

/** Whether an address for everybody takes the place of another one. */
function covers ({ address, ipv6Only }: Bound, host: string): boolean {
  if (address.host === '0.0.0.0') return !host.includes(':')
  return address.host === '::' && (host.includes(':') || !ipv6Only)
}

/** `filters` are those that stand on their own: one that a route declares is used by it. */
function checkUnused (config: Config, filters: Config['filters'], report: Report): void {
  if (config.routes.length === 0 && config.listeners.length > 0) {
    report.warning('CONFIG_NO_EFFECT', 'there is no route: every request gets 404', config.listeners[0]?.at ?? { file: '', line: 1, column: 1, length: 1 })
  }
  for (const [kind, things] of [['upstream', config.upstreams], ['filter', filters]] as const) {
    // A name that leads nowhere was perhaps meant for one of these.
    if (report.dangling(kind)) continue
    const used = report.referred(kind)
    for (const thing of things) {
      if (!used.has(thing.id)) report.warning('CONFIG_NO_EFFECT', `no route uses ${kind} '${thing.id}'`, thing.at)
    }
  }
  const redirecting = new Set(config.filters.flatMap((filter) => filter.type === 'redirect' && filter.pathRegex === undefined ? [filter.id] : []))
  for (const route of config.routes) {
    const redirects = route.filters.some(name => redirecting.has(name))
    const answers = route.upstream ?? route.respond ?? route.staticFiles ?? route.builtinHandler
    if (answers === undefined && !route.serviceNotBuilt && !redirects) {
      report.error('CONFIG_MISSING', `route '${route.id}' has nothing that answers`, route.at, 'write upstream "name"')
    }
  }
}

/** Two agents on one socket would get each other's configuration. */
function checkSockets (config: Config, report: Report): void {
  const taken = new Map<string, AgentConfig>()
  for (const agent of config.agents) {
    if (agent.transport.kind !== 'unix' || agent.transport.path === undefined) continue
    const first = taken.get(agent.transport.path)
    if (first === undefined) taken.set(agent.transport.path, agent)
    else report.add('error', 'CONFIG_CONTRADICTION', `agent '${agent.id}' has the socket of agent '${first.id}'`, agent.at, { related: { message: 'the other one is', position: first.at } })
  }
}
