import type { SentinelConfig } from '../../config/sentinel/index.ts'
import { ownAnswerOf, routerEntries } from '../lifecycle/route-plan.ts'
import { wantedBy } from '../routing/finding.ts'
import { compileMatches } from '../routing/match.ts'
import { inMatchingOrder } from '../routing/router.ts'
import { placeText } from './explain-screen.ts'
import { chainOf, placeOf, type ChainStep, type Place } from './explanation.ts'
import { columns, painter } from './paint.ts'

/** A route as `sentinel routes --json` tells of it. */
export interface ListedRoute {
  readonly id: string
  readonly priority: number
  /** All must hold; none: it takes every request. */
  readonly conditions: ReadonlyArray<{ readonly matcher: string, readonly wanted: string }>
  readonly chain: readonly ChainStep[]
  /** `null`: a fixed answer, or what should answer is not built. */
  readonly upstream: string | null
  /** Status of the fixed answer. */
  readonly responds: number | string | null
  readonly place: Place
}

/** In matching order, without those that are switched off; each namespace for itself, after the routes outside of them. */
export function routeList (config: SentinelConfig): ListedRoute[] {
  const namespaces = [undefined, ...config.scopes.map(({ id }) => id).filter((id) => !id.includes(':'))]
  return namespaces.flatMap((namespace) => inMatchingOrder(routerEntries({ namespace }, config, (route) => route))).map(({ value: route }) => ({
    id: route.id,
    priority: route.priority,
    conditions: compileMatches(route.matches).map((matcher) => ({ matcher: matcher.name, wanted: wantedBy(matcher) })),
    chain: chainOf(route, config),
    upstream: route.upstream ?? null,
    responds: ownAnswerOf(route),
    place: placeOf(route),
  }))
}

export function routesScreen (list: readonly ListedRoute[], cwd: string, colour: boolean): string {
  const paint = painter(colour)
  if (list.length === 0) return 'there is no route\n'
  const rows = list.map(({ id, priority, conditions, chain, upstream, responds, place }, i) => [
    String(i + 1).padStart(String(list.length).length), id, String(priority).padStart(4),
    conditions.length === 0 ? 'everything' : conditions.map(({ matcher, wanted }) => `${matcher} ${wanted}`).join(', '),
    [...passed(chain), upstream ?? responds ?? '(not built)'].join(' → '), placeText(place, cwd),
  ])
  const head = ['', 'route', 'prio', 'takes', 'goes through → to', 'place']
  return columns([head, ...rows], (cell, column, row) =>
    row === 0 || column === 0 || column === 5 ? paint.dim(cell) : column === 1 ? paint.bold(cell) : cell).join('\n') + '\n'
}

/** Agents in the order in which they are asked; those that are asked at the same time stand together. */
function passed (chain: readonly ChainStep[]): string[] {
  const groups: Array<{ readonly filter: string | null, readonly agents: string[] }> = []
  for (const { agent, filter, parallel } of chain) {
    const last = groups.at(-1)
    if (parallel === true && last?.filter === filter) last.agents.push(agent)
    else groups.push({ filter: parallel === true ? filter : null, agents: [agent] })
  }
  return groups.map(({ agents }) => agents.length === 1 ? agents[0]! : `(${agents.join(' | ')})`)
}
