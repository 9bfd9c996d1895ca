// An agent that crashes before it has answered, or after it has about the head of a request: its failure mode says what becomes of the request.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { consult, ready } from '../support/consulted.ts'
import { startLiar } from '../support/failure-modes.ts'
import { allow, everything, rawAgent } from '../support/raw-agent.ts'

test('a header event is asked again on another connection when the first breaks', async (t) => {
  let broken = 0
  const agent = await rawAgent(t, { onEvent (event, wire) {
    if (event.kind !== 'request_headers') return
    if (broken++ === 0) wire.session.destroy()
    else wire.reply(event, allow)
  } })
  const client = await ready(t, agent.path, { connections: 2 })
  while (agent.configured.length < 2) await new Promise(setImmediate)
  while (agent.sessions.size < 2) await new Promise(setImmediate)
  const { status } = await consult(client)
  assert.ok(status === 200 || client.counters.reconnects > 0)
  assert.equal(status, 200)
})

for (const mode of ['closed', 'open'] as const) {
  for (const [when, streamed] of [['request_body', false], ['request_body', true], ['response_headers', false], ['response_body', false]] as const) {
    test(`a crash after the answer to the head, at ${when}${streamed ? ' in pieces' : ''}: ${mode}`, async (t) => {
      const describe = streamed ? { ...everything, requestBody: { kind: 'stream' as const, maxBytes: 0, over: 'block' as const } } : everything
      let crashed = false
      const { sentinel, upstream } = await startLiar(t, mode, {
        describe,
        onEvent (event, wire) {
          if (event.kind === when && !crashed) {
            crashed = true
            wire.session.destroy()
          } else if (event.timeoutMs > 0) {
            wire.reply(event, allow)
          }
        },
      })
      const answer = await sentinel.request('/after', { method: 'POST', body: 'hello' })
      const record = await sentinel.accessed(({ path }) => path === '/after')
      // Once pieces have been handed over, nobody knows what the agent would have made of them: open is over then.
      const goesOn = mode === 'open' && !streamed
      assert.equal(answer.status, goesOn ? 200 : 503)
      if (goesOn) assert.equal(answer.text, 'hello')
      const failed = record.agents!.find(({ fault }) => fault !== undefined)!
      assert.deepEqual([failed['fault'], failed['failure_mode']], ['AGENT_STREAM_RESET', goesOn ? 'open' : 'closed'])
      if (when === 'request_body' && !streamed && mode === 'closed') assert.equal(upstream.heads(), 0)
    })
  }
}
