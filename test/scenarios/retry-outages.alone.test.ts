// Under load: an outage of one target is nobody's business, and an outage of all is not made larger by trying again.
import assert from 'node:assert/strict'
import { Agent } from 'node:http'
import { test, type TestContext } from 'node:test'
import { killableUpstream } from '../support/killable-upstream.ts'
import { startProxy } from '../support/proxy.ts'
import { request } from '../support/request.ts'
import { triesPolicy } from '../support/tries-policy.ts'
import { deadPort, httpUpstream } from '../support/upstream.ts'
import { eventually } from '../support/eventually.ts'
import type { Exchange } from '../../proxy/pipeline/exchange.ts'

interface Load {
  readonly statuses: ReadonlyMap<number, number>
  /** Ends it, and waits for what is open. */
  stop (): Promise<void>
}

/** So many clients, each asking again as soon as it has its answer. */
function load (t: TestContext, port: number, clients: number, init: Parameters<typeof request>[2] = {}): Load {
  const agent = new Agent({ keepAlive: true, maxSockets: clients })
  t.after(() => agent.destroy())
  const statuses = new Map<number, number>()
  let going = true
  const all = Array.from({ length: clients }, async () => {
    while (going) {
      const { status } = await request(port, '/', { ...init, agent })
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
    }
  })
  return { statuses, async stop () { going = false; await Promise.all(all) } }
}

const soon = (ms: number): Promise<void> => new Promise((resolve) => { setTimeout(resolve, ms) })

test('a target that is killed under load, and comes back: no idempotent request fails, with a body or without', async (t) => {
  const stays = await killableUpstream(t)
  const dies = await killableUpstream(t)
  const tries = triesPolicy({ budget: { percent: 20, minPerSecond: 10 }, backOff: { firstMs: 100, mostMs: 2_000 } })
  const { port, done, upstream } = await startProxy(t, { targets: [stays.port, dies.port], policy: { tries } })
  const gets = load(t, port, 12)
  const puts = load(t, port, 4, { method: 'PUT', body: 'x'.repeat(2_000) })
  const asksIt = (x: Exchange): boolean => x.target.endsWith(`:${dies.port}`)
  await eventually('both are asked', () => done.length > 200 && done.some(asksIt))
  await dies.kill()
  await eventually('some are tried twice', () => done.some((x) => x.tries > 1))
  await soon(700)
  await killableUpstream(t, dies.port)
  await eventually('it is asked again when it is back', () => done.slice(-40).some(asksIt))
  await Promise.all([gets.stop(), puts.stop()])
  assert.deepEqual([[...gets.statuses.keys()], [...puts.statuses.keys()]], [[200], [200]])
  assert.equal(tries.replay.room.used, 0)
  await eventually('nothing is left', () => upstream.targets.every(({ inFlight, waiting }) => inFlight === 0 && waiting === 0))
})

const outages: ReadonlyArray<[string, (t: TestContext) => Promise<{ ports: number[], asked: () => number | undefined }>]> = [
  ['answers 503 to everything', async (t) => {
    let asked = 0
    const target = await httpUpstream(t, (_incoming, response) => { asked++; response.statusCode = 503; response.end() })
    return { ports: [target.port], asked: () => asked }
  }],
  ['breaks off every connection', async (t) => {
    let asked = 0
    const target = await httpUpstream(t, ({ socket }) => { asked++; socket.destroy() })
    return { ports: [target.port], asked: () => asked }
  }],
  ['of three targets has none left that can be reached', async () => {
    return { ports: [await deadPort(), await deadPort(), await deadPort()], asked: () => undefined }
  }],
]
for (const [how, start] of outages) {
  test(`an upstream that ${how} under load gets hardly more than it would be asked without retries`, async (t) => {
    const { ports, asked } = await start(t)
    const tries = triesPolicy({ statuses: [503], maxAttempts: 5, budget: { percent: 10, minPerSecond: 2 } })
    const { port, done } = await startProxy(t, { targets: ports, policy: { tries } })
    const clients = load(t, port, 16)
    const began = performance.now()
    while (done.length < 300) await soon(10)
    await clients.stop()
    const attempts = done.reduce((sum, x) => sum + x.tries, 0)
    assert.ok(attempts > done.length, 'something was tried again')
    const most = done.length * 1.2 + 2 * (performance.now() - began) / 1000
    assert.ok(attempts <= most, `${attempts} tries for ${done.length} requests`)
    assert.ok((asked() ?? attempts) <= attempts)
    assert.ok(done.some((x) => x.notRetried === 'budget'))
  })
}
