import assert from 'node:assert/strict'
import { test } from 'node:test'
import { body } from '../../bench/body.ts'
import { event, readEvent } from '../../bench/event.ts'
import { readH2load } from '../../bench/load/h2load.ts'
import { Latencies, percentile } from '../../bench/load/percentile.ts'
import { readWrk } from '../../bench/load/wrk.ts'

test('a percentile is the smallest value that so many do not exceed', () => {
  const hundred = Array.from({ length: 100 }, (_, at) => at + 1)
  assert.deepEqual([percentile(hundred, 0.5), percentile(hundred, 0.99), percentile(hundred, 1)], [50, 99, 100])
  assert.equal(percentile([7], 0.99), 7)
  assert.equal(percentile([], 0.99), 0)
})

test('latencies are kept however many they are, and sorted as numbers', () => {
  const latencies = new Latencies()
  for (let at = 100_000; at > 0; at--) latencies.add(at)
  assert.equal(latencies.count, 100_000)
  assert.deepEqual(latencies.summary(), { p50Ms: 50_000, p99Ms: 99_000 })
})

const wrkText = `Running 3s test @ http://127.0.0.1:8080/100b
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     2.59ms    1.06ms  26.46ms   92.71%
    Req/Sec    24.94k     2.94k   28.60k    86.67%
  Latency Distribution
     50%  812.00us
     75%    2.80ms
     90%    3.39ms
     99%    1.20s
  74437 requests in 3.00s, 18.17MB read
`

test('what wrk prints becomes figures', () => {
  const read = readWrk(`${wrkText}Requests/sec:  24812.33\nTransfer/sec:      6.06MB\n`)
  assert.deepEqual({ ...read, seconds: Number(read.seconds.toFixed(3)) }, {
    count: 74_437, failed: 0, seconds: 3, p50Ms: 0.812, p99Ms: 1200, bytes: 18.17 * 1024 ** 2,
  })
})

test('every kind of failure that wrk counts is one', () => {
  const read = readWrk(`${wrkText}  Socket errors: connect 1, read 2, write 3, timeout 4\n  Non-2xx or 3xx responses: 5\nRequests/sec:  24812.33\n`)
  assert.equal(read.failed, 15)
})

test('what h2load prints and logs becomes figures', () => {
  const text = `finished in 3.00s, 71510.00 req/s, 9.00MB/s
requests: 4 total, 104 started, 4 done, 4 succeeded, 1 failed, 2 errored, 0 timeout
status codes: 3 2xx, 0 3xx, 0 4xx, 1 5xx
traffic: 1.00KB (1024) total, 100B (100) headers (space savings 94.51%), 400B (400) data
`
  const log = '1700000000000000\t200\t1000\n1700000000000000\t200\t3000\n1700000000000000\t200\t2000\n1700000000000000\t503\t4000\n'
  assert.deepEqual(readH2load(text, log, 3), { count: 4, failed: 4, seconds: 3, p50Ms: 2, p99Ms: 4, bytes: 400 })
  assert.throws(() => readH2load('no route', '', 3), /printed something else/)
})

test('an event says its number and when it was sent, in 100 bytes', () => {
  const text = event(42)
  assert.equal(text.length, 100)
  assert.equal(text.slice(-2), '\n\n')
  assert.equal(readEvent(text.slice(0, -2))?.number, 42)
  assert.equal(readEvent(text.slice(0, -2).replace('data', 'date')), undefined)
})

test('content tells its places apart', () => {
  assert.equal(body(20).toString('latin1'), '0000000.0000008.0000')
})
