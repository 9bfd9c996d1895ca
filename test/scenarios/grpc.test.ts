// gRPC through the real program: calls of all kinds arrive as they were made, and end as they were ended.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { test, type TestContext } from 'node:test'
import { credentials, Metadata, ServerCredentials, status, type ServiceError } from '@grpc/grpc-js'
import { makeAuthority } from '../support/authority.ts'
import { grpcCaller, grpcEcho, type GrpcCaller, type GrpcEcho } from '../support/grpc-echo.ts'
import { startSentinel, type RunningSentinel } from '../support/sentinel.ts'
import { deadPort } from '../support/upstream.ts'

const ours = makeAuthority('grpc authority')
const local = ours.issue('localhost', 'DNS:localhost,IP:127.0.0.1')

const site = (port: number, listener: string, upstream: string, more = ''): string => `
  listeners { listener "rpc" { address "127.0.0.1:0"; ${listener} } }
  routes { route "all" { matches { path-prefix "/test.Echo" }; upstream "app" } }
  upstreams { upstream "app" { target "127.0.0.1:${port}"; ${upstream} } }
  observability { metrics { address "127.0.0.1:0" } }
  ${more}`

const plainUpstream = 'http-version { min-version 2 }'

async function plain (t: TestContext, more = '', upstream = plainUpstream): Promise<{ echo: GrpcEcho, sentinel: RunningSentinel, caller: GrpcCaller }> {
  const echo = await grpcEcho(t)
  const sentinel = await startSentinel(t, site(echo.port, 'protocol "h2"', upstream, more))
  return { echo, sentinel, caller: grpcCaller(t, sentinel.port(), credentials.createInsecure()) }
}

async function secure (t: TestContext): Promise<{ echo: GrpcEcho, caller: GrpcCaller }> {
  const pair = { cert_chain: readFileSync(local.cert), private_key: readFileSync(local.key) }
  const echo = await grpcEcho(t, ServerCredentials.createSsl(null, [pair]))
  const sentinel = await startSentinel(t, site(echo.port, `tls { cert-file "${local.cert}"; key-file "${local.key}" }`, `tls { ca-cert "${ours.ca}"; sni "localhost" }`))
  return { echo, caller: grpcCaller(t, sentinel.port(), credentials.createSsl(readFileSync(ours.ca))) }
}

const refused = async (call: Promise<unknown>): Promise<ServiceError> => {
  try {
    await call
  } catch (error) {
    return error as ServiceError // Calls reject with nothing else.
  }
  throw new Error('the call went well')
}

for (const [way, start] of Object.entries({ 'without TLS': plain, 'over TLS': secure })) {
  test(`calls of all kinds ${way}`, async (t) => {
    const { caller, echo } = await start(t)
    await t.test('one message each way, with metadata in front and behind', async () => {
      const metadata = new Metadata()
      metadata.set('x-mark', 'seen')
      const { message, trailers } = await caller.unary('hello', metadata)
      assert.equal(message, 'hello')
      assert.equal(echo.heard['mark'], 'seen')
      assert.deepEqual([trailers.get('x-behind'), trailers.get('x-bytes-bin')], [['yes'], [Buffer.from([0, 255, 1])]])
    })
    await t.test('a status of the application, with its words and its metadata: a head and nothing else', async () => {
      const { code, details, metadata } = await refused(caller.unary('fail 9 of it'))
      assert.deepEqual([code, details, metadata.get('x-behind')], [9, 'because fail 9 of it', ['yes']])
    })
    await t.test('many messages to the server', async () => {
      assert.equal(await caller.collect(Array.from({ length: 200 }, () => Buffer.alloc(10_000))), '2000000')
    })
    await t.test('many messages from the server', async () => {
      const { sizes, status: told } = await caller.count('500 3000')
      assert.deepEqual([sizes.length, sizes.every((size) => size === 3000), told.code], [500, true, status.OK])
    })
    await t.test('a conversation: each message is answered before the next is sent', async () => {
      const call = caller.talk()
      for (let i = 0; i < 20; i++) {
        call.write(Buffer.from(`message ${i}`))
        assert.equal(String((await once(call, 'data') as [Buffer])[0]), `message ${i}`)
      }
      call.end()
      call.resume()
      assert.equal((await once(call, 'status') as [{ code: number }])[0].code, status.OK)
    })
    await t.test('a message of 8 MB each way', async () => {
      const large = Buffer.alloc(8 << 20, 'a')
      assert.equal((await caller.unary(large)).message.length, large.length)
    })
    await t.test('500 calls at a time', async () => {
      const all = await Promise.all(Array.from({ length: 500 }, (_, i) => caller.unary(`call ${i}`)))
      assert.deepEqual(all.map(({ message }) => message), all.map((_, i) => `call ${i}`))
    })
  })
}

test('a deadline is told to the server, and its end to both', async (t) => {
  const { caller, echo } = await plain(t)
  const before = Date.now()
  const { code } = await refused(caller.unary('wait', new Metadata(), { deadline: before + 3_000 }))
  assert.equal(code, status.DEADLINE_EXCEEDED)
  const told = Number(echo.heard['deadline']) - before
  // What is left of it is counted from when it arrives.
  assert.ok(told > 0 && told < 10_000, `${told}`)
})

test('a call that its client gives up is given up at the server at once', async (t) => {
  const { caller, echo } = await plain(t)
  const talk = caller.talk()
  talk.on('error', () => {})
  talk.write(Buffer.from('a'))
  await once(talk, 'data')
  const call = caller.call('wait', new Metadata(), {}, () => {})
  while (echo.heard['deadline'] === undefined) await new Promise((wait) => setTimeout(wait, 5))
  const from = performance.now()
  talk.cancel()
  call.cancel()
  while (echo.cancelled.length < 2) await new Promise((wait) => setTimeout(wait, 5))
  assert.deepEqual(echo.cancelled.toSorted(), ['talk', 'unary'])
  assert.ok(performance.now() - from < 10_000)
})

test('faults of the proxy are statuses of gRPC', async (t) => {
  await t.test('no server: UNAVAILABLE', async (t) => {
    const sentinel = await startSentinel(t, site(await deadPort(), 'protocol "h2"', plainUpstream))
    const { code, details } = await refused(grpcCaller(t, sentinel.port(), credentials.createInsecure()).unary('a'))
    assert.equal(code, status.UNAVAILABLE)
    assert.match(details, /^The application behind this proxy did not give a usable answer\. Request id: \S+$/)
    const line = await sentinel.accessed(({ fault }) => fault === 'UPSTREAM_CONNECT')
    assert.equal(line.status, 200)
  })
  await t.test('no answer in time: DEADLINE_EXCEEDED', async (t) => {
    const { caller } = await plain(t, '', `${plainUpstream}; timeouts { read "200ms" }`)
    assert.equal((await refused(caller.unary('wait'))).code, status.DEADLINE_EXCEEDED)
  })
  await t.test('no route: UNIMPLEMENTED', async (t) => {
    const { caller } = await plain(t)
    const call = new Promise((resolve, reject) => {
      caller.client.makeUnaryRequest('/other.Service/Call', (bytes: Buffer) => bytes, (bytes: Buffer) => bytes, Buffer.from('a'), (error) => error === null ? resolve(undefined) : reject(error))
    })
    assert.equal((await refused(call)).code, status.UNIMPLEMENTED)
  })
  await t.test('a request that is too large: RESOURCE_EXHAUSTED', async (t) => {
    const { caller } = await plain(t, 'limits { max-body-size "10KB" }')
    assert.equal((await refused(caller.unary(Buffer.alloc(20_000)))).code, status.RESOURCE_EXHAUSTED)
  })
  await t.test('an agent that is not there: UNAVAILABLE', async (t) => {
    const { caller } = await plain(t, 'agents { agent "gone" { unix-socket "/nowhere/agent.sock"; failure-mode "closed" } }')
    assert.equal((await refused(caller.unary('a'))).code, status.UNAVAILABLE)
  })
})
