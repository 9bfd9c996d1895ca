import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { AgentJson } from '../../proxy/admin/agents-json.ts'
import { quantile } from '../../proxy/lifecycle/agent-facts.ts'
import { rawAgent } from '../support/raw-agent.ts'
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
    const told = async (...args: string[]): Promise<AgentJson[]> => JSON.parse((await command('agents', '-c', sentinel.file, '--json', ...args)).stdout) as AgentJson[]
    const [judge, other] = await eventually(async () => {
      const all = await told()
      return all[0]!.calls >= 49 ? all : undefined
    }, 'all calls are counted')
    assert.deepEqual([judge?.id, judge?.state, judge?.version, judge?.managed, judge?.in_flight, judge?.queued, judge?.breaker], ['judge', 'ready', '1.0.0', true, 0, 0, 'closed'])
    assert.match(judge!.config_version, /^[0-9a-f]{12}$/)
    assert.deepEqual([judge?.calls, judge?.failures, judge?.last_failure?.code, judge?.last_failure?.detail], [49, 1, 'AGENT_ERROR', 'agent_error: the script says so'])
    const { mean, p50, p99 } = judge!.latency_ms!
    assert.ok(mean > 0 && p50 > 0 && p99 >= p50, JSON.stringify(judge?.latency_ms))
    assert.deepEqual([other?.id, other?.state, other?.managed, other?.breaker, other?.calls], ['away', 'backoff', false, null, 0])
    assert.ok(other!.reconnects > 0)
    assert.match(other!.problem!, /ENOENT|ECONNREFUSED/)
    assert.deepEqual((await told('away')).map(({ id }) => id), ['away'])
    const table = await command('agents', '-c', sentinel.file)
    assert.match(table.stdout, /^AGENT +STATE +VERSION +CONFIG +PROCESS +IN FLIGHT +QUEUED +BREAKER +CALLS +FAILED +MEAN +P50 +P99\njudge +ready +1\.0\.0 +[0-9a-f]{12} +\d+ +0 +0 +closed +49 +1 +[\d.]+ms/)
    assert.match(table.stdout, /\n {2}last failure \d{4}-.*: AGENT_ERROR: agent_error: the script says so\naway +backoff +– +– +external/)
    const unknown = await command('agents', 'jugde', '-c', sentinel.file)
    assert.equal(unknown.code, 2)
    assert.match(unknown.stderr, /no agent 'jugde'; there are: judge, away/)
  })

  test('shows what is in flight while it is', async (t) => {
    const upstream = await startRecordingUpstream(t)
    const { sentinel, command } = await startRecorded(t, site(upstream.port, scriptedAgent('judge', 'timeout "20s"'), '"judge"'))
    const slow = sentinel.get('/slow', { headers: scripted({ request: { do: 'sleep', ms: 3_000 } }) })
    await eventually(async () => {
      const [judge] = JSON.parse((await command('agents', '-c', sentinel.file, '--json')).stdout) as AgentJson[]
      return judge?.in_flight === 1 ? true : undefined
    }, 'one is in flight')
    await slow
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
})
