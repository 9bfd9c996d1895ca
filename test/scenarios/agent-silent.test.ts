// An agent of the proxy's own whose process does not end and does nothing any more.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { atATime } from '../support/at-a-time.ts'
import { eventually } from '../support/eventually.ts'
import { fromDist } from '../support/paths.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { scriptedAgent, siteWith } from '../support/scripted-agent.ts'
import { startSentinel, type RunningSentinel } from '../support/sentinel.ts'

const waiting = atATime(2)

interface More {
  readonly files?: Readonly<Record<string, string>>
  readonly blocks?: string
}

async function start (t: TestContext, agents: string, filters: readonly string[], { files = {}, blocks = '' }: More = {}): Promise<RunningSentinel> {
  const { port } = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, siteWith(port, agents, filters, blocks), { files })
  assert.equal((await sentinel.get('/')).status, 200)
  return sentinel
}

async function isThereAgain (sentinel: RunningSentinel, agent: string, before: number): Promise<void> {
  await sentinel.logged(({ event }) => event === 'agent-silent')
  await eventually('another process decides', async () => sentinel.agentPids()[agent] !== before && (await sentinel.get('/')).status === 200)
  assert.match(await sentinel.metrics(), new RegExp(`sentinel_agent_restarts_total\\{agent="${agent}"\\} 1`))
}

for (const workers of [1, 2]) {
  test(`an agent in a loop without end is ended and started again (${workers} workers)`, async (t) => {
    const text = `import { defineAgent } from 'sentinel/sdk'
export default defineAgent({ name: 'spinning', onRequest (request) { while (request.path === '/spin') continue } })
`
    const agent = `agent "spinning" { command "${process.execPath}" "${fromDist('sdk', 'run', 'main.js')}" "agent.ts"; timeout "10s"; restart { when-silent "4s" } }`
    const sentinel = await start(t, agent, ['spinning'], { files: { 'agent.ts': text }, blocks: `system { worker-threads ${workers} }` })
    const before = sentinel.agentPids()['spinning']!
    assert.equal((await sentinel.get('/spin')).status, 503)
    await isThereAgain(sentinel, 'spinning', before)
  })
}

waiting('a stopped process of several agents is ended and started again', async (t) => {
  const shared = (id: string): string => `agent "${id}" { host "shared"; command "node" ${JSON.stringify(fromDist('test', 'support', 'agents', 'scripted.js'))}; timeout "60s"; restart { when-silent "4s" } }`
  const sentinel = await start(t, `${shared('one')}\n${shared('two')}`, ['one', 'two'])
  const before = sentinel.agentPids()['two']!
  process.kill(before, 'SIGSTOP')
  await isThereAgain(sentinel, 'two', before)
})

waiting('it is left alone where the operator says so, and for as long as keep-alive-timeout lets it be silent', async (t) => {
  const agents = [
    scriptedAgent('debugged', 'restart { when-silent "0s" }'),
    scriptedAgent('slow', 'http2 { keep-alive-timeout "1h" }; restart { when-silent "1s" }'),
    scriptedAgent('last', 'restart { policy "never"; when-silent "1s" }'),
  ].join('\n')
  const sentinel = await start(t, agents, ['debugged', 'slow', 'last'])
  const pids = sentinel.agentPids()
  for (const pid of Object.values(pids)) process.kill(pid, 'SIGSTOP')
  await sleep(5_000)
  for (const pid of Object.values(pids)) process.kill(pid, 'SIGCONT')
  await eventually('all decide', async () => (await sentinel.get('/')).status === 200)
  assert.deepEqual(sentinel.agentPids(), pids)
  assert.ok(!sentinel.log.some(({ event }) => event === 'agent-silent'))
})
