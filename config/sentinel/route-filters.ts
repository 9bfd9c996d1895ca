import type { KdlNode } from '../kdl/nodes.ts'
import type { Field, Place } from '../schema/field.ts'
import { unreadable } from '../schema/field.ts'
import { list } from '../schema/fields.ts'
import { ref } from '../schema/values.ts'
import { filters } from './filter.ts'

const names = list(ref('filter', 'agent'), [], 'Filters and agents that see the request, in this order. A filter goes before an agent of the same name. In a block, filters of this route alone: `filters { filter "auth" { agent "auth" }; parallel { agent "waf"; agent "bots" } }`.')

const shorthands: readonly string[] = ['parallel']

type FilterOf<F> = F extends Field<readonly (infer T)[]> ? T : never

export interface RouteFilters {
  /** In the order of the file. */
  readonly names: readonly string[]
  /** Declared in the route itself. */
  readonly inline: readonly FilterOf<typeof filters>[]
}

/**
 * Names of filters; filters of this route alone may be declared right here, in a block: `filters { filter "auth" { agent "auth-agent" } }`, and
 * agents that are asked at the same time: `filters { parallel { agent "waf"; agent "bots" } }`.
 */
export const routeFilters: Field<RouteFilters> = {
  row: { ...names.row, orBlock: { ...filters.row, aliases: ['filters'], shorthands } },
  read (given, place) {
    const found: string[] = []
    const inline: RouteFilters['inline'][number][] = []
    let stages = 0
    for (const node of given) {
      if (node.children === undefined) found.push(...values(names.read([node], place)))
      else {
        const children = node.children.map(child => ofRoute(asFilter(child, () => stages++), place))
        const own = values(filters.read([{ ...node, children }], { ...place, name: 'filters' }))
        inline.push(...own)
        found.push(...own.map(({ id }) => id))
      }
    }
    return { names: found, inline }
  },
}

function values<T> (read: readonly T[] | typeof unreadable): readonly T[] {
  return read === unreadable ? [] : read
}

/** `parallel { agent "a"; agent "b" }` is a filter of that type, which needs no name here. */
function asFilter (node: KdlNode, before: () => number): KdlNode {
  if (!shorthands.includes(node.name)) return node
  const count = before()
  const name = { value: count === 0 ? node.name : `${node.name}-${count + 1}`, at: node.at }
  const type = { name: 'type', value: node.name, nameAt: node.at, at: node.at }
  return { ...node, name: 'filter', args: node.args.length > 0 ? node.args : [name], props: [...node.props, type] }
}

/** With a name that no other route's filter has. */
function ofRoute (node: KdlNode, place: Place): KdlNode {
  const [first, ...more] = node.args
  return typeof first?.value === 'string' ? { ...node, args: [{ ...first, value: `${place.id}/${first.value}` }, ...more] } : node
}
