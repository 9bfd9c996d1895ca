// A target is killed in the middle of its work, and comes back.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { accountFor, heldBy, leaksNothing, pause, recovers, startApplication, startLoad } from '../support/chaos.ts'
import { startSentinel } from '../support/sentinel.ts'

const site = (targets: readonly number[], route = ''): string => `listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "all" { matches { path-prefix "/" }; upstream "app"; ${route} } }
upstreams { upstream "app" { ${targets.map((port) => `target "127.0.0.1:${port}"`).join('; ')} } }
observability { metrics { address "127.0.0.1:0" } }
`

test('the only target is killed and started anew: every request is answered or failed with a name, and all is well a moment later', async (t) => {
  const application = await startApplication(t)
  const sentinel = await startSentinel(t, site([application.port]))
  await recovers(sentinel)
  const before = heldBy(sentinel.pid)
  const load = startLoad({ port: sentinel.port(), perSecond: 200, postEvery: 5 })
  for (let i = 0; i < 2; i++) {
    await pause(500)
    const awayFromMs = performance.now()
    await application.kill()
    await pause(500)
    await application.start()
    // It is there for as long as it was away, however long this machine takes to start it.
    await pause(performance.now() - awayFromMs)
  }
  const outcomes = await load.stop()
  assert.ok(await recovers(sentinel) < 1_000)
  await accountFor(sentinel, outcomes)
  assert.ok(outcomes.some(({ status }) => status === 502), 'some came while nobody was there')
  assert.ok(outcomes.filter(({ status }) => status === 200).length > outcomes.length * 0.4)
  await leaksNothing(sentinel, before)
})

test('of two targets one is killed again and again: with a retry-policy no request that may be repeated fails', async (t) => {
  const [steady, dying] = [await startApplication(t), await startApplication(t)]
  const sentinel = await startSentinel(t, site([steady.port, dying.port], 'retry-policy { max-attempts 3; retry-on "connect-failure" "reset" "gateway-error" }'))
  await recovers(sentinel)
  const before = heldBy(sentinel.pid)
  const load = startLoad({ port: sentinel.port(), perSecond: 200 })
  for (let i = 0; i < 3; i++) {
    await pause(400)
    await dying.kill()
    await pause(400)
    await dying.start()
  }
  const outcomes = await load.stop()
  await accountFor(sentinel, outcomes)
  assert.deepEqual(outcomes.filter(({ status }) => status !== 200), [])
  await leaksNothing(sentinel, before)
})
