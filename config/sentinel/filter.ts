import { namedVariants } from '../schema/variants.ts'
import { agentFilter } from './filter-agent.ts'
import { checkCors, corsFilter } from './filter-cors.ts'
import { checkGeo, geoFilter } from './filter-geo.ts'
import { checkHeaders, headersFilter, olderHeaders } from './filter-headers.ts'
import { checkTimeout, compressFilter, logFilter, timeoutFilter } from './filter-plain.ts'
import { checkRateLimit, olderRateLimit, rateLimitFilter } from './filter-rate-limit.ts'
import { checkElsewhere, redirectFilter, urlRewriteFilter } from './filter-redirect.ts'

export const filters = namedVariants('filter', {
  tag: 'type',
  common: {},
  of: {
    agent: agentFilter,
    'rate-limit': rateLimitFilter,
    headers: headersFilter,
    compress: compressFilter,
    cors: corsFilter,
    timeout: timeoutFilter,
    log: logFilter,
    geo: geoFilter,
    redirect: redirectFilter,
    'url-rewrite': urlRewriteFilter,
  },
  notBuilt: ['rate-limit', 'headers', 'compress', 'cors', 'timeout', 'log', 'geo', 'redirect', 'url-rewrite'],
  also: { ratelimit: 'rate-limit', compression: 'compress', logging: 'log', header: 'headers', rewrite: 'url-rewrite' },
  older: { 'rate-limit': olderRateLimit, headers: olderHeaders },
  checks: {
    'rate-limit': checkRateLimit, headers: checkHeaders, cors: checkCors, timeout: checkTimeout, geo: checkGeo, redirect: checkElsewhere, 'url-rewrite': checkElsewhere,
  },
}, 'Steps that routes can name.', {
  example: `filter "limit" {
    type "rate-limit"
    max-rps 100
    burst 20
    key "client-ip"
}`,
})
