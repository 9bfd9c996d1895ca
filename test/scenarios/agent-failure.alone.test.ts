// What an agent's failure means is the operator's failure mode: closed → 503 with a distinct code, open → the request passes untouched.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test, type TestContext } from 'node:test'
import { allow, rawAgent, type Script } from '../support/raw-agent.ts'
import { startRecordingUpstream, type RecordingUpstream } from '../support/recording-upstream.ts'
import { scripted, scriptedAgent, siteWith } from '../support/scripted-agent.ts'
import { startSentinel, type RunningSentinel } from '../support/sentinel.ts'
import { within } from '../support/within.ts'

type Mode = 'closed' | 'open'

/** Time for an answer whose agent is known to be dead. */
const deadMs = 50

async function start (t: TestContext, agent: (mode: Mode) => string, mode: Mode): Promise<{ sentinel: RunningSentinel, upstream: RecordingUpstream }> {
  const upstream = await startRecordingUpstream(t)
  return { upstream, sentinel: await startSentinel(t, siteWith(upstream.port, agent(mode), ['guard'])) }
}

const guard = (more = '') => (mode: Mode): string => scriptedAgent('guard', `failure-mode "${mode}"; timeout "300ms"; restart { initial-delay "1s" }; ${more}`)
const absent = (mode: Mode): string => `agent "guard" { unix-socket "nobody/is/here.sock"; managed #false; failure-mode "${mode}" }`
const refusing = (mode: Mode): string => `agent "guard" type="waf" { failure-mode "${mode}"\n  config {\n    paranoia-level 9\n  }\n}`

/** An agent without manners, served by the test itself. */
async function startLiar (t: TestContext, mode: Mode, script: Script): Promise<{ sentinel: RunningSentinel, upstream: RecordingUpstream }> {
  const liar = await rawAgent(t, script)
  return start(t, (m) => `agent "guard" { unix-socket ${JSON.stringify(liar.path)}; managed #false; failure-mode "${m}"; timeout "300ms" }`, mode)
}

/** Sends one request and holds the answer against the failure mode. */
async function expectFailure (from: { sentinel: RunningSentinel, upstream: RecordingUpstream }, mode: Mode, code: string | RegExp, init: { path: string, headers?: Record<string, string>, withinMs?: number }): Promise<void> {
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
async function warm (sentinel: RunningSentinel): Promise<void> {
  for (let i = 0; i < 5; i++) await sentinel.request('/warm')
}

for (const mode of ['closed', 'open'] as const) {
  test(`an agent that was never started: ${mode}`, async (t) => {
    const from = await start(t, absent, mode)
    await warm(from.sentinel)
    await expectFailure(from, mode, 'AGENT_NOT_CONNECTED', { path: '/absent', withinMs: deadMs })
  })

  test(`an agent that was killed: ${mode}, and traffic recovers by itself`, async (t) => {
    const from = await start(t, guard(), mode)
    await warm(from.sentinel)
    process.kill(from.sentinel.agentPids()['guard']!, 'SIGKILL')
    await from.sentinel.logged(({ event }) => event === 'agent-exited')
    await expectFailure(from, mode, /^AGENT_(NOT_CONNECTED|STREAM_RESET)$/, { path: '/killed', withinMs: deadMs })
    await from.sentinel.logged((record) => record.event === 'agent-ready' && from.sentinel.log.filter(({ event }) => event === 'agent-ready').length > 1)
    const answer = await from.sentinel.request('/again', { headers: scripted({ request: { do: 'block', status: 410 } }) })
    assert.equal(answer.status, 410, 'the new agent decides')
  })

  test(`an agent that is killed in the middle of a call: ${mode}`, async (t) => {
    const from = await start(t, (m) => scriptedAgent('guard', `failure-mode "${m}"; timeout "10s"`), mode)
    await warm(from.sentinel)
    const { sentinel } = from
    const readies = (): number => sentinel.log.filter(({ event }) => event === 'agent-ready').length
    let round = 0
    await within(deadMs, async () => {
      const path = `/middle-${++round}`
      await sentinel.logged(() => readies() >= round)
      const pending = sentinel.request(path, { headers: scripted({ request: { do: 'never' } }) })
      await new Promise((resolve) => { setTimeout(resolve, 200) }) // The event is with the agent by then; an earlier kill is the case above.
      const killedMs = performance.now()
      process.kill(sentinel.agentPids()['guard']!, 'SIGKILL')
      const { status } = await pending
      const tookMs = performance.now() - killedMs
      assert.equal(status, mode === 'closed' ? 503 : 200)
      const record = await sentinel.accessed((one) => one.path === path)
      assert.equal(record.agents![0]!['fault'], 'AGENT_STREAM_RESET')
      return tookMs
    })
  })

  test(`an agent that is stopped: ${mode} at its deadline, at once when that is known, and goes on when it is continued`, async (t) => {
    const from = await start(t, guard(), mode)
    await warm(from.sentinel)
    const pid = from.sentinel.agentPids()['guard']!
    process.kill(pid, 'SIGSTOP')
    t.after(() => { try { process.kill(pid, 'SIGCONT') } catch { /* it is gone already */ } })
    await expectFailure(from, mode, 'AGENT_TIMEOUT', { path: '/stopped' })
    await from.sentinel.logged((record) => record['state'] === 'stalled')
    await expectFailure(from, mode, 'AGENT_NOT_CONNECTED', { path: '/known', withinMs: deadMs })
    process.kill(pid, 'SIGCONT')
    const readyBefore = from.sentinel.log.filter(({ event }) => event === 'agent-ready').length
    await from.sentinel.logged(() => from.sentinel.log.filter(({ event }) => event === 'agent-ready').length >= readyBefore && from.sentinel.log.at(-1)?.event === 'agent-ready')
    const answer = await from.sentinel.request('/continued', { headers: scripted({ request: { do: 'block', status: 410 } }) })
    assert.equal(answer.status, 410)
  })

  test(`an agent that is slow past its deadline: ${mode}`, async (t) => {
    await expectFailure(await start(t, guard(), mode), mode, 'AGENT_TIMEOUT', { path: '/slow', headers: scripted({ request: { do: 'sleep', ms: 2_000 } }) })
  })

  test(`an agent that answers garbage: ${mode}`, async (t) => {
    await expectFailure(await startLiar(t, mode, { onEvent: (_event, wire) => wire.raw(Buffer.from('this is no gRPC frame at all, and no message')) }), mode, 'AGENT_BAD_REPLY', { path: '/garbage' })
  })

  test(`an agent that answers for exchanges it was not asked about: ${mode}`, async (t) => {
    const from = await startLiar(t, mode, { onEvent: (event, wire) => { if (event.timeoutMs > 0) wire.reply({ ...event, exchange: event.exchange + 1_000_000 }, allow) } })
    await expectFailure(from, mode, 'AGENT_BAD_REPLY', { path: '/unknown-id' })
    await from.sentinel.logged((record) => record.event === 'agent-protocol-fault' && record['kind'] === 'unknown')
    assert.match(await from.sentinel.metrics(), /sentinel_agent_protocol_faults_total\{agent="guard",kind="unknown"\} 1/)
  })

  test(`an agent that throws: ${mode}`, async (t) => {
    await expectFailure(await start(t, guard(), mode), mode, 'AGENT_ERROR', { path: '/throws', headers: scripted({ request: { do: 'throw' } }) })
  })

  test(`an agent that refuses its configuration: ${mode}, and the log says where in the file`, async (t) => {
    const from = await start(t, refusing, mode)
    const said = await from.sentinel.logged(({ event }) => event === 'agent-refused')
    assert.match(said.msg!, /sentinel\.kdl:\d+:\d+: agent 'guard' refuses its configuration \(paranoia-level\)/)
    const [, line] = /kdl:(\d+):/.exec(said.msg!)!
    assert.match(readFileSync(from.sentinel.file, 'utf8').split('\n')[Number(line) - 1]!, /paranoia-level 9/)
    await warm(from.sentinel)
    await expectFailure(from, mode, 'AGENT_NOT_CONFIGURED', { path: '/refused', withinMs: deadMs })
  })

  test(`200 requests a second through the kill of an agent: ${mode}, every answer is counted`, async (t) => {
    const from = await start(t, (m) => scriptedAgent('guard', `failure-mode "${m}"; timeout "300ms"; restart { initial-delay "300ms" }`), mode)
    await warm(from.sentinel)
    const answers = new Map<number, number>()
    const sent: Array<Promise<void>> = []
    const send = async (): Promise<void> => {
      const { status } = await from.sentinel.request('/load')
      answers.set(status, (answers.get(status) ?? 0) + 1)
    }
    const startedMs = performance.now()
    let killed = false
    while (performance.now() - startedMs < 4_000) {
      const due = Math.floor((performance.now() - startedMs) / 5)
      while (sent.length < due) sent.push(send())
      if (!killed && performance.now() - startedMs > 1_000) {
        killed = true
        process.kill(from.sentinel.agentPids()['guard']!, 'SIGKILL')
      }
      await new Promise((resolve) => { setTimeout(resolve, 2) })
    }
    await Promise.all(sent)
    const total = [...answers.values()].reduce((sum, count) => sum + count, 0)
    assert.equal(total, sent.length, 'every request was answered')
    assert.ok(sent.length > 600, `only ${sent.length} requests were sent`)
    if (mode === 'open') assert.deepEqual([...answers.keys()], [200])
    else {
      assert.deepEqual([...answers.keys()].sort(), [200, 503])
      assert.ok(answers.get(200)! > sent.length / 2, `recovered: ${answers.get(200)} of ${sent.length}`)
    }
    assert.equal((await from.sentinel.request('/after')).status, 200, 'traffic has recovered')
  })
}
