import type { AgentConfig, ListenerConfig, SentinelConfig } from '../../config/sentinel/index.ts'
import type { Route } from '../pipeline/exchange.ts'
import { canonicalName } from '../pipeline/headers.ts'
import type { Site } from '../pipeline/serve.ts'
import { compileRouter, type Router } from '../routing/router.ts'
import type { AgentRuntime } from './agent-runtime.ts'
import { agentsBehind, routerEntries } from './route-plan.ts'

interface Served {
  readonly router: Pick<Router<Route>, 'match'>
  readonly guardedHeaders: Site['guardedHeaders']
}

/** What listeners of the same namespace have together: their routes, and the header fields that agents of these set. */
export function served (
  config: SentinelConfig, routes: ReadonlyMap<string, Route>, runtimes: ReadonlyMap<string, AgentRuntime>,
): (listener: ListenerConfig) => Served {
  const known = new Map<string | undefined, Served>()
  return (listener) => {
    let site = known.get(listener.namespace)
    if (site === undefined) {
      const router = compileRouter(routerEntries(listener, config, ({ id }) => routes.get(id)!)) // Every route that is on was compiled.
      site = { router, guardedHeaders: guardedBy(agentsBehind(listener, config), runtimes) }
      known.set(listener.namespace, site)
    }
    return site
  }
}

/** Fields that the operator or an agent itself says only that agent may set; an agent's word counts from its first Describe. */
function guardedBy (agents: readonly AgentConfig[], runtimes: ReadonlyMap<string, AgentRuntime>): () => ReadonlySet<string> {
  const declared = agents.flatMap(({ setsHeaders }) => setsHeaders)
  const clients = agents.map(({ id }) => runtimes.get(id)!.client)
  let described: readonly unknown[] = []
  let names = new Set(declared.map(canonicalName))
  return () => {
    if (clients.some(({ describe }, i) => describe !== described[i])) {
      described = clients.map(({ describe }) => describe)
      names = new Set([...declared, ...clients.flatMap(({ describe }) => describe?.setsRequestHeaders ?? [])].map(canonicalName))
    }
    return names
  }
}

