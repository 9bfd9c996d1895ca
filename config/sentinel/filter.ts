import { namedVariants } from '../schema/variants.ts'
import { agentFilter } from './filter-agent.ts'
import { addressFilter, checkAddresses } from './filter-addresses.ts'
import { basicAuthFilter, checkBasicAuth } from './filter-basic-auth.ts'
import { checkCors, corsFilter } from './filter-cors.ts'
import { checkForwardAuth, forwardAuthFilter } from './filter-forward-auth.ts'
import { checkGeo, geoFilter } from './filter-geo.ts'
import { checkHeaders, headersFilter, olderHeaders } from './filter-headers.ts'
import { checkFaultInjection, checkSecurityHeaders, faultInjectionFilter, securityHeadersFilter } from './filter-more.ts'
import { checkParallel, parallelFilter } from './filter-parallel.ts'
import { checkCompress, checkTimeout, compressFilter, logFilter, timeoutFilter } from './filter-plain.ts'
import { olderRateLimit, rateLimitFilter } from './filter-rate-limit.ts'
import { checkElsewhere, redirectFilter, urlRewriteFilter } from './filter-redirect.ts'
import { checkRateLimit } from './rate-limit-fields.ts'

export const filters = namedVariants('filter', {
  tag: 'type',
  implied: ({ children = [] }) => children.some(({ name }) => name === 'agent' || name === 'agents') ? 'agent' : undefined,
  common: {},
  of: {
    agent: agentFilter,
    parallel: parallelFilter,
    'rate-limit': rateLimitFilter,
    headers: headersFilter,
    compress: compressFilter,
    cors: corsFilter,
    timeout: timeoutFilter,
    log: logFilter,
    geo: geoFilter,
    redirect: redirectFilter,
    'url-rewrite': urlRewriteFilter,
    'forward-auth': forwardAuthFilter,
    'basic-auth': basicAuthFilter,
    'ip-access': addressFilter,
    'security-headers': securityHeadersFilter,
    'fault-injection': faultInjectionFilter,
  },
  also: { ratelimit: 'rate-limit', compression: 'compress', logging: 'log', header: 'headers', rewrite: 'url-rewrite', forwardauth: 'forward-auth', 'external-auth': 'forward-auth', basicauth: 'basic-auth', 'secure-headers': 'security-headers', fault: 'fault-injection', 'ip-access-control': 'ip-access', 'ip-filter': 'ip-access' },
  older: { 'rate-limit': olderRateLimit, headers: olderHeaders },
  docs: {
    agent: 'Asks agents: whether a request or an answer may pass, and what is changed about it.',
    parallel: 'Asks several agents at the same time, about the same request or answer, so that the slowest of them is all that is waited for. The first in the order of the file that does not let it go on decides, and the others are told to stop; when all do, their changes are made in the order of the file. Of a body, path, query or upstream there is one: agents that want different ones contradict each other, which counts as a failure (AGENT_CONFLICT) of the later. Of a body that is given in pieces all see the same pieces, and what all have let go flows on; changes of the same bytes by two of them end the exchange. Messages of WebSockets and calls of tools go from one agent to the next.',
    'rate-limit': 'Bounds how many requests each client, or whatever `key` says, may send.',
    headers: 'Changes header fields of requests and answers.',
    compress: 'Packs answers for clients that can unpack them.',
    cors: 'Tells browsers which other sites may use this one, and answers their preflight requests.',
    timeout: 'Other deadlines towards the upstream for the routes that name it, whatever its place; those in the route\'s own `policies` come before them.',
    log: 'Writes requests and answers into the log.',
    geo: 'Lets in, keeps out or marks requests by the country of the client.',
    redirect: 'Answers with the address of another place.',
    'url-rewrite': 'Changes the path or the host that the upstream is asked for.',
    'forward-auth': 'Asks an HTTP service whether a request may pass: it goes on after an answer of 2xx, and the client gets any other.',
    'ip-access': 'Lets in or keeps out addresses; `ip-access-control` of a route does the same before its filters.',
    'security-headers': 'Tells browsers to be careful with answers, where the application does not.',
    'fault-injection': 'Makes requests slow or fail, for tests.',
    'basic-auth': 'Asks for a name and a password (RFC 7617).',
  },
  examples: {
    agent: `filter "sign-in" {
    type "agent"
    agent "waf" "auth"
    timeout "300ms"
}`,
    parallel: `filter "checks" {
    type "parallel"
    agent "waf" "bot-score"
    timeout "300ms"
}`,
    'rate-limit': `filter "per-key" {
    type "rate-limit"
    max-rps 50
    burst 100
    key "header:X-Api-Key"
    backend "redis" { url "redis://redis.internal:6379" }
}`,
    headers: `filter "no-fingerprints" {
    type "headers"
    phase "response"
    remove "Server" "X-Powered-By"
}`,
    compress: `filter "smaller" {
    type "compress"
    algorithms "br" "gzip"
    min-size "1KiB"
}`,
    cors: `filter "shop-front" {
    type "cors"
    allowed-origins "https://shop.example.com"
    allowed-methods "GET" "POST"
    allow-credentials #true
    max-age "1h"
}`,
    timeout: `filter "patient" {
    type "timeout"
    upstream-timeout "2m"
}`,
    log: `filter "trace-it" {
    type "log"
    level "debug"
}`,
    geo: `filter "eu-only" {
    type "geo"
    database-path "/var/lib/geoip/country.mmdb"
    action "allow"
    countries "DE" "FR" "NL"
}`,
    redirect: `filter "moved" {
    type "redirect"
    status-code 301
    hostname "www.example.com"
}`,
    'url-rewrite': `filter "strip-api" {
    type "url-rewrite"
    replace-prefix-match "/"
}`,
    'forward-auth': `filter "sign-in" {
    type "forward-auth"
    url "http://authelia.internal:9091/api/authz/forward-auth"
    response-headers "Remote-User" "Remote-Groups" "Remote-Email"
}`,
    'ip-access': `filter "office" {
    type "ip-access"
    allow "10.0.0.0/8" "2001:db8::/32"
}`,
    'security-headers': `filter "careful" {
    type "security-headers"
    hsts-include-subdomains #true
    content-security-policy "default-src 'self'"
}`,
    'fault-injection': `filter "bad-day" {
    type "fault-injection"
    delay "2s"
    delay-percentage 10
    abort-status 503
    abort-percentage 5
}`,
    'basic-auth': `filter "staff" {
    type "basic-auth"
    users { alice "\${file:/run/secrets/alice-hash}" }
    user-header "Remote-User"
}`,
  },
  checks: {
    parallel: checkParallel,
    compress: checkCompress, 'ip-access': checkAddresses,
    'rate-limit': checkRateLimit, headers: checkHeaders, cors: checkCors, timeout: checkTimeout, geo: checkGeo, redirect: checkElsewhere, 'url-rewrite': checkElsewhere,
    'forward-auth': checkForwardAuth, 'basic-auth': checkBasicAuth, 'security-headers': checkSecurityHeaders, 'fault-injection': checkFaultInjection,
  },
}, 'Steps that routes can name.', {
  example: `filter "limit" {
    type "rate-limit"
    max-rps 100
    burst 20
    key "client-ip"
}`,
})
