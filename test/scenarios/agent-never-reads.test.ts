// An agent that takes nothing of what it is sent: calls end by their deadlines, bodies wait no longer than they may, and memory stays bounded.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bodyOf } from '../../proxy/pipeline/body.ts'
import { consult, ready } from '../support/consulted.ts'
import { everything, rawAgent } from '../support/raw-agent.ts'

test('an agent that never reads: calls fail by their deadlines and by the bounded line, and nothing piles up', async (t) => {
  const agent = await rawAgent(t, { onProcess (stream) {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' })
    stream.pause()
  } })
  const client = await ready(t, agent.path, { maxConcurrentCalls: 2, maxQueuedCalls: 2 })
  const outcomes = await Promise.all(Array.from({ length: 10 }, () => consult(client, {}, { timeoutMs: 150 })))
  const codes = outcomes.map(({ x }) => x.fault?.code)
  assert.equal(codes.filter((code) => code === 'AGENT_QUEUE_FULL').length, 6)
  assert.equal(codes.filter((code) => code === 'AGENT_TIMEOUT').length, 4)
  assert.equal(client.inFlight, 0)
})

test('bodies for an agent that never reads wait for room until their deadlines, and what waits is bounded', async (t) => {
  const agent = await rawAgent(t, { describe: { ...everything, events: ['request_body'] }, onProcess (stream) {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' })
    stream.pause()
  } })
  const client = await ready(t, agent.path, { maxConcurrentCalls: 100 })
  const body = Buffer.alloc(4 * 1024 * 1024)
  const before = process.memoryUsage().arrayBuffers
  const outcomes = await Promise.all(Array.from({ length: 40 }, () => consult(client, { method: 'POST', body: bodyOf(body) }, { timeoutMs: 400, maxRequestBodyBytes: body.length })))
  assert.deepEqual(new Set(outcomes.map(({ x }) => x.fault?.code)), new Set(['AGENT_TIMEOUT']))
  const heldBytes = process.memoryUsage().arrayBuffers - before
  assert.ok(heldBytes < 64 * 1024 * 1024, `${heldBytes} bytes of 160 MiB wait`)
  assert.equal(client.inFlight, 0)
})
