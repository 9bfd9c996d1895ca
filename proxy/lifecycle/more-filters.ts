import { readFileSync } from 'node:fs'
import type { RouteConfig, SentinelConfig } from '../../config/sentinel/index.ts'
import { addressesIn, readPasswords } from '../../config/sentinel/index.ts'
import { addressFilter } from '../filters/access.ts'
import { basicAuthFilter } from '../filters/basic-auth.ts'
import { bufferFilter, type Room } from '../filters/buffer.ts'
import { faultInjectionFilter } from '../filters/fault-injection.ts'
import { FailedLogins } from '../filters/failed-logins.ts'
import { forwardAuthFilter } from '../filters/forward-auth.ts'
import { logFilter } from '../filters/log.ts'
import { Passwords } from '../filters/passwords.ts'
import { securityHeadersFilter } from '../filters/security-headers.ts'
import type { Log } from '../observe/log.ts'
import type { Filter, Responder } from '../pipeline/exchange.ts'
import { createUpstream, type Upstream } from '../upstreams/index.ts'
import { geoPolicy, geoStep, loadGeoReaders } from './geo-filters.ts'
import { canonicalKey, type Lend } from './leases.ts'
import { maxBodyBytes, type OwnFilterConfig } from './route-plan.ts'
import { partOf, type Among } from './upstream-settings.ts'

/** What these filters take from the snapshot and the route that they are part of. */
export interface MoreSurroundings {
  readonly config: SentinelConfig
  readonly route: RouteConfig
  readonly upstreams: ReadonlyMap<string, Upstream>
  readonly lend: Lend
    readonly kept: Room
  readonly among: Among
  readonly drainMs: number
}

type OfType<T extends OwnFilterConfig['type']> = Extract<OwnFilterConfig, { readonly type: T }>

/** Filters that few configurations have, as one route has them: what its policies put around its steps, and the steps themselves. */
export type MoreFilters = (around: MoreSurroundings) => {
  readonly before: () => Filter[]
  readonly step: (filter: OwnFilterConfig) => Filter[]
  readonly after: () => Filter[]
}

/** Loads what the filters of one configuration need. */
export async function openMoreFilters (config: SentinelConfig, log: Log): Promise<MoreFilters> {
  const readers = await loadGeoReaders(config)
  for (const filter of config.filters) {
    if (filter.type === 'fault-injection') log.warn(`filter '${filter.id}' makes requests fail on purpose: it is for tests`, { event: 'faults-injected', filter: filter.id })
  }
  return (around) => {
    const { route: { geoAccessControl }, lend } = around
    return {
      before: () => geoAccessControl === undefined ? [] : [geoPolicy(geoAccessControl, readers, lend)],
      step (filter) {
        switch (filter.type) {
          case 'forward-auth': return [forwardAuth(filter, around)]
          case 'basic-auth': return [basicAuth(filter, around)]
          case 'geo': return [geoStep(filter, readers, lend, log)]
          case 'ip-access': return [addresses(filter)]
          case 'log': return [logStep(filter, log)]
          case 'security-headers': return [securityHeaders(filter)]
          case 'fault-injection': return [faultInjection(filter)]
          default: return []
        }
      },
      after: () => buffering(around),
    }
  }
}

function buffering ({ route, config, kept }: MoreSurroundings): Filter[] {
  const { bufferRequests: requests, bufferResponses: responses } = route
  if (!requests && !responses) return []
  return [bufferFilter({ requests, responses, maxBytes: maxBodyBytes(route, config), maxBytesOfAll: config.limits.maxBodyBufferTotal, room: kept })]
}

function addresses ({ allow: allowed, block: blocked, allowFile, blockFile, defaultAction }: OfType<'ip-access'>): Filter {
  const allow = [...allowed, ...addressesIn(allowFile)]
  const block = [...blocked, ...addressesIn(blockFile)]
  return addressFilter({ allow, block, defaultAction: defaultAction ?? (allow.length > 0 || allowFile !== undefined ? 'block' : 'allow') })
}

function logStep ({ id: name, logRequest, logResponse, logBody, maxBodyLogSize, level, fields }: OfType<'log'>, log: Log): Filter {
  // The log knows no finer level.
  const as = level === 'trace' ? 'debug' : level
  return logFilter({ name, logRequest, logResponse, fields, maxBodyBytes: logBody ? maxBodyLogSize : 0 }, (message, facts) => log[as](message, facts))
}

function faultInjection ({ id: name, delay: delayMs, delayPercentage, abortStatus, abortPercentage, header }: OfType<'fault-injection'>): Filter {
  return faultInjectionFilter({ name, delayMs, delayPercentage, abortStatus, abortPercentage, header })
}

function securityHeaders (filter: OfType<'security-headers'>): Filter {
  const { hsts: hstsMs, hstsIncludeSubdomains, hstsPreload, override, remove, contentSecurityPolicy: csp, contentSecurityPolicyReportOnly: onlyReport } = filter
  const said = {
    'X-Content-Type-Options': filter.contentTypeOptions ? 'nosniff' : 'off',
    'X-Frame-Options': filter.frameOptions === 'off' ? 'off' : filter.frameOptions.toUpperCase(),
    'Referrer-Policy': filter.referrerPolicy,
    'Cross-Origin-Opener-Policy': filter.crossOriginOpenerPolicy,
    'Cross-Origin-Resource-Policy': filter.crossOriginResourcePolicy,
    'Cross-Origin-Embedder-Policy': filter.crossOriginEmbedderPolicy,
    [onlyReport ? 'Content-Security-Policy-Report-Only' : 'Content-Security-Policy']: csp ?? 'off',
    'Permissions-Policy': filter.permissionsPolicy ?? 'off',
  }
  const fields = Object.fromEntries(Object.entries(said).filter(([, value]) => value !== 'off'))
  return securityHeadersFilter({ hstsMs, hstsIncludeSubdomains, hstsPreload, fields, override, remove })
}

function forwardAuth (filter: OfType<'forward-auth'>, around: MoreSurroundings): Filter {
  const { id, upstream, timeout, sendBody } = filter
  const url = filter.url === undefined ? undefined : new URL(filter.url)
  const { pathname, search } = url ?? new URL(filter.path ?? '/', 'http://upstream')
  const service: Responder = url === undefined ? around.upstreams.get(upstream!)! : serviceAt(url, filter, around) // References were checked at load.
  return forwardAuthFilter({
    name: id, path: pathname, query: search.slice(1), host: url?.host,
    method: filter.method ?? (sendBody ? 'POST' : 'GET'),
    requestHeaders: filter.requestHeaders, responseHeaders: filter.responseHeaders,
    userHeader: filter.userHeader, passCookies: filter.passCookies, redirectScripts: filter.redirectScripts,
    maxBodyBytes: sendBody ? filter.maxBodySize : 0, maxAnswerBytes: filter.maxAnswerSize,
    timeoutMs: timeout, failureMode: filter.failureMode,
  }, service)
}

/** An upstream of one target, as if somebody had written it. */
function serviceAt (url: URL, { id, timeout, maxConnections }: OfType<'forward-auth'>, { lend, among, drainMs }: MoreSurroundings): Responder {
  const secure = url.protocol === 'https:'
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const settings = {
    id, balance: 'round-robin', connectTimeoutMs: timeout, readTimeoutMs: timeout, writeTimeoutMs: timeout,
    poolMaxConnections: partOf(maxConnections, among), poolIdleMs: 60_000,
    targets: [{ host, port: url.port === '' ? secure ? 443 : 80 : Number(url.port), weight: 1 }],
    ...secure ? { tls: { insecureSkipVerify: false } } : {},
  } as const
  return lend(canonicalKey('forward-auth', settings), () => createUpstream(settings), (service) => service.close(AbortSignal.timeout(drainMs)))
}

function basicAuth (filter: OfType<'basic-auth'>, { lend, among }: MoreSurroundings): Filter {
  const { id, usersFile, realm, userHeader, forwardCredentials, failureWindow } = filter
  const maxFailures = partOf(filter.maxFailures, among)
  const inFile = usersFile === undefined ? undefined : readPasswords(readFileSync(usersFile, 'utf8'))
  if (inFile !== undefined && (inFile.problems.length > 0 || inFile.users.size === 0)) throw new Error(`filter '${id}': ${usersFile} has become unusable since it was checked`)
  const users = new Map([...inFile?.users ?? [], ...Object.entries(filter.users).map(([name, hash]) => [name, hash.trimEnd()] as const)])
  const passwords = lend('passwords', () => new Passwords(), (value) => value.close())
  // Names of filters are unique; a reload forgives nobody.
  const failed = lend(canonicalKey(`failed logins ${id}`, { maxFailures, failureWindow }), () => new FailedLogins(maxFailures, failureWindow))
  return basicAuthFilter({ realm, users, userHeader, forwardCredentials }, passwords, failed)
}
