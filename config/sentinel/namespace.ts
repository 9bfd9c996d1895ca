import type { KdlNode } from '../kdl/nodes.ts'
import { block, named } from '../schema/blocks.ts'
import { list } from '../schema/fields.ts'
import { exported } from '../schema/values.ts'
import { agents } from './agent.ts'
import { filters } from './filter.ts'
import { listeners, olderListeners } from './listener.ts'
import { routes } from './route.ts'
import { scopedLimits } from './scoped-limits.ts'
import { upstreams } from './upstream.ts'

/** As those of the whole, which must have one: these need not. */
const ownListeners: typeof listeners = {
  ...listeners,
  read: (given, place) => given.every(node => node.children?.length === 0) ? [] : listeners.read(given, place),
  absent: { value: [] },
}

/** A service has one listener, which needs no name. */
const ownListener: typeof listeners = {
  row: { ...listeners.row, name: 'listener', aliases: ['listeners'], direct: true, unnamed: 'service-listener' },
  read (given, place) {
    const all = given.flatMap(node => node.name === 'listener' ? [node] : node.children ?? [])
    for (const more of all.slice(1)) place.report.error('CONFIG_REPEATED', `${place.scope} has more than one listener`, more.at)
    if (all.length === 0) return []
    const [node] = given
    return listeners.read([{ name: 'listeners', at: node?.at ?? place.at, args: [], props: [], children: all.slice(0, 1).map(withName) }], { ...place, name: 'listeners' })
  },
  absent: { value: [] },
}

function withName (node: KdlNode): KdlNode {
  const named = node.args.length > 0 || node.props.some(({ name }) => name === 'id') || node.children?.some(({ name }) => name === 'id') === true
  return named ? node : { ...node, args: [{ value: 'service-listener', at: node.at }] }
}

const services = named('service', {
  listeners: ownListener, upstreams, routes, agents, filters, limits: scopedLimits,
}, 'A part of a namespace, with names of its own and at most one listener.', {
  direct: true,
  namespace: true,
  older: olderListeners,
  example: `service "payments" {
    listener { address "0.0.0.0:8081" }
    routes { route "pay" { matches { path-prefix "/pay" }; upstream "backend" } }
}`,
})

const exportsBlock = block({
  upstreams: list(exported('upstream'), [], 'Upstreams.', { aliases: ['upstream'] }),
  agents: list(exported('agent'), [], 'Agents. They are asked only by those who name them.', { aliases: ['agent'] }),
  filters: list(exported('filter'), [], 'Filters.', { aliases: ['filter'] }),
}, 'What other namespaces may use as well, with the namespace in front of the name or without it.', { example: 'exports { upstreams "shared-auth" "shared-cache" }' })

export const namespaces = named('namespace', {
  listeners: ownListeners, upstreams, routes, agents, filters, limits: scopedLimits, services, exports: exportsBlock,
}, 'A part of the configuration with names, routes and limits of its own: for a team, a tenant, an environment. ' +
'A name that is used in it is looked for in the service, in the namespace, outside of namespaces, and among what namespaces export; `ns:name` and `ns:service:name` say which one is meant. ' +
'What another namespace does not export is only found by that full name, with a warning. ' +
'Its routes get requests of listeners that stand in it, and of those outside that say `namespace "ns"` (or `"ns:service"`); the listener of a service leads to the routes of the service alone. A listener outside that names no namespace leads to no route of one. ' +
'An agent that nobody names guards every route of its namespace or service.', {
  direct: true,
  namespace: true,
  older: olderListeners,
  example: `namespace "tenant" {
    limits { max-requests-per-second-per-client 50 }
    listeners { listener "shop" { address "0.0.0.0:8082" } }
    upstreams { upstream "shop" { target "10.0.1.1:8080" } }
    routes { route "shop" { matches { path-prefix "/shop" }; upstream "shop" } }
    exports { upstreams "shop" }
}`,
})
