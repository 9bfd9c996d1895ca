// Workers are killed at random, under load.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { accountFor, heldBy, leaksNothing, pause, recovers, startApplication, startLoad, type Outcome } from '../support/chaos.ts'
import { startSentinel } from '../support/sentinel.ts'
import { within } from '../support/within.ts'
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
  const killsMs: number[] = []
  for (let i = 0; i < 4; i++) {
    await pause(500)
    const { pid } = (await serving())[i % 2]!
    killsMs.push(performance.now())
    process.kill(pid, 'SIGKILL')
    await within(1_000, () => recovers(sentinel)) // The other one serves meanwhile.
  }
  const outcomes = await load.stop()
  await serving()
  await accountFor(sentinel, outcomes, '/', killsMs.length * 25)
  const failed = outcomes.filter(({ status }) => status !== 200)
  t.diagnostic(`${outcomes.length} requests, ${failed.length} were cut off by ${killsMs.length} kills`)
  assert.ok(failed.every(({ status }) => status === 0), 'what is cut off has no answer, the rest is served')
  // A client may write on a connection whose end it has not read yet.
  const wasOpen = ({ sentMs, ms }: Outcome): boolean => killsMs.some((killMs) => sentMs < killMs + 1_000 && sentMs + ms > killMs)
  assert.deepEqual(failed.filter((one) => !wasOpen(one)), [], 'nothing else fails')
  await leaksNothing(sentinel, before)
})
