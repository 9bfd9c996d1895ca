// Targets, agents and workers are killed and paused at random, all at once. `SENTINEL_CHAOS_SECONDS=120` for as long as one has time.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { randomFrom } from '../support/chance.ts'
import { accountFor, heldBy, leaksNothing, pause, recovers, startApplication, startLoad } from '../support/chaos.ts'
import { eventually } from '../support/eventually.ts'
import { request } from '../support/request.ts'
import { startSentinel } from '../support/sentinel.ts'

const seconds = Number(process.env['SENTINEL_CHAOS_SECONDS'] ?? 15)
const seed = Number(process.env['SENTINEL_CHAOS_SEED'] ?? Date.now() % 1_000_000)

interface WorkerFacts {
  readonly pid: number | null
  readonly state: string
}

test(`whatever is killed or paused: every request is accounted for, nothing leaks, and all is well again (seed ${seed})`, async (t) => {
  const applications = [await startApplication(t), await startApplication(t), await startApplication(t)]
  const sentinel = await startSentinel(t, `system { worker-threads 2 }
listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "all" { matches { path-prefix "/" }; upstream "app"; retry-policy { max-attempts 3; retry-on "connect-failure" "reset" "timeout"; per-attempt-timeout "1s" } } }
upstreams { upstream "app" { ${applications.map(({ port }) => `target "127.0.0.1:${port}"`).join('; ')}; timeouts { connect "1s"; read "2s" } } }
agents { agent "list" type="denylist" { failure-mode "closed"; config { block-user-agents "EvilScanner" } } }
observability { metrics { address "127.0.0.1:0" } }
`)
  const workers = async (): Promise<number[]> => {
    const { text } = await request(sentinel.metricsPort(), '/status')
    const facts = (JSON.parse(text) as { workers?: readonly WorkerFacts[] }).workers ?? []
    return facts.flatMap(({ pid, state }) => pid !== null && state === 'serving' ? [pid] : [])
  }
  await recovers(sentinel)
  const before = heldBy(sentinel.pid)
  const load = startLoad({ port: sentinel.port(), perSecond: 100, postEvery: 6 })
  const below = randomFrom(seed + 1)
  const random = (): number => below(1_000_000) / 1_000_000
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!
  let killed = 0
  const acts: ReadonlyArray<() => Promise<void>> = [
    async () => {
      const application = pick(applications)
      await application.kill()
      await pause(200 + random() * 600)
      await application.start()
    },
    async () => {
      const application = pick(applications)
      application.signal('SIGSTOP')
      await pause(200 + random() * 1_500)
      application.signal('SIGCONT')
    },
    async () => { process.kill(sentinel.agentPids()['list']!, 'SIGKILL') },
    async () => {
      const all = await workers()
      if (all.length === 0) return
      process.kill(pick(all), 'SIGKILL')
      killed++
    },
  ]
  const endMs = performance.now() + seconds * 1000
  let acted = 0
  while (performance.now() < endMs) {
    // What is gone already cannot be killed again.
    await pick(acts)().catch((error: unknown) => assert.equal((error as NodeJS.ErrnoException).code, 'ESRCH'))
    acted++
    await pause(100 + random() * 900)
  }
  const outcomes = await load.stop()
  const ms = await recovers(sentinel)
  await accountFor(sentinel, outcomes, '/', killed * 25)
  const served = outcomes.filter(({ status }) => status === 200).length
  t.diagnostic(`${outcomes.length} requests, ${served} served, ${acted} acts, well again after ${Math.round(ms)} ms`)
  // Without its agent nothing is let through: that is what the operator wants, for as long as the machine takes to start another one.
  const refused = sentinel.access.filter(({ fault }) => fault?.startsWith('AGENT_') === true).length
  assert.ok(served > (outcomes.length - refused) * 0.5, `${served} of ${outcomes.length} were served, ${refused} refused`)
  await eventually('all workers are there again', async () => (await workers()).length === 2)
  await leaksNothing(sentinel, before)
})
