import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EndSignal } from '../../../proxy/pipeline/end-signal.ts'
import { Fault } from '../../../proxy/pipeline/faults.ts'
import { Admission, GradientLimit, type AdmissionSettings } from '../../../proxy/state/index.ts'

const settings = (given: Partial<AdmissionSettings> = {}): AdmissionSettings =>
  ({ maxInFlight: 2, maxQueued: 3, queueTimeoutMs: 1000, limit: undefined, refusal: () => undefined, ...given })

const later = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

function outcome (entered: Promise<void> | undefined): Promise<string> {
  return entered === undefined ? Promise.resolve('at once') : entered.then(() => 'entered', (error: unknown) => (error as Fault).code)
}

test('who finds a place has it at once, who finds none waits, and who finds the queue full is refused at once', async () => {
  const admission = new Admission(settings())
  const enter = (): Promise<void> | undefined => admission.enter(new EndSignal())
  assert.equal(enter(), undefined)
  assert.equal(enter(), undefined)
  const waiting = [enter(), enter(), enter()]
  assert.throws(enter, { code: 'OVERLOADED' })
  assert.deepEqual([admission.inFlight, admission.queued], [2, 3])
  for (let i = 0; i < 3; i++) admission.release(0)
  assert.deepEqual(await Promise.all(waiting.map(outcome)), ['entered', 'entered', 'entered'])
  for (let i = 0; i < 2; i++) admission.release(0)
  assert.deepEqual([admission.inFlight, admission.queued], [0, 0])
})

test('a burst is served in its order', async () => {
  const admission = new Admission(settings({ maxInFlight: 1 }))
  void admission.enter(new EndSignal())
  const order: number[] = []
  const waiting = [1, 2, 3].map((n) => admission.enter(new EndSignal())!.then(() => { order.push(n) }))
  for (let i = 0; i < 3; i++) admission.release(0)
  await Promise.all(waiting)
  assert.deepEqual(order, [1, 2, 3])
})

test('in a queue that stands the newest is served first, and who has waited for more than a moment is refused', async () => {
  const admission = new Admission(settings({ maxInFlight: 1, maxQueued: 100, queueTimeoutMs: 10_000 }))
  void admission.enter(new EndSignal())
  const old = Array.from({ length: 5 }, () => outcome(admission.enter(new EndSignal())))
  await later(160)
  assert.deepEqual(await Promise.all(old), old.map(() => 'OVERLOADED'))
  assert.equal(admission.queued, 0)
  const admissionAgain = outcome(admission.enter(new EndSignal()))
  admission.release(0)
  assert.equal(await admissionAgain, 'entered')
})

test('nobody waits for longer than is said', async () => {
  const admission = new Admission(settings({ maxInFlight: 1, queueTimeoutMs: 30 }))
  void admission.enter(new EndSignal())
  assert.equal(await outcome(admission.enter(new EndSignal())), 'OVERLOADED')
})

test('a client that leaves gives up its turn', async () => {
  const admission = new Admission(settings({ maxInFlight: 1 }))
  void admission.enter(new EndSignal())
  const [leaves, stays] = [new EndSignal(), new EndSignal()]
  const outcomes = [leaves, stays].map((ending) => outcome(admission.enter(ending)))
  leaves.end(new Fault('CLIENT_GONE'))
  assert.equal(admission.queued, 1)
  admission.release(0)
  assert.deepEqual(await Promise.all(outcomes), ['CLIENT_GONE', 'entered'])
})

test('a newer configuration counts at once, also for those that wait', async () => {
  const admission = new Admission(settings({ maxInFlight: 1 }))
  void admission.enter(new EndSignal())
  const waits = outcome(admission.enter(new EndSignal()))
  admission.configure(settings({ maxInFlight: 2 }))
  assert.equal(await waits, 'entered')
  admission.configure(settings({ refusal: () => 'no memory' }))
  assert.throws(() => admission.enter(new EndSignal()), /no memory/)
})

let nowMs = 0

/** An upstream that answers `capacity` requests at a time in `serviceMs` each; more share it. */
function simulate (limit: GradientLimit, capacity: number, serviceMs: number, offered: number, answers: number): void {
  for (let i = 0; i < answers; i++) {
    const inFlight = Math.min(limit.value, offered)
    limit.sample(serviceMs * Math.max(1, inFlight / capacity), inFlight, nowMs += serviceMs / capacity)
  }
}

test('the limit settles somewhat above what the upstream can do at a time, from below and from above', () => {
  for (const initial of [10, 2000]) {
    const limit = new GradientLimit({ min: 5, max: 5000, initial, tolerance: 1.5 })
    // What is usual is seen before it gets crowded.
    simulate(limit, 100, 20, 20, 2000)
    simulate(limit, 100, 20, 100_000, 3000)
    assert.ok(limit.value >= 80 && limit.value <= 400, `from ${initial}: ${limit.value}`)
  }
})

test('a limit that nobody pushes against stays as it is, and bounds are bounds', () => {
  const limit = new GradientLimit({ min: 10, max: 50, initial: 30, tolerance: 1.5 })
  simulate(limit, 100, 20, 5, 1000)
  assert.equal(limit.value, 30)
  simulate(limit, 1000, 20, 1000, 1000)
  assert.equal(limit.value, 50)
  simulate(limit, 1, 20, 1000, 5000)
  assert.ok(limit.value >= 10)
})
