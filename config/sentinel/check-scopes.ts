import type { Report } from '../schema/report.ts'
import type { SentinelConfig } from './config.ts'
import { isWithin, leadsTo } from './scopes.ts'

type Config = Pick<SentinelConfig, 'scopes' | 'listeners' | 'routes'>

/** What listeners and routes of namespaces say of one another. */
export function checkScopes ({ scopes, listeners, routes }: Config, report: Report): void {
  for (const { id, at } of scopes) {
    const own = routes.filter(({ scope }) => scope === id)
    if (own.length > 0 && !listeners.some(listener => leadsTo(listener, { scope: id }))) {
      report.warning('CONFIG_NO_EFFECT', `no listener leads to the routes of '${id}'`, at, `write listeners { listener "name" { … } } in it, or namespace "${id}" in a listener outside`)
    }
  }
  for (const listener of listeners) {
    const { id, at, namespace, defaultRoute } = listener
    if (namespace !== undefined && scopes.some(scope => scope.id === namespace) && !routes.some(({ scope }) => isWithin(scope, namespace))) {
      report.warning('CONFIG_NO_EFFECT', `there is no route in '${namespace}': listener '${id}' answers 404 to every request`, at)
    }
    const route = routes.find(candidate => candidate.id === defaultRoute)
    if (route !== undefined && !leadsTo(listener, route)) {
      const serves = namespace === undefined ? 'serves no namespace' : `serves '${namespace}'`
      report.error('CONFIG_CONTRADICTION', `listener '${id}' ${serves}: its default route '${route.id}' is not among its routes`, at)
    }
  }
}
