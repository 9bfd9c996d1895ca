import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { test } from 'node:test'
import { fromRoot } from '../support/paths.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { scripted, scriptedAgent, siteWith } from '../support/scripted-agent.ts'
import { startSentinel } from '../support/sentinel.ts'
import { eventually } from '../support/eventually.ts'
import { folderWith } from '../support/folder.ts'

/** Whether a process exists and is not a zombie that nobody has waited for yet. */
function runs (pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

const socketFolders = (folder = tmpdir()): string[] => readdirSync(folder).filter((name) => /^sentinel-\d+-[A-Za-z0-9]{6}$/.test(name))

/** The quickstart's own text with the addresses of the test, and with patience: a machine that is busy is no agent that is slow. */
function quickstart (upstreamPort: number): string {
  return readFileSync(fromRoot('examples', 'quickstart', 'sentinel.kdl'), 'utf8')
    .replace('127.0.0.1:8080', '127.0.0.1:0').replace('127.0.0.1:8081', `127.0.0.1:${upstreamPort}`).replace('127.0.0.1:9090', '127.0.0.1:0')
    .replaceAll('timeout "200ms"', 'timeout "60s"')
}

test('the quickstart shows one start screen, decides, and stops without leaving a process or a socket', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, quickstart(upstream.port))
  await eventually('the screen is there', () => /try +curl http:/.test(sentinel.screen()))
  assert.match(sentinel.screen(), /Sentinel \d+\.\d+\.\d+/)
  for (const line of [/config +\/.*sentinel\.kdl/, /listeners +web +http:\/\/127\.0\.0\.1:\d+/, /routes +everything +denylist → waf → demo/, /denylist +ready +pid \d+/, /waf +ready +pid \d+/, /try +curl http:/]) {
    assert.match(sentinel.screen(), line)
  }
  assert.equal((await sentinel.get('/hello')).status, 200)
  assert.equal((await sentinel.get("/?q=1'+OR+'1'='1")).status, 403)
  assert.equal((await sentinel.get('/', { headers: { 'user-agent': 'BadBot/1.0' } })).status, 403)
  assert.equal((await sentinel.get('/.git/config')).status, 403)
  assert.equal((await sentinel.get('/.env')).status, 403)
  assert.equal((await sentinel.request('/post', { headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: 'comment=<script>alert(1)</script>' })).status, 403)
  const pids = Object.values(sentinel.agentPids())
  assert.equal(pids.length, 2)
  assert.equal(await sentinel.stop('SIGINT'), 0)
  assert.deepEqual(pids.filter(runs), [], 'agents are gone')
  assert.deepEqual(socketFolders().filter((name) => name.includes(`-${sentinel.pid}-`)), [], 'no socket folder is left')
})

test('a request that is open when the proxy is stopped gets its answer', async (t) => {
  let finish: (() => void) | undefined
  const upstream = await startRecordingUpstream(t, (_request, response) => { finish = () => response.end('in the end') })
  const sentinel = await startSentinel(t, siteWith(upstream.port, scriptedAgent('first'), ['first']))
  const pending = sentinel.get('/slow')
  await eventually('the request reached the upstream', () => finish !== undefined)
  const stopped = sentinel.stop('SIGTERM')
  await sentinel.logged(({ event }) => event === 'stopping')
  finish!()
  assert.equal((await pending).text, 'in the end')
  assert.equal(await stopped, 0)
})

test('agents end when the proxy is killed', async (t) => {
  const upstream = await startRecordingUpstream(t)
  // Whoever starts clears away what killed ones have left: in a place where nobody else starts.
  const place = folderWith(t)
  const env = { TMPDIR: place }
  const sentinel = await startSentinel(t, siteWith(upstream.port, scriptedAgent('first') + '\nagent "waf" type="waf" { timeout "1s" }', ['first', 'waf']), { env })
  const pids = Object.values(sentinel.agentPids())
  assert.equal(pids.length, 2)
  await sentinel.stop('SIGKILL')
  await eventually('agents outlived their proxy', () => !pids.some(runs))
  const left = socketFolders(place).filter((name) => name.includes(`-${sentinel.pid}-`))
  assert.equal(left.length, 1, 'a killed proxy cannot clean up')
  await startSentinel(t, siteWith(upstream.port, '', []), { env })
  assert.deepEqual(socketFolders(place).filter((name) => left.includes(name)), [], 'the next one does')
})

test("what an agent logs appears in the proxy's log under its name", async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, siteWith(upstream.port, scriptedAgent('chatty'), ['chatty']))
  await sentinel.get('/said')
  const said = await sentinel.logged((record) => record['path'] === '/said')
  assert.equal(said.agent, 'chatty')
})

test('an agent somebody else serves is left alone', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const first = await startSentinel(t, siteWith(upstream.port, scriptedAgent('shared', 'unix-socket "shared.sock"'), ['shared']))
  const socket = `${first.folder}/shared.sock`
  assert.ok(existsSync(socket))
  const second = await startSentinel(t, siteWith(upstream.port, scriptedAgent('shared', `unix-socket ${JSON.stringify(socket)}`), ['shared']))
  assert.deepEqual(second.agentPids(), {}, 'no second process was started')
  assert.equal((await second.get('/', { headers: scripted({ request: { do: 'block', status: 410 } }) })).status, 410)
  await second.stop()
  assert.equal((await first.get('/', { headers: scripted({ request: { do: 'block', status: 410 } }) })).status, 410, 'it outlives the other proxy')
})

test('an agent is told nothing of the environment but what the operator gives it', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, siteWith(upstream.port, scriptedAgent('first', 'env { GIVEN "yes" }'), ['first']), { env: { SECRET_OF_THE_PROXY: 'hidden' } })
  const environment = readFileSync(`/proc/${sentinel.agentPids()['first']}/environ`, 'utf8')
  assert.match(environment, /GIVEN=yes/)
  assert.doesNotMatch(environment, /SECRET_OF_THE_PROXY/)
})
