import type { SentinelConfig } from '../../config/sentinel/index.ts'

const more: ReadonlySet<string> = new Set<SentinelConfig['filters'][number]['type']>([
  'forward-auth', 'basic-auth', 'security-headers', 'ip-access', 'geo', 'log', 'fault-injection',
])

/** Whether a configuration has filters of `more-filters.ts`, which is loaded for it then. */
export function needsMoreFilters ({ filters, routes }: SentinelConfig): boolean {
  return filters.some(({ type }) => more.has(type)) ||
    routes.some(({ geoAccessControl, bufferRequests, bufferResponses }) => geoAccessControl !== undefined || bufferRequests || bufferResponses)
}

/** Header fields that filters alone may set: clients' own are taken off on every route, as those of agents are. */
export function fieldsOfFilters (filters: SentinelConfig['filters']): string[] {
  return filters.flatMap((filter) => {
    switch (filter.type) {
      // Those two are how clients say who they are: the service is asked about them.
      case 'forward-auth': return filter.responseHeaders.filter((name) => !['authorization', 'cookie'].includes(name.toLowerCase()))
      case 'basic-auth': return filter.userHeader === undefined ? [] : [filter.userHeader]
      case 'geo': return filter.addCountryHeader ? ['X-GeoIP-Country'] : []
      default: return []
    }
  })
}
