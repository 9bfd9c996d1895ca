// A slow target is not waited for alone: another one is asked as well, the first good answer counts, and the other request is cancelled at once.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { startProxy, type TestProxy } from '../support/proxy.ts'
import { rawClient } from '../support/raw-client.ts'
import { request } from '../support/request.ts'
import { triesPolicy, type TriesGiven } from '../support/tries-policy.ts'
import { httpUpstream, rawUpstream, type TestUpstream } from '../support/upstream.ts'

const silent = (t: TestContext): Promise<TestUpstream> => rawUpstream(t, () => { /* says nothing */ })

/** Says who it is, after a while. */
const answering = (t: TestContext, name: string, afterMs = 0, status = 200): Promise<TestUpstream> => httpUpstream(t, (_incoming, response) => {
  setTimeout(() => { response.statusCode = status; response.end(name) }, afterMs)
})

function hedged (t: TestContext, ports: readonly number[], given: TriesGiven = {}): Promise<TestProxy> {
  return startProxy(t, { targets: ports, policy: { tries: triesPolicy({ hedge: { delayMs: 50, maxAttempts: 2 }, ...given }) } })
}

test('the second target\'s answer counts when the first is slow, and the first is let go at once', async (t) => {
  const slow = await silent(t)
  const fast = await answering(t, 'fast')
  const { port, exchange, upstream } = await hedged(t, [slow.port, fast.port])
  assert.equal((await request(port, '/')).text, 'fast')
  const x = await exchange(1)
  assert.deepEqual([x.tries, x.target], [2, `127.0.0.1:${fast.port}`])
  assert.deepEqual(x.attempts?.map(({ status, fault, hedge, reason }) => [status, fault, hedge, reason]), [[0, undefined, false, undefined], [200, undefined, true, undefined]])
  await eventually('the slow one is let go', () => slow.sockets.size === 0)
  assert.deepEqual(upstream.targets.map(({ inFlight }) => inFlight), [0, 0])
})

test('the other request is over while the answer still goes on', async (t) => {
  const slow = await silent(t)
  const fast = await httpUpstream(t, (_incoming, response) => { response.write('begun') })
  const { port, done, upstream } = await hedged(t, [slow.port, fast.port])
  const client = await rawClient(t, port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await client.until('begun')
  await eventually('the slow one is let go', () => slow.sockets.size === 0)
  assert.deepEqual([slow.connections, done.length], [1, 0])
  assert.deepEqual(upstream.targets.map(({ inFlight }) => inFlight), [0, 1])
})

test('a target that answers in time is the only one that is asked', async (t) => {
  const fast = await answering(t, 'fast')
  const other = await answering(t, 'other')
  const { port, exchange } = await hedged(t, [fast.port, other.port], { hedge: { delayMs: 60_000, maxAttempts: 2 } })
  assert.equal((await request(port, '/')).text, 'fast')
  assert.deepEqual([(await exchange(1)).tries, other.connections], [1, 0])
})

test('the first may still win: its request is not given up for being slow', async (t) => {
  const slow = await answering(t, 'slow', 300)
  const never = await silent(t)
  const { port, exchange } = await hedged(t, [slow.port, never.port])
  assert.equal((await request(port, '/')).text, 'slow')
  const x = await exchange(1)
  assert.deepEqual([x.tries, x.target], [2, `127.0.0.1:${slow.port}`])
  await eventually('the other one is let go', () => never.sockets.size === 0)
})

test('a bad answer does not win while a good one may come', async (t) => {
  const slow = await answering(t, 'slow', 300)
  const bad = await answering(t, 'bad', 0, 503)
  const { port } = await hedged(t, [slow.port, bad.port], { statuses: [503] })
  assert.deepEqual(await request(port, '/').then(({ status, text }) => [status, text]), [200, 'slow'])
})

test('requests with a body, or that may do something twice, have one target', async (t) => {
  const slow = await answering(t, 'slow', 150)
  const other = await answering(t, 'other')
  const { port, exchange } = await hedged(t, [slow.port, other.port], { nonIdempotent: true })
  for (const [i, init] of [{ method: 'POST' }, { method: 'PUT', body: 'abc' }].entries()) {
    // The second would be asked by turns.
    await request(port, '/', init)
    assert.equal((await exchange(i + 1)).tries, 1)
  }
})

test('with no budget there is no second target', async (t) => {
  const slow = await answering(t, 'slow', 150)
  const other = await answering(t, 'other')
  const { port, exchange } = await hedged(t, [slow.port, other.port], { budget: { percent: 0, minPerSecond: 0 } })
  assert.equal((await request(port, '/')).text, 'slow')
  assert.equal((await exchange(1)).tries, 1)
})

test('with one target there is nobody else to ask', async (t) => {
  const slow = await answering(t, 'slow', 150)
  const { port, exchange } = await hedged(t, [slow.port])
  assert.equal((await request(port, '/')).text, 'slow')
  assert.equal((await exchange(1)).tries, 1)
})

test('a client that leaves takes both requests with it', async (t) => {
  const one = await silent(t)
  const two = await silent(t)
  const { port, exchange } = await hedged(t, [one.port, two.port])
  const client = await rawClient(t, port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await eventually('both are asked', () => one.connections + two.connections === 2)
  client.socket.destroy()
  assert.equal((await exchange(1)).fault?.code, 'CLIENT_GONE')
  await eventually('both are let go', () => one.sockets.size + two.sockets.size === 0)
})

test('of more than two, each gets its turn after the wait', async (t) => {
  const ports = [(await silent(t)).port, (await silent(t)).port, (await answering(t, 'third')).port]
  const { port, exchange } = await hedged(t, ports, { hedge: { delayMs: 50, maxAttempts: 3 } })
  const { text, ms } = await request(port, '/')
  assert.equal(text, 'third')
  assert.ok(ms >= 95, `${ms} ms`)
  assert.equal((await exchange(1)).tries, 3)
})
