import type { RouteConfig } from '../../config/sentinel/index.ts'
import { addressFilter, compressFilter, corsFilter, headersFilter, redirectFilter, requireHeadersFilter, urlRewriteFilter } from '../filters/index.ts'
import { readPath } from '../pipeline/path.ts'
import type { Filter } from '../pipeline/exchange.ts'
import { rateFilter, type RateParts } from './rate-limits.ts'
import type { OwnFilterConfig } from './route-plan.ts'

/** A filter of the proxy's own, as the route that names it needs it. Those of `more-filters.ts` make none here. */
export function ownFilter (filter: OwnFilterConfig, route: RouteConfig, parts: RateParts): Filter[] {
  const { pathPrefix: prefixes } = route.matches
  switch (filter.type) {
    case 'rate-limit': return [rateFilter(filter, route.id, parts)]
    case 'headers': return [headersFilter(sidesOf(filter))]
    case 'compress': return [compressFilter(filter)]
    case 'cors': return [corsFilter(filter)]
    case 'redirect': return [redirectFilter({ ...filter, prefixes })]
    case 'url-rewrite': return [urlRewriteFilter({ ...filter, prefixes })]
    // Time-outs are no step: see `routePolicy`.
    default: return []
  }
}

type HeadersConfig = Extract<OwnFilterConfig, { readonly type: 'headers' }>

function sidesOf ({ phase, request, response, ...both }: HeadersConfig): Parameters<typeof headersFilter>[0] {
  return {
    request: [...phase === 'response' ? [] : [both], request],
    response: [...phase === 'request' ? [] : [both], response],
  }
}

/** What a route's own policies say before anybody else is asked; of answers they have the last word. */
export function rulesBefore (route: RouteConfig, rates: readonly Filter[]): Filter[] {
  const { ipAccessControl, requireHeaders, responseHeaders } = route
  return [
    ...responseHeaders === undefined ? [] : [headersFilter({ request: [], response: [responseHeaders] })],
    ...ipAccessControl === undefined ? [] : [addressFilter(ipAccessControl)],
    ...rates,
    ...requireHeaders.length === 0 ? [] : [requireHeadersFilter(requireHeaders)],
  ]
}

/** What they say of the request that goes to the upstream: filters and agents have judged the client's own by then. */
export function rulesAfter ({ stripPrefix, rewritePath, requestHeaders, staticFiles }: RouteConfig): Filter[] {
  return [
    ...stripPrefix === undefined ? [] : [urlRewriteFilter({ replacePrefixMatch: '/', prefixes: [readPath(stripPrefix).path] })],
    ...rewritePath === undefined ? [] : [urlRewriteFilter({ replaceFullPath: rewritePath, prefixes: [] })],
    ...requestHeaders === undefined ? [] : [headersFilter({ request: [requestHeaders], response: [] })],
    // Small files are packed once, by who keeps them.
    ...staticFiles?.compress === true ? [compressFilter(packingOf(staticFiles))] : [],
  ]
}

function packingOf ({ compressionLevel: level, compressionTypes: contentTypes }: NonNullable<RouteConfig['staticFiles']>): Parameters<typeof compressFilter>[0] {
  return { algorithms: ['br', 'gzip'], level, minSize: 1024, contentTypes }
}
