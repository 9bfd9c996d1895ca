// Workers are killed at random, under load.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { accountFor, heldBy, leaksNothing, pause, recovers, startApplication, startLoad } from '../support/chaos.ts'
import { startSentinel } from '../support/sentinel.ts'
import { eventually, workersOf } from '../support/workers.ts'

test('workers that are killed cost the exchanges they had open, and nothing else', async (t) => {
  const application = await startApplication(t)
  const sentinel = await startSentinel(t, `system { worker-threads 2 }
listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "all" { matches { path-prefix "/" }; upstream "app" } }
upstreams { upstream "app" { target "127.0.0.1:${application.port}" } }
observability { metrics { address "127.0.0.1:0" } }
`)
  const serving = () => eventually(() => workersOf(sentinel), (all) => all.length === 2 && all.every(({ state }) => state === 'serving'))
  await recovers(sentinel)
  const before = heldBy(sentinel.pid)
  const load = startLoad({ port: sentinel.port(), perSecond: 200, postEvery: 5 })
  const kills = 4
  for (let i = 0; i < kills; i++) {
    await pause(500)
    process.kill((await serving())[i % 2]!.pid, 'SIGKILL')
    assert.ok(await recovers(sentinel) < 1_000, 'the other one serves meanwhile')
  }
  const outcomes = await load.stop()
  await serving()
  await accountFor(sentinel, outcomes, '/', kills * 10)
  const failed = outcomes.filter(({ status }) => status !== 200)
  t.diagnostic(`${outcomes.length} requests, ${failed.length} were cut off by ${kills} kills`)
  assert.ok(failed.every(({ status }) => status === 0), 'what is cut off has no answer, the rest is served')
  assert.ok(failed.length < outcomes.length * 0.1, `${failed.length} of ${outcomes.length}`)
  await leaksNothing(sentinel, before)
})
