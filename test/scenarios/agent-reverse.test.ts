// An agent that the proxy cannot connect to connects to the proxy, and is asked as any other.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { makeAuthority } from '../support/authority.ts'
import { eventually } from '../support/eventually.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { agentToken, connectHead, startReverseAgent, tokenFile } from '../support/reverse-agent.ts'
import { patient, scripted, siteWith } from '../support/scripted-agent.ts'
import { startSentinel, type RunningSentinel } from '../support/sentinel.ts'
import { deadPort } from '../support/upstream.ts'
import { workersOf } from '../support/workers.ts'

const authority = makeAuthority('agents')

function folderFor (t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-reverse-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

const guard = (settings = ''): string => `agent "guard" { reverse { token "${agentToken}" }; ${patient(settings)} }`

const ready = (sentinel: RunningSentinel) => sentinel.logged(({ event, agent }) => event === 'agent-ready' && agent === 'guard')

async function blocks (sentinel: RunningSentinel): Promise<boolean> {
  return (await sentinel.request('/blocked', { headers: scripted({ request: { do: 'block', status: 410 } }) })).status === 410
}

async function decides (sentinel: RunningSentinel): Promise<void> {
  assert.ok(await blocks(sentinel), 'the agent decides')
}

test('an agent that connects through a Unix socket decides; without it the failure mode counts', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const socket = join(folderFor(t), 'agents.sock')
  const sentinel = await startSentinel(t, siteWith(upstream.port, guard(), ['guard'], `reverse-listener "unix:${socket}"`))
  assert.equal((await sentinel.request('/early')).status, 503, 'it has not connected yet')
  assert.equal(upstream.heads(), 0)
  const agent = startReverseAgent(t, `unix:${socket}`)
  await ready(sentinel)
  await decides(sentinel)
  assert.equal((await sentinel.request('/passed')).status, 200)
  const body = await sentinel.request('/body', { method: 'POST', body: `${'x'.repeat(300_000)}forbidden`, headers: scripted({ late: true }) })
  assert.equal(body.status, 403, 'bodies reach it as well')
  await agent.kill()
  await eventually('the failure mode counts again', async () => (await sentinel.request('/gone')).status === 503)
})

test('it connects again when the proxy was away, and when its own process was', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const socket = join(folderFor(t), 'agents.sock')
  const kdl = siteWith(upstream.port, guard(), ['guard'], `reverse-listener "unix:${socket}"`)
  const agent = startReverseAgent(t, `unix:${socket}`)
  const first = await startSentinel(t, kdl)
  await ready(first)
  await decides(first)
  await first.stop('SIGKILL')
  const second = await startSentinel(t, kdl)
  await ready(second)
  await decides(second)
  await agent.kill()
  startReverseAgent(t, `unix:${socket}`)
  await eventually('it decides again', () => blocks(second))
})

test('over a network it speaks TLS, with the certificates of both looked at', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const port = await deadPort()
  const { cert, key } = authority.issue('proxy', 'DNS:localhost,IP:127.0.0.1')
  const own = authority.issue('agent', 'DNS:agent.test')
  const listener = `reverse-listener "127.0.0.1:${port}" { tls { cert-file "${cert}"; key-file "${key}"; ca-file "${authority.ca}" } }`
  const sentinel = await startSentinel(t, siteWith(upstream.port, guard(), ['guard'], listener))
  const without = startReverseAgent(t, `tcp:127.0.0.1:${port}`, { args: ['--tls-ca', authority.ca] })
  await sentinel.logged(({ event, outcome }) => event === 'agent-refused-connection' && outcome === 'no_tls')
  assert.equal((await sentinel.request('/no-certificate')).status, 503)
  await without.kill()
  const stranger = startReverseAgent(t, `tcp:127.0.0.1:${port}`, { args: ['--tls-ca', makeAuthority('somebody else').ca, '--tls-cert', own.cert, '--tls-key', own.key] })
  await eventually('it does not trust the proxy', () => stranger.output().includes('not-connected'))
  await stranger.kill()
  startReverseAgent(t, `tcp:127.0.0.1:${port}`, { token: '', args: ['--tls-ca', authority.ca, '--tls-cert', own.cert, '--tls-key', own.key, '--connect-token-file', tokenFile(folderFor(t), agentToken)] })
  await ready(sentinel)
  await decides(sentinel)
})

test('every worker gets connections of its own, as many as are configured', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const socket = join(folderFor(t), 'agents.sock')
  const kdl = siteWith(upstream.port, guard('connections 2'), ['guard'], `reverse-listener "unix:${socket}"\nsystem { worker-threads 2 }`)
  const sentinel = await startSentinel(t, kdl)
  startReverseAgent(t, `unix:${socket}`)
  await eventually('all have arrived', async () => /sentinel_agent_arrivals_total\{outcome="accepted"\} 4\b/.test(await sentinel.metrics()))
  await eventually('all workers have it asked', async () => {
    // Connections go to any worker.
    const statuses = await Promise.all(Array.from({ length: 20 }, (_, i) => sentinel.request(`/${i}`, { headers: { connection: 'close', ...scripted({ request: { do: 'block', status: 410 } }) } })))
    return statuses.every(({ status }) => status === 410)
  })
})

test('over TLS with several workers as well', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const port = await deadPort()
  const { cert, key } = authority.issue('proxy', 'IP:127.0.0.1')
  const kdl = siteWith(upstream.port, guard(), ['guard'], `reverse-listener "127.0.0.1:${port}" { tls { cert-file "${cert}"; key-file "${key}" } }\nsystem { worker-threads 2 }`)
  const sentinel = await startSentinel(t, kdl)
  startReverseAgent(t, `tcp:127.0.0.1:${port}`, { args: ['--tls-ca', authority.ca] })
  await eventually('all have arrived', async () => /sentinel_agent_arrivals_total\{outcome="accepted"\} 2\b/.test(await sentinel.metrics()))
  await eventually('it decides', () => blocks(sentinel))
})

test('a reload keeps its connection, and moves it without a gap where the agent\'s settings have changed', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const socket = join(folderFor(t), 'agents.sock')
  const kdl = (settings: string): string => siteWith(upstream.port, guard(settings), ['guard'], `reverse-listener "unix:${socket}"`)
  const sentinel = await startSentinel(t, kdl(''))
  startReverseAgent(t, `unix:${socket}`)
  await ready(sentinel)
  const accepted = async (): Promise<string | undefined> => /arrivals_total\{outcome="accepted"\} (\d+)/.exec(await sentinel.metrics())?.[1]
  await eventually('all have arrived', async () => /arrivals_total\{outcome="waits"\} [1-9]/.test(await sentinel.metrics()))
  assert.equal((await sentinel.reload(kdl('timeout "50s"'))).event, 'reloaded')
  await decides(sentinel)
  assert.equal(await accepted(), '1', 'the same connection')
  let stop = false
  const statuses = new Set<number>()
  const load = (async () => {
    while (!stop) statuses.add((await sentinel.request('/under-load', { headers: scripted({ request: { do: 'block', status: 410 } }) })).status)
  })()
  assert.equal((await sentinel.reload(kdl('max-concurrent-calls 50'))).event, 'reloaded')
  await decides(sentinel)
  stop = true
  await load
  assert.deepEqual(statuses, new Set([410]), 'no request met a closed door')
})

test('two processes of one agent share its places, and one takes over when the other leaves', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const socket = join(folderFor(t), 'agents.sock')
  const sentinel = await startSentinel(t, siteWith(upstream.port, guard(), ['guard'], `reverse-listener "unix:${socket}"`))
  const first = startReverseAgent(t, `unix:${socket}`)
  await ready(sentinel)
  const second = startReverseAgent(t, `unix:${socket}`)
  await eventually('all have arrived', async () => /arrivals_total\{outcome="enough"\} [1-9]/.test(await sentinel.metrics()))
  await first.kill()
  await eventually('it decides', () => blocks(sentinel))
  await eventually('the second is connected', () => second.output().includes('"connected"'))
})

/** Somebody who connects as an agent does and says nothing more: what it is told, until it is sent away. */
function knock (t: TestContext, path: string): { told (): string, closed: boolean } {
  const socket = connect(path)
  t.after(() => socket.destroy())
  let answers = ''
  const visitor = { told: () => answers.match(/(?<=HTTP\/1\.1 )\d+/g)?.join(' ') ?? '', closed: false }
  socket.setEncoding('latin1').on('data', (text: string) => { answers += text }).on('error', () => {}).on('close', () => { visitor.closed = true })
  socket.write(connectHead('guard', agentToken))
  return visitor
}

test('a worker that takes the place of another gets connections at once: those that wait elsewhere are sent to it', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const socket = join(folderFor(t), 'agents.sock')
  const patient = guard('connect-timeout "60s"; http2 { keep-alive-timeout "60s" }')
  const sentinel = await startSentinel(t, siteWith(upstream.port, patient, ['guard'], `reverse-listener "unix:${socket}"\nsystem { worker-threads 2 }`))
  const visitors: Array<ReturnType<typeof knock>> = []
  for (const answer of ['101', '101', '102', '102']) {
    const visitor = knock(t, socket)
    visitors.push(visitor)
    await eventually(`it is told ${answer}`, () => visitor.told() === answer)
  }
  const [killed] = await workersOf(sentinel)
  process.kill(killed!.pid, 'SIGKILL')
  await eventually('what waits for a place at the other worker is told to come again', () => visitors.some(({ told }) => told() === '102 409'))
  assert.equal(visitors.filter(({ told, closed }) => told() === '101' && !closed).length, 1)
  await eventually('one of those who come then has the place', async () => {
    const visitor = knock(t, socket)
    await eventually('it is answered', () => visitor.told() !== '' || visitor.closed)
    return visitor.told() === '101'
  })
})
