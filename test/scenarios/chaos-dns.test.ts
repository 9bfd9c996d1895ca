// Names stop resolving, under load.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { accountFor, heldBy, leaksNothing, pause, recovers, startApplication, startLoad } from '../support/chaos.ts'
import { dnsServer } from '../support/dns-server.ts'
import { eventually } from '../support/eventually.ts'
import { startSentinel } from '../support/sentinel.ts'

test('a resolver that fails, is silent, talks nonsense or has lost the name costs no request, and a new answer is followed when it is back', async (t) => {
  const [first, second] = [await startApplication(t), await startApplication(t)]
  const dns = await dnsServer(t)
  const name = '_http._tcp.app.test'
  dns.zone.set('one.app.test', [{ type: 'A', address: '127.0.0.1', ttl: 1 }])
  const at = (port: number): void => { dns.zone.set(name, [{ type: 'SRV', target: 'one.app.test', port, priority: 1, weight: 1, ttl: 1 }]) }
  at(first.port)
  const sentinel = await startSentinel(t, `listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "all" { matches { path-prefix "/" }; upstream "app" } }
upstreams { upstream "app" { discovery "dns" { hostname "${name}"; resolver "${dns.address}"; refresh-interval "1s"; timeout "300ms" } } }
observability { metrics { address "127.0.0.1:0" } }
`)
  await recovers(sentinel)
  const before = heldBy(sentinel.pid)
  const load = startLoad({ port: sentinel.port(), perSecond: 100, postEvery: 5 })
  const asked = async (): Promise<void> => {
    const { length } = dns.questions
    await eventually('the resolver is asked again and again', () => dns.questions.length > length)
    await pause(400)
  }
  for (const behaviour of ['servfail', 'silent', 'garbage'] as const) {
    dns.behaviour = behaviour
    await asked()
  }
  dns.behaviour = 'answer'
  dns.zone.delete(name)
  await asked()
  const outcomes = await load.stop()
  await accountFor(sentinel, outcomes)
  assert.deepEqual(outcomes.filter(({ status }) => status !== 200), [])

  at(second.port)
  await asked()
  await first.kill()
  await recovers(sentinel, '/moved')
  await leaksNothing(sentinel, before)
})
