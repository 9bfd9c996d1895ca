// A reload in the middle of traffic lets no request past a decision.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { allow, decision, rawAgent } from '../support/raw-agent.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { siteWith } from '../support/scripted-agent.ts'
import { startSentinel } from '../support/sentinel.ts'

test('a request that waits for its decision during reloads is decided by the agent that was asked', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const agent = await rawAgent(t)
  agent.script.onEvent = (event, wire) => {
    if (event.timeoutMs === 0 || event.kind !== 'request_headers') return
    if (event.value.path === '/held') setTimeout(() => wire.reply(event, decision({ kind: 'block', value: { status: 403, headers: [], body: Buffer.alloc(0) } })), 400)
    else wire.reply(event, allow)
  }
  const kdl = siteWith(upstream.port, `agent "raw" { unix-socket "${agent.path}"; timeout "60s"; failure-mode "open" }`, ['raw'])
  const sentinel = await startSentinel(t, kdl)
  const held = sentinel.get('/held')
  await agent.seen((event) => event.kind === 'request_headers' && event.value.path === '/held')
  assert.equal((await sentinel.reload(kdl.replace('timeout "60s"', 'timeout "59s"'))).event, 'reloaded')
  assert.equal((await sentinel.reload(kdl.replace(' filters "raw";', '').replace(/agents \{ .* \}\n/, 'agents { }\n'))).event, 'reloaded')
  assert.equal((await held).status, 403)
  assert.equal(upstream.requests.some(({ url }) => url === '/held'), false)
})

test('requests during many reloads are all judged', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const agent = await rawAgent(t)
  agent.script.onEvent = (event, wire) => {
    if (event.timeoutMs > 0) wire.reply(event, decision({ kind: 'block', value: { status: 403, headers: [], body: Buffer.alloc(0) } }))
  }
  const kdl = (timeout: number): string => siteWith(upstream.port, `agent "raw" { unix-socket "${agent.path}"; timeout "${timeout}ms"; max-concurrent-calls ${timeout} }`, ['raw'])
  const sentinel = await startSentinel(t, kdl(1_000))
  let over = false
  const statuses = new Set<number>()
  const load = (async () => { while (!over) statuses.add((await sentinel.get('/')).status) })()
  for (let i = 1; i <= 8; i++) assert.equal((await sentinel.reload(kdl(1_000 + i))).event, 'reloaded')
  over = true
  await load
  assert.equal(upstream.heads(), 0)
  assert.deepEqual([...statuses].filter((status) => status !== 403 && status !== 503), [])
})
