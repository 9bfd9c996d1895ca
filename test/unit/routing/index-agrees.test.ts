import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compile, type Pattern } from '../../../config/schema/index.ts'
import { compileMatches, subjectOf, type Matches, type NamedMatch } from '../../../proxy/routing/match.ts'
import { compileRouter, inMatchingOrder, type RouterEntry } from '../../../proxy/routing/router.ts'
import { headOf } from '../../support/exchange.ts'

/** Numbers that are the same in every run (mulberry32). */
function randomFrom (seed: number) {
  let state = seed
  const next = (below: number): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
  const one = <T>(list: readonly T[]): T => list[next(list.length)]!
  return { next, one, some: <T>(list: readonly T[], most: number): T[] => Array.from({ length: next(most + 1) }, () => one(list)) }
}

const paths = ['/', '/a', '/a/', '/a/b', '/a/b/c', '/b', '/b/a', '/ab', '/a//b', '/a/b/', '/%41', '/long-segment-of-a-path/x', '/c1', '/c2', '/v1/x', '/v22/x']
const requested = [...paths, '*', '/abc', '/a/b/c/d', '/long-segment-of-a-path/xy', '/long-segment-of-a-pathx', '/v3/x/y', '//', '/b/a/c2.css', '/.', '/a/bc']
const hosts = ['a.test', 'b.test', '*.a.test', '*.x.a.test', '*.test', '*', 'A.Test', '[::1]', 'c.test.']
const authorities = ['a.test', 'b.test:80', 'x.a.test', 'y.x.a.test:8080', 'test', '', '[::1]:80', '.test', 'c.test', 'deep.y.x.a.test']
const pathPatterns = ['^/a', '^/a/b', '^/a/b/', '^/v\\d+/x', '\\.css$', 'b', '^/(?:a|b)/', '^/a/?$', '^/a/b*', '^/a/b/+c', '^/long-segment-of-a-path/x+', '(?i)^/AB', '^/b|c', '^/c\\d',
  '^/b/a{1,2}', '^/b\\/a/c', '^/a/*b', '^/a/b/*c'].map(compile)
const hostPatterns = ['^a\\.', 'test$', '^x', '\\d', '^(?:a|b)\\.test$', 'y\\.x', '^$', '^\\[', 'b', 'c'].map(compile)
const methods = ['GET', 'POST', 'PUT', 'delete']
const names = ['X-A', 'x-b', 'X-Plan', 'x-c']
const values = ['1', '2', 'gold', '', undefined]
const query = ['', 'x-a=1', 'x-b=2&x-b=gold', 'X-A=1&x-c', 'X-Plan=gold&X-Plan=1&X-Plan=gold', 'x=%31']

type Random = ReturnType<typeof randomFrom>

/** A table with a leaning, so that now and then many routes share a host, a path or only a header. */
function table (random: Random): Array<RouterEntry<number>> {
  const size = random.one([1, 5, 12, 40, 120])
  const most = Array.from({ length: 8 }, () => random.one([0, 0, 1, 2]))
  const conditions = (count: number): NamedMatch[] => random.some(names, count)
    .map((name) => ({ name, value: random.one(values), ...random.next(6) === 0 ? { invert: true } : {} }))
  return Array.from({ length: size }, (_, value) => {
    const matches: Matches = {
      path: random.some(paths, most[0]!),
      pathPrefix: random.some(paths, most[1]!),
      pathRegex: random.some<Pattern>(pathPatterns, most[2]!),
      host: random.some(hosts, most[3]!),
      hostRegex: random.some<Pattern>(hostPatterns, most[4]!),
      method: random.some(methods, most[5]!),
      header: conditions(most[6]!),
      queryParam: conditions(most[7]!),
    }
    return { value, matches, priority: random.one([50, 50, 50, 10, 100]) }
  })
}

function head (random: Random) {
  const headers = random.some(names, 4).flatMap((name) => [random.one([name, name.toUpperCase(), name.toLowerCase()]), random.one(['1', '2', 'gold', ''])])
  return { ...headOf({ method: random.one(['GET', 'POST', 'PUT', 'DELETE', 'get']), target: `/?${random.one(query)}`, authority: random.one(authorities), headers }), path: random.one(requested) }
}

test('the index finds what asking every route in order finds, in 60 000 random cases, and explain says the same', () => {
  let found = 0
  for (let seed = 1; seed <= 1_500; seed++) {
    const random = randomFrom(seed)
    const entries = table(random)
    const router = compileRouter(entries)
    const linear = inMatchingOrder(entries).map(({ matches, value }) => ({ value, matchers: compileMatches(matches) }))
    for (let i = 0; i < 40; i++) {
      const request = head(random)
      const subject = subjectOf(request)
      const wanted = linear.find(({ matchers }) => matchers.every((matcher) => matcher.holds(subject)))?.value
      const label = `table ${seed}, request ${i}: ${request.method} ${request.authority} ${request.path}`
      assert.equal(router.match(request), wanted, label)
      const explained = router.explain(request)
      assert.equal(explained.find(({ failed }) => failed === undefined)?.value, wanted, label)
      assert.equal(explained.length, wanted === undefined ? entries.length : linear.findIndex(({ value }) => value === wanted) + 1, label)
      if (wanted !== undefined) found++
    }
  }
  // Both answers must be common, or the test would prove little.
  assert.ok(found > 15_000 && found < 45_000, `${found} of 60 000 requests had a route`)
})
