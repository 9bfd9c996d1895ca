// Whoever connects where agents do and is none, or not the right one, is refused at once and told apart in the logs.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { checkText } from '../../config/sentinel/index.ts'
import { eventually } from '../support/eventually.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { agentToken, connectHead, say, startReverseAgent } from '../support/reverse-agent.ts'
import { siteWith } from '../support/scripted-agent.ts'
import { startSentinel, type RunningSentinel } from '../support/sentinel.ts'

interface Scene {
  readonly sentinel: RunningSentinel
  readonly path: string
}

async function scene (t: TestContext, listener = '', logging = ''): Promise<Scene> {
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-reverse-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'agents.sock')
  const upstream = await startRecordingUpstream(t)
  const agents = `agent "guard" { reverse { token "${agentToken}" }; timeout "60s" }`
  const kdl = siteWith(upstream.port, agents, ['guard'], `reverse-listener "unix:${path}" { ${listener} }`)
  return { path, sentinel: await startSentinel(t, kdl.replace('observability {', `observability { ${logging}`)) }
}

const counted = async (sentinel: RunningSentinel, outcome: string): Promise<number> =>
  Number(new RegExp(`sentinel_agent_arrivals_total\\{outcome="${outcome}"\\} (\\d+)`).exec(await sentinel.metrics())?.[1] ?? 0)

test('a wrong token, none, and a name that nobody has get the same answer; the log and the audit log tell them apart', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-audit-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const audit = join(folder, 'audit.log')
  const { sentinel, path } = await scene(t, '', `logging { audit-log { enabled #true; file "${audit}" } };`)
  const answers = [
    await say({ path }, connectHead('guard', 'not-the-token-of-this-agent')),
    await say({ path }, connectHead('guard', undefined)),
    await say({ path }, connectHead('nobody', agentToken)),
  ]
  for (const answer of answers) assert.match(answer, /^HTTP\/1\.1 401 /)
  assert.equal(new Set(answers).size, 1, 'who asks learns no names')
  await sentinel.logged(({ event, claimed, msg = '' }) => event === 'agent-denied' && claimed === 'guard' && msg.includes('not the right one'))
  await sentinel.logged(({ event, claimed, msg = '' }) => event === 'agent-denied' && claimed === 'guard' && msg.includes('shows no token'))
  await sentinel.logged(({ event, claimed, msg = '' }) => event === 'agent-denied' && claimed === 'nobody' && msg.includes('no agent of this name'))
  assert.equal(await counted(sentinel, 'denied'), 3)
  await eventually('the audit log has them', () => readFileSync(audit, 'utf8').split('\n').filter((line) => line.includes('agent-denied') && line.includes('auth_event')).length === 3)
  const everything = JSON.stringify(sentinel.log) + readFileSync(audit, 'utf8')
  assert.ok(!everything.includes('not-the-token-of-this-agent') && !everything.includes(agentToken), 'no token is written anywhere')
})

test('an agent with the wrong token says so itself, and goes on trying', async (t) => {
  const { sentinel, path } = await scene(t)
  const agent = startReverseAgent(t, `unix:${path}`, { token: 'not-the-token-of-this-agent' })
  await eventually('it says why', () => agent.output().includes('no agent of this name and token'))
  await eventually('it tries again', async () => await counted(sentinel, 'denied') >= 2)
  assert.ok(!agent.output().includes('not-the-token'), 'its log has no token')
})

test('what is no question of an agent is answered with 400 and closed', async (t) => {
  const { sentinel, path } = await scene(t)
  const good = connectHead('guard', agentToken)
  const bad = [
    'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    good.replace('Upgrade: sentinel-agent', 'Upgrade: websocket'),
    good.replace('Sentinel-Agent: guard', 'Sentinel-Agent: %zz'),
    good.replace('Sentinel-Agent: guard', 'Sentinel-Agent: guard\r\nSentinel-Agent: other'),
    good.replace('Bearer', 'Basic'),
    good.replace('\r\n\r\n', '\r\nContent-Length: 3\r\n\r\n'),
    good.replace('Host: proxy', 'Host : proxy'),
    `${good}more`,
    `GET /sentinel.agent.v1/connect HTTP/1.1\r\nX: ${'y'.repeat(8_000)}`,
  ]
  for (const text of bad) assert.match(await say({ path }, text), /^HTTP\/1\.1 400 /, JSON.stringify(text.slice(0, 200)))
  assert.equal(await counted(sentinel, 'malformed'), bad.length)
  assert.match(await say({ path }, good), /^HTTP\/1\.1 101 /, 'and the right one is let in all the same')
})

test('whoever says nothing is closed after the handshake timeout', async (t) => {
  const { sentinel, path } = await scene(t, 'handshake-timeout "150ms"')
  assert.equal(await say({ path }, 'GET /sent'), '')
  assert.equal(await counted(sentinel, 'late'), 1)
})

test('strangers have few places: a flood of them costs nothing, and agents get in as they go', async (t) => {
  const { sentinel, path } = await scene(t, 'max-handshakes 4; handshake-timeout "1s"')
  const flood: Socket[] = []
  for (let i = 0; i < 60; i++) {
    const socket = connect({ path })
    socket.on('error', () => {})
    flood.push(socket)
  }
  t.after(() => { for (const socket of flood) socket.destroy() })
  await eventually('most are closed at once', async () => await counted(sentinel, 'crowded') >= 50)
  startReverseAgent(t, `unix:${path}`)
  await sentinel.logged(({ event, agent }) => event === 'agent-ready' && agent === 'guard')
})

test('strangers who say nothing keep no proxy from ending', async (t) => {
  const { sentinel, path } = await scene(t, 'handshake-timeout "1h"')
  const silent = connect({ path }).on('error', () => {})
  t.after(() => silent.destroy())
  // Who came behind it has been met.
  assert.match(await say({ path }, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'), /^HTTP\/1\.1 400 /)
  assert.equal((await sentinel.reload(`${readFileSync(sentinel.file, 'utf8')}\nlimits { max-header-count 50 }`)).event, 'reloaded')
  void sentinel.stop()
  await eventually('it has ended', () => sentinel.process.exitCode !== null)
  assert.equal(sentinel.process.exitCode, 0)
})

test('one address has an eighth of the places of strangers on a port', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const agents = `agent "guard" { reverse { token "${agentToken}" } }`
  const sentinel = await startSentinel(t, siteWith(upstream.port, agents, ['guard'], 'reverse-listener "127.0.0.1:0" { max-handshakes 16; handshake-timeout "20s" }'))
  const address = String((await sentinel.logged(({ event }) => event === 'reverse-listening'))['address'])
  const to = { host: '127.0.0.1', port: Number(address.slice(address.lastIndexOf(':') + 1)) }
  const silent = [connect(to), connect(to)]
  t.after(() => { for (const socket of silent) socket.destroy() })
  for (const socket of silent) socket.on('error', () => {})
  await eventually('a third one is closed', async () => await say(to, '') === '' && await counted(sentinel, 'crowded') >= 1)
})

test('one connection more than there are places waits, and the next is turned away', async (t) => {
  const { path } = await scene(t)
  const good = connectHead('guard', agentToken)
  const first = connect({ path })
  t.after(() => first.destroy())
  const answered = new Promise<string>((resolve) => first.once('data', (bytes: Buffer) => resolve(bytes.toString('latin1'))))
  first.write(good)
  assert.match(await answered, /^HTTP\/1\.1 101 /)
  const second = connect({ path })
  t.after(() => second.destroy())
  const parked = new Promise<string>((resolve) => second.once('data', (bytes: Buffer) => resolve(bytes.toString('latin1'))))
  second.write(good)
  assert.match(await parked, /^HTTP\/1\.1 102 /)
  assert.match(await say({ path }, good), /^HTTP\/1\.1 409 /)
  const called = new Promise<string>((resolve) => second.once('data', (bytes: Buffer) => resolve(bytes.toString('latin1'))))
  first.destroy()
  assert.match(await called, /^HTTP\/1\.1 101 /, 'it is called in when there is room')
})

test('a token that is changed by a reload counts at once: who came with the old one is let go', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-reverse-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'agents.sock')
  const upstream = await startRecordingUpstream(t)
  const kdl = (tokens: string): string => siteWith(upstream.port, `agent "guard" { reverse { token ${tokens} }; timeout "60s" }`, ['guard'], `reverse-listener "unix:${path}"`)
  const sentinel = await startSentinel(t, kdl(`"${agentToken}"`))
  const old = startReverseAgent(t, `unix:${path}`)
  await sentinel.logged(({ event, agent }) => event === 'agent-ready' && agent === 'guard')
  assert.equal((await sentinel.reload(kdl('"another-token-9876543210"'))).event, 'reloaded')
  await eventually('the old token counts no more', () => old.output().includes('no agent of this name and token'))
  await eventually('nobody decides', async () => (await sentinel.request('/')).status === 503)
  startReverseAgent(t, `unix:${path}`, { token: 'another-token-9876543210' })
  await eventually('the new one does', async () => (await sentinel.request('/')).status === 200)
})

test('what is not safe is not configured', () => {
  const problems = (reverse: string, listener: string): string => checkText(`
listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "all" { matches { path-prefix "/" }; agents "guard"; upstream "app" } }
upstreams { upstream "app" { target "127.0.0.1:9" } }
agents { agent "guard" { ${reverse} } }
${listener}`, 'test.kdl', { env: {} }).problems.filter(({ severity }) => severity === 'error').map(({ message }) => message).join('\n')
  assert.match(problems('reverse { token "short" }', 'reverse-listener "unix:/run/a"'), /at least 16 characters/)
  assert.match(problems('reverse', 'reverse-listener "127.0.0.1:9443"'), /needs a 'token'/)
  assert.match(problems(`reverse { token "${agentToken}" }`, 'reverse-listener "0.0.0.0:9443"'), /needs 'tls'/)
  assert.match(problems(`reverse { token "${agentToken}" }`, ''), /listens for agents nowhere/)
  assert.match(problems(`reverse { token "${agentToken}" }; command "x"`, 'reverse-listener "unix:/run/a"'), /the proxy does not start it/)
  assert.match(problems(`reverse { token "${agentToken}" }; grpc "127.0.0.1:1"`, 'reverse-listener "unix:/run/a"'), /more than one transport/)
  assert.equal(problems('reverse', 'reverse-listener "unix:/run/a"'), '')
  assert.equal(problems(`reverse { token "${agentToken}" }`, 'reverse-listener { path "/run/a"; tcp-address "127.0.0.1:9443" }'), '')
})
