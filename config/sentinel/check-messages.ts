import type { Report } from '../schema/report.ts'
import type { SentinelConfig } from './config.ts'
import { isWithin } from './scopes.ts'

/** Agents that ask for messages of WebSockets where nobody looks into these would never be asked; and nobody looks where no agent is. */
export function checkMessages (config: Pick<SentinelConfig, 'routes' | 'filters' | 'agents' | 'guardAgents'>, report: Report): void {
  const { routes, agents } = config
  const served = routes.filter(({ enabled }) => enabled).map((route) => ({ route, asked: agentsOf(route, config) }))
  for (const { route, asked } of served) {
    if (route.websocketInspection && route.websocket?.enabled === true && asked.size === 0) {
      report.warning('CONFIG_NO_EFFECT', `'websocket-inspection' of route '${route.id}' shows messages to nobody: the route asks no agent`, route.at)
    }
  }
  for (const { id, events, at } of agents) {
    if (events?.includes('websocket_message') !== true) continue
    const asking = served.filter(({ asked }) => asked.has(id)).map(({ route }) => route)
    if (!asking.some(({ websocketInspection }) => websocketInspection)) {
      report.warning('CONFIG_NO_EFFECT', `agent '${id}' lists websocket_message in 'events', but no route that asks it looks into WebSockets: it is never shown a message`, at,
        'write websocket-inspection #true in the route')
      continue
    }
    for (const route of asking) {
      if (route.websocket?.enabled !== true || route.websocketInspection) continue
      report.warning('CONFIG_NO_EFFECT', `messages of WebSockets on route '${route.id}' are not shown to agent '${id}', which lists websocket_message in 'events'`, route.at, 'write websocket-inspection #true in the route')
    }
  }
}

/** Those that a route names, itself or by a filter, and those that guard it. */
function agentsOf (route: SentinelConfig['routes'][number], { filters, agents, guardAgents }: Pick<SentinelConfig, 'filters' | 'agents' | 'guardAgents'>): ReadonlySet<string> {
  const named = [...route.filters, ...route.agents].flatMap((id) => {
    const filter = filters.find((candidate) => candidate.id === id)
    return filter === undefined ? [id] : filter.type === 'agent' ? filter.agents : []
  })
  const guarding = agents.filter(({ id, scope }) => guardAgents.includes(id) && isWithin(route.scope, scope)).map(({ id }) => id)
  return new Set([...named, ...guarding])
}
