import type { KdlNode } from '../kdl/nodes.ts'
import { block, named } from '../schema/blocks.ts'
import type { Field } from '../schema/field.ts'
import { list, notBuilt } from '../schema/fields.ts'
import type { Report } from '../schema/report.ts'
import { exported } from '../schema/values.ts'
import { agents } from './agent.ts'
import { filters } from './filter.ts'
import { limits } from './limits.ts'
import { listeners } from './listener.ts'
import { routes } from './route.ts'
import { upstreams } from './upstream.ts'

type Members<F> = F extends Field<infer T> ? T : never

/** What is in a namespace or a service of one, as far as only the whole configuration can judge it. */
export interface NamespacePart {
  /** "tenant" or "tenant:service". */
  readonly names: string
  readonly listeners: Members<typeof listeners>
  readonly routes: Members<typeof routes>
  readonly filters: Members<typeof filters>
}

/** A namespace is not in effect and has no value in the configuration: what is left to check about it is kept with the report. */
const parts = new WeakMap<Report, NamespacePart[]>()

export function namespaceParts (report: Report): readonly NamespacePart[] {
  return parts.get(report) ?? []
}

function keep (report: Report, part: NamespacePart): void {
  parts.set(report, [...namespaceParts(report), part])
}

/** As those of the whole, which must have one: these need not. */
const ownListeners: typeof listeners = {
  ...listeners,
  read: (given, place) => given.every(node => node.children?.length === 0) ? [] : listeners.read(given, place),
}

/** A service has one listener, which needs no name. */
const ownListener: typeof listeners = {
  row: { ...listeners.row, name: 'listener', aliases: ['listeners'], direct: true },
  read (given, place) {
    const all = given.flatMap(node => node.name === 'listener' ? [node] : node.children ?? [])
    for (const more of all.slice(1)) place.report.error('CONFIG_REPEATED', `${place.scope} has more than one listener`, more.at)
    if (all.length === 0) return []
    const [node] = given
    return listeners.read([{ name: 'listeners', at: node?.at ?? place.at, args: [], props: [], children: all.slice(0, 1).map(withName) }], { ...place, name: 'listeners' })
  },
}

function withName (node: KdlNode): KdlNode {
  const named = node.args.length > 0 || node.props.some(({ name }) => name === 'id') || node.children?.some(({ name }) => name === 'id') === true
  return named ? node : { ...node, args: [{ value: 'service-listener', at: node.at }] }
}

const services = named('service', {
  listeners: ownListener, upstreams, routes, agents, filters, limits,
}, 'A part of a namespace, with names of its own and at most one listener.', {
  direct: true,
  namespace: true,
  example: `service "payments" {
    listener { address "0.0.0.0:8081" }
    routes { route "pay" { matches { path-prefix "/pay" }; upstream "backend" } }
}`,
  build (value, here) {
    keep(here.report, { names: here.names, listeners: value.listeners, routes: value.routes, filters: value.filters })
    return value
  },
})

const exportsBlock = block({
  upstreams: list(exported('upstream'), [], 'Upstreams.', { aliases: ['upstream'] }),
  agents: list(exported('agent'), [], 'Agents.', { aliases: ['agent'] }),
  filters: list(exported('filter'), [], 'Filters.', { aliases: ['filter'] }),
}, 'What of the namespace may be named everywhere without the namespace in front.', { example: 'exports { upstreams "shared-auth" "shared-cache" }' })

/** A name is looked for in the service, in the namespace, outside of them, and in what namespaces export. "ns:name" says which. */
export const namespaces = notBuilt(named('namespace', {
  listeners: ownListeners, upstreams, routes, agents, filters, limits, services, exports: exportsBlock,
}, 'A part of the configuration with names of its own.', {
  direct: true,
  namespace: true,
  example: `namespace "tenant" {
    upstreams { upstream "shop" { target "10.0.1.1:8080" } }
    routes { route "shop" { matches { path-prefix "/shop" }; upstream "shop" } }
    exports { upstreams "shop" }
}`,
  build (value, here) {
    keep(here.report, { names: here.names, listeners: value.listeners, routes: value.routes, filters: value.filters })
    return value
  },
}))
