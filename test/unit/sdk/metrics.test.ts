import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MetricsRegistry } from '../../../sdk/metrics.ts'
import { Vitals } from '../../../sdk/vitals.ts'

const told = (registry: MetricsRegistry, mark = 0) => registry.since(mark).map(({ name, series }) => [name, ...series.map(({ labelValues, value, count, sum, buckets }) =>
  [...labelValues, buckets.length > 0 ? [count, sum, ...buckets.map((bucket) => bucket.count)].join(' ') : value])])

test('figures are told as they are, those that have changed since', () => {
  const registry = new MetricsRegistry()
  const hits = registry.counter('hits_total', 'Hits.', ['kind'])
  hits.add(1, { kind: 'a' })
  hits.add(2, { kind: 'b' })
  registry.gauge('depth', 'Depth.').set(4)
  registry.histogram('size', 'Size.', { buckets: [1, 10] }).observe(5)
  assert.deepEqual(told(registry), [['hits_total', ['a', 1], ['b', 2]], ['depth', [4]], ['size', ['1 5 0 1']]])
  const { mark } = registry
  assert.deepEqual(told(registry, mark), [])
  registry.counter('hits_total', 'Hits.', ['kind']).add(1, { kind: 'b' })
  assert.deepEqual(told(registry, mark), [['hits_total', ['b', 3]]])
})

test('what no page of metrics could show is refused at once', () => {
  const registry = new MetricsRegistry()
  registry.counter('hits_total', 'Hits.')
  const wrong: Array<() => unknown> = [
    () => registry.counter('hits', 'Hits.'), () => registry.gauge('x_total', 'X.'), () => registry.histogram('x_count', 'X.'), () => registry.counter('Hits_total', 'Hits.'),
    () => registry.counter('a_total', ' '), () => registry.counter('a_total', 'A.', ['a', 'b', 'c', 'd']), () => registry.counter('a_total', 'A.', ['agent']),
    () => registry.counter('hits_total', 'Hits.', ['kind']), () => registry.counter('hits_total', 'Hits.').add(-1), () => registry.histogram('h', 'H.', { buckets: [2, 1] }),
    () => registry.histogram('h', 'H.', { labels: ['le'] }),
  ]
  for (const attempt of wrong) assert.throws(attempt, TypeError)
})

test('series are bounded: what is too much is counted together', () => {
  const registry = new MetricsRegistry()
  for (let i = 0; i < 2_000; i++) registry.counter('n_total', 'N.', ['n']).add(1, { n: String(i) })
  const [, ...series] = told(registry)[0]!
  assert.equal(series.length, 901)
  assert.deepEqual(series.at(-1), ['(other)', 1_100])
})

test('threads add up, and one that ends takes nothing back but what it was at the moment', () => {
  const whole = new MetricsRegistry()
  const threads = [new MetricsRegistry(), new MetricsRegistry()]
  const count = (registry: MetricsRegistry): void => {
    registry.counter('hits_total', 'Hits.', ['kind']).add(1, { kind: 'a' })
    registry.gauge('busy', 'Busy.').add(1)
    registry.histogram('size', 'Size.', { buckets: [10] }).observe(3)
  }
  for (const thread of threads) count(thread)
  count(threads[0]!)
  for (const thread of threads) whole.absorb(thread, thread.since(0))
  whole.absorb(threads[0]!, threads[0]!.since(0))
  assert.deepEqual(told(whole), [['hits_total', ['a', 3]], ['busy', [3]], ['size', ['3 9 3']]])
  whole.forget(threads[0]!)
  assert.deepEqual(told(whole), [['hits_total', ['a', 3]], ['busy', [1]], ['size', ['3 9 3']]])
})

test('a thread that is degraded makes the agent degraded, until it is well or gone', () => {
  const vitals = new Vitals()
  let heard = 0
  vitals.onChange(() => { heard++ })
  const thread = {}
  vitals.absorb(thread, { why: 'no store', metrics: [] })
  vitals.absorb(thread, { why: 'no store', metrics: [] })
  assert.deepEqual([vitals.report(0, '', 0).health, vitals.report(0, '', 0).detail, heard], ['degraded', 'no store', 1])
  vitals.forget(thread)
  assert.deepEqual([vitals.report(0, '', 0).health, heard], ['serving', 2])
  vitals.draining()
  vitals.absorb(thread, { why: 'no store', metrics: [] })
  assert.equal(vitals.report(0, '', 0).health, 'draining')
})
