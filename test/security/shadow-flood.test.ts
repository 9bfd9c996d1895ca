// A mirror that takes requests and never answers must not make the proxy keep what clients send, nor cost them anything.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startSentinel } from '../support/sentinel.ts'
import { httpUpstream } from '../support/upstream.ts'
import { eventually } from '../support/eventually.ts'

const total = (text: string, name: string): number => (
  [...text.matchAll(new RegExp(`^${name}\\{[^}]*\\} (\\d+)`, 'gm'))].reduce((sum, [, count]) => sum + Number(count), 0)
)

test('copies in flight and kept bodies are bounded; what is over is counted, and every client is served', async (t) => {
  const app = await httpUpstream(t, (request, response) => void request.resume().once('end', () => response.end('ok')))
  const silent = await httpUpstream(t, () => { /* reads nothing, says nothing */ })
  const sentinel = await startSentinel(t, `listeners { listener "web" { address "127.0.0.1:0" } }
limits { max-body-size "4MiB" }
routes { route "all" { matches { path-prefix "/" }; upstream "app"; shadow { upstream "hole"; timeout "10m"; max-body-size "2MiB"; max-in-flight 40 } } }
upstreams { upstream "app" { target "127.0.0.1:${app.port}" }; upstream "hole" { target "127.0.0.1:${silent.port}" } }
observability { metrics { address "127.0.0.1:0" } }
`)
  const body = 'x'.repeat(1024 * 1024)
  for (let round = 0; round < 10; round++) {
    const answers = await Promise.all(Array.from({ length: 8 }, () => sentinel.request('/', { method: 'POST', body })))
    assert.ok(answers.every(({ status }) => status === 200))
  }
  let text = ''
  await eventually('every copy is under way or skipped', async () => {
    text = await sentinel.metrics()
    return total(text, 'sentinel_shadow_skipped_total') + total(text, 'sentinel_shadow_in_flight') === 80
  })
  const underWay = total(text, 'sentinel_shadow_in_flight')
  // 32 MiB are kept at the most, of 80 that came.
  assert.ok(underWay <= 32, `${underWay} copies of 1 MiB are kept`)
  await Promise.all(Array.from({ length: 100 }, () => sentinel.get('/')))
  await eventually('it is counted', async () => total(await sentinel.metrics(), 'sentinel_shadow_in_flight') === 40)
  const resident = Number(/^process_resident_memory_bytes (\d+)/m.exec(await sentinel.metrics())?.[1])
  assert.ok(resident < 400 * 1024 * 1024, `${resident} bytes`)
  // A stop does not wait for a mirror.
  const asked = performance.now()
  assert.equal(await sentinel.stop(), 0)
  assert.ok(performance.now() - asked < 20_000)
})
