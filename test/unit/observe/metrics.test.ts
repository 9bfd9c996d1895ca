import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import type { TestContext } from 'node:test'
import { metricsPage } from '../../../proxy/observe/generate.ts'
import { createMetrics } from '../../../proxy/observe/metrics.ts'
import type { Metrics } from '../../../proxy/observe/metrics.ts'
import { metricTable } from '../../../proxy/observe/metrics-table.ts'
import { expose } from '../../../proxy/observe/exposition.ts'
import { counterOrGauge, histogram } from '../../../proxy/observe/registry.ts'
import { Fault } from '../../../proxy/pipeline/faults.ts'
import { HeaderList } from '../../../proxy/pipeline/headers.ts'
import { decided, decisionOf } from '../../support/decision.ts'
import { exchangeOf } from '../../support/exchange.ts'
import { fromRoot } from '../../support/paths.ts'

function start (t: TestContext): { metrics: Metrics, value: (series: string) => number | undefined } {
  const metrics = createMetrics({ version: '1.2.3' })
  t.after(() => metrics.close())
  return {
    metrics,
    value (series) {
      const line = metrics.render().split('\n').find((text) => text.startsWith(`${series} `))
      return line === undefined ? undefined : Number(line.slice(series.length + 1))
    },
  }
}

test('an exchange is counted once, by route, method and status, with its time and sizes', (t) => {
  const { metrics, value } = start(t)
  const x = exchangeOf({ method: 'POST' })
  x.reply = { status: 201, headers: new HeaderList(), body: undefined }
  Object.assign(x, { durationMs: 3, requestBytes: 300, responseBytes: 0, upstream: 'shop', tries: 3, upstreamMs: 2 })
  metrics.observeExchange(x)
  assert.equal(value('sentinel_requests_total{route="(none)",method="POST",status="201"}'), 1)
  assert.equal(value('sentinel_request_duration_seconds_bucket{route="(none)",le="0.0025"}'), 0)
  assert.equal(value('sentinel_request_duration_seconds_bucket{route="(none)",le="0.005"}'), 1)
  assert.equal(value('sentinel_request_duration_seconds_sum{route="(none)"}'), 0.003)
  assert.equal(value('sentinel_request_body_size_bytes_bucket{route="(none)",le="1024"}'), 1)
  assert.equal(value('sentinel_upstream_attempts_total{upstream="shop",route="(none)"}'), 3)
  assert.equal(value('sentinel_upstream_failures_total{upstream="shop",route="(none)",reason="retried"}'), 2)
  assert.equal(value('sentinel_upstream_duration_seconds_count{upstream="shop"}'), 1)
})

test('further tries are counted by their reason, hedges by who won, and what was not tried again by what spoke against it', (t) => {
  const { metrics, value } = start(t)
  const x = exchangeOf()
  const attempt = { target: 'a:1', hedge: false, status: 0, fault: undefined, ms: 1, reason: undefined }
  x.attempts = [{ ...attempt, status: 503, reason: '503' }, { ...attempt, hedge: true, status: 503 }, attempt, { ...attempt, hedge: true, status: 200 }]
  Object.assign(x, { upstream: 'shop', tries: 4, notRetried: 'budget' })
  metrics.observeExchange(x)
  assert.equal(value('sentinel_upstream_attempts_total{upstream="shop",route="(none)"}'), 4)
  assert.equal(value('sentinel_upstream_retries_total{upstream="shop",route="(none)",reason="503"}'), 1)
  assert.equal(value('sentinel_upstream_failures_total{upstream="shop",route="(none)",reason="retried"}'), 1)
  assert.equal(value('sentinel_upstream_hedges_total{upstream="shop",route="(none)",result="won"}'), 1)
  assert.equal(value('sentinel_upstream_hedges_total{upstream="shop",route="(none)",result="lost"}'), 1)
  assert.equal(value('sentinel_upstream_retries_denied_total{upstream="shop",route="(none)",reason="budget"}'), 1)
})

test('decisions, agent failures and faults are counted', (t) => {
  const { metrics, value } = start(t)
  const x = decided('/', decisionOf(), decisionOf({ agent: 'pii', verdict: 'failed', applied: false, status: 0, fault: new Fault('AGENT_TIMEOUT'), failureMode: 'open' }))
  x.fault = new Fault('CLIENT_GONE')
  metrics.observeExchange(x)
  assert.equal(value('sentinel_agent_calls_total{agent="waf",phase="request-headers",verdict="block",mode="enforce"}'), 1)
  assert.equal(value('sentinel_agent_failures_total{agent="pii",code="AGENT_TIMEOUT",failure_mode="open"}'), 1)
  assert.equal(value('sentinel_blocked_requests_total{agent="waf",verdict="block",route="(none)"}'), 1)
  assert.equal(value('sentinel_faults_total{code="CLIENT_GONE",blame="client"}'), 1)
  assert.equal(value('sentinel_requests_total{route="(none)",method="GET",status="0"}'), 1)
})

test('methods and verdicts that others make up do not become series', (t) => {
  const { metrics, value } = start(t)
  for (let i = 0; i < 100; i++) metrics.observeExchange(decided('/', decisionOf({ verdict: `v${i}` })))
  for (let i = 0; i < 100; i++) metrics.observeExchange(exchangeOf({ method: `M${i}` }))
  assert.equal(value('sentinel_requests_total{route="(none)",method="(other)",status="0"}'), 100)
  assert.equal(value('sentinel_agent_calls_total{agent="waf",phase="request-headers",verdict="(other)",mode="enforce"}'), 100)
})

test('a metric with too many series counts the rest together and says so', () => {
  const family = counterOrGauge({ name: 'm', kind: 'counter', help: 'h', labels: ['a', 'b'], maxSeries: 10 })
  for (let i = 0; i < 50; i++) family.cell(String(i), 'x').add()
  family.cell('3', 'x').add()
  assert.equal(family.series().length, 11)
  assert.equal(family.cell('(other)', '(other)').value, 40)
  assert.equal(family.cell('3', 'x').value, 2)
  assert.ok(family.overflowed >= 40)
})

test('the text follows the exposition format: escapes, cumulative buckets, +Inf equal to count', () => {
  const odd = counterOrGauge({ name: 'odd', kind: 'gauge', help: 'a\\b\nc', labels: ['l'] })
  odd.cell('q"uo\\te\nline').set(Infinity)
  const sizes = histogram({ name: 'sizes', kind: 'histogram', help: 'h', labels: [], buckets: [1, 10] })
  for (const size of [0, 1, 5, 100]) sizes.cell().observe(size)
  assert.equal(expose([odd, sizes]), [
    '# HELP odd a\\\\b\\nc', '# TYPE odd gauge', 'odd{l="q\\"uo\\\\te\\nline"} +Inf',
    '# HELP sizes h', '# TYPE sizes histogram', 'sizes_bucket{le="1"} 2', 'sizes_bucket{le="10"} 3', 'sizes_bucket{le="+Inf"} 4', 'sizes_sum 106', 'sizes_count 4', '',
  ].join('\n'))
})

test('an agent is in one state at a time', (t) => {
  const { metrics, value } = start(t)
  metrics.agentState('waf', 'starting')
  metrics.agentState('waf', 'serving')
  assert.equal(value('sentinel_agent_state{agent="waf",state="starting"}'), 0)
  assert.equal(value('sentinel_agent_state{agent="waf",state="serving"}'), 1)
  metrics.agentGone('waf')
  assert.equal(value('sentinel_agent_state{agent="waf",state="serving"}'), 0)
})

test('numbers that live elsewhere are asked for at each scrape, until told to stop', (t) => {
  const { metrics, value } = start(t)
  const stop = metrics.onScrape((table) => table.activeRequests.cell().set(7))
  assert.equal(value('sentinel_active_requests'), 7)
  stop()
  metrics.table.activeRequests.cell().set(1)
  assert.equal(value('sentinel_active_requests'), 1)
  assert.equal(value(`sentinel_build_info{version="1.2.3",node="${process.version}"}`), 1)
  assert.ok((value('process_resident_memory_bytes') ?? 0) > 1e6)
})

test('names and labels are valid and unique, counters end in _total, and no label is reserved', () => {
  const declarations = Object.values(metricTable()).map(({ declaration }) => declaration)
  assert.equal(new Set(declarations.map(({ name }) => name)).size, declarations.length)
  for (const { name, kind, labels, buckets } of declarations) {
    assert.match(name, /^[a-z][a-z0-9_]*$/)
    assert.equal(name.endsWith('_total'), kind === 'counter', name)
    assert.ok(labels.every((label) => /^[a-z_]+$/.test(label) && label !== 'le'), name)
    assert.deepEqual(buckets, buckets?.toSorted((a, b) => a - b))
  }
})

test('METRICS.md is what the table says', () => {
  assert.equal(readFileSync(fromRoot('proxy/observe/METRICS.md'), 'utf8'), metricsPage())
})
