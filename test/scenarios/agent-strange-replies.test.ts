// Replies that fit nothing the proxy asked: for an unknown exchange, a second time, late, of the wrong phase or of an unknown kind. Counted, never applied.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { consult } from '../support/consulted.ts'
import { failing, fails } from '../support/failing-agent.ts'
import { expectFailure, startLiar } from '../support/failure-modes.ts'
import { allow, decision } from '../support/raw-agent.ts'

test('a reply for an exchange that never was is counted, and the call that goes without is AGENT_BAD_REPLY', async (t) => {
  const { client } = await failing(t, { onEvent: (event, wire) => { if (event.timeoutMs > 0) wire.reply({ exchange: event.exchange + 100, sequence: 1 }, allow) } })
  const { x, status } = await consult(client, {}, { timeoutMs: 1_500 })
  assert.equal(status, 503)
  assert.equal(x.fault?.code, 'AGENT_BAD_REPLY')
  assert.equal(client.counters.protocolFaults.unknown, 1)
})

test('a second reply is counted and not applied', async (t) => {
  const block = decision({ kind: 'block', value: { status: 403, headers: [], body: Buffer.alloc(0) } })
  const { client } = await failing(t, { onEvent (event, wire) {
    if (event.timeoutMs === 0) return
    wire.reply(event, allow)
    wire.reply(event, block)
  } })
  assert.equal((await consult(client)).status, 200)
  assert.equal((await consult(client)).status, 200)
  assert.ok((client.counters.protocolFaults.duplicate ?? 0) + (client.counters.protocolFaults.late ?? 0) >= 1)
})

test('a late reply is counted and not applied', async (t) => {
  let late: (() => void) | undefined
  const { client } = await failing(t, { onEvent (event, wire) {
    if (event.kind === 'request_headers') late = () => wire.reply(event, allow)
    if (event.kind === 'complete') late?.()
  } })
  assert.equal((await consult(client, {}, { timeoutMs: 50 })).x.fault?.code, 'AGENT_TIMEOUT')
  while ((client.counters.protocolFaults.late ?? 0) === 0) await new Promise((resolve) => setTimeout(resolve, 2))
})

test('an answer for a chunk where a decision was asked for: AGENT_BAD_REPLY', async (t) => {
  const { client } = await failing(t, { onEvent: (event, wire) => { if (event.timeoutMs > 0) wire.reply(event, { kind: 'chunk', value: { kind: 'pass', value: {} } }) } })
  await fails(client, 'AGENT_BAD_REPLY')
  assert.ok((client.counters.protocolFaults.wrong_phase ?? 0) >= 1)
})

test('a decision or a reply of an unknown kind: AGENT_BAD_REPLY, never an allow', async (t) => {
  const { client } = await failing(t, { onEvent: (event, wire) => { if (event.timeoutMs > 0) wire.reply(event, decision({ kind: undefined, value: undefined })) } })
  await fails(client, 'AGENT_BAD_REPLY')
  const other = await failing(t, { onEvent: (event, wire) => { if (event.timeoutMs > 0) wire.reply(event, { kind: undefined, value: undefined }) } })
  await fails(other.client, 'AGENT_BAD_REPLY')
})

for (const mode of ['closed', 'open'] as const) {
  test(`an agent that answers for exchanges it was not asked about: ${mode}`, async (t) => {
    const from = await startLiar(t, mode, { onEvent: (event, wire) => { if (event.timeoutMs > 0) wire.reply({ ...event, exchange: event.exchange + 1_000_000 }, allow) } }, '1500ms')
    await expectFailure(from, mode, 'AGENT_BAD_REPLY', { path: '/unknown-id' })
    await from.sentinel.logged((record) => record.event === 'agent-protocol-fault' && record['kind'] === 'unknown')
    assert.match(await from.sentinel.metrics(), /sentinel_agent_protocol_faults_total\{agent="guard",kind="unknown"\} 1/)
  })
}
