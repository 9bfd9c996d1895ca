// Who has an account must not be found out by how long a refusal takes.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startSentinel } from '../support/sentinel.ts'

/** At cost 10: some fifty milliseconds, which nobody could overlook. */
const hash = '$2b$10$c4UFi9ODVVmI3O9ElzxNYu6FbfsNC.es91raad0RiU1t9zGtlFoPq'

test('somebody who is not there is refused no sooner than somebody with a wrong password', async (t) => {
  const sentinel = await startSentinel(t, `listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "all" { matches { path-prefix "/" }; respond 200 "in"; filters "staff" } }
filters { filter "staff" { type "basic-auth"; users { alice "${hash}" }; max-failures 1000 } }
observability { metrics { enabled #false } }
`)
  const timeOf = async (user: string, i: number): Promise<number> => {
    const startedMs = performance.now()
    const { status } = await sentinel.get('/', { headers: { Authorization: `Basic ${Buffer.from(`${user}:guess ${i}`).toString('base64')}` } })
    assert.equal(status, 401)
    return performance.now() - startedMs
  }
  await timeOf('alice', -1)
  const known: number[] = []
  const unknown: number[] = []
  for (let i = 0; i < 9; i++) {
    known.push(await timeOf('alice', i))
    unknown.push(await timeOf(`nobody${i}`, i))
  }
  const median = (times: readonly number[]): number => times.toSorted((a, b) => a - b)[4]!
  // The same work, whatever the machine makes of it; without it the difference would be tenfold.
  assert.ok(median(unknown) > median(known) / 3, `${median(unknown)} ms, and ${median(known)} ms for one who is there`)
  assert.ok(median(known) > median(unknown) / 3, `${median(known)} ms, and ${median(unknown)} ms for one who is not there`)
})
