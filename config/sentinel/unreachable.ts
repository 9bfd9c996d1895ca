import type { Position } from '../kdl/position.ts'
import type { Report } from '../schema/report.ts'
import { isBelow } from './matches.ts'

interface Asked { readonly name: string, readonly value: string | undefined, readonly invert?: boolean }

interface RouteMatches {
  readonly path: readonly string[]
  readonly pathPrefix: readonly string[]
  readonly pathRegex: readonly { readonly source: string }[]
  readonly host: readonly string[]
  readonly hostRegex: readonly { readonly source: string }[]
  readonly method: readonly string[]
  readonly header: readonly Asked[]
  readonly queryParam: readonly Asked[]
}

export interface RankedRoute {
  readonly id: string
  readonly at: Position
  readonly enabled: boolean
  readonly priority: number
  readonly matches: RouteMatches
}

/**
 * Warns of routes that never get a request because one that goes before them takes all of theirs. Only what is plain is found: the same
 * conditions, or obviously wider ones. Time grows with the number of routes and the depth of their paths, not with pairs of routes.
 */
export function checkReachable (routes: readonly RankedRoute[], report: Report): void {
  const ranked = routes.filter(({ enabled }) => enabled).map((route, index) => ({ route, index, narrow: specificity(route.matches) }))
  ranked.sort((a, b) => b.route.priority - a.route.priority || b.narrow - a.narrow || a.index - b.index)
  const before: Index = new Map()
  for (const { route } of ranked) {
    const wider = findWider(route.matches, before)
    if (wider === undefined) add(route, before)
    else {
      report.add('warning', 'CONFIG_NO_EFFECT', `route '${route.id}' never gets a request: route '${wider.id}' goes before it and takes them all`, route.at,
        { related: { message: 'that one is', position: wider.at }, hint: 'give it a higher priority, or narrower conditions to the other one' })
    }
  }
}

/** How narrow a route is: the weights of the router. */
export function specificity (m: RouteMatches): number {
  const longest = (texts: readonly string[]): number => texts.reduce((most, { length }) => Math.max(most, length), 0)
  let sum = 0
  if (m.path.length > 0) sum += 10_000
  if (m.pathRegex.length > 0) sum += 5_000
  if (m.pathPrefix.length > 0) sum += 1_000 + longest(m.pathPrefix)
  if (m.host.length > 0) sum += m.host.some(host => host.startsWith('*')) ? 50 : 70
  if (m.hostRegex.length > 0) sum += 60
  for (const { value } of m.header) sum += value === undefined ? 20 : 30
  for (const { value } of m.queryParam) sum += value === undefined ? 15 : 25
  if (m.method.length > 0) sum += 10
  return sum
}

/** Routes by a host, then a path, then the rest that they ask for: under each of their alternatives. */
type Index = Map<string, Map<string, Map<string, RankedRoute[]>>>

/** Places that one route is put at, and routes that are kept at one place: what is beyond is not found. */
const most = { places: 256, routes: 4 }

function add (route: RankedRoute, index: Index): void {
  const { matches } = route
  let places = 0
  for (const host of hostKeys(matches)) {
    for (const path of pathKeys(matches)) {
      if (++places > most.places) return
      const paths = reach(index, host, () => new Map<string, Map<string, RankedRoute[]>>())
      const rests = reach(paths, path, () => new Map<string, RankedRoute[]>())
      for (const rest of restKeys(matches)) {
        const at = reach(rests, rest, () => [])
        if (at.length < most.routes) at.push(route)
      }
    }
  }
}

function reach<V> (map: Map<string, V>, key: string, make: () => V): V {
  let value = map.get(key)
  if (value === undefined) map.set(key, value = make())
  return value
}

/** A route of the index whose conditions hold whenever these do. One alternative of each kind leads to it, the others are compared then. */
function findWider (matches: RouteMatches, index: Index): RankedRoute | undefined {
  const own = restKey(matches)
  const [method = any] = matches.method
  const rests = own === method ? [own, any] : [own, method, any]
  const [host = any] = hostKeys(matches)
  const [path = any] = pathKeys(matches)
  for (const hostKey of wider(host, '.')) {
    const paths = index.get(hostKey)
    if (paths === undefined) continue
    for (const pathKey of wider(path, '/')) {
      const found = paths.get(pathKey)
      if (found === undefined) continue
      for (const rest of rests) {
        const route = found.get(rest)?.find(candidate => covers(candidate.matches, matches))
        if (route !== undefined) return route
      }
    }
  }
  return undefined
}

const any = ''

function hostKeys (m: RouteMatches): readonly string[] {
  if (m.host.length > 0) return m.host
  return m.hostRegex.length > 0 ? [`~${sources(m.hostRegex)}`] : [any]
}

/** A route for the rest: those who write one mean it, and "OPTIONS *" has no path. */
function isEmpty (matches: RouteMatches): boolean {
  return Object.values(matches).every((ofKind: readonly unknown[]) => ofKind.length === 0)
}

/** Every path begins with "/": as good as no condition, except that it makes a route narrower than one that asks for a host only. */
function takesEveryPath ({ path, pathPrefix, pathRegex }: RouteMatches): boolean {
  return pathPrefix.includes('/') && path.length === 0 && pathRegex.length === 0
}

/** `=/a` for a path, `/a` for a prefix (without a slash at its end), `~…` for expressions. */
function pathKeys (m: RouteMatches): readonly string[] {
  if (m.path.length > 0) return m.path.map(path => `=${path}`)
  if (takesEveryPath(m)) return [any]
  if (m.pathPrefix.length > 0) return m.pathPrefix.map(prefix => prefix.replace(/\/$/, ''))
  return m.pathRegex.length > 0 ? [`~${sources(m.pathRegex)}`] : [any]
}

/** Methods one by one: a route of several is found by any of them. */
function restKeys (m: RouteMatches): readonly string[] {
  return m.method.length > 0 && m.header.length + m.queryParam.length === 0 ? m.method : [restKey(m)]
}

function restKey (m: RouteMatches): string {
  if (m.method.length + m.header.length + m.queryParam.length === 0) return any
  const methods = m.method.length > 1 ? m.method.toSorted().join(' ') : m.method[0] ?? any
  return m.header.length + m.queryParam.length === 0 ? methods : JSON.stringify([methods, grouped(m.header, true), grouped(m.queryParam, false)])
}

/** The key itself and those of everything wider: parent domains or folders, and "any". */
function wider (key: string, separator: '.' | '/'): string[] {
  if (key === any || key.startsWith('~')) return [key, any]
  const keys = [key, any]
  if (separator === '.') {
    for (let dot = key.indexOf('.'); dot >= 0; dot = key.indexOf('.', dot + 1)) keys.push(`*${key.slice(dot)}`)
    return keys
  }
  const path = key.replace(/^=/, '')
  for (let slash = path.indexOf('/', 1); slash > 0 && keys.length < most.places; slash = path.indexOf('/', slash + 1)) keys.push(path.slice(0, slash))
  keys.push(path)
  return keys
}

function sources (patterns: readonly { readonly source: string }[]): string {
  return JSON.stringify(patterns.map(({ source }) => source).toSorted())
}

/** Conditions by name, each group as a text: of one name they are alternatives. */
function grouped (conditions: readonly Asked[], caseless: boolean): string[] {
  const groups = new Map<string, string[]>()
  for (const { name, value, invert } of conditions) {
    const key = caseless ? name.toLowerCase() : name
    reach(groups, key, () => []).push(JSON.stringify([value ?? null, invert === true]))
  }
  return [...groups].map(([name, group]) => JSON.stringify([name, ...group.toSorted()])).toSorted()
}

/** Whether `wide` holds whenever `narrow` does; false where that is not plain. */
function covers (wide: RouteMatches, narrow: RouteMatches): boolean {
  return coversPaths(wide, narrow) && coversHosts(wide, narrow) && within(narrow.method, wide.method) &&
    grouped(wide.header, true).every(group => grouped(narrow.header, true).includes(group)) &&
    grouped(wide.queryParam, false).every(group => grouped(narrow.queryParam, false).includes(group))
}

function coversPaths (wide: RouteMatches, narrow: RouteMatches): boolean {
  const below = (paths: readonly string[]): boolean => paths.length > 0 && paths.every(path => wide.pathPrefix.some(prefix => isBelow(path, prefix)))
  return within(narrow.path, wide.path) &&
    (wide.pathPrefix.length === 0 || (takesEveryPath(wide) && !isEmpty(narrow)) || below(narrow.path) || below(narrow.pathPrefix)) &&
    within(narrow.pathRegex.map(({ source }) => source), wide.pathRegex.map(({ source }) => source))
}

function coversHosts (wide: RouteMatches, narrow: RouteMatches): boolean {
  const isWithin = (host: string, other: string): boolean => other.startsWith('*') && host.length >= other.length && host.endsWith(other.slice(1))
  const takes = (host: string): boolean => wide.host.some(other => other === host || isWithin(host, other))
  return (wide.host.length === 0 || (narrow.host.length > 0 && narrow.host.every(takes))) &&
    within(narrow.hostRegex.map(({ source }) => source), wide.hostRegex.map(({ source }) => source))
}

/** Whether one of `narrow` can only be one of `wide`; an empty `wide` asks for nothing. */
function within (narrow: readonly string[], wide: readonly string[]): boolean {
  return wide.length === 0 || (narrow.length > 0 && narrow.every(one => wide.includes(one)))
}
