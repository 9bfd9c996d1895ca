import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { atATime } from '../support/at-a-time.ts'
import { fromDist } from '../support/paths.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { startSentinel } from '../support/sentinel.ts'

const test = atATime(2)

const agent = "import { defineAgent } from 'sentinel/sdk'\nexport default defineAgent({ name: 'stopped', onRequest () {} })\n"

/** A proxy that starts the agent and waits a minute for its decisions. */
function site (port: number, keepAlive: string): string {
  return `listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "all" { matches { path-prefix "/" }; upstream "app"; filters "stopped" } }
upstreams { upstream "app" { target "127.0.0.1:${port}" } }
agents { agent "stopped" { command "${process.execPath}" "${fromDist('sdk', 'run', 'main.js')}" "agent.ts"; timeout "60s"; ${keepAlive} } }
observability { metrics { enabled #false } }
`
}

test('an agent that gives no sign of life within keep-alive-timeout is asked nothing until it does', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const kdl = site(upstream.port, 'http2 { keep-alive-interval "100ms"; keep-alive-timeout "3s" }')
  const sentinel = await startSentinel(t, kdl, { files: { 'agent.ts': agent } })
  assert.equal((await sentinel.get('/')).status, 200)
  const pid = sentinel.agentPids()['stopped']!
  process.kill(pid, 'SIGSTOP')
  await sentinel.logged(({ event, state }) => event === 'agent-state' && state === 'stalled')
  const refused = await sentinel.get('/')
  assert.equal(refused.status, 503)
  const { fault } = await sentinel.accessed(({ status }) => status === 503)
  assert.equal(fault, 'AGENT_NOT_CONNECTED', 'it did not wait for a minute')
  process.kill(pid, 'SIGCONT')
  await sentinel.logged(({ event, agent: id, time }) => event === 'agent-ready' && id === 'stopped' && Number(time) > Number(sentinel.log.find(({ state }) => state === 'stalled')?.['time']))
  assert.equal((await sentinel.get('/')).status, 200)
})

test('with a long keep-alive-timeout a decision may stand still for longer than the usual two seconds', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, site(upstream.port, 'http2 { keep-alive-timeout "1h" }'), { files: { 'agent.ts': agent } })
  assert.equal((await sentinel.get('/')).status, 200)
  const pid = sentinel.agentPids()['stopped']!
  process.kill(pid, 'SIGSTOP')
  const held = sentinel.get('/')
  await sleep(4_000)
  assert.ok(!sentinel.log.some(({ state }) => state === 'stalled'))
  process.kill(pid, 'SIGCONT')
  assert.equal((await held).status, 200)
})
