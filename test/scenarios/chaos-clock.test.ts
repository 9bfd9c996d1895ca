// The clock of the machine jumps, by a day and back.
import assert from 'node:assert/strict'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { accountFor, heldBy, leaksNothing, pause, recovers, startApplication, startLoad } from '../support/chaos.ts'
import { folderWith } from '../support/folder.ts'
import { startSentinel } from '../support/sentinel.ts'

/** What stands between a program and the clock, where it is installed. */
function fakeClock (): string | undefined {
  for (const folder of existsSync('/usr/lib') ? readdirSync('/usr/lib') : []) {
    const library = join('/usr/lib', folder, 'faketime', 'libfaketime.so.1')
    if (existsSync(library)) return library
  }
  return undefined
}

test('a clock that jumps by a day, forward and back, fails no request, ends no wait early and keeps none for ever', async (t) => {
  const library = fakeClock()
  if (library === undefined) return t.skip('faketime is not installed')
  const application = await startApplication(t)
  const folder = folderWith(t, { clock: '+0' })
  const setClock = (by: string): void => writeFileSync(join(folder, 'clock'), by)
  const sentinel = await startSentinel(t, `listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "all" { matches { path-prefix "/" }; upstream "app"; policies { rate-limit { requests-per-second 100000 } } } }
upstreams { upstream "app" { target "127.0.0.1:${application.port}"; health-check { type "tcp"; interval "1s" }; circuit-breaker { failure-threshold 5 }; timeouts { request "5s" } } }
agents { agent "list" type="denylist" { timeout "60s"; failure-mode "closed"; config { block-user-agents "EvilScanner" } } }
observability { metrics { address "127.0.0.1:0" } }
`, { env: { LD_PRELOAD: library, FAKETIME_TIMESTAMP_FILE: join(folder, 'clock'), FAKETIME_NO_CACHE: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1' } })
  await recovers(sentinel)
  const before = heldBy(sentinel.pid)
  const load = startLoad({ port: sentinel.port(), perSecond: 50, postEvery: 5 })
  for (const by of ['+1d', '-1d', '+0']) {
    await pause(700)
    setClock(by)
    await pause(700)
    await sentinel.get(`/at${by}`)
  }
  const outcomes = await load.stop()
  await accountFor(sentinel, outcomes)
  assert.deepEqual(outcomes.filter(({ status }) => status !== 200), [])
  const times = await Promise.all(['+1d', '-1d'].map(async (by) => {
    const { ts, time, timestamp } = await sentinel.accessed(({ path }) => path === `/at${by}`)
    return new Date((ts ?? time ?? timestamp) as string | number).getTime() - Date.now()
  }))
  assert.ok(times[0]! > 20 * 3600_000 && times[1]! < -20 * 3600_000, `the log has the time of the clock: ${times.join(', ')}`)
  await leaksNothing(sentinel, before)
})
