// An agent that is away for a moment: asked again within the time for one decision, where the configuration says so.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { agentFilter } from '../../proxy/decisions/index.ts'
import { retryPauseMs } from '../../proxy/decisions/retry.ts'
import type { DecisionRecord } from '../../proxy/pipeline/exchange.ts'
import { HeaderList } from '../../proxy/pipeline/headers.ts'
import { consult, ready, settings, through } from '../support/consulted.ts'
import { eventually } from '../support/eventually.ts'
import { everything, rawAgent } from '../support/raw-agent.ts'

const retry = { maxAttempts: 100_000, backoffMs: 20, maxBackoffMs: 40 }

describe('a question that nobody is there to answer', () => {
  test('waits for an agent that is being started', async (t) => {
    const agent = await rawAgent(t)
    const client = await ready(t, agent.path, { retry, reconnectMaxMs: 50 })
    await agent.kill()
    while (client.state === 'ready') await new Promise((resolve) => { setTimeout(resolve, 5) })
    setTimeout(() => void agent.start(), 200)
    assert.equal((await consult(client)).status, 200)
  })

  test('has what is left of its time, and those behind it have all of theirs', async (t) => {
    const agent = await rawAgent(t, { describe: everything })
    const client = await ready(t, agent.path, { retry, reconnectMaxMs: 50 })
    await agent.kill()
    await eventually('it is away', () => client.state !== 'ready')
    setTimeout(() => void agent.start(), 300)
    assert.equal((await consult(client, { method: 'POST', body: 'hello' })).status, 200)
    const [head, ...others] = agent.events.filter(({ timeoutMs }) => timeoutMs > 0).map(({ timeoutMs }) => timeoutMs)
    assert.equal(others.length, 3)
    for (const other of others) assert.ok(head! < other)
  })

  test('is put again to an agent that was killed while it thought about it', async (t) => {
    const agent = await rawAgent(t, { onEvent: () => { /* it thinks */ } })
    const client = await ready(t, agent.path, { retry, reconnectMaxMs: 50 })
    const answer = consult(client)
    await agent.seen(({ kind }) => kind === 'request_headers')
    agent.script = {}
    await agent.kill()
    setTimeout(() => void agent.start(), 200)
    assert.equal((await answer).status, 200)
    assert.equal(agent.events.filter(({ kind }) => kind === 'request_headers').length, 2)
  })

  test('fails when its attempts, or the time for one decision, are over', async (t) => {
    const agent = await rawAgent(t)
    for (const [few, timeoutMs] of [[{ ...retry, maxAttempts: 3 }, 60_000], [retry, 200]] as const) {
      await agent.kill()
      await agent.start()
      const client = await ready(t, agent.path, { retry: few })
      await agent.kill()
      while (client.state === 'ready') await new Promise((resolve) => { setTimeout(resolve, 5) })
      const startedMs = performance.now()
      const { status, x } = await consult(client, {}, { ...settings, timeoutMs, maxTimeoutMs: timeoutMs })
      assert.deepEqual([status, x.fault?.code], [503, 'AGENT_NOT_CONNECTED'])
      assert.ok(performance.now() - startedMs < 20_000)
      await agent.start()
    }
  })
})

test('a shadow agent that is lost with a question open fails at once about the next one, which would stand behind it', async (t) => {
  const agent = await rawAgent(t, { describe: everything, onEvent () {} })
  const client = await ready(t, agent.path, { retry: { maxAttempts: 1_000, backoffMs: 50, maxBackoffMs: 50 } })
  const failures: (string | undefined)[] = []
  const shadow = { ...settings, mode: 'shadow' as const, timeoutMs: 600_000, maxTimeoutMs: 600_000, recordLate: (_x: unknown, { fault }: DecisionRecord) => failures.push(fault?.code) }
  const { x } = await through([agentFilter(client, shadow)], { async upstream () {
    await agent.seen(({ kind }) => kind === 'request_headers')
    await agent.kill()
    await eventually('it is lost', () => client.state !== 'ready')
    return { status: 200, headers: new HeaderList(), body: undefined }
  } })
  await eventually('it is recorded', () => [...x.decisions ?? [], ...failures].length > 0)
  assert.deepEqual([...x.decisions?.map(({ fault }) => fault?.code) ?? [], ...failures], ['AGENT_STREAM_RESET'])
  assert.equal(client.inFlight, 0)
})

test('pauses double up to the longest, less up to a half by chance', () => {
  const pauses = (random: number): number[] => [1, 2, 3, 4].map((attempts) => retryPauseMs(attempts, { maxAttempts: 9, backoffMs: 100, maxBackoffMs: 500 }, () => random))
  assert.deepEqual(pauses(0), [100, 200, 400, 500])
  assert.deepEqual(pauses(1), [50, 100, 200, 250])
})
