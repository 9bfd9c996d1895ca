// What an agent says of its health and its load is seen by operators, and an agent that leaves leaves nobody without an answer.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { agentToken, startReverseAgent } from '../support/reverse-agent.ts'
import { siteWith } from '../support/scripted-agent.ts'
import { runSentinel, startSentinel } from '../support/sentinel.ts'
import { agentStatus, figure, vitalAgent, vitalProgram } from '../support/vital-agent.ts'

for (const workers of [1, 2]) {
  test(`health, open exchanges, answers and errors are in status and metrics (workers: ${workers})`, async (t) => {
    const upstream = await startRecordingUpstream(t)
    const sentinel = await startSentinel(t, siteWith(upstream.port, vitalAgent('vital'), ['vital'], `system { worker-threads ${workers} }`))
    const { vital } = sentinel.agentPids()
    for (let i = 0; i < 5; i++) assert.equal((await sentinel.request(`/${i}`)).status, 200)
    assert.equal((await sentinel.request('/fail')).status, 503)
    const slow = sentinel.request('/slow-until-told')
    await eventually('one is open', async () => (await agentStatus(sentinel, 'vital')).load?.open_exchanges === 1)
    await eventually('its answers are counted once', async () => (await agentStatus(sentinel, 'vital')).load?.answered === 6)
    const status = await agentStatus(sentinel, 'vital')
    assert.equal(status.health, 'serving')
    assert.equal(status.load?.failed, 1)
    assert.equal(status.load.processes, 1)
    assert.ok(status.load.mean_ms !== null && status.load.mean_ms >= 0)
    assert.match(status.config_version ?? '', /^[0-9a-f]{12}$/)
    assert.equal(await figure(sentinel, 'sentinel_agent_open_exchanges{agent="vital"}'), 1)
    assert.equal(await figure(sentinel, 'sentinel_agent_answered_total{agent="vital",result="decision"}'), 5)
    assert.equal(await figure(sentinel, 'sentinel_agent_answered_total{agent="vital",result="error"}'), 1)
    assert.equal((await sentinel.request('/go-on')).status, 200)
    assert.equal((await slow).status, 200)
    process.kill(vital!, 'SIGKILL')
    await eventually('what was answered before stays counted', async () => (await sentinel.request('/again')).status === 200
      && (await figure(sentinel, 'sentinel_agent_answered_total{agent="vital",result="decision"}') ?? 0) >= 8)
  })
}

test('an agent that is degraded is asked all the same, and everybody can see it', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, siteWith(upstream.port, vitalAgent('vital'), ['vital']))
  assert.equal((await sentinel.request('/degrade')).status, 200)
  await eventually('it is degraded', async () => (await agentStatus(sentinel, 'vital')).health === 'degraded')
  const status = await agentStatus(sentinel, 'vital')
  assert.equal(status.health_detail, 'the store is away')
  assert.equal(status.state, 'ready')
  assert.equal(await figure(sentinel, 'sentinel_agent_health{agent="vital",health="degraded"}'), 1)
  assert.equal(await figure(sentinel, 'sentinel_agent_health{agent="vital",health="serving"}'), 0)
  assert.equal((await sentinel.request('/asked')).status, 200)
  assert.equal((await sentinel.request('/well')).status, 200)
  await eventually('it is well again', async () => (await agentStatus(sentinel, 'vital')).health === 'serving')
})

test('the status screen shows health and load', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const runtime = mkdtempSync(join(tmpdir(), 'sentinel-runtime-'))
  t.after(() => rmSync(runtime, { recursive: true, force: true }))
  const env = { RUNTIME_DIRECTORY: runtime }
  const sentinel = await startSentinel(t, siteWith(upstream.port, vitalAgent('vital'), ['vital']), { env })
  assert.equal((await sentinel.request('/degrade')).status, 200)
  await eventually('it is degraded', async () => (await agentStatus(sentinel, 'vital')).health === 'degraded')
  const { stdout } = await runSentinel(['status', '-c', sentinel.file], { env })
  assert.match(stdout, /vital +ready +process \d+ +.*degraded: the store is away, \d+ open, config [0-9a-f]{12}/)
})

test('an agent that is told to stop under load finishes what it has, another takes over, and no call fails', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-reverse-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const socket = join(folder, 'agents.sock')
  const upstream = await startRecordingUpstream(t)
  const agent = `agent "vital" { reverse { token "${agentToken}" }; connections 2; timeout "60s" }`
  const sentinel = await startSentinel(t, siteWith(upstream.port, agent, ['vital'], `reverse-listener "unix:${socket}"`))
  const first = startReverseAgent(t, `unix:${socket}`, { program: vitalProgram, id: 'vital' })
  await sentinel.logged(({ event }) => event === 'agent-ready')
  const second = startReverseAgent(t, `unix:${socket}`, { program: vitalProgram, id: 'vital' })
  await eventually('the second waits, or has a place', () => second.output().includes('serving'))
  await eventually('one of each waits', async () => (await figure(sentinel, 'sentinel_agent_arrivals_total{outcome="waits"}') ?? 0) >= 2)
  const statuses = new Map<number, number>()
  let stop = false
  const count = (status: number): void => { statuses.set(status, (statuses.get(status) ?? 0) + 1) }
  const load = Array.from({ length: 8 }, async () => {
    while (!stop) count((await sentinel.request('/quick')).status)
  })
  const open = Array.from({ length: 5 }, async () => count((await sentinel.request('/slow', { headers: { 'x-ms': '5000' } })).status))
  await eventually('some are open', async () => ((await agentStatus(sentinel, 'vital')).load?.open_exchanges ?? 0) >= 5)
  await first.kill('SIGTERM')
  await Promise.all(open)
  const before = statuses.get(200)!
  await eventually('the other one is asked', () => statuses.get(200)! > before + 20)
  stop = true
  await Promise.all(load)
  assert.deepEqual([...statuses.keys()], [200], `no call failed: ${JSON.stringify(sentinel.access.filter(({ status }) => status !== 200).slice(0, 3))}`)
  assert.equal(first.process.exitCode, 0, 'it ended by itself, with nothing open')
  assert.match(first.output(), /"stopped"/)
  assert.doesNotMatch(first.output(), /still open/)
})
