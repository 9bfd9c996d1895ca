// A client that leaves: its agents are told to stop at once, and nothing of the exchange is kept.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EndSignal } from '../../proxy/pipeline/end-signal.ts'
import { Fault } from '../../proxy/pipeline/faults.ts'
import { consult } from '../support/consulted.ts'
import { eventually } from '../support/eventually.ts'
import { failing } from '../support/failing-agent.ts'
import { everything } from '../support/raw-agent.ts'
import { startWithRawAgents } from '../support/raw-agents.ts'
import { rawClient } from '../support/raw-client.ts'
import { scripted, scriptedAgent, siteWith } from '../support/scripted-agent.ts'
import { startSentinel } from '../support/sentinel.ts'
import { rawUpstream } from '../support/upstream.ts'
import { within } from '../support/within.ts'

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

test('a client that goes away: the agent is told, and its answer is not waited for', async (t) => {
  const { agent, client } = await failing(t, { onEvent () {} })
  const ending = new EndSignal()
  const asked = consult(client, { ending })
  await agent.seen(({ kind }) => kind === 'request_headers')
  ending.end(new Fault('CLIENT_GONE'))
  const { x } = await asked
  assert.equal(x.fault?.code, 'CLIENT_GONE')
  const cancel = await agent.seen(({ kind }) => kind === 'cancel')
  assert.ok(cancel.kind === 'cancel' && cancel.value.reason === 'client_gone')
  const complete = await agent.seen(({ kind }) => kind === 'complete')
  assert.ok(complete.kind === 'complete' && complete.value.error === 'CLIENT_GONE')
})

test('a client that leaves while an agent thinks: the agent stops within 100 ms, and the upstream is not asked', async (t) => {
  const upstream = await rawUpstream(t, ({ socket }) => socket.write(ok))
  const sentinel = await startSentinel(t, siteWith(upstream.port, scriptedAgent('guard'), ['guard']))
  const script = JSON.stringify(scripted({ request: { do: 'never' } })['x-script'])
  let round = 0
  await within(100, async () => {
    const client = await rawClient(t, sentinel.port(), `GET / HTTP/1.1\r\nHost: a\r\nX-Script: ${JSON.parse(script) as string}\r\n\r\n`)
    await sentinel.logged(() => sentinel.log.filter(({ msg }) => msg === 'waiting').length > round)
    round++
    const cancelled = sentinel.log.filter(({ msg }) => msg === 'cancelled').length
    const startedMs = performance.now()
    client.socket.destroy()
    await sentinel.logged(() => sentinel.log.filter(({ msg }) => msg === 'cancelled').length > cancelled)
    return performance.now() - startedMs
  })
  assert.equal(upstream.connections, 0)
})

for (const phase of ['request_headers', 'request_body', 'response_headers', 'response_body'] as const) {
  test(`a client that leaves at ${phase}: cancel, then complete, and the place of the call is free`, async (t) => {
    let mute = true
    const { sentinel, agents } = await startWithRawAgents(t, {
      a: { describe: everything, settings: 'max-concurrent-calls 1; max-queued-calls 0', answer: ({ kind }) => mute && kind === phase ? false : undefined },
    }, { filters: ['a'] })
    for (let i = 1; i <= 3; i++) {
      const client = await rawClient(t, sentinel.port(), 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody')
      await eventually('it is asked', () => agents.a.events.filter(({ kind }) => kind === phase).length === i)
      client.socket.destroy()
      await eventually('it is told', () => agents.a.events.filter((event) => event.kind === 'complete' && event.value.error === 'CLIENT_GONE').length === i)
    }
    const cancels = agents.a.events.flatMap((event) => event.kind === 'cancel' ? [event.value.reason] : [])
    assert.deepEqual(cancels, ['client_gone', 'client_gone', 'client_gone'])
    mute = false
    assert.equal((await sentinel.request('/', { method: 'POST', body: 'body' })).status, 200, 'the one place is free')
  })
}
