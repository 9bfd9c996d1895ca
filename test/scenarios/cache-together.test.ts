// Requests that want the same at the same time: one is sent, all are answered, and none depends on another.
import assert from 'node:assert/strict'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { atATime } from '../support/at-a-time.ts'
import { configuration, startCached, waiting } from '../support/cached.ts'
import { eventually } from '../support/eventually.ts'
import { rawClient } from '../support/raw-client.ts'
import { startSentinel, type RunningSentinel } from '../support/sentinel.ts'

const together = atATime(3)

interface Slow {
  readonly sentinel: RunningSentinel
  /** Answers that were asked for. */
  readonly asked: readonly ServerResponse[]
}

/** An application whose answers the test writes itself. */
async function startSlow (t: TestContext, { place = 'lock-timeout "90s"', ...settings }: Parameters<typeof configuration>[1] = {}): Promise<Slow> {
  const asked: ServerResponse[] = []
  const server = createServer((_, response) => { asked.push(response) })
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return { asked, sentinel: await startSentinel(t, configuration((server.address() as AddressInfo).port, { place, ...settings })) }
}

const minute = { 'Cache-Control': 'max-age=60' }

test('a hundred requests at once are one for the application', async (t) => {
  const { sentinel, asked } = await startSlow(t)
  const all = Promise.all(Array.from({ length: 100 }, () => sentinel.get('/a')))
  await waiting(sentinel, 100)
  await eventually('request 1 is there', () => asked.length === 1)
  asked[0]!.writeHead(200, minute).end('one')
  assert.ok((await all).every(({ text }) => text === 'one'))
  assert.equal(asked.length, 1)
  assert.match(String((await sentinel.get('/a')).headers['cache-status']), /hit/)
})

test('an answer is passed on while it arrives, to the first and to those who came behind', async (t) => {
  const { sentinel, asked } = await startSlow(t)
  const first = await rawClient(t, sentinel.port(), 'GET /a HTTP/1.1\r\nHost: a.test\r\n\r\n')
  await eventually('request 1 is there', () => asked.length === 1)
  asked[0]!.writeHead(200, minute).write('begun ')
  await first.until('begun ')
  const second = await rawClient(t, sentinel.port(), 'GET /a HTTP/1.1\r\nHost: a.test\r\n\r\n')
  await second.until('begun ')
  asked[0]!.end('and ended')
  assert.deepEqual([(await first.answer()).body, (await second.answer()).body], ['begun and ended', 'begun and ended'])
  assert.equal(asked.length, 1)
})

test('the first client may leave: the others get all of it, and it is kept', async (t) => {
  const { sentinel, asked } = await startSlow(t)
  const first = await rawClient(t, sentinel.port(), 'GET /a HTTP/1.1\r\nHost: a.test\r\n\r\n')
  await eventually('request 1 is there', () => asked.length === 1)
  asked[0]!.writeHead(200, minute).write('begun ')
  await first.until('begun ')
  const second = await rawClient(t, sentinel.port(), 'GET /a HTTP/1.1\r\nHost: a.test\r\n\r\n')
  await second.until('begun ')
  first.socket.resetAndDestroy()
  await sentinel.accessed(({ fault }) => fault === 'CLIENT_GONE')
  asked[0]!.end('and ended')
  assert.equal((await second.answer()).body, 'begun and ended')
  assert.equal((await sentinel.get('/a', { headers: { Host: 'a.test' } })).text, 'begun and ended')
  assert.equal(asked.length, 1)
})

test('a first client that reads nothing holds up nobody', async (t) => {
  const { sentinel, asked } = await startSlow(t)
  const first = await rawClient(t, sentinel.port(), 'GET /a HTTP/1.1\r\nHost: a.test\r\n\r\n')
  first.socket.pause()
  await eventually('request 1 is there', () => asked.length === 1)
  const body = 'x'.repeat(8 * 1024 * 1024)
  asked[0]!.writeHead(200, { ...minute, 'Content-Length': body.length }).end(body)
  const second = await sentinel.get('/a', { headers: { Host: 'a.test' } })
  assert.equal(second.bytes.length, body.length)
  assert.equal(asked.length, 1)
})

test('one that is alone and leaves before the head takes its request back', async (t) => {
  const { sentinel, asked } = await startSlow(t)
  const first = await rawClient(t, sentinel.port(), 'GET /a HTTP/1.1\r\nHost: a.test\r\n\r\n')
  await eventually('request 1 is there', () => asked.length === 1)
  first.socket.resetAndDestroy()
  await eventually('it is taken back', () => asked[0]!.destroyed || asked[0]!.socket?.destroyed === true)
})

together('nobody waits longer than lock-timeout for another', async (t) => {
  const { sentinel, asked } = await startSlow(t, { place: 'lock-timeout "100ms"' })
  const first = sentinel.get('/a')
  await eventually('request 1 is there', () => asked.length === 1)
  const second = sentinel.get('/a')
  await eventually('request 2 is there', () => asked.length === 2)
  asked[1]!.writeHead(200, minute).end('second')
  assert.equal((await second).text, 'second')
  asked[0]!.writeHead(200, minute).end('first')
  assert.equal((await first).text, 'first')
})

together('an answer that breaks off is cut for all who read it, and not kept', async (t) => {
  const { sentinel, asked } = await startSlow(t)
  const both = await Promise.all([0, 1].map(() => rawClient(t, sentinel.port(), 'GET /a HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n')))
  await waiting(sentinel, 2)
  await eventually('request 1 is there', () => asked.length === 1)
  asked[0]!.writeHead(200, { ...minute, 'Content-Length': 100 }).write('half')
  for (const one of both) await one.until('half')
  asked[0]!.destroy()
  for (const one of both) assert.match(await one.ended(), /half$/)
  const next = sentinel.get('/a', { headers: { Host: '127.0.0.1' } })
  await eventually('request 2 is there', () => asked.length === 2)
  asked[1]!.writeHead(200, minute).end('whole')
  assert.equal((await next).text, 'whole')
})

test('an answer that turns out to be too large is passed on whole and not kept', async (t) => {
  const { sentinel, asked } = await startSlow(t, { rules: 'max-size "64KiB"' })
  const both = [sentinel.get('/a'), sentinel.get('/a')]
  await waiting(sentinel, 2)
  await eventually('request 1 is there', () => asked.length === 1)
  const body = Array.from({ length: 60_000 }, (_, i) => `line ${i}\n`).join('')
  asked[0]!.writeHead(200, minute).write(body.slice(0, 100))
  await new Promise((go) => { setTimeout(go, 50) })
  asked[0]!.end(body.slice(100))
  for (const one of both) assert.equal((await one).text === body, true)
  void sentinel.get('/a').catch(() => {})
  await eventually('request 2 is there', () => asked.length === 2)
})

test('an application that is down is asked once for all who wait, and they are told', async (t) => {
  const { sentinel, asked } = await startSlow(t)
  const all = Array.from({ length: 5 }, () => sentinel.request('/a'))
  await waiting(sentinel, 5)
  await eventually('request 1 is there', () => asked.length === 1)
  asked[0]!.destroy()
  assert.ok((await Promise.all(all)).every(({ status }) => status === 502))
})

together('an outdated answer is given at once while one request fetches a new one', async (t) => {
  const { get, upstream } = await startCached(t, { say: (_, count) => ({ headers: { 'Cache-Control': count === 1 ? 'max-age=1' : 'max-age=600' } }), rules: 'stale-while-revalidate "10m"' })
  assert.equal(await get('/a'), '1')
  await new Promise((go) => { setTimeout(go, 1_100) })
  assert.equal((await Promise.all([get('/a'), get('/a'), get('/a')]))[0], '1')
  await eventually('a new answer', async () => await get('/a') === '2')
  assert.equal(upstream.requests.length, 2)
})

together('an outdated answer is given when no new one can be had', async (t) => {
  let down = false
  const { sentinel } = await startCached(t, { say: () => down ? { status: 503 } : { headers: { 'Cache-Control': 'max-age=1' } }, rules: 'stale-if-error "10m"' })
  await sentinel.get('/a')
  down = true
  await new Promise((go) => { setTimeout(go, 1_100) })
  const answer = await sentinel.get('/a')
  assert.deepEqual([answer.status, answer.text], [200, '1'])
  assert.equal((await sentinel.accessed((line) => line['cache'] === 'stale')).status, 200)
})
