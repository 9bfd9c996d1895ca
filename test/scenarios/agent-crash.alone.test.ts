// An agent that crashes, before and after it has answered about the head of a request: its failure mode says what becomes of the request.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { consult, ready } from '../support/consulted.ts'
import { failing } from '../support/failing-agent.ts'
import { deadMs, start, startLiar, warm } from '../support/failure-modes.ts'
import { patienceMs } from '../support/patience.ts'
import { allow, everything, rawAgent } from '../support/raw-agent.ts'
import { scripted, scriptedAgent } from '../support/scripted-agent.ts'
import { within } from '../support/within.ts'

test('an agent that dies in the middle of a call: AGENT_STREAM_RESET within 50 ms', async (t) => {
  const { agent, client } = await failing(t, { onEvent: ({ kind }, { session }) => { if (kind === 'request_headers') session.destroy() } })
  await within(deadMs, async () => {
    await client.settled(patienceMs)
    const { x, status } = await consult(client)
    assert.equal(status, 503)
    assert.equal(x.fault?.code, 'AGENT_STREAM_RESET')
    return x.durationMs
  })
  agent.script = {}
  await client.settled(patienceMs)
  assert.equal((await consult(client)).status, 200)
})

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
  test(`an agent that is killed in the middle of a call: ${mode}`, async (t) => {
    const from = await start(t, (m) => scriptedAgent('guard', `failure-mode "${m}"; timeout "60s"`), mode)
    await warm(from.sentinel)
    const { sentinel } = from
    const readies = (): number => sentinel.log.filter(({ event }) => event === 'agent-ready').length
    let round = 0
    await within(deadMs, async () => {
      const path = `/middle-${++round}`
      await sentinel.logged(() => readies() >= round)
      const pending = sentinel.request(path, { headers: scripted({ request: { do: 'never' } }) })
      await new Promise((resolve) => { setTimeout(resolve, 200) }) // The event is with the agent by then; an earlier kill is the case above.
      const killedMs = performance.now()
      process.kill(sentinel.agentPids()['guard']!, 'SIGKILL')
      const { status } = await pending
      const tookMs = performance.now() - killedMs
      assert.equal(status, mode === 'closed' ? 503 : 200)
      const record = await sentinel.accessed((one) => one.path === path)
      assert.equal(record.agents![0]!['fault'], 'AGENT_STREAM_RESET')
      return tookMs
    })
  })

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
