// An agent that answers one byte at a time is understood, as far as its deadline goes.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeFromAgent, frame } from '../../proto/codec/index.ts'
import { consult } from '../support/consulted.ts'
import { failing } from '../support/failing-agent.ts'
import { expectFailure, startLiar } from '../support/failure-modes.ts'
import { allow } from '../support/raw-agent.ts'

test('an agent that answers one byte at a time is understood, until its deadline', async (t) => {
  const timers = new Set<NodeJS.Timeout>()
  t.after(() => { for (const timer of timers) clearInterval(timer) })
  const { agent, client } = await failing(t, { onEvent (event, wire) {
    if (event.kind !== 'request_headers') return
    // As the SDK would say it, cut into bytes.
    const bytes = frame(encodeFromAgent({ replies: [{ exchange: event.exchange, sequence: event.sequence, ...allow }] }))
    let at = 0
    const timer = setInterval(() => at < bytes.length ? wire.raw(bytes.subarray(at, ++at)) : clearInterval(timer), 2)
    timers.add(timer)
  } })
  assert.equal((await consult(client)).status, 200)
  assert.equal((await consult(client, {}, { timeoutMs: 10, maxTimeoutMs: 10 })).x.fault?.code, 'AGENT_TIMEOUT')
  assert.ok(agent.events.length > 0)
})

for (const mode of ['closed', 'open'] as const) {
  test(`one byte a second is too slow for a deadline of less: ${mode}, and others are not held up`, async (t) => {
    const timers = new Set<NodeJS.Timeout>()
    t.after(() => { for (const timer of timers) clearInterval(timer) })
    const from = await startLiar(t, mode, { onEvent (event, wire) {
      if (event.kind !== 'request_headers') return
      const bytes = frame(encodeFromAgent({ replies: [{ exchange: event.exchange, sequence: event.sequence, ...allow }] }))
      let at = 0
      timers.add(setInterval(() => { if (at < bytes.length && !wire.stream.destroyed) wire.raw(bytes.subarray(at, ++at)) }, 1_000))
    } }, '300ms')
    const startedMs = performance.now()
    await Promise.all(['/one', '/two', '/three'].map((path) => expectFailure({ ...from, upstream: { ...from.upstream, heads: () => 0 } }, mode, 'AGENT_TIMEOUT', { path })))
    assert.ok(performance.now() - startedMs < 10_000, 'nobody waited for the byte')
  })
}
