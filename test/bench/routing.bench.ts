import { compile } from '../../config/schema/index.ts'
import { compileMatches, subjectOf, type Matches } from '../../proxy/routing/match.ts'
import { compileRouter, inMatchingOrder, type RouterEntry } from '../../proxy/routing/router.ts'
import type { RequestHead } from '../../proxy/pipeline/exchange.ts'
import { headOf } from '../support/exchange.ts'

/**
 * What finding a route costs: nanoseconds per request among ten routes and among 10 000, measured in turns, and the ratio of each pair
 * (smallest, median, largest). Then what asking one by one costs, how long compiling takes, and requests made to be expensive.
 */
const nothing: Matches = { path: [], pathPrefix: [], pathRegex: [], host: [], hostRegex: [], method: [], header: [], queryParam: [] }
const many = 10_000
const few = 10
const rounds = 21

type Given = NonNullable<Parameters<typeof headOf>[0]>
interface Kind {
  readonly matches: (i: number) => Partial<Matches>
  /** A request for the i-th route; one that no route takes below 0. */
  readonly request: (i: number) => Given
}

// Names of one length, so that a request for the last route has no more characters than one for the first.
const name = (i: number): string => i < 0 ? String(90_000 - i) : String(10_000 + i)
const id = (i: number): string => `s${name(i)}`
const kinds: Readonly<Record<string, Kind>> = {
  'exact hosts': { matches: (i) => ({ host: [`${id(i)}.example.test`] }), request: (i) => ({ authority: `${id(i)}.example.test`, target: '/some/page' }) },
  'wildcard hosts': { matches: (i) => ({ host: [`*.${id(i)}.example.test`] }), request: (i) => ({ authority: `www.${id(i)}.example.test`, target: '/some/page' }) },
  'path prefixes': { matches: (i) => ({ pathPrefix: [`/api/${id(i)}`] }), request: (i) => ({ target: `/api/${id(i)}/items/42` }) },
  'exact paths': { matches: (i) => ({ path: [`/pages/${id(i)}/view`] }), request: (i) => ({ target: `/pages/${id(i)}/view` }) },
  'hosts with prefixes and methods': {
    matches: (i) => ({ host: [`${id(i >> 1)}.example.test`], pathPrefix: [i % 2 === 0 ? '/api' : '/static'], method: ['GET', 'POST'] }),
    request: (i) => ({ authority: `${id(i < 0 ? i : i >> 1)}.example.test`, target: i % 2 === 0 ? '/api/items' : '/static/items' }),
  },
  'mixed': {
    matches: (i) => [
      { host: [`${id(i)}.example.test`] }, { host: [`*.${id(i)}.example.test`], pathPrefix: ['/api'] }, { pathPrefix: [`/api/${id(i)}`] },
      { path: [`/pages/${id(i)}/view`] }, { pathPrefix: [`/${id(i)}`], method: ['POST', 'GET'], header: [{ name: 'X-Plan', value: 'gold' }] },
    ][i % 5]!,
    request: (i) => [
      { authority: `${id(i)}.example.test` }, { authority: `www.${id(i)}.example.test`, target: '/api/x' }, { target: `/api/${id(i)}` }, { target: `/pages/${id(i)}/view` },
      { target: `/${id(i)}/x`, headers: ['Accept', '*/*', 'X-Plan', 'gold'] },
    ][Math.abs(i) % 5]!,
  },
  'path-regex that says where it begins': {
    matches: (i) => ({ pathRegex: [compile(`^/${id(i)}/v\\d+/`)] }), request: (i) => ({ target: `/${id(i)}/v2/items` }),
  },
  'path-regex of any kind': { matches: (i) => ({ pathRegex: [compile(`\\.${id(i)}$`)] }), request: (i) => ({ target: `/files/report.${id(i)}` }) },
  'header conditions': {
    matches: (i) => ({ pathPrefix: ['/'], header: [{ name: 'X-Tenant', value: id(i) }] }),
    request: (i) => ({ target: '/items', headers: ['Host', 'example.test', 'User-Agent', 'bench', 'Accept', '*/*', 'X-Tenant', id(i)] }),
  },
}

function entriesOf (kind: Kind, count: number): Array<RouterEntry<number>> {
  return Array.from({ length: count }, (_, value) => ({ value, priority: 50, matches: { ...nothing, ...kind.matches(value) } }))
}

/** Several requests in turns: one alone would measure the luck of its place in a hash table. */
function nanoseconds (match: (head: RequestHead) => unknown, heads: readonly RequestHead[], times: number): number {
  const started = performance.now()
  for (let i = 0, at = 0; i < times; i++) {
    match(heads[at]!)
    if (++at === heads.length) at = 0
  }
  return (performance.now() - started) / times * 1e6
}

const sorted = (numbers: readonly number[]): number[] => numbers.toSorted((a, b) => a - b)
const median = (numbers: readonly number[]): number => sorted(numbers)[numbers.length >> 1]!
const print = (line: string): void => { process.stdout.write(`${line}\n`) }

print(`${'table'.padEnd(38)} ${'request'.padEnd(8)} ${'10 routes'.padStart(10)} ${'10 000'.padStart(10)}   ratio min/median/max   ${'one by one'.padStart(12)}  compile`)
for (const [title, kind] of Object.entries(kinds)) {
  const small = compileRouter(entriesOf(kind, few))
  const entries = entriesOf(kind, many)
  const compiling = [0, 1, 2].map(() => {
    const started = performance.now()
    compileRouter(entries)
    return performance.now() - started
  })
  const large = compileRouter(entries)
  const ordered = inMatchingOrder(entries).map(({ matches, value }) => ({ value, matchers: compileMatches(matches) }))
  const linear = (head: RequestHead): number | undefined => {
    const subject = subjectOf(head)
    return ordered.find(({ matchers }) => matchers.every((matcher) => matcher.holds(subject)))?.value
  }
  for (const [label, ofFew, ofMany] of [['first', 0, 0], ['last', few - 5, many - 5], ['none', -60, -60]] as const) {
    const headsFrom = (from: number): RequestHead[] => Array.from({ length: label === 'none' ? 60 : 5 }, (_, i) => headOf(kind.request(from + i)))
    const [inFew, inMany] = [headsFrom(ofFew), headsFrom(ofMany)]
    if (inMany.some((head) => large.match(head) !== linear(head))) throw new Error(`${title}, ${label}: the index is wrong`)
    const times = 20_000
    for (let i = 0; i < 3; i++) {
      nanoseconds(small.match, inFew, times)
      nanoseconds(large.match, inMany, times)
    }
    const pairs = Array.from({ length: rounds }, (_, round) => {
      // Whoever comes second finds a warmer machine: they take turns at that too.
      if (round % 2 === 0) {
        const a = nanoseconds(small.match, inFew, times)
        return [a, nanoseconds(large.match, inMany, times)] as const
      }
      const b = nanoseconds(large.match, inMany, times)
      return [nanoseconds(small.match, inFew, times), b] as const
    })
    const ratios = sorted(pairs.map(([a, b]) => b / a))
    print(`${title.padEnd(38)} ${label.padEnd(8)} ${median(pairs.map(([a]) => a)).toFixed(0).padStart(7)} ns ${median(pairs.map(([, b]) => b)).toFixed(0).padStart(7)} ns   ` +
      `${ratios[0]!.toFixed(2)} / ${median(ratios).toFixed(2)} / ${ratios.at(-1)!.toFixed(2)}     ${nanoseconds(linear, inMany, 20).toFixed(0).padStart(12)} ns  ${median(compiling).toFixed(0)} ms`)
  }
}

print('\nrequests made to be expensive, among 10 000 routes')
const hostile: Readonly<Record<string, Given>> = {
  'path of 1000 segments': { target: '/s10000'.repeat(1_000) },
  'path of 4000 empty segments': { target: '/' },
  'host of 8 KiB with 4000 dots': { authority: 'a.'.repeat(4_000) + 'test' },
  '100 header fields of one name': { headers: Array.from({ length: 200 }, (_, i) => i % 2 === 0 ? 'X-Tenant' : `s${10_000 + i}`) },
}
for (const [label, given] of Object.entries(hostile)) {
  const head = { ...headOf(given), ...label.includes('empty') ? { path: '/'.repeat(4_000) } : {} }
  const costs = Object.entries(kinds).map(([title, kind]) => {
    const { match } = compileRouter(entriesOf(kind, many))
    nanoseconds(match, [head], 2_000)
    return { title, us: Math.min(...[0, 1, 2].map(() => nanoseconds(match, [head], 2_000))) / 1e3 }
  }).sort((a, b) => b.us - a.us)
  print(`${label.padEnd(32)} ${costs[0]!.us.toFixed(1)} µs at most (${costs[0]!.title}), then ${costs[1]!.us.toFixed(1)} µs (${costs[1]!.title})`)
}
