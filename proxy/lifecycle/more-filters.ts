import { readFileSync } from 'node:fs'
import type { RouteConfig, SentinelConfig } from '../../config/sentinel/index.ts'
import { readPasswords } from '../../config/sentinel/index.ts'
import { basicAuthFilter } from '../filters/basic-auth.ts'
import { FailedLogins } from '../filters/failed-logins.ts'
import { forwardAuthFilter } from '../filters/forward-auth.ts'
import { Passwords } from '../filters/passwords.ts'
import type { Filter, Responder } from '../pipeline/exchange.ts'
import { createUpstream, type Upstream } from '../upstreams/index.ts'
import { canonicalKey, type Lend } from './leases.ts'
import type { OwnFilterConfig } from './route-plan.ts'
import { partOf, type Among } from './upstream-settings.ts'

/** What these filters take from the snapshot that they are part of. */
export interface MoreSurroundings {
  readonly config: SentinelConfig
  readonly route: RouteConfig
  readonly upstreams: ReadonlyMap<string, Upstream>
  readonly lend: Lend
  readonly among: Among
  readonly drainMs: number
}

type OfType<T extends OwnFilterConfig['type']> = Extract<OwnFilterConfig, { readonly type: T }>

/** Filters that few configurations have: loaded for those alone. */
export interface MoreFilters {
  readonly make: (filter: OwnFilterConfig, around: MoreSurroundings) => Filter[]
}

/** Loads what the filters of one configuration need. Rejects when a file of theirs cannot be used. */
export async function openMoreFilters (): Promise<MoreFilters> {
  return {
    make (filter, around) {
      switch (filter.type) {
        case 'forward-auth': return [forwardAuth(filter, around)]
        case 'basic-auth': return [basicAuth(filter, around)]
        default: return []
      }
    },
  }
}

function forwardAuth (filter: OfType<'forward-auth'>, around: MoreSurroundings): Filter {
  const { id, url, upstream, timeout, sendBody } = filter
  const { pathname, search } = url ?? new URL(filter.path ?? '/', 'http://upstream')
  const service: Responder = url === undefined ? around.upstreams.get(upstream!)! : serviceAt(url, filter, around) // References were checked at load.
  return forwardAuthFilter({
    name: id, path: pathname, query: search.slice(1), host: url?.host,
    method: filter.method ?? (sendBody ? 'POST' : 'GET'),
    requestHeaders: filter.requestHeaders, responseHeaders: filter.responseHeaders,
    passCookies: filter.passCookies, redirectScripts: filter.redirectScripts,
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

function basicAuth (filter: OfType<'basic-auth'>, { lend }: MoreSurroundings): Filter {
  const { id, usersFile, realm, userHeader, forwardCredentials, maxFailures, failureWindow } = filter
  const inFile = usersFile === undefined ? undefined : readPasswords(readFileSync(usersFile, 'utf8'))
  if (inFile !== undefined && (inFile.problems.length > 0 || inFile.users.size === 0)) throw new Error(`filter '${id}': ${usersFile} has become unusable since it was checked`)
  const users = new Map([...inFile?.users ?? [], ...Object.entries(filter.users).map(([name, hash]) => [name, hash.trimEnd()] as const)])
  const passwords = lend('passwords', () => new Passwords(), (value) => value.close())
  // Names of filters are unique; a reload forgives nobody.
  const failed = lend(canonicalKey(`failed logins ${id}`, { maxFailures, failureWindow }), () => new FailedLogins(maxFailures, failureWindow))
  return basicAuthFilter({ realm, users, userHeader, forwardCredentials }, passwords, failed)
}
