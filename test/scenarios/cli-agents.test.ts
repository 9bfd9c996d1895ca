import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { AgentJson } from '../../proxy/admin/agents-json.ts'
import { quantile } from '../../proxy/lifecycle/agent-facts.ts'
import { rawAgent } from '../support/raw-agent.ts'
import { rawClient } from '../support/raw-client.ts'
import { startRecorded } from '../support/recorded.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { eventually } from '../support/running-service.ts'
import { scripted, scriptedAgent } from '../support/scripted-agent.ts'
import { startTailed } from '../support/tail.ts'

const site = (port: number, agents: string, filters: string, system = ''): string => `
system { graceful-shutdown-timeout "5s"; ${system} }
listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "all" { matches { path-prefix "/" }; upstream "app"; agents ${filters} } }
upstreams { upstream "app" { target "127.0.0.1:${port}" } }
agents { ${agents} }
observability { metrics { address "127.0.0.1:0" }; access-log { enabled #false } }
`

describe('sentinel agents', () => {
  test('tells state, versions, load, failures, times and the last failure of each agent, the workers together', async (t) => {
    const upstream = await startRecordingUpstream(t)
    const away = await rawAgent(t)
    await away.kill()
    const agents = `${scriptedAgent('judge', 'circuit-breaker { }')}
agent "away" { unix-socket "${away.path}"; failure-mode "open" }`
    const { sentinel, command } = await startRecorded(t, site(upstream.port, agents, '"judge" "away"', 'worker-threads 2'))
    // New connections, so that both workers get some.
    await Promise.all(Array.from({ length: 24 }, (_, i) => sentinel.get(`/${i}`)))
    assert.equal((await sentinel.get('/fails', { headers: scripted({ request: { do: 'throw' } }) })).status, 503)
    // An answer that comes and cannot be applied is none.
    assert.equal((await sentinel.get('/odd', { headers: scripted({ request: { do: 'allow', extras: { upstream: 'nowhere' } } }) })).status, 503)
    const told = async (...args: string[]): Promise<AgentJson[]> => JSON.parse((await command('agents', '-c', sentinel.file, '--json', ...args)).stdout) as AgentJson[]
    const [judge, other] = await eventually(async () => {
      const all = await told()
      return all[0]!.calls >= 50 && all[0]!.failures >= 2 && all[1]!.failures >= 24 && all[1]!.reconnects > 0 ? all : undefined
    }, 'all calls are counted, and the other one was tried again')
    assert.deepEqual([judge?.id, judge?.state, judge?.version, judge?.managed, judge?.in_flight, judge?.queued, judge?.breaker], ['judge', 'ready', '1.0.0', true, 0, 0, 'closed'])
    assert.match(judge!.config_version, /^[0-9a-f]{12}$/)
    assert.deepEqual([judge?.calls, judge?.failures, judge?.last_failure?.code, judge?.last_failure?.detail], [50, 2, 'AGENT_BAD_REPLY', 'the upstream "nowhere" is not one of this route'])
    const { mean, p50, p99 } = judge!.latency_ms!
    assert.ok(mean > 0 && p50 > 0 && p99 >= p50, JSON.stringify(judge?.latency_ms))
    assert.deepEqual([other?.id, other?.state, other?.managed, other?.breaker, other?.calls, other?.failures], ['away', 'backoff', false, null, 0, 24])
    assert.match(other!.problem!, /ENOENT|ECONNREFUSED/)
    assert.deepEqual((await told('away')).map(({ id }) => id), ['away'])
    const table = await command('agents', '-c', sentinel.file)
    assert.match(table.stdout, /^AGENT +STATE +VERSION +CONFIG +PROCESS +IN FLIGHT +QUEUED +BREAKER +CALLS +FAILED +MEAN +P50 +P99\njudge +ready +1\.0\.0 +[0-9a-f]{12} +\d+ +0 +0 +closed +50 +2 +[\d.]+ms/)
    assert.match(table.stdout, /\n {2}last failure \d{4}-.*: AGENT_BAD_REPLY: the upstream "nowhere" is not one of this route\naway +backoff +– +– +external/)
    const unknown = await command('agents', 'jugde', '-c', sentinel.file)
    assert.equal(unknown.code, 2)
    assert.match(unknown.stderr, /no agent 'jugde'; there are: judge, away/)
  })

  test('shows what is in flight while it is', async (t) => {
    const upstream = await startRecordingUpstream(t)
    const { sentinel, command } = await startRecorded(t, site(upstream.port, scriptedAgent('judge', 'timeout "1h"'), '"judge"'))
    const client = await rawClient(t, sentinel.port(), `GET / HTTP/1.1\r\nHost: a\r\nX-Script: ${scripted({ request: { do: 'never' } })['x-script']}\r\n\r\n`)
    await eventually(async () => {
      const [judge] = JSON.parse((await command('agents', '-c', sentinel.file, '--json')).stdout) as AgentJson[]
      return judge?.in_flight === 1 ? true : undefined
    }, 'one is in flight')
    client.socket.destroy()
  })

  test('quantiles are read off buckets', () => {
    assert.deepEqual([0.5, 0.9, 0.99].map((share) => quantile(share, 10, [1, 2, 4], [5, 4, 1])), [1, 2, 3.8000000000000007])
    // Slower than every bound.
    assert.equal(quantile(0.99, 10, [1, 2], [1, 1]), 2)
  })
})

describe('sentinel tail --agent', () => {
  test('shows with each exchange what the agent decided, how long it took and why', async (t) => {
    const upstream = await startRecordingUpstream(t)
    const { tail, sentinel } = await startTailed(t, site(upstream.port, scriptedAgent('judge'), '"judge"'))
    const tailing = await tail(['--agent', 'judge'])
    await sentinel.get('/b', { headers: scripted({ request: { do: 'block', status: 451, extras: { audit: { reason: 'law', ruleIds: ['l-1'] } } } }) })
    await sentinel.get('/c', { headers: scripted({ request: { do: 'throw' } }) })
    const [blocked, failed] = await eventually(() => tailing.lines().length >= 2 ? tailing.lines() : undefined, 'two lines')
    assert.match(blocked!, /judge=block\/451 [\d.]+ms \[l-1\] law$/)
    assert.match(failed!, /judge=failed [\d.]+ms AGENT_ERROR/)
    await tailing.stop()
  })

  test('what an agent says stays on the line of its exchange', async (t) => {
    const upstream = await startRecordingUpstream(t)
    const { tail, sentinel } = await startTailed(t, site(upstream.port, scriptedAgent('judge'), '"judge"'))
    const tailing = await tail(['--agent', 'judge'])
    await sentinel.get('/b', { headers: scripted({ request: { do: 'flag', extras: { audit: { reason: 'odd\n12:00:00.000  200  GET made-up/\u001b[2J' } } } }) })
    const lines = await eventually(() => tailing.lines().length >= 1 ? tailing.lines() : undefined, 'a line')
    assert.equal(lines.length, 1, lines.join('\n'))
    assert.match(lines[0]!, /judge=flag [\d.]+ms odd\\u000a12:00:00\.000 {2}200 {2}GET made-up\/\\u001b\[2J {2}/)
    await tailing.stop()
  })
})
