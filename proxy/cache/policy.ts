import CachePolicy from 'http-cache-semantics'
import type { RequestHead } from '../pipeline/exchange.ts'
import type { HeaderList } from '../pipeline/headers.ts'
import { fieldMembers, readDirectives, secondsOf, type Directives } from './directives.ts'
import { httpDateMs } from '../pipeline/http-date.ts'
import type { RouteCacheSettings } from './settings.ts'
import type { Freshness } from './stored.ts'

/** Statuses that mean something to this cache: `must-understand` counts on it (RFC 9111 section 5.2.2.3). 206 and 304 are no answers by themselves. */
const understood = new Set([200, 203, 204, 300, 301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 410, 414, 421, 451, 500, 501, 502, 503, 504])
/** RFC 9110 section 15.1: may be kept though nothing says for how long. 206 is not kept. */
const heuristic = new Set([200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501])

export interface Judgement {
  readonly freshness: Freshness
  /** Is meant for one client, and given to nobody else. */
  readonly isPrivate: boolean
}

/** Why an answer is not kept; for `Cache-Status` and tests. */
export type Refusal = 'method' | 'status' | 'no-store' | 'private' | 'authorization' | 'set-cookie' | 'vary' | 'no-lifetime'

export interface Times {
  /** Unix time of the request and of the head of the answer. */
  readonly askedMs: number
  readonly arrivedMs: number
}

/** Whether an answer may be kept (RFC 9111 section 3), and for how long (section 4.2). */
export function judge (
  request: Pick<RequestHead, 'method' | 'headers'>, status: number, headers: HeaderList, settings: RouteCacheSettings, { askedMs, arrivedMs }: Times,
): Judgement | Refusal {
  if (!settings.methods.has(request.method)) return 'method'
  if (status === 206 || status === 304 || status < 200 || !settings.statuses.has(status)) return 'status'
  const said = saidBy(headers)
  const directives = settings.respectCacheControl ? said.directives : withoutLifetime(said.directives)
  if (refusesStoring(directives, status) || readDirectives(request.headers).has('no-store')) return 'no-store'
  // A cookie is for one client, whatever else is said.
  if (headers.has('set-cookie') || headers.has('set-cookie2')) return 'set-cookie'
  if (fieldMembers(headers, 'vary').includes('*')) return 'vary'
  const isPrivate = directives.has('private') || settings.cachePrivate && request.headers.has('authorization') && !isForAll(directives)
  if (isPrivate && !settings.cachePrivate) return 'private'
  if (!isPrivate && request.headers.has('authorization') && !isForAll(directives)) return 'authorization'
  const ageMs = initialAgeMs(headers, askedMs, arrivedMs)
  const freshMs = Number.isFinite(ageMs) ? lifetimeMs(request, status, headers, directives, said.targeted, settings, arrivedMs) : 0
  if (freshMs === undefined) return 'no-lifetime'
  const windows = staleWindows(directives, settings)
  // Nothing could ever come of it.
  const lasts = headers.has('etag') || headers.has('last-modified') || freshMs + windows.staleIfErrorMs + windows.staleWhileRevalidateMs > 0
  if (!lasts) return 'no-lifetime'
  return { isPrivate, freshness: { arrivedMs, ageMs: Number.isFinite(ageMs) ? ageMs : 0, freshMs, noCache: directives.has('no-cache'), ...windows } }
}

/** A field for caches like this one goes before those for all (RFC 9213 section 2.2); one that is empty or cannot be read does not count. */
function saidBy (headers: HeaderList): { readonly directives: Directives, readonly targeted: boolean } {
  const targeted = readDirectives(headers, 'cdn-cache-control')
  return isReadable(targeted) ? { directives: targeted, targeted: true } : { directives: readDirectives(headers), targeted: false }
}

/** As a dictionary of structured fields (RFC 8941): integers are bare there, and keys in small letters. */
function isReadable (directives: Directives): boolean {
  if (directives.size === 0) return false
  for (const value of directives.values()) if (value === null) return false
  return ['max-age', 's-maxage'].every((name) => {
    const value = directives.get(name)
    return value === undefined || typeof value === 'string' && /^\d{1,15}$/.test(value)
  })
}

/** What is left of them for whoever does not go by what answers say of themselves: answers for one client stay with it. */
function withoutLifetime (directives: Directives): Directives {
  return new Map([...directives].filter(([name]) => name === 'private'))
}

function refusesStoring (directives: Directives, status: number): boolean {
  if (directives.has('must-understand')) return !understood.has(status)
  return directives.has('no-store')
}

/** RFC 9111 section 3.5, without `must-revalidate`: it does not say that the answer is for others. */
function isForAll (directives: Directives): boolean {
  return directives.has('public') || directives.has('s-maxage')
}

/** RFC 9111 section 4.2.3. `Infinity` for an `Age` that cannot be read: whoever wrote it is not to be relied on. */
function initialAgeMs (headers: HeaderList, askedMs: number, arrivedMs: number): number {
  const lines = headers.getAll('age')
  if (lines.length > 1 || lines.length === 1 && !/^\d{1,15}$/.test(lines[0]!)) return Infinity
  const said = lines.length === 0 ? 0 : Number(lines[0]) * 1000
  const date = httpDateMs(headers.get('date')) ?? arrivedMs
  return Math.max(0, arrivedMs - date, said + Math.max(0, arrivedMs - askedMs))
}

/** `undefined` when nothing is said, and nothing may be guessed. */
function lifetimeMs (
  request: Pick<RequestHead, 'headers'>, status: number, headers: HeaderList, directives: Directives, targeted: boolean,
  settings: RouteCacheSettings, arrivedMs: number,
): number | undefined {
  const hasExpires = !targeted && settings.respectCacheControl && headers.has('expires')
  const isSaid = hasExpires || directives.has('max-age') || directives.has('s-maxage')
  if (isSaid) return saidMs(headers, directives, hasExpires, arrivedMs)
  if (directives.has('no-cache')) return 0
  // Whom it is for is not said either: with a cookie or a password it may be for one client alone.
  if (!directives.has('public') && (request.headers.has('cookie') || request.headers.has('authorization'))) return undefined
  if (!heuristic.has(status) && settings.respectCacheControl && !directives.has('public')) return undefined
  const most = status >= 400 ? Math.min(settings.negativeTtlMs, settings.defaultTtlMs) : settings.defaultTtlMs
  const modified = httpDateMs(headers.get('last-modified'))
  const date = httpDateMs(headers.get('date')) ?? arrivedMs
  // RFC 9111 section 4.2.2: what changed lately will change soon.
  const guessed = modified === undefined ? most : Math.min(most, Math.max(0, date - modified) / 10)
  return guessed > 0 ? guessed : undefined
}

/** The arithmetic is the library's; what it is given is read strictly, because it reads leniently. */
function saidMs (headers: HeaderList, directives: Directives, hasExpires: boolean, arrivedMs: number): number {
  const shared = secondsOf(directives, 's-maxage')
  const own = secondsOf(directives, 'max-age')
  const said = [...shared === undefined ? [] : [`s-maxage=${shared}`], ...own === undefined ? [] : [`max-age=${own}`]]
  const policy = new CachePolicy({ method: 'GET', headers: {} }, {
    status: 200,
    headers: {
      date: new Date(httpDateMs(headers.get('date')) ?? arrivedMs).toUTCString(),
      ...said.length === 0 ? {} : { 'cache-control': said.join(', ') },
      ...hasExpires ? { expires: new Date(expiresMs(headers)).toUTCString() } : {},
    },
  })
  return policy.maxAge() * 1000
}

/** What is no date, or several, is long past (RFC 9111 section 5.3). */
function expiresMs (headers: HeaderList): number {
  const lines = headers.getAll('expires')
  return lines.every((line) => line === lines[0]) ? httpDateMs(lines[0]) ?? 0 : 0
}

function staleWindows (directives: Directives, settings: RouteCacheSettings): Pick<Freshness, 'staleWhileRevalidateMs' | 'staleIfErrorMs' | 'neverStale'> {
  const neverStale = ['must-revalidate', 'proxy-revalidate', 'no-cache'].some((name) => directives.has(name))
  if (neverStale) return { neverStale, staleWhileRevalidateMs: 0, staleIfErrorMs: 0 }
  // s-maxage means proxy-revalidate (RFC 9111 section 5.2.2.10), unless the same answer says otherwise of itself (RFC 5861).
  const forAll = directives.has('s-maxage')
  const windowMs = (name: string, otherwise: number): number => {
    const seconds = secondsOf(directives, name)
    return seconds === undefined ? forAll ? 0 : otherwise : seconds * 1000
  }
  return {
    neverStale: forAll,
    staleWhileRevalidateMs: windowMs('stale-while-revalidate', settings.staleWhileRevalidateMs),
    staleIfErrorMs: windowMs('stale-if-error', settings.staleIfErrorMs),
  }
}
