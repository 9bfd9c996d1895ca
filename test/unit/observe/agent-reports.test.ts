import assert from 'node:assert/strict'
import { test } from 'node:test'
import { emptyAgentReport, emptyMetric, emptySeries, type AgentReport, type Metric, type Series } from '../../../proto/codec/index.ts'
import { AgentReports } from '../../../proxy/observe/agent-reports.ts'
import { expose } from '../../../proxy/observe/exposition.ts'

interface Scene {
  readonly reports: AgentReports
  readonly refusals: string[]
  readonly page: () => string
  wait (ms: number): void
}

function scene (): Scene {
  const refusals: string[] = []
  let nowMs = 1_000
  const reports = new AgentReports({ refused: (agent, metric, why) => refusals.push(`${agent} ${metric}: ${why}`), now: () => nowMs })
  return { reports, refusals, page: () => expose(reports.families()), wait: (ms) => { nowMs += ms } }
}

const series = (value: number, ...labelValues: string[]): Series => ({ ...emptySeries, value, labelValues })

function counter (value: number, name = 'hits_total'): Metric {
  return { ...emptyMetric, name, help: 'Hits.', kind: 'counter', series: [series(value)] }
}

function report (instance: string, metrics: readonly Metric[], more: Partial<AgentReport> = {}): AgentReport {
  return { ...emptyAgentReport, instance, health: 'serving', metrics, ...more }
}

test('the same report over several connections counts once, and an older one that comes later takes nothing back', () => {
  const { reports, page } = scene()
  for (const value of [3, 5, 5, 4]) reports.take('a', report('one', [counter(value)], { answered: value }))
  assert.match(page(), /^sentinel_agent_custom_hits_total\{agent="a"\} 5$/m)
  assert.equal(reports.vitals('a')?.answered, 5)
})

test('what is counted goes on over processes that come and go, however many; gauges are those of the present', () => {
  const { reports, page, wait } = scene()
  const gauge = (value: number): Metric => ({ ...emptyMetric, name: 'depth', help: 'Depth.', kind: 'gauge', series: [series(value)] })
  for (let i = 0; i < 200; i++) {
    reports.take('a', report(`process-${i}`, [counter(2), gauge(7)], { answered: 2, failed: 1, timed: 1, timedSeconds: 0.5, openExchanges: 1 }))
    wait(11_000)
  }
  assert.match(page(), /hits_total\{agent="a"\} 400$/m)
  assert.doesNotMatch(page(), /depth/)
  reports.take('a', report('last', [gauge(3)], { openExchanges: 4 }))
  assert.match(page(), /depth\{agent="a"\} 3$/m)
  const vitals = reports.vitals('a')
  assert.deepEqual([vitals?.answered, vitals?.failed, vitals?.openExchanges, vitals?.processes, vitals?.meanMs], [400, 200, 4, 1, 500])
})

test('histograms of two processes and two agents add up by agent', () => {
  const { reports, page } = scene()
  const histogram = (below: number, above: number): Metric => ({
    ...emptyMetric, name: 'size_bytes', help: 'Sizes.', kind: 'histogram', labelNames: ['kind'],
    series: [{ labelValues: ['x'], value: 0, buckets: [{ upperBound: 10, count: below }], count: below + above, sum: below + above * 20 }],
  })
  reports.take('a', report('one', [histogram(1, 1)]))
  reports.take('a', report('two', [histogram(2, 0)]))
  reports.take('b', report('three', [histogram(5, 0)]))
  assert.match(page(), /size_bytes_bucket\{agent="a",kind="x",le="10"\} 3\n.*le="\+Inf"\} 4\n.*_sum\{agent="a",kind="x"\} 23\n.*_count\{agent="a",kind="x"\} 4\n/)
  assert.match(page(), /size_bytes_count\{agent="b",kind="x"\} 5\n/)
  assert.equal(page().match(/# TYPE/g)?.length, 1)
})

test('what a page of metrics cannot show is refused, with a sentence, once', () => {
  const { reports, refusals, page } = scene()
  const bad: readonly Metric[] = [
    counter(1, 'Hits_total'), counter(1, 'hits'), counter(-1), counter(Number.NaN, 'nan_total'), { ...counter(1), help: ' ' },
    { ...counter(1), kind: 'unspecified' }, { ...counter(1), kind: 'unrecognized' }, { ...counter(1), kind: 'gauge' },
    { ...counter(1), labelNames: ['agent'], series: [series(1, 'x')] }, { ...counter(1), labelNames: ['a', 'a'], series: [series(1, 'x', 'y')] },
    { ...counter(1), labelNames: ['a', 'b', 'c', 'd'], series: [] }, { ...counter(1), labelNames: ['a'] },
    { ...emptyMetric, name: 'h', help: 'H.', kind: 'histogram', series: [{ ...emptySeries, buckets: [{ upperBound: 2, count: 0 }, { upperBound: 1, count: 0 }] }] },
    { ...emptyMetric, name: 'h_count', help: 'H.', kind: 'histogram', series: [emptySeries] },
    { ...emptyMetric, name: 'i', help: 'I.', kind: 'histogram', series: [{ ...emptySeries, buckets: [{ upperBound: 2, count: 5 }], count: 1 }] },
  ]
  for (const metric of bad) reports.take('a', report('one', [metric]))
  assert.equal(page(), '')
  assert.equal(new Set(refusals.map((line) => line.split(':')[0])).size, refusals.length, 'each name is told once')
  assert.ok(refusals.length >= 6)
})

test('a name means one thing for all agents, until nobody uses it any more', () => {
  const { reports, refusals, page } = scene()
  reports.take('a', report('one', [counter(1)]))
  reports.take('b', report('two', [{ ...counter(1), labelNames: ['x'], series: [series(1, 'y')] }]))
  assert.match(refusals[0] ?? '', /b hits_total: it is known as a counter with no labels/)
  assert.doesNotMatch(page(), /agent="b"/)
  reports.forget(new Set(['b']))
  reports.take('b', report('two', [{ ...counter(1), labelNames: ['x'], series: [series(1, 'y')] }]))
  assert.match(page(), /hits_total\{agent="b",x="y"\} 1$/m)
})

test('series and names of one agent are bounded, and label values cut', () => {
  const { reports, page } = scene()
  const many = Array.from({ length: 5_000 }, (_, i) => series(1, `${i}${'x'.repeat(500)}`))
  reports.take('a', report('one', [{ ...counter(1), labelNames: ['n'], series: many }]))
  const lines = page().split('\n').filter((line) => line.startsWith('sentinel_agent'))
  assert.equal(lines.length, 1_000)
  assert.ok(lines.every((line) => line.length < 200))
  const names = Array.from({ length: 500 }, (_, i) => counter(1, `n${i}_total`))
  reports.take('b', report('two', names))
  assert.equal(page().match(/agent="b"/g)?.length, 100)
})

test('degraded is told before serving, and draining only when nobody else is there', () => {
  const { reports } = scene()
  reports.take('a', report('one', [], { health: 'draining' }))
  assert.equal(reports.vitals('a')?.health, 'draining')
  reports.take('a', report('two', []))
  assert.equal(reports.vitals('a')?.health, 'serving')
  reports.take('a', report('three', [], { health: 'degraded', detail: 'no store' }))
  assert.deepEqual([reports.vitals('a')?.health, reports.vitals('a')?.detail], ['degraded', 'no store'])
})
