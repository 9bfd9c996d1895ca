// An agent on another machine is spoken to over TLS: what the certificates say is looked at, on both sides.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, readFileSync } from 'node:fs'
import { createServer as createHttpsServer } from 'node:https'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { makeAuthority, type IssuedCertificate } from '../support/authority.ts'
import { eventually } from '../support/eventually.ts'
import { fromDist } from '../support/paths.ts'
import { startRecordingUpstream, type RecordingUpstream } from '../support/recording-upstream.ts'
import { patient, scripted, siteWith } from '../support/scripted-agent.ts'
import { startSentinel, type RunningSentinel } from '../support/sentinel.ts'
import { deadPort } from '../support/upstream.ts'
import { agentStatus } from '../support/vital-agent.ts'

const authority = makeAuthority('agents')
const stranger = makeAuthority('somebody else')
const agentCertificate = authority.issue('agent', 'DNS:localhost,IP:127.0.0.1')
const proxyCertificate = authority.issue('proxy', 'DNS:proxy.test')
const program = fromDist('test', 'support', 'agents', 'scripted.js')

/** The scripted agent in a process of its own, as an operator would start it. Gives its port. */
async function startAgent (t: TestContext, { cert, key }: IssuedCertificate, clientCa?: string): Promise<number> {
  const port = await deadPort()
  const mutual = clientCa === undefined ? [] : ['--tls-client-ca', clientCa]
  const child = spawn(process.execPath, [program, '--listen', `127.0.0.1:${port}`, '--tls-cert', cert, '--tls-key', key, ...mutual], { stdio: 'ignore' })
  t.after(async () => {
    if (child.exitCode === null && child.kill('SIGKILL')) await once(child, 'exit')
  })
  return port
}

interface Scene {
  readonly sentinel: RunningSentinel
  readonly upstream: RecordingUpstream
}

async function startWith (t: TestContext, agent: string): Promise<Scene> {
  const upstream = await startRecordingUpstream(t)
  return { upstream, sentinel: await startSentinel(t, siteWith(upstream.port, `agent "guard" { ${patient(agent)} }`, ['guard'])) }
}

const ready = (sentinel: RunningSentinel) => sentinel.logged(({ event, agent }) => event === 'agent-ready' && agent === 'guard')

async function expectDecisions ({ sentinel }: Scene): Promise<void> {
  await ready(sentinel)
  const blocked = await sentinel.request('/blocked', { headers: scripted({ request: { do: 'block', status: 410 } }) })
  assert.equal(blocked.status, 410, 'the agent decides')
  assert.equal((await sentinel.request('/passed')).status, 200)
}

/** The connection fails for this reason; requests run into the failure mode. */
async function expectNoTrust ({ sentinel, upstream }: Scene, why: RegExp): Promise<void> {
  const record = await sentinel.logged(({ event, agent, msg = '' }) => event === 'agent-state' && agent === 'guard' && why.test(msg))
  assert.equal(record['state'], 'backoff')
  assert.equal((await sentinel.request('/refused')).status, 503)
  assert.equal(upstream.heads(), 0, 'nothing reached the upstream')
}

test('an agent whose certificate comes from the named authority decides', async (t) => {
  const port = await startAgent(t, agentCertificate)
  await expectDecisions(await startWith(t, `grpc "https://127.0.0.1:${port}" { ca-cert "${authority.ca}" }; managed #false`))
})

test('a certificate of another authority is not believed: the failure mode counts, and the log says why', async (t) => {
  const port = await startAgent(t, agentCertificate)
  await expectNoTrust(await startWith(t, `grpc "https://127.0.0.1:${port}" { ca-cert "${stranger.ca}" }; managed #false`), /certificate is not accepted/)
})

test('without an authority the system\'s count, which do not know this one; open lets requests pass', async (t) => {
  const port = await startAgent(t, agentCertificate)
  const { sentinel } = await startWith(t, `grpc "https://127.0.0.1:${port}"; managed #false; failure-mode "open"`)
  await sentinel.logged(({ event, msg = '' }) => event === 'agent-state' && /certificate is not accepted/.test(msg))
  assert.equal((await sentinel.request('/open')).status, 200)
})

test('the certificate must be for the name: server-name says another one', async (t) => {
  const port = await startAgent(t, agentCertificate)
  const grpc = (name: string): string => `grpc "127.0.0.1:${port}" { ca-cert "${authority.ca}"; server-name "${name}" }; managed #false`
  await expectDecisions(await startWith(t, grpc('localhost')))
  await expectNoTrust(await startWith(t, grpc('other.test')), /certificate is not accepted.*other\.test/)
})

test('an agent that asks for the proxy\'s certificate gets it, and refuses a proxy without', async (t) => {
  const port = await startAgent(t, agentCertificate, authority.ca)
  const pair = `client-cert "${proxyCertificate.cert}"; client-key "${proxyCertificate.key}"`
  await expectDecisions(await startWith(t, `grpc "https://127.0.0.1:${port}" { ca-cert "${authority.ca}"; ${pair} }; managed #false`))
  const { cert, key } = stranger.issue('intruder', 'DNS:proxy.test')
  const intruder = await startWith(t, `grpc "https://127.0.0.1:${port}" { ca-cert "${authority.ca}"; client-cert "${cert}"; client-key "${key}" }; managed #false`)
  await intruder.sentinel.logged(({ event, msg = '' }) => event === 'agent-state' && /certificate of the proxy/.test(msg))
  const { sentinel } = await startWith(t, `grpc "https://127.0.0.1:${port}" { ca-cert "${authority.ca}" }; managed #false`)
  await sentinel.logged(({ event, msg = '' }) => event === 'agent-state' && /certificate of the proxy/.test(msg))
  assert.equal((await sentinel.request('/no-certificate')).status, 503)
})

test('insecure-skip-verify takes any certificate, and the log warns of it', async (t) => {
  const port = await startAgent(t, agentCertificate)
  const scene = await startWith(t, `grpc "https://127.0.0.1:${port}" { insecure-skip-verify }; managed #false`)
  await expectDecisions(scene)
  const { log, screen } = scene.sentinel
  await eventually('a warning', () => log.some(({ msg = '', code }) => /protects nothing/.test(msg) || code === 'CONFIG_NO_EFFECT') || /protects nothing/.test(screen()))
})

test('an agent that speaks plain text where TLS is expected is not connected to', async (t) => {
  const port = await deadPort()
  const child = spawn(process.execPath, [program, '--listen', `127.0.0.1:${port}`], { stdio: 'ignore' })
  t.after(async () => {
    if (child.exitCode === null && child.kill('SIGKILL')) await once(child, 'exit')
  })
  const { sentinel, upstream } = await startWith(t, `grpc "https://127.0.0.1:${port}" { ca-cert "${authority.ca}" }; managed #false`)
  await sentinel.logged(({ event, msg }) => event === 'agent-state' && msg === 'it does not speak TLS')
  assert.equal((await sentinel.request('/plain')).status, 503)
  assert.equal(upstream.heads(), 0)
})

test('whoever speaks TLS without HTTP/2 is no agent, and the log says so', async (t) => {
  const { cert, key } = agentCertificate
  const server = createHttpsServer({ cert: readFileSync(cert), key: readFileSync(key) }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => { server.close(); server.closeAllConnections() })
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const { sentinel } = await startWith(t, `grpc "https://127.0.0.1:${port}" { ca-cert "${authority.ca}" }; managed #false`)
  await sentinel.logged(({ event, msg }) => event === 'agent-state' && msg === 'it speaks TLS, but not HTTP/2')
  assert.equal((await sentinel.request('/old')).status, 503)
})

test('a reload reads the files anew, under the same names', async (t) => {
  const port = await startAgent(t, agentCertificate)
  const upstream = await startRecordingUpstream(t)
  const kdl = siteWith(upstream.port, `agent "guard" { grpc "https://127.0.0.1:${port}" { ca-cert "ca.pem" }; managed #false; timeout "60s" }`, ['guard'])
  const sentinel = await startSentinel(t, kdl, { files: { 'ca.pem': readFileSync(authority.ca, 'utf8') } })
  await expectDecisions({ sentinel, upstream })
  copyFileSync(stranger.ca, join(sentinel.folder, 'ca.pem'))
  await sentinel.reload(kdl)
  await sentinel.logged(({ event, msg = '' }) => event === 'agent-state' && /certificate is not accepted/.test(msg))
  assert.equal((await sentinel.request('/after')).status, 503)
})

test('a program of the proxy serves at an address as well, with TLS of its own', async (t) => {
  const port = await deadPort()
  const { cert, key } = agentCertificate
  await expectDecisions(await startWith(t, `command ${JSON.stringify(process.execPath)} ${JSON.stringify(program)}
    env { SENTINEL_TLS_CERT "${cert}"; SENTINEL_TLS_KEY "${key}" }
    http "https://127.0.0.1:${port}" { ca-cert "${authority.ca}" }`))
})

test('a new configuration is pushed over TLS, and an agent that was away meanwhile gets the newest when it is back', async (t) => {
  const port = await deadPort()
  const { cert, key } = agentCertificate
  const start = () => spawn(process.execPath, [program, '--listen', `127.0.0.1:${port}`, '--tls-cert', cert, '--tls-key', key], { stdio: 'ignore' })
  let child = start()
  const kill = async (): Promise<void> => { if (child.exitCode === null && child.kill('SIGKILL')) await once(child, 'exit') }
  t.after(kill)
  const upstream = await startRecordingUpstream(t)
  const kdl = (greeting: string): string => siteWith(upstream.port, `agent "guard" { grpc "https://127.0.0.1:${port}" { ca-cert "${authority.ca}" }; managed #false; timeout "60s"; config { greeting "${greeting}" } }`, ['guard'])
  const sentinel = await startSentinel(t, kdl('one'))
  await ready(sentinel)
  const greeted = async (): Promise<string | undefined> => {
    const { status } = await sentinel.request('/greeted')
    return status === 200 ? upstream.requests.at(-1)?.headers['x-greeting']?.toString() : undefined
  }
  assert.equal(await greeted(), 'one')
  const versionOf = async (): Promise<string | undefined> => (await agentStatus(sentinel, 'guard')).config_version
  const first = await versionOf()
  assert.match(first ?? '', /^[0-9a-f]{12}$/)
  assert.equal((await sentinel.reload(kdl('two'))).event, 'reloaded')
  assert.equal(await greeted(), 'two')
  const second = await versionOf()
  assert.notEqual(second, first)
  const refused = await sentinel.reload(kdl('three').replace('greeting "three"', 'gretting "three"'))
  assert.equal(refused.event, 'reload-failed')
  assert.equal(await greeted(), 'two', 'what is refused changes nothing, in the agent and in the proxy')
  assert.equal(await versionOf(), second)
  await kill()
  await eventually('it is missed', async () => (await sentinel.request('/away')).status === 503)
  assert.equal((await sentinel.reload(kdl('four'))).event, 'reloaded')
  child = start()
  await eventually('it is back, with the newest', async () => await greeted() === 'four')
  assert.notEqual(await versionOf(), second)
})
