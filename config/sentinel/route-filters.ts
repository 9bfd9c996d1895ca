import type { KdlNode } from '../kdl/nodes.ts'
import type { Field, Place } from '../schema/field.ts'
import { unreadable } from '../schema/field.ts'
import { list } from '../schema/fields.ts'
import { ref } from '../schema/values.ts'
import { filters } from './filter.ts'

const names = list(ref('filter', 'agent'), [], 'Filters and agents that see the request, in this order. A filter goes before an agent of the same name.')

type FilterOf<F> = F extends Field<readonly (infer T)[]> ? T : never

export interface RouteFilters {
  /** In the order of the file. */
  readonly names: readonly string[]
  /** Declared in the route itself. */
  readonly inline: readonly FilterOf<typeof filters>[]
}

/** Names of filters; filters of this route alone may be declared right here, in a block: `filters { filter "auth" { agent "auth-agent" } }`. */
export const routeFilters: Field<RouteFilters> = {
  row: { ...names.row, orBlock: { ...filters.row, aliases: ['filters'] } },
  read (given, place) {
    const found: string[] = []
    const inline: RouteFilters['inline'][number][] = []
    for (const node of given) {
      if (node.children === undefined) found.push(...values(names.read([node], place)))
      else {
        const own = values(filters.read([{ ...node, children: node.children.map(child => ofRoute(child, place)) }], { ...place, name: 'filters' }))
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

/** With a name that no other route's filter has. */
function ofRoute (node: KdlNode, place: Place): KdlNode {
  const [first, ...more] = node.args
  return typeof first?.value === 'string' ? { ...node, args: [{ ...first, value: `${place.id}/${first.value}` }, ...more] } : node
}
