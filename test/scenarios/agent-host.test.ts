// Agents that share a host run in one process, and are agents of their own in all other respects.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test, type TestContext } from 'node:test'
import { checkText } from '../../config/sentinel/index.ts'
import { atATime } from '../support/at-a-time.ts'
import { eventually } from '../support/eventually.ts'
import { fromDist } from '../support/paths.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { patient, scripted, siteWith } from '../support/scripted-agent.ts'
import { startSentinel, type RunningSentinel } from '../support/sentinel.ts'
import { agentStatus, vitalProgram } from '../support/vital-agent.ts'

const waiting = atATime(2)

const script = fromDist('test', 'support', 'agents', 'scripted.js')

function hosted (id: string, file: string, settings = ''): string {
  return `agent ${JSON.stringify(id)} { host "shared"; command "node" ${JSON.stringify(file)}\n${patient(settings)} }`
}

const three = [
  hosted('scripted', script, 'config { greeting "one" }'),
  hosted('vital', vitalProgram),
  'agent "waf" { host "shared"; timeout "60s" }',
].join('\n')

async function start (t: TestContext, agents: string, filters: readonly string[]): Promise<{ sentinel: RunningSentinel, port: number }> {
  const { port } = await startRecordingUpstream(t)
  return { port, sentinel: await startSentinel(t, siteWith(port, agents, filters)) }
}

const residentKb = (pid: number): number => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])

waiting('a file that cannot be loaded leaves the others alone: its failure mode counts, and the log says why', async (t) => {
  const { port } = await startRecordingUpstream(t)
  const agents = [hosted('good', script), hosted('bad', 'bad.mjs', 'failure-mode "open"')].join('\n')
  const sentinel = await startSentinel(t, siteWith(port, agents, ['good', 'bad']), { files: { 'bad.mjs': 'throw new Error("not today")' } })
  await sentinel.logged((record) => record['agent_event'] === 'not-loaded' && record.agent === 'bad')
  assert.equal((await sentinel.request('/', { headers: scripted({ request: { do: 'block', status: 410 } }) })).status, 410)
  assert.equal((await sentinel.request('/passed')).status, 200)
})

waiting('three agents are one process, and each decides for itself', async (t) => {
  const { sentinel } = await start(t, three, ['scripted', 'vital', 'waf'])
  const pids = sentinel.agentPids()
  assert.equal(Object.keys(pids).length, 3)
  assert.equal(new Set(Object.values(pids)).size, 1, 'one process')
  assert.equal((await sentinel.request('/passed')).status, 200)
  assert.equal((await sentinel.request('/', { headers: scripted({ request: { do: 'block', status: 410 } }) })).status, 410)
  assert.equal((await sentinel.request('/fail')).status, 503, 'a handler that throws is the failure of its agent')
  assert.equal((await sentinel.request(`/?q=${encodeURIComponent("1' OR '1'='1' --")}`)).status, 403)
  assert.equal((await sentinel.request('/degrade')).status, 200)
  await eventually('one is degraded', async () => (await agentStatus(sentinel, 'vital')).health === 'degraded')
  assert.equal((await agentStatus(sentinel, 'scripted')).health, 'serving', 'and the others are not')
  assert.equal((await agentStatus(sentinel, 'scripted')).pid, (await agentStatus(sentinel, 'waf')).pid)
})

waiting('what one of them says in its log stands under its own name', async (t) => {
  const { sentinel } = await start(t, three, ['scripted', 'vital', 'waf'])
  for (const agent of ['scripted', 'vital', 'waf']) await sentinel.logged((record) => record['agent_event'] === 'serving' && record.agent === agent)
})

waiting('the end of the process is the end of all, and all are there again', async (t) => {
  const { sentinel } = await start(t, three, ['scripted', 'vital', 'waf'])
  const { scripted: pid } = sentinel.agentPids()
  process.kill(pid!, 'SIGKILL')
  await sentinel.logged(({ event }) => event === 'agent-exited')
  await eventually('all decide again', async () => (await sentinel.request('/passed')).status === 200)
  await sentinel.logged(({ event, agent, pid: other }) => event === 'agent-started' && agent === 'waf' && other !== pid)
  const pids = sentinel.agentPids()
  assert.equal(new Set(Object.values(pids)).size, 1)
  assert.notEqual(pids['scripted'], pid)
})

test('a change of one\'s configuration goes to that one, in the process that runs', async (t) => {
  const { sentinel, port } = await start(t, three, ['scripted', 'vital', 'waf'])
  const before = sentinel.agentPids()['scripted']
  const vitalVersion = (await agentStatus(sentinel, 'vital')).config_version
  assert.equal((await sentinel.reload(siteWith(port, three.replace('"one"', '"two"'), ['scripted', 'vital', 'waf']))).event, 'reloaded')
  assert.equal((await sentinel.request('/passed')).status, 200)
  assert.equal(sentinel.agentPids()['scripted'], before)
  assert.equal((await agentStatus(sentinel, 'vital')).config_version, vitalVersion)
  const refused = await sentinel.reload(siteWith(port, three.replace('greeting "one"', 'greting "two"'), ['scripted', 'vital', 'waf']))
  assert.equal(refused.event, 'reload-failed', 'and a refusal of one keeps all as they are')
  assert.equal((await sentinel.request('/passed')).status, 200)
})

test('a reload that brings one more moves all of them to a new process, without a gap', async (t) => {
  const two = three.split('\n').filter((line) => !line.includes('"waf"')).join('\n')
  const { sentinel, port } = await start(t, two, ['scripted', 'vital'])
  const before = sentinel.agentPids()['scripted']!
  const statuses = new Set<number>()
  let stop = false
  const load = (async () => { while (!stop) statuses.add((await sentinel.request('/passed')).status) })()
  assert.equal((await sentinel.reload(siteWith(port, three, ['scripted', 'vital', 'waf']))).event, 'reloaded')
  const after = sentinel.agentPids()
  assert.equal(new Set(Object.values(after)).size, 1)
  assert.notEqual(after['scripted'], before)
  await eventually('the old process is gone', () => {
    try {
      return process.kill(before, 0) && false
    } catch {
      return true
    }
  })
  stop = true
  await load
  assert.deepEqual([...statuses], [200], 'no request failed')
})

waiting('two agents of one file are two agents', async (t) => {
  const agents = [hosted('first', script, 'config { greeting "a" }'), hosted('second', script, 'config { greeting "b" }')].join('\n')
  const { sentinel } = await start(t, agents, ['first', 'second'])
  assert.equal(new Set(Object.values(sentinel.agentPids())).size, 1)
  assert.equal((await sentinel.request('/passed')).status, 200)
  assert.notEqual((await agentStatus(sentinel, 'first')).config_version, (await agentStatus(sentinel, 'second')).config_version)
})

test('one process takes much less memory than three', async (t) => {
  const shared = await start(t, three, ['scripted', 'vital', 'waf'])
  const alone = await start(t, three.replaceAll('host "shared";', '').replace('host "shared"; ', ''), ['scripted', 'vital', 'waf'])
  const together = residentKb(shared.sentinel.agentPids()['waf']!)
  const apart = Object.values(alone.sentinel.agentPids()).map(residentKb)
  assert.equal(new Set(Object.values(alone.sentinel.agentPids())).size, 3)
  t.diagnostic(`resident: one process of three agents ${Math.round(together / 1024)} MB, three processes ${apart.map((kb) => Math.round(kb / 1024)).join(' + ')} MB`)
  assert.ok(together < 0.6 * apart.reduce((sum, kb) => sum + kb, 0))
})

test('what cannot share a process is refused at load, with what to do', () => {
  const problems = (agents: string): string => checkText(`
listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "all" { matches { path-prefix "/" }; agents "a" "b"; upstream "app" } }
upstreams { upstream "app" { target "127.0.0.1:9" } }
agents { ${agents} }`, 'test.kdl', { env: {} }).problems.filter(({ severity }) => severity === 'error').map(({ message }) => message).join('\n')
  const other = 'agent "b" type="waf" { host "h" }'
  assert.equal(problems(`agent "a" type="denylist" { host "h" }\n${other}`), '')
  assert.match(problems(`agent "a" { host "h"; command "python3" "a.py" }\n${other}`), /no program that could be loaded beside others/)
  assert.match(problems(`agent "a" type="waf" { host "h"; unix-socket "/run/a" }\n${other}`), /reached where the configuration says/)
  assert.match(problems(`agent "a" { host "h"; grpc "127.0.0.1:1"; managed #false }\n${other}`), /the proxy does not start it/)
  assert.match(problems(`agent "a" type="waf" { host "h"; env { X "y" } }\n${other}`), /differ in 'env'/)
  assert.match(problems(`agent "a" type="waf" { host "h"; restart { policy "never" } }\n${other}`), /differ in 'restart'/)
})
