// Agents that are restarted and proxies that are reloaded under load: open costs nobody anything, closed is told at once.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import type { ServerHttp2Stream } from 'node:http2'
import { test } from 'node:test'
import { consult } from '../support/consulted.ts'
import { eventually } from '../support/eventually.ts'
import { failing } from '../support/failing-agent.ts'
import { start, warm } from '../support/failure-modes.ts'
import { allow } from '../support/raw-agent.ts'
import { scriptedAgent } from '../support/scripted-agent.ts'

test('an agent that says it is closing finishes what it has, and new exchanges go to a new connection', async (t) => {
  const streams: ServerHttp2Stream[] = []
  const { agent, client } = await failing(t, { onEvent (event, wire) {
    if (event.kind !== 'request_headers') return
    streams.push(wire.stream)
    if (agent.events.length === 1) wire.session.goaway()
    setTimeout(() => wire.reply(event, allow), 50)
  } })
  const first = consult(client)
  await agent.seen(({ kind }) => kind === 'request_headers')
  assert.equal((await first).status, 200)
  await eventually('another connection takes its place', () => streams[0]!.closed)
  assert.equal((await consult(client)).status, 200)
  assert.notEqual(streams[1], streams[0])
})

for (const mode of ['closed', 'open'] as const) {
  test(`200 requests a second through the kill of an agent: ${mode}, every answer is counted`, async (t) => {
    const from = await start(t, (m) => scriptedAgent('guard', `failure-mode "${m}"; restart { initial-delay "300ms" }`), mode)
    await warm(from.sentinel)
    const answers = new Map<number, number>()
    const last: number[] = []
    const sent: Array<Promise<void>> = []
    const send = async (isBehind: boolean): Promise<void> => {
      const { status } = await from.sentinel.request('/load')
      answers.set(status, (answers.get(status) ?? 0) + 1)
      if (isBehind) last.push(status)
    }
    /** For a second; `isBehind`: the agent is there again. */
    const load = async (isBehind = false): Promise<void> => {
      const startedMs = performance.now()
      for (let due = 0; performance.now() - startedMs < 1_000;) {
        for (; due < (performance.now() - startedMs) / 5; due++) sent.push(send(isBehind))
        await new Promise((resolve) => { setTimeout(resolve, 2) })
      }
    }
    const readies = (): number => from.sentinel.log.filter(({ event }) => event === 'agent-ready').length
    await load()
    process.kill(from.sentinel.agentPids()['guard']!, 'SIGKILL')
    do await load()
    while (readies() < 2)
    await load(true)
    await Promise.all(sent)
    const total = [...answers.values()].reduce((sum, count) => sum + count, 0)
    assert.equal(total, sent.length, 'every request was answered')
    assert.deepEqual([...answers.keys()].sort(), mode === 'open' ? [200] : [200, 503])
    assert.deepEqual(new Set(last), new Set([200]), 'traffic has recovered')
  })

  test(`reloads under load, with another agent process each time: no request fails, ${mode}`, async (t) => {
    const from = await start(t, (m) => scriptedAgent('guard', `failure-mode "${m}"; env { ROUND "0" }`), mode)
    await warm(from.sentinel)
    const text = readFileSync(from.sentinel.file, 'utf8')
    const statuses: number[] = []
    let loading = true
    const load = Array.from({ length: 4 }, async () => {
      while (loading) statuses.push((await from.sentinel.request('/load')).status)
    })
    for (let round = 1; round <= 3; round++) {
      const pid = from.sentinel.agentPids()['guard']
      assert.equal((await from.sentinel.reload(text.replace('ROUND "0"', `ROUND "${round}"`))).event, 'reloaded')
      assert.notEqual(from.sentinel.agentPids()['guard'], pid, 'another process')
    }
    await eventually('many have asked', () => statuses.length > 20)
    loading = false
    await Promise.all(load)
    assert.deepEqual([...new Set(statuses)], [200])
  })
}
