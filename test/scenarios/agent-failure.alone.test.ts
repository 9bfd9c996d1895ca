// What an agent's failure means is the operator's failure mode: closed → 503 with a distinct code, open → the request passes untouched.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { absent, deadMs, expectFailure, guard, refusing, start, warm } from '../support/failure-modes.ts'
import { scripted } from '../support/scripted-agent.ts'

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

  test(`an agent that refuses its configuration: ${mode}, and the log says where in the file`, async (t) => {
    const from = await start(t, refusing, mode)
    const said = await from.sentinel.logged(({ event }) => event === 'agent-refused')
    assert.match(said.msg!, /sentinel\.kdl:\d+:\d+: agent 'guard' refuses its configuration \(paranoia-level\)/)
    const [, line] = /kdl:(\d+):/.exec(said.msg!)!
    assert.match(readFileSync(from.sentinel.file, 'utf8').split('\n')[Number(line) - 1]!, /paranoia-level 9/)
    await warm(from.sentinel)
    await expectFailure(from, mode, 'AGENT_NOT_CONFIGURED', { path: '/refused', withinMs: deadMs })
  })
}
