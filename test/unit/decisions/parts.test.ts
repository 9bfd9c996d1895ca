import assert from 'node:assert/strict'
import { test } from 'node:test'
import { emptyDescribeResponse, decode, readToAgent, FrameDecoder, encode, writeToAgent, type DescribeResponse } from '../../../proto/codec/index.ts'
import { Admission } from '../../../proxy/decisions/admission.ts'
import { editRequest } from '../../../proxy/decisions/edits.ts'
import { afterFailure } from '../../../proxy/decisions/failure-mode.ts'
import { Outbox } from '../../../proxy/decisions/outbox.ts'
import { planFor, planWith, type FilterSettings } from '../../../proxy/decisions/plan.ts'
import { reconnectPauseMs } from '../../../proxy/decisions/reconnect.ts'
import { isEndless } from '../../../proxy/pipeline/endless.ts'
import { Fault } from '../../../proxy/pipeline/faults.ts'
import { HeaderList } from '../../../proxy/pipeline/headers.ts'

test('the failure mode: closed refuses, open goes on while the body is as it was, other modes always go on', () => {
  assert.equal(afterFailure({ mode: 'enforce', failureMode: 'closed', bodyGone: false }), 'refuse')
  assert.equal(afterFailure({ mode: 'enforce', failureMode: 'open', bodyGone: false }), 'continue')
  assert.equal(afterFailure({ mode: 'enforce', failureMode: 'open', bodyGone: true }), 'refuse')
  for (const mode of ['monitor', 'shadow', 'dry-run'] as const) assert.equal(afterFailure({ mode, failureMode: 'closed', bodyGone: true }), 'continue')
})

test('the pause before a reconnect grows with the time away, within its bounds, less up to half', () => {
  const bounds = { initialMs: 20, maxMs: 5_000 }
  assert.equal(reconnectPauseMs(0, bounds, () => 0), 20)
  assert.equal(reconnectPauseMs(0, bounds, () => 1), 10)
  assert.equal(reconnectPauseMs(1_990, bounds, () => 0), 199)
  assert.equal(reconnectPauseMs(86_400_000, bounds, () => 0), 5_000)
})

test('setting or removing a request header takes its aliases along', () => {
  const headers = new HeaderList(['X_User', 'mallory', 'x.user', 'mallory', 'X-User', 'old', 'X-Other', '1', 'x_gone', '2'])
  editRequest(headers, [{ action: 'set', name: 'x-user', value: 'alice' }, { action: 'remove', name: 'X-Gone', value: '' }, { action: 'append', name: 'X-Other', value: '2' }])
  assert.deepEqual(headers.raw(), ['x-user', 'alice', 'X-Other', '1', 'X-Other', '2'])
})

test('places are given in order, the line before them is bounded, and waiting ends at the deadline', async () => {
  const admission = new Admission(1, 2)
  const asker = { stopped: undefined, whenStopped: () => () => {} }
  assert.equal(admission.enter(0, asker), undefined)
  const order: string[] = []
  const second = admission.enter(performance.now() + 60_000, asker)?.then(() => order.push('second'))
  const third = admission.enter(performance.now() + 5, asker)
  assert.throws(() => admission.enter(performance.now() + 60_000, asker), (error) => error instanceof Fault && error.code === 'AGENT_QUEUE_FULL')
  await assert.rejects(third!, (error) => error instanceof Fault && error.code === 'AGENT_TIMEOUT')
  admission.leave()
  await second
  assert.deepEqual(order, ['second'])
  assert.equal(admission.inFlight, 1)
  admission.leave()
  assert.equal(admission.inFlight, 0)
})

test('what waits leaves as one message, in order, and no longer than agents take; whoever sends it hears that there is something', () => {
  const heard: boolean[] = []
  const outbox = new Outbox({ onFilled: (urgent) => heard.push(urgent), onOverfull () { assert.fail() } })
  const push = (exchange: number, urgent = false, sequence = 1): void => {
    outbox.push(encode(writeToAgent, { events: [{ exchange, sequence, timeoutMs: 0, kind: 'credit', value: { bytes: 1 } }] }), urgent)
  }
  const read = (): number[][] => {
    const frames = outbox.read()
    if (frames === undefined || frames === null) return []
    return new FrameDecoder(1024 * 1024).push(frames).map((message) => decode(readToAgent, message).events.map(({ exchange }) => exchange))
  }
  assert.equal(outbox.read(), null)
  push(1)
  push(2, true)
  assert.deepEqual(heard, [false, true])
  assert.deepEqual(read(), [[1, 2]])
  assert.equal(outbox.read(), null)
  for (let exchange = 1; exchange <= 40_000; exchange++) push(exchange)
  const messages: number[][] = []
  for (let next = read(); next.length > 0; next = read()) messages.push(...next)
  assert.deepEqual(messages.flat(), Array.from({ length: 40_000 }, (_, at) => at + 1))
  assert.ok(messages.length > 1)
  push(3)
  outbox.finish()
  assert.deepEqual(read(), [[3]])
  assert.equal(outbox.read(), undefined)
})

test('a receiver that takes nothing is given up before its queue eats the memory', () => {
  let overfull = 0
  const outbox = new Outbox({ onFilled () {}, onOverfull () { overfull++ } })
  const piece = Buffer.alloc(4 * 1024 * 1024)
  outbox.push(piece, false)
  assert.equal(outbox.full, false)
  outbox.push(piece, false)
  assert.equal(outbox.full, true)
  for (let i = 0; i < 6; i++) outbox.push(piece, false)
  assert.equal(overfull, 0)
  outbox.push(piece, false)
  assert.equal(overfull, 1)
})

test('one event that is longer than what may wait is no reason to give up who reads', () => {
  const heard: string[] = []
  const outbox = new Outbox({ onFilled: () => heard.push('filled'), onOverfull: () => heard.push('overfull') })
  outbox.push(Buffer.alloc(40 * 1024 * 1024), false)
  assert.deepEqual(heard, ['filled'])
  assert.equal(outbox.full, true)
  assert.equal(outbox.read()?.length, 40 * 1024 * 1024 + 5)
  assert.equal(outbox.full, false)
})

const settings: FilterSettings = {
  agentId: 'a', mode: 'enforce', failureMode: 'closed', timeoutMs: 1, maxTimeoutMs: 1, bodyOver: 'block', maxRequestBodyBytes: 1000, maxResponseBodyBytes: 2000,
}
const described: DescribeResponse = {
  ...emptyDescribeResponse, events: ['request_headers', 'request_body', 'complete'], requestBody: { kind: 'stream', maxBytes: 0, over: 'block' }, limits: { maxExchanges: 0, maxBodyBytes: 500 },
}

test('an agent is shown what it describes and the configuration lists; the operator wins about how', () => {
  assert.deepEqual(planFor(described, settings), {
    requestHeaders: true,
    requestBody: { kind: 'stream', maxBytes: 500, over: 'block' },
    requestTrailers: false,
    responseHeaders: false,
    responseBody: { kind: 'none', maxBytes: 500, over: 'block' },
    responseTrailers: false,
    webSocketMessages: false,
    complete: true,
  })
  const plan = planFor(described, { ...settings, events: ['request_body'], requestBodyMode: 'buffer' })
  assert.ok(typeof plan === 'object' && !plan.requestHeaders && plan.requestBody.kind === 'buffer')
})

test('events that the agent does not describe are told with both lists', () => {
  const why = planFor(described, { ...settings, events: ['request_headers', 'response_headers'] })
  assert.equal(why, 'the configuration lists the events request_headers, response_headers; the agent describes request_headers, request_body, complete: response_headers cannot be had')
  assert.match(String(planFor({ ...described, events: ['complete'] }, settings)), /never be asked/)
})

test('an agent may ask for less than its limit, never for more', () => {
  const plan = planFor(described, settings)
  assert.ok(typeof plan === 'object')
  const wants = (maxBytes: number) => planWith(plan, { done: false, requestBody: { kind: 'buffer', maxBytes, over: 'skip' }, responseHeaders: true, responseBody: undefined })
  assert.deepEqual(wants(100).requestBody, { kind: 'buffer', maxBytes: 100, over: 'block' })
  assert.equal(wants(9999).requestBody.maxBytes, 500)
  assert.equal(wants(0).responseHeaders, true)
})

test('answers without an end are never waited for', () => {
  for (const type of ['text/event-stream', 'Text/Event-Stream; charset=utf-8', 'application/grpc+proto']) assert.ok(isEndless(type, 10))
  for (const type of [undefined, 'text/html', 'application/json']) assert.ok(!isEndless(type, undefined))
  for (const type of ['application/x-ndjson', 'application/jsonl; charset=utf-8']) assert.deepEqual([isEndless(type, undefined), isEndless(type, 10)], [true, false])
})
