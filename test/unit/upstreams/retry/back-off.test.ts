import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EndSignal } from '../../../../proxy/pipeline/end-signal.ts'
import { Fault } from '../../../../proxy/pipeline/faults.ts'
import { backOffMs, pause, retryAfterMs } from '../../../../proxy/upstreams/retry/back-off.ts'

test('the bound of the wait doubles up to the longest, and the wait is anything below it', () => {
  const settings = { firstMs: 100, mostMs: 1_000 }
  assert.deepEqual([1, 2, 3, 4, 5, 100].map((retry) => backOffMs(settings, retry, 1)), [100, 200, 400, 800, 1_000, 1_000])
  assert.deepEqual([0, 0.5].map((random) => backOffMs(settings, 2, random)), [0, 100])
})

test('Retry-After is seconds or a date, and nothing else', () => {
  const nowMs = Date.UTC(2026, 0, 1, 12, 0, 0)
  const cases: ReadonlyArray<readonly [string | undefined, number]> = [
    [undefined, 0], ['0', 0], ['3', 3_000], ['999999999', 999_999_999_000], ['Thu, 01 Jan 2026 12:00:05 GMT', 5_000], ['Thu, 01 Jan 2026 11:59:59 GMT', 0],
    ['-1', 0], ['1.5', 0], ['soon', 0], ['', 0], ['2026-01-01T12:00:05Z', 0], ['9999999999', 0],
  ]
  for (const [value, ms] of cases) assert.equal(retryAfterMs(value, nowMs), ms, value)
})

test('a pause ends at once with the exchange, and leaves nothing behind', async () => {
  const ending = new EndSignal()
  const startedMs = performance.now()
  const paused = pause(60_000, ending)
  const fault = new Fault('CLIENT_GONE')
  ending.end(fault)
  await assert.rejects(paused, fault)
  await assert.rejects(pause(60_000, ending), fault)
  await pause(1, new EndSignal())
  assert.ok(performance.now() - startedMs < 10_000)
})
