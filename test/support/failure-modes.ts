import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { rawAgent, type Script } from './raw-agent.ts'
import { startRecordingUpstream, type RecordingUpstream } from './recording-upstream.ts'
import { scriptedAgent, siteWith } from './scripted-agent.ts'
import { startSentinel, type RunningSentinel } from './sentinel.ts'
import { within } from './within.ts'

export type Mode = 'closed' | 'open'

/** Time for an answer whose agent is known to be dead. */
export const deadMs = 50

export async function start (t: TestContext, agent: (mode: Mode) => string, mode: Mode): Promise<{ sentinel: RunningSentinel, upstream: RecordingUpstream }> {
  const upstream = await startRecordingUpstream(t)
  return { upstream, sentinel: await startSentinel(t, siteWith(upstream.port, agent(mode), ['guard'])) }
}

export const guard = (more = '') => (mode: Mode): string => scriptedAgent('guard', `failure-mode "${mode}"; timeout "1s"; restart { initial-delay "1s" }; ${more}`)
export const absent = (mode: Mode): string => `agent "guard" { unix-socket "nobody/is/here.sock"; managed #false; failure-mode "${mode}" }`
export const refusing = (mode: Mode): string => `agent "guard" type="waf" { failure-mode "${mode}"\n  config {\n    paranoia-level 9\n  }\n}`

/** An agent without manners, served by the test itself; `timeout`: for its answers, where running into that is what is looked at. */
export async function startLiar (t: TestContext, mode: Mode, script: Script, timeout = '60s'): Promise<{ sentinel: RunningSentinel, upstream: RecordingUpstream }> {
  const liar = await rawAgent(t, script)
  return start(t, (m) => `agent "guard" { unix-socket ${JSON.stringify(liar.path)}; managed #false; failure-mode "${m}"; timeout "${timeout}" }`, mode)
}

/** Sends one request and holds the answer against the failure mode. */
export async function expectFailure (from: { sentinel: RunningSentinel, upstream: RecordingUpstream }, mode: Mode, code: string | RegExp, init: { path: string, headers?: Record<string, string>, withinMs?: number }): Promise<void> {
  const { sentinel, upstream } = from
  const before = upstream.heads()
  const answer = await sentinel.request(init.path, { headers: { 'x-mine': 'kept', ...init.headers } })
  const record = await sentinel.accessed(({ path }) => path === init.path)
  const decision = record.agents!.find(({ agent }) => agent === 'guard')!
  assert.match(String(decision['fault']), code instanceof RegExp ? code : new RegExp(`^${code}$`))
  assert.equal(decision['failure_mode'], mode)
  if (mode === 'closed') {
    assert.equal(answer.status, 503)
    assert.equal(upstream.heads(), before, 'nothing reached the upstream')
    assert.equal(record.fault, decision['fault'], 'the code of the agent is the code of the exchange')
    assert.ok(!answer.text.includes('guard'), 'the client does not learn which agent failed')
  } else {
    assert.equal(answer.status, 200)
    const seen = upstream.requests.at(-1)!
    assert.equal(seen.headers['x-mine'], 'kept')
    assert.equal(seen.headers['x-greeting'], undefined, 'the request passed untouched')
  }
  if (init.withinMs === undefined) return
  let { ms }: { ms: number | undefined } = answer
  await within(init.withinMs, async () => {
    const took = ms ?? (await sentinel.request(init.path)).ms
    ms = undefined
    return took
  })
}

/** Once more, so that connections and code are warm: the promise is about the agent, not about the first request of a process. */
export async function warm (sentinel: RunningSentinel): Promise<void> {
  for (let i = 0; i < 5; i++) await sentinel.request('/warm')
}
