// Tries again over HTTP/2: on streams of shared connections, with what only HTTP/2 and gRPC can say.
import assert from 'node:assert/strict'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import { describe, test, type TestContext } from 'node:test'
import { errorCode } from '../../proxy/http2/index.ts'
import { http2Upstream, type Http2Upstream } from '../support/http2-upstream.ts'
import { startProxy, type TestProxy } from '../support/proxy.ts'
import { request } from '../support/request.ts'
import { triesPolicy, type TriesGiven } from '../support/tries-policy.ts'

const http2 = { when: 'always', maxStreams: 100, pingIntervalMs: 0 } as const

function proxyTo (t: TestContext, targets: readonly Http2Upstream[], given: TriesGiven = {}): Promise<TestProxy> {
  return startProxy(t, { targets: targets.map(({ port }) => port), upstream: { http2 }, policy: { tries: triesPolicy(given) } })
}

type Answering = (incoming: Http2ServerRequest, response: Http2ServerResponse, body: string) => void

/** Hears the whole request, then answers. */
const hearing = (t: TestContext, answer: Answering): Promise<Http2Upstream> => http2Upstream(t, (incoming, response) => {
  let body = ''
  incoming.setEncoding('latin1').on('data', (text: string) => { body += text }).on('end', () => answer(incoming, response, body)).on('error', () => { /* reset */ })
})

const telling = (t: TestContext): Promise<Http2Upstream> => hearing(t, (_incoming, response, body) => response.end(`heard ${body}`))

const ends: Readonly<Record<string, Answering>> = {
  'an answer of 503': (_incoming, response) => { response.statusCode = 503; response.end('busy') },
  'a stream that is reset': (_incoming, response) => response.stream.close(errorCode.internalError),
  'a connection that breaks': (_incoming, response) => response.stream.session?.destroy(),
}
for (const [how, end] of Object.entries(ends)) {
  test(`${how} is followed by another target, which gets the whole body`, async (t) => {
    const one = await hearing(t, end)
    const two = await telling(t)
    const { port, exchange } = await proxyTo(t, [one, two], { statuses: [503] })
    assert.equal((await request(port, '/', { method: 'PUT', body: 'x'.repeat(50_000) })).text, `heard ${'x'.repeat(50_000)}`)
    assert.equal((await exchange(1)).tries, 2)
  })
}

test('a target that is silent for too long costs its stream, not its connection', async (t) => {
  const one = await hearing(t, ({ url }, response) => { if (url === '/fast') response.end('fast'); /* else nothing */ })
  const two = await telling(t)
  const { port } = await proxyTo(t, [one, two], { on: ['timeout'], attemptTimeoutMs: 1_000 })
  for (let i = 0; i < 4; i++) assert.match((await request(port, i % 2 === 0 ? '/fast' : '/')).text, /^(fast|heard )$/)
  assert.equal(one.connections, 1)
})

test('a hedge that lost is cancelled', async (t) => {
  let cancelled: (() => void) | undefined
  const reset = new Promise<void>((resolve) => { cancelled = resolve })
  const slow = await http2Upstream(t, (_incoming, response) => { response.stream.once('aborted', () => cancelled?.()).on('error', () => { /* reset */ }) })
  const fast = await telling(t)
  const { port } = await proxyTo(t, [slow, fast], { hedge: { delayMs: 50, maxAttempts: 2 } })
  assert.equal((await request(port, '/')).status, 200)
  await reset
})

test('what a target says it did not process is sent again, whatever the method: it waits for nothing and needs no budget', async (t) => {
  let refused = 0
  const target = await http2Upstream(t, ({ stream }, response) => {
    if (refused++ === 0) stream.close(errorCode.refusedStream)
    else response.end('ok')
  })
  const { port, exchange } = await proxyTo(t, [target], { backOff: { firstMs: 60_000, mostMs: 60_000 }, budget: { percent: 0, minPerSecond: 0 } })
  assert.equal((await request(port, '/', { method: 'POST' })).text, 'ok')
  assert.equal((await exchange(1)).tries, 2)
})

test('a body that was on its way to a target that did not process it is sent again, whatever the method, when it was kept', async (t) => {
  const one = await hearing(t, (_incoming, response) => response.stream.close(errorCode.refusedStream))
  const two = await telling(t)
  const { port } = await proxyTo(t, [one, two], { nonIdempotent: true })
  assert.equal((await request(port, '/', { method: 'POST', body: 'abc' })).text, 'heard abc')
})

describe('a call of gRPC that ends at once with UNAVAILABLE', () => {
  const unavailable: Answering = (_incoming, response) => {
    response.stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '14' }, { endStream: true })
  }
  const call = { method: 'POST', body: 'message', headers: { 'content-type': 'application/grpc', te: 'trailers' } }

  test('is made again where the policy says so', async (t) => {
    const { port, exchange } = await proxyTo(t, [await hearing(t, unavailable), await telling(t)], { on: ['grpc-unavailable'], nonIdempotent: true })
    assert.equal((await request(port, '/', call)).text, 'heard message')
    assert.equal((await exchange(1)).attempts?.[0]?.reason, 'grpc-unavailable')
  })

  test('is left alone where it does not, and with any other status', async (t) => {
    const { port } = await proxyTo(t, [await hearing(t, unavailable), await telling(t)], { nonIdempotent: true })
    assert.equal((await request(port, '/', call)).headers['grpc-status'], '14')
    const denied = await hearing(t, (_incoming, response) => response.stream.respond({ ':status': 200, 'grpc-status': '7' }, { endStream: true }))
    const other = await proxyTo(t, [denied, await telling(t)], { on: ['grpc-unavailable'], nonIdempotent: true })
    assert.equal((await request(other.port, '/', call)).headers['grpc-status'], '7')
  })
})
