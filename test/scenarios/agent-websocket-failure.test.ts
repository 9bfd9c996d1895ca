// What a missing verdict about a message means is the operator's failure mode, for this message; and nobody waits for an agent that is gone.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { atATime } from '../support/at-a-time.ts'
import { eventually } from '../support/eventually.ts'
import { inspectedSite, messagesAgent } from '../support/inspected.ts'

const waiting = atATime(2)

describe('an agent with failure-mode "closed"', { concurrency: 3 }, () => {
  for (const [what, said, code] of [['fails', 'throw', 'AGENT_ERROR'], ['is too slow', 'never', 'AGENT_TIMEOUT'], ['dies', 'crash', 'AGENT_STREAM_RESET']] as const) {
    test(`that ${what} closes with 1011, and nothing of the message passes`, async (t) => {
      const { open, sentinel } = await inspectedSite(t, messagesAgent('chat', 'timeout "60s"; event-timeouts { websocket-message "3s" }'), ['chat'])
      const ends = await open()
      ends.client.send('before')
      const startMs = performance.now()
      ends.client.send(said)
      ends.client.send('after')
      assert.deepEqual(await Promise.all([ends.clientClosed, ends.thereClosed]), ['1011', '1011'])
      assert.deepEqual(ends.thereGot, ['before'])
      // A death is known at once; only silence has to be waited for.
      assert.ok(performance.now() - startMs < 40_000)
      const line = await sentinel.accessed(({ status }) => status === 101)
      assert.equal(line.fault, code)
      const failed = line.agents?.find(({ verdict }) => verdict === 'failed')
      assert.deepEqual([failed?.['phase'], failed?.['failure_mode'], failed?.['fault']], ['websocket-message', 'closed', code])
    })
  }

  test('that dies takes messages of both directions with it', async (t) => {
    const { open } = await inspectedSite(t, messagesAgent('chat', 'timeout "30s"'), ['chat'])
    const ends = await open()
    ends.client.send('never')
    ends.there.send('crash')
    assert.deepEqual(await Promise.all([ends.clientClosed, ends.thereClosed]), ['1011', '1011'])
    assert.deepEqual([ends.thereGot, ends.clientGot], [[], []])
  })

  test('that was restarted between two messages is asked about the next one', async (t) => {
    const { open, sentinel } = await inspectedSite(t, messagesAgent('chat', 'retry { max-attempts 100; backoff "100ms"; max-backoff "500ms" }; timeout "60s"'), ['chat'])
    const ends = await open()
    ends.client.send('before')
    await eventually('it passes', () => ends.thereGot.length === 1)
    process.kill(sentinel.agentPids()['chat']!, 'SIGKILL')
    await sentinel.logged(({ event }) => event === 'agent-exited')
    ends.client.send('drop:x')
    ends.client.send('after')
    await eventually('it passes', () => ends.thereGot.length === 2)
    assert.deepEqual(ends.thereGot, ['before', 'after'])
  })
})

describe('an agent with failure-mode "open"', () => {
  test('that fails, is too slow or dies lets this message pass, and is asked about the next ones', async (t) => {
    const { open, sentinel } = await inspectedSite(t, messagesAgent('chat', 'failure-mode "open"; timeout "3s"'), ['chat'])
    const ends = await open()
    for (const text of ['throw', 'drop:1', 'sleep:5000', 'drop:2', 'after']) ends.client.send(text)
    await eventually('they pass', () => ends.thereGot.length >= 3)
    assert.deepEqual(ends.thereGot.slice(0, 3), ['throw', 'sleep:5000', 'after'])
    ends.client.send('crash')
    await eventually('it passes', () => ends.thereGot.includes('crash'))
    // While nobody is there, everything passes; then it is asked again.
    await eventually('it drops again', async () => {
      const before = ends.thereGot.length
      ends.client.send('drop:again')
      ends.client.ping()
      await new Promise((wait) => setTimeout(wait, 100))
      return ends.thereGot.length === before && sentinel.log.some((record) => record.event === 'agent-ready' && sentinel.log.indexOf(record) > 0)
    })
    ends.client.close(1000)
    assert.equal(await ends.clientClosed, '1000')
  })
})

waiting('an agent may ask for more time, up to max-timeout', async (t) => {
  const { open } = await inspectedSite(t, messagesAgent('chat', 'timeout "1s"; max-timeout "30s"'), ['chat'])
  const ends = await open()
  ends.client.send('more time:2000')
  await eventually('it passes', () => ends.thereGot.length === 1)
  ends.client.send('more time:20000')
  assert.equal(await ends.clientClosed, '1011')
})

waiting('too many calls at once are told as something that passes: 1013', async (t) => {
  const { open, sentinel } = await inspectedSite(t, messagesAgent('chat', 'max-concurrent-calls 1; max-queued-calls 0; timeout "60s"'), ['chat'])
  const first = await open()
  const second = await open()
  first.client.send('sleep:10000')
  await sentinel.logged(({ msg, text }) => msg === 'message' && text === 'sleep:10000')
  second.client.send('hello')
  assert.deepEqual(await Promise.all([second.clientClosed, second.thereClosed]), ['1013', '1013'])
})
