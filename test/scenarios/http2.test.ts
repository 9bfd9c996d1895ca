import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { connect, constants, type ClientHttp2Session, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http2'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { promisify } from 'node:util'
import { bodyOf, type Body } from '../../proxy/pipeline/body.ts'
import type { Exchange, Filter } from '../../proxy/pipeline/exchange.ts'
import { HeaderList } from '../../proxy/pipeline/headers.ts'
import { makeCertificate } from '../support/certificates.ts'
import { data, get, h2Client, headers, post, setting, types, u32, frame } from '../support/h2-client.ts'
import { folderWith } from '../support/folder.ts'
import { startProxy, type ProxyGiven, type TestProxy } from '../support/proxy.ts'
import { rawClient } from '../support/raw-client.ts'
import { bytesOf, httpUpstream, rawUpstream } from '../support/upstream.ts'

const run = promisify(execFile)

interface Answered {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  readonly trailers: IncomingHttpHeaders
  readonly interim: readonly number[]
}

function session (t: TestContext, port: number): ClientHttp2Session {
  const client = connect(`http://127.0.0.1:${port}`)
  t.after(() => client.destroy())
  return client
}

function ask (client: ClientHttp2Session, head: OutgoingHttpHeaders, body?: Buffer, trailers?: OutgoingHttpHeaders): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const stream = client.request(head, { endStream: body === undefined, waitForTrailers: trailers !== undefined })
    const answered = { status: 0, headers: {}, trailers: {}, interim: [] as number[] }
    const chunks: Buffer[] = []
    stream.on('headers', (interim) => answered.interim.push(Number(interim[':status'])))
    stream.on('response', (received) => Object.assign(answered, { status: Number(received[':status']), headers: received }))
    stream.on('trailers', (received) => { answered.trailers = received })
    stream.on('wantTrailers', () => stream.sendTrailers(trailers!))
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('end', () => resolve({ ...answered, body: Buffer.concat(chunks) }))
    stream.on('error', reject)
    if (body !== undefined) stream.end(body)
  })
}

const started = (t: TestContext, given: ProxyGiven): Promise<TestProxy> => startProxy(t, { ...given, listener: { priorKnowledge: true, ...given.listener } })

test('one plain port serves those who begin with HTTP/2 and those who do not', async (t) => {
  const upstream = await httpUpstream(t, (request, response) => response.end(request.headers['x-forwarded-proto']))
  const { port, exchange } = await started(t, { targets: [upstream.port] })
  assert.equal((await ask(session(t, port), { ':path': '/two' })).body.toString(), 'http')
  assert.equal((await exchange(1)).request.version, '2')
  const old = await rawClient(t, port, 'GET /one HTTP/1.1\r\nHost: a\r\n\r\n')
  assert.equal((await old.answer()).status, 200)
  assert.equal((await exchange(2)).request.version, '1.1')
  const slow = await rawClient(t, port, 'P')
  for (const char of 'OST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n') slow.send(char)
  assert.equal((await slow.answer()).status, 200)
})

test('a plain port that was not asked to speaks no HTTP/2', async (t) => {
  const upstream = await httpUpstream(t, (_, response) => response.end())
  const { port } = await startProxy(t, { targets: [upstream.port] })
  const client = await rawClient(t, port, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
  assert.match(await client.ended(), /^HTTP\/1\.1 400 /)
})

test('over TLS the client chooses, and HTTP/2 comes first', async (t) => {
  const folder = folderWith(t)
  makeCertificate(folder, 'local')
  const tls = { cert: readFileSync(join(folder, 'local.pem')), key: readFileSync(join(folder, 'local.key')) }
  const upstream = await httpUpstream(t, (_, response) => response.end('hello'))
  const { port, exchange } = await startProxy(t, { targets: [upstream.port], listener: { tls } })
  const client = connect(`https://localhost:${port}`, { ca: tls.cert })
  t.after(() => client.destroy())
  assert.equal((await ask(client, { ':path': '/' })).status, 200)
  assert.equal(client.alpnProtocol, 'h2')
  const { request, peer } = await exchange(1)
  assert.deepEqual([request.version, request.scheme, peer.tls?.version], ['2', 'https', 'TLSv1.3'])
  const { stdout } = await run('curl', ['-sk', '--http1.1', '-w', '%{http_version}', `https://localhost:${port}/`])
  assert.equal(stdout, 'hello1.1')
})

test('a slow answer holds up no other', async (t) => {
  const upstream = await httpUpstream(t, (request, response) => { if (request.url !== '/slow') response.end('fast') })
  const { port } = await started(t, { targets: [upstream.port] })
  const client = session(t, port)
  const slow = client.request({ ':path': '/slow' })
  slow.on('error', () => {})
  const answers = await Promise.all(Array.from({ length: 60 }, (_, n) => ask(client, { ':path': `/${n}` })))
  assert.deepEqual(new Set(answers.map(({ body }) => body.toString())), new Set(['fast']))
  slow.close()
})

test('bodies of megabytes pass both ways, octet by octet the same', async (t) => {
  const upstream = await httpUpstream(t, (request, response) => { request.pipe(response) })
  const { port } = await started(t, { targets: [upstream.port] })
  const client = session(t, port)
  const sent = randomBytes(2_500_000)
  const answers = await Promise.all([1, 2, 3].map(() => ask(client, { ':path': '/', ':method': 'POST' }, sent)))
  for (const { body } of answers) assert.ok(body.equals(sent))
})

test('trailers pass both ways, and with them the status of gRPC', async (t) => {
  const upstream = await httpUpstream(t, (request, response) => {
    response.writeHead(200, { 'content-type': 'application/grpc', trailer: 'grpc-status' })
    void bytesOf(request).then((body) => {
      response.write(body)
      response.addTrailers({ 'grpc-status': '5', 'x-got': request.trailers['x-sent'] ?? '' })
      response.end()
    })
  })
  const { port } = await started(t, { targets: [upstream.port] })
  const head = { ':path': '/pkg.Service/Call', ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers' }
  const { status, body, trailers } = await ask(session(t, port), head, Buffer.from('message'), { 'x-sent': 'yes' })
  assert.deepEqual([status, body.toString(), trailers['grpc-status'], trailers['x-got']], [200, 'message', '5', 'yes'])
})

test('answers without a body are answers', async (t) => {
  const upstream = await httpUpstream(t, (request, response) => {
    response.writeHead(Number(request.url?.slice(1)), { 'content-length': request.method === 'HEAD' ? '7' : '0' }).end()
  })
  const { port } = await started(t, { targets: [upstream.port] })
  const client = session(t, port)
  assert.equal((await ask(client, { ':path': '/200', ':method': 'HEAD' })).headers['content-length'], '7')
  for (const status of [200, 204, 304]) {
    const answer = await ask(client, { ':path': `/${status}` })
    assert.deepEqual([answer.status, answer.body.length], [status, 0])
  }
})

test('interim answers are passed on, and 100 is said when the body is wanted', async (t) => {
  const upstream = await httpUpstream(t, (request, response) => { request.resume().on('end', () => response.end('done')) })
  const hints: Filter = {
    name: 'hints',
    onRequest: (x) => {
      x.interim?.(103, new HeaderList(['Link', '</a.css>; rel=preload']))
      return undefined
    },
  }
  const { port } = await started(t, { targets: [upstream.port], filters: [hints] })
  const answer = await new Promise<{ interim: number[], status: number }>((resolve, reject) => {
    const stream = session(t, port).request({ ':path': '/', ':method': 'POST', expect: '100-continue' })
    const interim: number[] = []
    stream.on('headers', (received) => received[':status'] === 100 || interim.push(Number(received[':status'])))
    stream.on('continue', () => { interim.push(100); stream.end('body') })
    stream.on('response', (received) => resolve({ interim, status: Number(received[':status']) }))
    stream.on('error', reject)
  })
  assert.deepEqual(answer, { interim: [103, 100], status: 200 })
})

test('interim answers without end are not kept for a client that does not read', async (t) => {
  let sent = 0
  const chatty: Filter = {
    name: 'chatty',
    onRequest: (x) => {
      for (; sent < 5_000; sent++) x.interim?.(103, new HeaderList(['link', 'x'.repeat(1000)]))
      return undefined
    },
  }
  const upstream = await httpUpstream(t, (_, response) => response.end())
  const { port } = await started(t, { targets: [upstream.port], filters: [chatty] })
  const client = await h2Client(t, port)
  client.send(headers(1, get('/')))
  assert.equal(await client.status(1), 200)
  assert.ok(client.frames.length < 500, `${client.frames.length} frames`)
})

test('a stream that its client resets ends its exchange at once, and the request to the upstream', async (t) => {
  let gone: Promise<void> | undefined
  const upstream = await httpUpstream(t, (_, response) => { gone = new Promise((resolve) => { response.on('close', resolve) }) })
  const { port, exchange } = await started(t, { targets: [upstream.port] })
  const client = session(t, port)
  const stream = client.request({ ':path': '/' })
  stream.on('error', () => {})
  while (gone === undefined) await new Promise((resolve) => { setTimeout(resolve, 5) })
  stream.close(constants.NGHTTP2_CANCEL)
  await gone
  const x = await exchange(1)
  assert.deepEqual([x.fault?.code, x.ending.reason?.code], ['CLIENT_GONE', 'CLIENT_GONE'])
})

test('half an answer ends with a reset, and the connection goes on', async (t) => {
  const upstream = await rawUpstream(t, ({ socket, received }) => {
    if (received.includes('/whole')) return void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf')
  })
  const { port } = await started(t, { targets: [upstream.port] })
  const client = await h2Client(t, port)
  client.send(headers(1, get('/half')))
  assert.equal(await client.reset(1), 'INTERNAL_ERROR')
  client.send(headers(3, get('/whole')))
  assert.equal(await client.status(3), 200)
})

test('a body that nobody wants is answered while it comes, and the stream ended without blame', async (t) => {
  const upstream = await httpUpstream(t, (_, response) => response.end())
  const { port } = await started(t, { targets: [upstream.port], maxBodyBytes: 1000 })
  const client = await h2Client(t, port)
  client.send(headers(1, post('/'), false), data(1, Buffer.alloc(2000)))
  assert.equal(await client.status(1), 413)
  assert.equal(await client.reset(1), 'NO_ERROR')
  client.send(data(1, Buffer.alloc(2000)), headers(3, get('/')))
  assert.equal(await client.status(3), 200)
})

test('a listener that closes serves streams that were on their way, lets open ones end, and opens no others', async (t) => {
  let answer: (() => void) | undefined
  const upstream = await httpUpstream(t, (request, response) => {
    if (request.url === '/crossing') return void response.end('served')
    answer = () => response.end('late')
  })
  const { port, listener } = await started(t, { targets: [upstream.port] })
  const client = await h2Client(t, port)
  client.send(headers(1, get('/')))
  while (answer === undefined) await new Promise((resolve) => { setTimeout(resolve, 5) })
  const closed = listener.close(new AbortController().signal)
  const first = await client.until('GOAWAY', ({ type }) => type === types.goAway)
  assert.deepEqual([first.payload.readUInt32BE(0), first.payload.readUInt32BE(4)], [2 ** 31 - 1, 0], 'which stream is the last is not said yet')
  const question = await client.until('PING', ({ type, flags }) => type === types.ping && flags === 0)
  client.send(headers(3, get('/crossing')), frame(types.ping, 1, 0, question.payload))
  assert.equal(await client.status(3), 200)
  const second = await client.until('another GOAWAY', (one) => one.type === types.goAway && one !== first)
  assert.deepEqual([second.payload.readUInt32BE(0), second.payload.readUInt32BE(4)], [3, 0])
  // They have crossed the second GOAWAY, which says that nobody looks at them.
  client.send(headers(5, post('/'), false), data(5, 'body'), frame(types.window, 0, 5, u32(1)), headers(5, ['x-t', '1']), headers(7, get('/')), frame(types.reset, 0, 7, u32(8)))
  await client.ping()
  answer()
  assert.equal(await client.status(1), 200)
  await closed
  assert.ok(!client.frames.some(({ stream }) => stream > 3))
})

test('a connection is ended after as many requests as it may have', async (t) => {
  const upstream = await httpUpstream(t, (_, response) => response.end())
  const { port } = await started(t, { targets: [upstream.port], listener: { keepaliveMaxRequests: 2 } })
  const client = await h2Client(t, port)
  client.send(headers(1, get('/')), headers(3, get('/')), headers(5, get('/')))
  assert.deepEqual([await client.status(1), await client.status(3), await client.gone()], [200, 200, 'NO_ERROR'])
  assert.ok(!client.frames.some(({ stream }) => stream === 5))
})

test('a stream that was reset keeps its place until its exchange is over', async (t) => {
  const over: Array<() => void> = []
  const stubborn: Filter = { name: 'stubborn', onRequest: () => new Promise((resolve) => { over.push(() => resolve(undefined)) }) }
  const upstream = await httpUpstream(t, (_, response) => response.end())
  const { port } = await started(t, { targets: [upstream.port], filters: [stubborn], listener: { maxConcurrentStreams: 2 } })
  const client = await h2Client(t, port)
  for (const stream of [1, 3]) client.send(headers(stream, get('/')), frame(types.reset, 0, stream, u32(8)))
  client.send(headers(5, get('/')))
  assert.equal(await client.reset(5), 'REFUSED_STREAM')
  for (const end of over.splice(0)) end()
  await client.ping()
  client.send(headers(7, get('/')))
  await client.ping()
  while (over.length === 0) await new Promise((resolve) => { setTimeout(resolve, 5) })
  over[0]!()
  assert.equal(await client.status(7), 200)
})

test('a WebSocket over HTTP/2 is an exchange that asks for one, and bytes both ways', async (t) => {
  const seen: Exchange[] = []
  const echo: Filter = {
    name: 'echo',
    onRequest: (x) => {
      seen.push(x)
      if (x.upgrade === undefined) return undefined
      if (x.request.path === '/no') return { status: 403, headers: new HeaderList(), body: bodyOf(Buffer.from('no')) }
      const { input } = x.upgrade
      const body: Body = { length: undefined, trailers: undefined, read: () => input.read(), cancel: (reason) => input.cancel(reason) }
      return { status: 101, headers: new HeaderList(['Sec-WebSocket-Accept', 'x', 'Sec-WebSocket-Protocol', 'chat']), body }
    },
  }
  const upstream = await httpUpstream(t, (_, response) => response.end())
  const { port } = await started(t, { targets: [upstream.port], filters: [echo], upgrades: true })
  const connectTo = (path: string): string[] => [':method', 'CONNECT', ':protocol', 'websocket', ':scheme', 'http', ':authority', 'a', ':path', path, 'sec-websocket-version', '13']
  const client = await h2Client(t, port)
  const offered = await client.until('SETTINGS', ({ type, flags }) => type === types.settings && flags === 0)
  assert.ok(offered.payload.includes(setting([8, 1]).subarray(9)), 'SETTINGS_ENABLE_CONNECT_PROTOCOL')
  client.send(headers(1, connectTo('/chat'), false))
  assert.equal(await client.status(1), 200)
  const head = await client.until('head', ({ type }) => type === types.headers)
  assert.ok(!head.fields.includes('sec-websocket-accept') && head.fields.includes('chat') && !head.fields.includes('content-length'))
  client.send(data(1, 'ping'))
  await client.until('echo', ({ type, payload }) => type === types.data && payload.toString() === 'ping')
  client.send(data(1, '', true))
  await client.until('the end', ({ type, flags, stream }) => type === types.data && stream === 1 && (flags & 1) === 1)
  assert.deepEqual([seen[0]!.request.method, seen[0]!.upgrade?.protocol], ['GET', 'websocket'])
  client.send(headers(3, connectTo('/no'), false))
  assert.equal(await client.status(3), 403)
  assert.equal(await client.reset(3), 'NO_ERROR')
})

test('curl, nghttp and h2load get their answers', async (t) => {
  const upstream = await httpUpstream(t, (_, response) => response.end('x'.repeat(100_000)))
  const { port } = await started(t, { targets: [upstream.port] })
  const url = `http://127.0.0.1:${port}/`
  const curl = await run('curl', ['-s', '--http2-prior-knowledge', '-o', '/dev/null', '-w', '%{http_version} %{http_code} %{size_download}', url])
  assert.equal(curl.stdout, '2 200 100000')
  for (const [command, args, expected] of [
    ['nghttp', ['-ns', url, url], /200\s+97K/],
    ['h2load', ['-n', '200', '-c', '2', '-m', '50', url], /200 succeeded, 0 failed/],
  ] as const) {
    await t.test(command, async (t) => {
      const { stdout } = await run(command, [...args]).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error
        t.skip(`${command} is not installed`)
        return { stdout: undefined }
      })
      if (stdout !== undefined) assert.match(stdout, expected)
    })
  }
})
