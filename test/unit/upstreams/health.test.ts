// The judge of all upstreams: what it is told, what it orders, and what it remembers over changes of the configuration.
import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import type { Evidence, HealthPlan, TargetOrder } from '../../../proxy/upstreams/index.ts'
import { Health } from '../../../proxy/upstreams/index.ts'

const to = (port: number) => ({ host: '127.0.0.1', port, weight: 1 })
const plan = (more: Partial<HealthPlan> = {}): HealthPlan => ({
  upstream: 'app', targets: [to(1), to(2)], check: undefined, outliers: undefined,
  breaker: { failureThreshold: 3, successThreshold: 1, timeoutMs: 60_000, halfOpenMaxRequests: 4 }, ...more,
})
const said = (port: number, ok: number, failed: number, probe = false): Evidence => ({ upstream: 'app', target: `127.0.0.1:${port}`, ok, failed, gateway: 0, answerMs: 0, answers: ok, probe })

function judge (t: TestContext): { health: Health, orders: TargetOrder[], events: string[], reasons: (port: number) => string } {
  const orders: TargetOrder[] = []
  const events: string[] = []
  const health = new Health({
    order: (order) => orders.push(order), gateOrder: () => {}, changed: ({ event, target }) => events.push(`${event} ${target.split(':')[1]}`),
    gateChanged: (gate, state) => events.push(`${gate} ${state}`), checked: () => {},
  })
  t.after(() => health.close())
  const reasons = (port: number): string => health.orders().targets.find(({ target }) => target.endsWith(`:${port}`))?.reasons.join() ?? 'unknown'
  return { health, orders, events, reasons }
}

describe('the judge', () => {
  test('adds up what several workers saw: no worker alone has to see all failures', (t) => {
    const { health, events, reasons } = judge(t)
    health.use([plan()], [])
    // One from each.
    for (let worker = 0; worker < 3; worker++) health.heard(said(1, 0, 1))
    assert.deepEqual(events, ['breaker-open 1'])
    assert.equal(reasons(1), 'open')
    assert.equal(reasons(2), '')
  })

  test('wants to hear of good tries as long as a row of failures may end, and says so once', (t) => {
    const { health, orders } = judge(t)
    health.use([plan()], [])
    orders.length = 0
    health.heard(said(1, 5, 1))
    health.heard(said(1, 0, 1))
    assert.deepEqual(orders.map(({ target, attentive }) => [target, attentive]), [['127.0.0.1:1', true]])
    health.heard(said(1, 1, 0))
    health.heard(said(1, 1, 0))
    assert.deepEqual(orders.map(({ attentive }) => attentive), [true, false])
  })

  test('remembers over a configuration that says the same, and forgets what is not judged any more', (t) => {
    const { health, events, reasons } = judge(t)
    health.use([plan()], [])
    health.heard(said(1, 0, 3))
    assert.equal(health.drain('app', '127.0.0.1:2', true), true)
    health.use([plan({ targets: [to(1), to(2), to(3)] })], [])
    assert.deepEqual([1, 2, 3].map(reasons), ['open', 'drained', ''])
    health.use([plan({ breaker: undefined })], [])
    assert.deepEqual([1, 2, 3].map(reasons), ['', 'drained', 'unknown'])
    assert.deepEqual(events, ['breaker-open 1', 'target-drained 2'])
    health.use([], [])
    health.heard(said(1, 0, 3))
    assert.equal(health.drain('app', '127.0.0.1:2', false), false)
  })

  test('keeps to targets that were found as long as the configuration lists the same, and a drain to a name that comes back', (t) => {
    const { health, reasons } = judge(t)
    health.use([plan()], [])
    health.retarget('app', [to(1), to(7)])
    health.heard(said(7, 0, 3))
    health.drain('app', '127.0.0.1:1', true)
    health.use([plan({ breaker: { failureThreshold: 9, successThreshold: 1, timeoutMs: 60_000, halfOpenMaxRequests: 1 } })], [])
    assert.deepEqual([1, 2, 7].map(reasons), ['drained', 'unknown', 'open'])
    health.retarget('app', [to(7)])
    health.retarget('app', [to(7), to(1)])
    assert.equal(reasons(1), 'drained')
    health.use([plan({ targets: [to(5)] })], [])
    assert.deepEqual([1, 5, 7].map(reasons), ['unknown', '', 'unknown'])
  })

  test('does not take what nobody knows for evidence', (t) => {
    const { health, events } = judge(t)
    health.use([plan()], [])
    for (let i = 0; i < 9; i++) {
      health.heard(said(9, 0, 1))
      health.heard({ ...said(1, 0, 1), upstream: 'other' })
      health.heardAt({ gate: 'route none', ok: 0, failed: 1, probe: false })
    }
    assert.deepEqual(events, [])
  })
})
