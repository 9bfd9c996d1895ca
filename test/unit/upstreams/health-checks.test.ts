// One check of one target, against real servers: what it takes for well, what for ill, and that it always ends in time.
import assert from 'node:assert/strict'
import { createServer as createHttpsServer } from 'node:https'
import { createServer as createHttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { Server, ServerCredentials } from '@grpc/grpc-js'
import { checkOf } from '../../../proxy/upstreams/health/checker.ts'
import type { CheckSettings, GrpcCheck, HttpCheck, InferenceCheck, Reach, TcpCheck } from '../../../proxy/upstreams/health/settings.ts'
import type { TargetSettings } from '../../../proxy/upstreams/index.ts'
import { authority } from '../../support/authority.ts'
import { folderWith } from '../../support/folder.ts'
import { http2Upstream } from '../../support/http2-upstream.ts'
import { bytesOf, deadPort, fixedUpstream, httpUpstream, rawUpstream } from '../../support/upstream.ts'

const reach: Reach = { id: 'app', connectTimeoutMs: 60_000, readTimeoutMs: 60_000, writeTimeoutMs: 60_000, poolMaxConnections: 10, poolIdleMs: 1_000 }
const timing = { intervalMs: 1_000, timeoutMs: 60_000, healthyThreshold: 1, unhealthyThreshold: 1, port: undefined }
const http: HttpCheck = { ...timing, type: 'http', method: 'GET', path: '/health', expectedStatus: [{ from: 200, to: 299 }], host: undefined, expectedBody: undefined }
const tcp: TcpCheck = { ...timing, type: 'tcp' }
const grpc: GrpcCheck = { ...timing, type: 'grpc', service: '' }
const inference: InferenceCheck = {
  ...timing, type: 'inference', endpoint: '/v1/models', expectedModels: [], completion: undefined, modelStatus: undefined, queueDepth: undefined, warmth: undefined,
}

const ca = authority('checked targets')
const local = ca.issue('localhost')

/** "+ why" or "- why", and "~ why" for what works at its edge. */
async function outcome (target: number | TargetSettings, check: CheckSettings, way: Partial<Reach> = {}): Promise<string> {
  const one = checkOf(typeof target === 'number' ? { host: '127.0.0.1', port: target, weight: 1 } : target, { ...reach, ...way }, check)
  const { healthy, degraded, why } = await one.run()
  one.close()
  return `${healthy ? degraded ? '~' : '+' : '-'} ${why}`
}

describe('an http check', () => {
  test('asks for the path, with the method and for the host it is told, and for the target itself otherwise', async (t) => {
    const asked: string[] = []
    const { port } = await httpUpstream(t, (request, response) => {
      asked.push(`${request.method} ${request.url} ${request.headers.host}`)
      response.end()
    })
    assert.equal(await outcome(port, http), '+ status 200')
    assert.equal(await outcome(port, { ...http, method: 'HEAD', path: '/a?b=c', host: 'shop.test' }), '+ status 200')
    assert.deepEqual(asked, [`GET /health 127.0.0.1:${port}`, 'HEAD /a?b=c shop.test'])
  })

  test('takes only the expected statuses for well', async (t) => {
    const { port } = await httpUpstream(t, ({ url }, response) => { response.writeHead(Number(url!.slice(1))).end() })
    assert.equal(await outcome(port, { ...http, path: '/503' }), '- status 503')
    assert.equal(await outcome(port, { ...http, path: '/302' }), '- status 302')
    assert.equal(await outcome(port, { ...http, path: '/302', expectedStatus: [{ from: 200, to: 204 }, { from: 302, to: 302 }] }), '+ status 302')
  })

  test('looks for what the body has to hold, and no further than its first 64 KiB', async (t) => {
    const { port } = await httpUpstream(t, ({ url }, response) => {
      if (url === '/late') response.write('x'.repeat(70_000))
      response.end('{ "status": "UP" }')
    })
    const expectedBody = /"status":\s*"UP"/
    assert.equal(await outcome(port, { ...http, expectedBody }), '+ status 200')
    assert.equal(await outcome(port, { ...http, expectedBody: /DOWN/ }), '- status 200, but the answer does not match expected-body')
    assert.equal(await outcome(port, { ...http, expectedBody, path: '/late' }), '- status 200, but the first 64 KiB of the answer does not match expected-body')
  })

  test('ends in time with a target that accepts and says nothing, trickles its head, trickles its body, or never ends it', async (t) => {
    const silent = await rawUpstream(t, () => {})
    const head = await rawUpstream(t, ({ socket }) => { setInterval(() => socket.write('X'), 20).unref() })
    const body = await rawUpstream(t, ({ socket }) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n')
      setInterval(() => socket.write('x'), 20).unref()
    })
    const flood = await rawUpstream(t, ({ socket }) => { socket.write('HTTP/1.1 200 OK\r\n\r\n' + 'x'.repeat(1 << 20)) })
    const startedMs = performance.now()
    const outcomes = await Promise.all([silent, head, body, flood].map((target) => outcome(target.port, target === flood ? http : { ...http, timeoutMs: 300 })))
    assert.ok(performance.now() - startedMs < 30_000, `${performance.now() - startedMs} ms`)
    assert.match(outcomes[0]!, /^- .*300 ms/)
    assert.match(outcomes[1]!, /^- /)
    assert.equal(outcomes[2], '- no answer within 300 ms')
    assert.equal(outcomes[3], '+ status 200', 'a long body is read as far as it is looked at')
  })

  test('says what came in the way: nobody there, a name that does not resolve, an answer that is no HTTP', async (t) => {
    assert.match(await outcome(await deadPort(), http), /^- .*ECONNREFUSED/)
    assert.match(await outcome({ host: 'nobody.invalid', port: 80, weight: 1 }, http), /^- .*(ENOTFOUND|EAI_AGAIN)/)
    const { port } = await fixedUpstream(t, 'SSH-2.0-OpenSSH\r\n')
    assert.match(await outcome(port, http), /^- /)
  })

  test('uses the TLS of the upstream, and fails where the traffic would', async (t) => {
    const server = createHttpsServer({ cert: local.cert, key: local.key }, (_, response) => response.end())
    await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
    t.after(() => { server.close(); server.closeAllConnections() })
    const { port } = server.address() as AddressInfo
    assert.equal(await outcome(port, http, { tls: { ca: ca.cert, sni: 'localhost' } }), '+ status 200')
    assert.match(await outcome(port, http, { tls: { ca: ca.cert, sni: 'other.test' } }), /^- /)
    assert.match(await outcome(port, http, { tls: { sni: 'localhost' } }), /^- /)
    assert.equal(await outcome(port, tcp, { tls: { ca: ca.cert, sni: 'localhost' } }), '+ connected, TLS is in order')
    assert.match(await outcome(port, tcp, { tls: { sni: 'localhost' } }), /^- /)
  })

  test('speaks HTTP/2 where the traffic does', async (t) => {
    const { port } = await http2Upstream(t, (request, response) => void response.end(request.httpVersion))
    const http2 = { when: 'always', maxStreams: 100, pingIntervalMs: 0 } as const
    assert.equal(await outcome(port, { ...http, expectedBody: /^2/ }, { http2 }), '+ status 200')
  })

  test('reaches a Unix socket, and another port where one is given', async (t) => {
    const path = join(folderWith(t), 'app.sock')
    const server = createHttpServer((_, response) => response.end('unix'))
    await new Promise<void>((resolve) => { server.listen(path, resolve) })
    t.after(() => server.close())
    assert.equal(await outcome({ host: '', port: 0, path, weight: 1 }, { ...http, expectedBody: /unix/ }), '+ status 200')
    assert.equal(await outcome({ host: '', port: 0, path, weight: 1 }, tcp), '+ connected')
    const { port } = await httpUpstream(t, (_, response) => response.end())
    assert.equal(await outcome(await deadPort(), { ...http, port }), '+ status 200')
  })

  test('leaves no connection behind', async (t) => {
    const upstream = await httpUpstream(t, (_, response) => response.end('ok'))
    const one = checkOf({ host: '127.0.0.1', port: upstream.port, weight: 1 }, reach, http)
    for (let i = 0; i < 5; i++) assert.equal((await one.run()).healthy, true)
    assert.equal(upstream.connections, 5, 'each has one of its own')
    while (upstream.sockets.size > 0) await new Promise((resolve) => { setTimeout(resolve, 5) })
    one.close()
  })
})

describe('a tcp check', () => {
  test('takes a connection for well, and gives one up that is not made in time', async (t) => {
    const { port } = await rawUpstream(t, () => {})
    assert.equal(await outcome(port, tcp), '+ connected')
    assert.match(await outcome(await deadPort(), tcp), /^- .*ECONNREFUSED/)
    // Accepts, and never answers the handshake.
    assert.equal(await outcome(port, { ...tcp, timeoutMs: 200 }, { tls: { ca: ca.cert } }), '- no connection within 200 ms')
  })
})

describe('a grpc check', () => {
  /** grpc.health.v1 in a few lines: a status for each service, and NOT_FOUND for others. */
  async function healthServer (t: TestContext, statuses: Readonly<Record<string, number>>): Promise<number> {
    const server = new Server()
    const same = (bytes: Buffer): Buffer => bytes
    server.addService({
      check: { path: '/grpc.health.v1.Health/Check', requestStream: false, responseStream: false, requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same },
    }, {
      check (call: { request: Buffer }, reply: (error: unknown, bytes?: Buffer) => void) {
        const status = statuses[call.request.subarray(2).toString()]
        if (status === undefined) reply({ code: 5, details: 'unknown service' })
        else reply(null, status === 0 ? Buffer.alloc(0) : Buffer.from([0x08, status]))
      },
    } as unknown as Parameters<Server['addService']>[1]) // Typed by hand above: grpc-js wants one type for all calls.
    const port = await new Promise<number>((resolve, reject) => server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => error === null ? resolve(bound) : reject(error)))
    t.after(() => server.forceShutdown())
    return port
  }

  test('asks grpc.health.v1 for the server or a service of it', async (t) => {
    const long = 'a'.repeat(200)
    const port = await healthServer(t, { '': 1, 'shop.Cart': 2, unsure: 0 })
    assert.equal(await outcome(port, grpc), '+ SERVING')
    assert.equal(await outcome(port, { ...grpc, service: 'shop.Cart' }), '- NOT_SERVING')
    assert.equal(await outcome(port, { ...grpc, service: 'unsure' }), '- UNKNOWN')
    assert.equal(await outcome(port, { ...grpc, service: long }), `- the service '${long}' is not known`)
  })

  test('fails where no such service is, and where no HTTP/2 is spoken', async (t) => {
    const other = new Server()
    const port = await new Promise<number>((resolve, reject) => other.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => error === null ? resolve(bound) : reject(error)))
    t.after(() => other.forceShutdown())
    assert.equal(await outcome(port, grpc), '- gRPC status 12')
    const old = await httpUpstream(t, (_, response) => response.end())
    assert.match(await outcome(old.port, grpc), /^- /)
    const silent = await rawUpstream(t, () => {})
    assert.match(await outcome(silent.port, { ...grpc, timeoutMs: 200 }), /^- .*200 ms/)
  })
})

describe('an inference check', () => {
  const models = JSON.stringify({ data: [{ id: 'small' }, { id: 'large' }] })

  test('looks for models in the list, in the forms of OpenAI and Ollama', async (t) => {
    const { port } = await httpUpstream(t, ({ url }, response) => {
      response.end(url === '/api/tags' ? '{"models":[{"name":"small"}]}' : url === '/bad' ? 'no json' : models)
    })
    assert.equal(await outcome(port, { ...inference, expectedModels: ['large', 'small'] }), '+ all models are there')
    assert.equal(await outcome(port, { ...inference, expectedModels: ['large', 'huge'] }), '- models are missing: huge')
    assert.equal(await outcome(port, { ...inference, endpoint: '/api/tags', expectedModels: ['small'] }), '+ all models are there')
    assert.equal(await outcome(port, { ...inference, endpoint: '/bad', expectedModels: ['small'] }), '- the answer is no list of models')
    assert.equal(await outcome(port, inference), '+ status 200')
  })

  test('asks for a completion, in the form that the path tells, and gives one up that takes too long', async (t) => {
    const asked: unknown[] = []
    const { port } = await httpUpstream(t, (request, response) => {
      void bytesOf(request).then((bytes) => {
        if (request.method === 'POST') asked.push(JSON.parse(bytes.toString()))
        setTimeout(() => response.writeHead(request.url === '/broken/completions' ? 500 : 200).end(models), request.method === 'POST' ? 60 : 0)
      })
    })
    const completion = { endpoint: '/v1/completions', model: 'small', prompt: 'ping', maxTokens: 1, timeoutMs: 60_000, maxLatencyMs: undefined }
    assert.equal(await outcome(port, { ...inference, completion }), '+ status 200')
    assert.equal(await outcome(port, { ...inference, completion: { ...completion, endpoint: '/v1/chat/completions' } }), '+ status 200')
    assert.equal(await outcome(port, { ...inference, completion: { ...completion, endpoint: '/broken/completions' } }), '- status 500 for a completion')
    assert.match(await outcome(port, { ...inference, completion: { ...completion, maxLatencyMs: 20 } }), /^- a completion took \d+ ms/)
    assert.equal(await outcome(port, { ...inference, completion: { ...completion, timeoutMs: 20 } }), '- no answer within 20 ms')
    assert.deepEqual(asked.slice(0, 2), [
      { model: 'small', prompt: 'ping', max_tokens: 1 }, { model: 'small', messages: [{ role: 'user', content: 'ping' }], max_tokens: 1 },
    ])
  })

  test('asks for the status of each model', async (t) => {
    const { port } = await httpUpstream(t, ({ url }, response) => {
      response.end(url === '/v1/models' ? models : JSON.stringify({ state: { now: url!.includes('a%2Fb') ? 'loading' : 'ready' } }))
    })
    const modelStatus = { endpointPattern: '/v1/models/{model}/status', models: ['small'], expectedStatus: 'ready', statusField: 'state.now', timeoutMs: 60_000 }
    assert.equal(await outcome(port, { ...inference, modelStatus }), '+ status 200')
    assert.equal(await outcome(port, { ...inference, modelStatus: { ...modelStatus, models: ['small', 'a/b'] } }), '- the model a/b is "loading"')
    assert.equal(await outcome(port, { ...inference, modelStatus: { ...modelStatus, statusField: 'toString' } }), '- the model small is in no known status')
  })

  test('looks at how many requests wait, in a field of the head or of the body', async (t) => {
    const { port } = await httpUpstream(t, ({ url }, response) => {
      response.setHeader('X-Queue-Depth', '60')
      response.end(url === '/stats' ? '{"queue":{"waiting":250}}' : models)
    })
    const queueDepth = { header: 'X-Queue-Depth', bodyField: undefined, endpoint: undefined, degradedThreshold: 50, unhealthyThreshold: 200, timeoutMs: 60_000 }
    assert.equal(await outcome(port, { ...inference, queueDepth }), '~ 60 requests wait')
    assert.equal(await outcome(port, { ...inference, queueDepth: { ...queueDepth, degradedThreshold: 61 } }), '+ status 200')
    assert.equal(await outcome(port, { ...inference, queueDepth: { ...queueDepth, header: undefined, bodyField: 'queue.waiting', endpoint: '/stats' } }), '- 250 requests wait')
    assert.equal(await outcome(port, { ...inference, queueDepth: { ...queueDepth, header: 'X-Other' } }), '+ status 200')
  })
})
