import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EndSignal } from '../../../proxy/pipeline/end-signal.ts'
import { Fault } from '../../../proxy/pipeline/faults.ts'
import { Waiters } from '../../../proxy/upstreams/waiters.ts'
import { exchangeOf } from '../../support/exchange.ts'

const x = exchangeOf()
const codeOf = async (waiting: Promise<unknown>): Promise<string> => waiting.then(() => 'a place', (error: unknown) => error instanceof Fault ? error.code : String(error))

test('whoever waits for a connection is told why there was none: nothing got free, the time of the exchange was over, or the exchange was', async () => {
  const waiters = new Waiters(60)
  const patient = new Waiters(60_000)
  const ending = new EndSignal()
  const left = patient.wait(ending, '', 'exchange', Infinity, x)
  ending.end(new Fault('CLIENT_GONE'))
  const codes = await Promise.all([
    waiters.wait(new EndSignal(), '', 'exchange', Infinity, x), waiters.wait(new EndSignal(), '', 'exchange', performance.now() + 60_000, x),
    patient.wait(new EndSignal(), '', 'exchange', performance.now() + 20, x), patient.wait(new EndSignal(), '', 'exchange', performance.now() - 1, x), left,
  ].map(codeOf))
  assert.deepEqual(codes, ['UPSTREAM_BUSY', 'UPSTREAM_BUSY', 'UPSTREAM_TIMEOUT', 'UPSTREAM_TIMEOUT', 'CLIENT_GONE'])
  assert.deepEqual([waiters.size, patient.size], [0, 0])
})
