// Figures that an agent counts itself are on the proxy's page, once, and never fall.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { siteWith } from '../support/scripted-agent.ts'
import { startSentinel } from '../support/sentinel.ts'
import { agentStatus, figure, vitalAgent, vitalProgram } from '../support/vital-agent.ts'

const seen = (agent: string, tag: string): string => `sentinel_agent_custom_requests_seen_total{agent="${agent}",tag="${tag}"}`

for (const workers of [1, 2]) {
  test(`counters, gauges and histograms keep their kinds and are counted once (workers: ${workers})`, async (t) => {
    const upstream = await startRecordingUpstream(t)
    const sentinel = await startSentinel(t, siteWith(upstream.port, vitalAgent('one', 'connections 2; config { tag "a" }'), ['one'], `system { worker-threads ${workers} }`))
    for (let i = 0; i < 10; i++) await sentinel.request('/12345', { headers: { connection: 'close' } })
    await eventually('ten were seen', async () => await figure(sentinel, seen('one', 'a')) === 10)
    const page = await sentinel.metrics()
    assert.match(page, /# HELP sentinel_agent_custom_requests_seen_total Requests seen\.\n# TYPE sentinel_agent_custom_requests_seen_total counter\n/)
    assert.match(page, /# TYPE sentinel_agent_custom_last_path_chars gauge\n/)
    assert.match(page, /# TYPE sentinel_agent_custom_path_chars histogram\n/)
    assert.equal(await figure(sentinel, 'sentinel_agent_custom_last_path_chars{agent="one"}'), 6)
    assert.equal(await figure(sentinel, 'sentinel_agent_custom_path_chars_bucket{agent="one",le="5"}'), 0)
    assert.equal(await figure(sentinel, 'sentinel_agent_custom_path_chars_bucket{agent="one",le="10"}'), 10)
    assert.equal(await figure(sentinel, 'sentinel_agent_custom_path_chars_count{agent="one"}'), 10)
    assert.equal(await figure(sentinel, 'sentinel_agent_custom_path_chars_sum{agent="one"}'), 60)
  })
}

test('a counter goes on where it was when the agent starts anew', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, siteWith(upstream.port, vitalAgent('one', 'restart { initial-delay "10ms" }'), ['one']))
  for (let i = 0; i < 4; i++) await sentinel.request('/x')
  await eventually('four were seen', async () => await figure(sentinel, seen('one', 'none')) === 4)
  process.kill(sentinel.agentPids()['one']!, 'SIGKILL')
  await eventually('it is there again', async () => (await sentinel.request('/x')).status === 200)
  await eventually('five in all', async () => await figure(sentinel, seen('one', 'none')) === 5)
  assert.equal(await figure(sentinel, 'sentinel_agent_custom_path_chars_count{agent="one"}'), 5)
})

test('two agents with the same name for a figure are told apart; one that means something else by it is refused, and the log says so', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const agents = [vitalAgent('one', 'config { tag "a" }'), vitalAgent('two', 'config { tag "b" }'), vitalAgent('three', 'config { tag "c"; kind "gauge" }')].join('\n')
  const sentinel = await startSentinel(t, siteWith(upstream.port, agents, ['one', 'two', 'three']))
  await sentinel.request('/x')
  await eventually('both count', async () => await figure(sentinel, seen('one', 'a')) === 1 && await figure(sentinel, seen('two', 'b')) === 1)
  await eventually('the third has another name for it', async () => await figure(sentinel, 'sentinel_agent_custom_requests_seen{agent="three",tag="c"}') === 1)
  assert.equal((await sentinel.metrics()).match(/# TYPE sentinel_agent_custom_requests_seen_total/g)?.length, 1)
})

test('series of one agent are bounded', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, siteWith(upstream.port, vitalAgent('one'), ['one']))
  assert.equal((await sentinel.request('/flood')).status, 200)
  await eventually('what is too much is counted together', async () => (await figure(sentinel, 'sentinel_agent_custom_flood_total{agent="one",n="(other)"}') ?? 0) > 400)
  const series = (await sentinel.metrics()).split('\n').filter((line) => line.startsWith('sentinel_agent_custom_flood_total{'))
  assert.ok(series.length <= 1_000)
})

test('the page is one that Prometheus reads without a complaint', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, siteWith(upstream.port, vitalAgent('one'), ['one']))
  await sentinel.request('/x')
  await eventually('it was seen', async () => await figure(sentinel, seen('one', 'none')) === 1)
  const page = await sentinel.metrics()
  const names = [...page.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name)
  assert.equal(new Set(names).size, names.length, 'each name once')
  const tool = spawnSync('promtool', ['check', 'metrics'], { input: page })
  if (tool.error !== undefined) return t.diagnostic('promtool is not installed: not asked')
  assert.equal(tool.stdout.toString() + tool.stderr.toString(), '')
})

test('what handlers count in threads is counted as well, and one of them that is degraded is seen', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const agent = `agent "one" { command "${process.execPath}" "${vitalProgram}" "--workers" "2"; timeout "60s" }`
  const sentinel = await startSentinel(t, siteWith(upstream.port, agent, ['one']))
  for (let i = 0; i < 6; i++) assert.equal((await sentinel.request('/12345')).status, 200)
  await eventually('six were seen', async () => await figure(sentinel, seen('one', 'none')) === 6)
  assert.equal(await figure(sentinel, 'sentinel_agent_custom_path_chars_count{agent="one"}'), 6)
  assert.equal((await sentinel.request('/degrade')).status, 200)
  await eventually('it is degraded', async () => (await agentStatus(sentinel, 'one')).health === 'degraded')
})
