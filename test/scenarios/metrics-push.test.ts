// `observability { metrics { otlp } }`: the figures of the metrics page, brought to a collector.
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { atATime } from '../support/at-a-time.ts'
import { attributesOf, startCollector, startGrpcCollector, type Collector, type ReceivedMetric } from '../support/collector.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { startSentinel, type RunningSentinel } from '../support/sentinel.ts'

const test = atATime(2)

async function site (t: TestContext, { port }: Collector, more: string, workers = 1): Promise<{ readonly sentinel: RunningSentinel, readonly kdl: string }> {
  const upstream = await startRecordingUpstream(t)
  const kdl = `system { worker-threads ${workers} }
listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "all" { matches { path-prefix "/" }; upstream "app" } }
upstreams { upstream "app" { target "127.0.0.1:${upstream.port}" } }
observability { metrics { address "127.0.0.1:0"; otlp { endpoint "http://127.0.0.1:${port}"; interval "1s"; ${more} } } }`
  return { kdl, sentinel: await startSentinel(t, kdl) }
}

const sumOf = (metric: ReceivedMetric | undefined): number => (metric?.sum?.dataPoints ?? []).reduce((sum, { asDouble = 0 }) => sum + asDouble, 0)

async function told (collector: Collector, requests: number): Promise<void> {
  for (let count = collector.bodies.length; sumOf(collector.metrics().get('sentinel_requests')) < requests; count++) await collector.delivered(count + 1)
}

for (const [form, workers] of [['http', 2], ['http/json', 1], ['grpc', 1]] as const) {
  test(`all figures come, as counts, gauges and distributions, over ${form} from ${workers === 1 ? 'one process' : 'several'}`, async (t) => {
    const collector = form === 'grpc' ? await startGrpcCollector(t) : await startCollector(t)
    const { sentinel } = await site(t, collector, `protocol "${form}"; service-name "edge"; headers { x-team "a" }`, workers)
    for (let i = 0; i < 6; i++) await sentinel.request('/', { body: 'x'.repeat(2_000) })
    await told(collector, 6)
    const metrics = collector.metrics()
    const requests = metrics.get('sentinel_requests')!.sum!
    assert.deepEqual([requests.aggregationTemporality, requests.isMonotonic], [2, true])
    assert.deepEqual(attributesOf(requests.dataPoints[0]!.attributes!), { route: 'all', method: 'POST', status: '200' })
    const duration = metrics.get('sentinel_request_duration_seconds')!
    const [point] = duration.histogram!.dataPoints
    assert.deepEqual([duration.unit, point!.count, point!.bucketCounts!.length, point!.explicitBounds!.length], ['s', '6', 16, 15])
    assert.equal(point!.bucketCounts!.reduce((sum, one) => sum + Number(one), 0), 6)
    assert.ok(BigInt(point!.startTimeUnixNano!) < BigInt(point!.timeUnixNano))
    const sizes = metrics.get('sentinel_request_body_size_bytes')!
    assert.deepEqual([sizes.unit, sizes.histogram!.dataPoints[0]!.sum], ['By', 12_000])
    assert.equal(metrics.get('sentinel_up')!.gauge!.dataPoints[0]!.asDouble, 1)
    assert.equal(collector.resource()['service.name'], 'edge')
    assert.equal(collector.headers.at(-1)!['x-team'], 'a')
  })
}

for (const workers of [1, 2]) {
  test(`the last figures come when the proxy stops (${workers} processes that serve)`, async (t) => {
    const collector = await startCollector(t)
    const { sentinel } = await site(t, collector, '', workers)
    for (let i = 0; i < 5; i++) await sentinel.request('/')
    await sentinel.stop()
    assert.equal(sumOf(collector.metrics().get('sentinel_requests')), 5)
  })
}

test('a collector that is away is said once, and nothing is lost for it; one that hangs holds no stop', async (t) => {
  const collector = await startCollector(t)
  collector.answer = { status: 503 }
  const { sentinel } = await site(t, collector, 'timeout "60s"')
  await sentinel.request('/')
  await collector.delivered(3)
  await sentinel.logged(({ event }) => event === 'metrics-failing')
  assert.equal(sentinel.log.filter(({ event }) => event === 'metrics-failing').length, 1)
  collector.answer = {}
  await told(collector, 1)
  await sentinel.logged(({ event }) => event === 'metrics-recovered')
  collector.answer = { status: 0 }
  await collector.delivered(collector.bodies.length + 1)
  const startMs = performance.now()
  assert.equal(await sentinel.stop(), 0)
  assert.ok(performance.now() - startMs < 30_000)
})
