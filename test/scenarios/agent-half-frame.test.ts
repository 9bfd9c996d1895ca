// Bytes of an agent that are no frame, or half a frame: an answer that is not valid, or none before the deadline.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { frame } from '../../proto/codec/index.ts'
import { consult } from '../support/consulted.ts'
import { failing, fails } from '../support/failing-agent.ts'
import { expectFailure, startLiar } from '../support/failure-modes.ts'

test('bytes that are no message: AGENT_BAD_REPLY, and the connection is made anew', async (t) => {
  const { client } = await failing(t, { onEvent: ({ kind }, wire) => { if (kind === 'request_headers') wire.raw(frame(Buffer.from('ffffffffff', 'hex'))) } })
  await fails(client, 'AGENT_BAD_REPLY')
  assert.ok(client.counters.reconnects >= 1)
  assert.ok((client.counters.protocolFaults.malformed ?? 0) >= 1)
})

test('bytes that are no frame, and frames too large to be true: AGENT_BAD_REPLY', async (t) => {
  for (const bytes of [Buffer.from('HTTP/1.1 200 OK\r\n\r\n'), Buffer.from([0, 0xff, 0xff, 0xff, 0xff]), Buffer.from([1, 0, 0, 0, 1, 0])]) {
    const { client } = await failing(t, { onEvent: ({ kind }, wire) => { if (kind === 'request_headers') wire.raw(bytes) } })
    const { x } = await consult(client)
    assert.equal(x.fault?.code, 'AGENT_BAD_REPLY')
  }
})

test('half a frame and then the end: AGENT_BAD_REPLY', async (t) => {
  const { client } = await failing(t, { onEvent ({ kind }, { stream }) {
    if (kind === 'request_headers') stream.end(Buffer.from([0, 0, 0, 0, 9, 1]))
  } })
  await fails(client, 'AGENT_BAD_REPLY')
})

test('half a frame and then silence: the deadline', async (t) => {
  const { client } = await failing(t, { onEvent: ({ kind }, wire) => { if (kind === 'request_headers') wire.raw(Buffer.from([0, 0, 0, 0, 9, 1])) } })
  const { x } = await consult(client, {}, { timeoutMs: 100 })
  assert.equal(x.fault?.code, 'AGENT_TIMEOUT')
})

for (const mode of ['closed', 'open'] as const) {
  test(`an agent that answers garbage: ${mode}`, async (t) => {
    await expectFailure(await startLiar(t, mode, { onEvent: (_event, wire) => wire.raw(Buffer.from('this is no gRPC frame at all, and no message')) }), mode, 'AGENT_BAD_REPLY', { path: '/garbage' })
  })

  test(`half a frame that is never finished runs into the deadline, and the next request is on the same connection: ${mode}`, async (t) => {
    const from = await startLiar(t, mode, { onEvent: ({ kind }, wire) => { if (kind === 'request_headers') wire.raw(Buffer.from([0, 0, 0, 0, 9, 1])) } }, '300ms')
    await expectFailure(from, mode, 'AGENT_TIMEOUT', { path: '/half' })
    await expectFailure(from, mode, /^AGENT_(TIMEOUT|BAD_REPLY|NOT_CONNECTED|STREAM_RESET)$/, { path: '/next' })
  })
}
