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

/** Names of filters; old files also declare filters right here, in a block: `filters { filter "auth" { agent "auth-agent" } }`. */
export const routeFilters: Field<RouteFilters> = {
  row: names.row,
  read (given, place) {
    const found: string[] = []
    const inline: RouteFilters['inline'][number][] = []
    for (const node of given) {
      if (node.children === undefined) found.push(...values(names.read([node], place)))
      else {
        place.report.note('CONFIG_OTHER_SPELLING', `${place.scope} declares its filters itself`, node.at, 'filters that have names can be used by other routes: filters { filter "name" { … } } at the top')
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

/** With a name that no other route's filter has, and the type that may be left out when it is an agent's. */
function ofRoute (node: KdlNode, place: Place): KdlNode {
  const { children = [] } = node
  const typed = [...children, ...node.props].some(({ name }) => name === 'type')
  const agent = children.find(({ name }) => name === 'agent' || name === 'agents')
  const kinds = typed || agent === undefined ? [] : [{ name: 'type', at: agent.at, args: [{ value: 'agent', at: agent.at }], props: [], children: undefined }]
  const [first] = node.args
  const id = typeof first?.value === 'string' ? `${place.id}/${first.value}` : undefined
  return {
    ...node,
    args: first === undefined || id === undefined ? node.args : [{ ...first, value: id }, ...node.args.slice(1)],
    children: [...kinds, ...children],
  }
}
