import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compile } from '../../../config/schema/index.ts'
import type { Matches } from '../../../proxy/routing/match.ts'
import { compileRouter } from '../../../proxy/routing/router.ts'
import { headOf } from '../../support/exchange.ts'

const nothing: Matches = { path: [], pathPrefix: [], pathRegex: [], host: [], hostRegex: [], method: [], header: [], queryParam: [] }
const tables: Readonly<Record<string, (i: number) => Partial<Matches>>> = {
  'exact hosts': (i) => ({ host: [`h${i}.a.test`] }),
  'wildcards of many lengths': (i) => ({ host: [`*.${'a.'.repeat(i % 100)}h${i}.test`, '*.a.a'] }),
  'deep prefixes': (i) => ({ pathPrefix: [`${'/a'.repeat(i % 500)}/x${i}`] }),
  'empty segments': (i) => ({ path: [`${'/'.repeat(1 + i % 1_000)}x${i}`] }),
  'expressions': (i) => ({ pathRegex: [compile(`a/x${i}$`)] }),
  'header values': (i) => ({ header: [{ name: 'X-A', value: `v${i}` }, { name: 'X-B' }] }),
  'header names': (i) => ({ header: [{ name: `X-${i}` }] }),
  'parameters': (i) => ({ queryParam: [{ name: 'a', value: `v${i}` }] }),
}
const requests = {
  'a path of 4000 segments': { path: '/a'.repeat(4_000) },
  'a path of 8000 slashes': { path: '/'.repeat(8_000) },
  'one segment of 8 KiB': { path: `/${'a'.repeat(8_000)}` },
  'a host of 8 KiB': { authority: 'a.'.repeat(4_000) + 'a' },
  '100 fields of one name': headOf({ headers: Array.from({ length: 200 }, (_, i) => i % 2 === 0 ? 'x-a' : `v${i % 20}`) }),
}

for (const [title, matches] of Object.entries(tables)) {
  test(`no request is expensive among 10 000 routes: ${title}`, () => {
    const { match } = compileRouter(Array.from({ length: 10_000 }, (_, value) => ({ value, priority: 50, matches: { ...nothing, ...matches(value) } })))
    for (const [label, given] of Object.entries(requests)) {
      const head = { ...headOf(), ...given }
      let best = Infinity
      for (let round = 0; round < 20; round++) {
        const started = performance.now()
        for (let i = 0; i < 10; i++) match(head)
        best = Math.min(best, (performance.now() - started) / 10)
      }
      // Asking one by one takes several milliseconds; the index takes some ten microseconds, with ample room for a busy machine here.
      assert.ok(best < 0.3, `${label}: ${(best * 1000).toFixed(0)} µs`)
    }
  })
}
