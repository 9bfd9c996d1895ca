// Agents are killed at random, under load.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { accountFor, heldBy, leaksNothing, pause, recovers, startApplication, startLoad } from '../support/chaos.ts'
import { startSentinel } from '../support/sentinel.ts'

for (const mode of ['closed', 'open'] as const) {
  test(`agents that are killed cost requests their failure mode, ${mode} here, and nothing else`, async (t) => {
    const application = await startApplication(t)
    const sentinel = await startSentinel(t, `listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "all" { matches { path-prefix "/" }; upstream "app" } }
upstreams { upstream "app" { target "127.0.0.1:${application.port}" } }
agents { agent "list" type="denylist" { timeout "60s"; failure-mode "${mode}"; restart { initial-delay "100ms" }; config { block-user-agents "EvilScanner" } } }
observability { metrics { address "127.0.0.1:0" } }
`)
    await recovers(sentinel)
    const before = heldBy(sentinel.pid)
    const load = startLoad({ port: sentinel.port(), perSecond: 100, postEvery: 7 })
    for (let i = 0; i < 3; i++) {
      await pause(700)
      process.kill(sentinel.agentPids()['list']!, 'SIGKILL')
      await sentinel.logged(() => sentinel.log.filter(({ event }) => event === 'agent-ready').length > i + 1)
      await recovers(sentinel)
    }
    const outcomes = await load.stop()
    await accountFor(sentinel, outcomes)
    const failed = outcomes.filter(({ status }) => status !== 200)
    if (mode === 'open') assert.deepEqual(failed, [])
    else assert.ok(failed.every(({ status }) => status === 503))
    await leaksNothing(sentinel, before)
  })
}
