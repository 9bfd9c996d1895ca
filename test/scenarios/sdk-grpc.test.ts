// The agent's side of gRPC, against what clients of all kinds may do to it.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect as connectHttp2, constants, type ClientHttp2Session, type IncomingHttpHeaders } from 'node:http2'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { frame, FrameDecoder } from '../../proto/codec/index.ts'
import { grpcServer, status, unaryMethod, type GrpcServer, type Method } from '../../sdk/server/grpc.ts'

const maxMessageBytes = 1024
const ended: string[] = []
let done = 0

const methods = new Map<string, Method>([
  ['/t/Twice', unaryMethod((bytes) => bytes, async (request) => Buffer.concat([request, request]))],
  ['/t/Does', unaryMethod((bytes) => bytes, () => {
    done++
    return Buffer.alloc(0)
  })],
  ['/t/Fails', unaryMethod((bytes) => bytes, () => { throw new Error('100 % — broken') })],
  ['/t/Echo', (call) => ({
    onMessage: (message) => void call.write(message),
    onEnd: () => call.end(),
    onClose: () => void ended.push('closed'),
  })],
])

async function served (t: TestContext): Promise<{ readonly server: GrpcServer, readonly session: ClientHttp2Session, readonly path: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-grpc-'))
  const path = join(folder, 'a.sock')
  const server = grpcServer(methods, { maxMessageBytes })
  await server.listen({ path })
  const session = connectHttp2('http://agent', { createConnection: () => connect(path) })
  session.on('error', () => {})
  t.after(async () => {
    session.destroy()
    await server.close(0)
    rmSync(folder, { recursive: true, force: true })
  })
  return { server, session, path }
}

interface Outcome {
  readonly http: number | undefined
  readonly status: string | undefined
  readonly message: string | undefined
  readonly messages: readonly string[]
}

const usual = { ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers' }

/** Sends bytes as they are and tells how the call ended. */
function call (session: ClientHttp2Session, path: string, bytes: Buffer | undefined, headers: IncomingHttpHeaders = {}, end = true): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ...usual, ':path': path, ...headers }, { endStream: false })
    const frames = new FrameDecoder(1e6)
    const messages: string[] = []
    let outcome: IncomingHttpHeaders = {}
    stream.on('response', (got) => { outcome = { ...got } })
    stream.on('trailers', (got) => { outcome = { ...outcome, ...got } })
    stream.on('data', (data: Buffer) => messages.push(...frames.push(data).map(String)))
    stream.on('error', reject)
    stream.on('close', () => resolve({
      http: Number(outcome[':status']), status: text(outcome['grpc-status']), message: text(outcome['grpc-message']), messages,
    }))
    if (bytes !== undefined) stream.write(bytes)
    if (end) stream.end()
  })
}

function text (value: string | string[] | undefined): string | undefined {
  return value === undefined ? undefined : decodeURIComponent(String(value))
}

test('one message each way, and a stream that lasts as long as both want it to', async (t) => {
  const { session } = await served(t)
  assert.deepEqual(await call(session, '/t/Twice', frame(Buffer.from('ab'))), { http: 200, status: '0', message: undefined, messages: ['abab'] })
  const both = Buffer.concat([frame(Buffer.from('one')), frame(Buffer.from('two'))])
  assert.deepEqual(await call(session, '/t/Echo', both), { http: 200, status: '0', message: undefined, messages: ['one', 'two'] })
})

test('what is no call of ours is answered by its own rules, and the connection goes on', async (t) => {
  const { session } = await served(t)
  assert.equal((await call(session, '/t/Nothing', frame(Buffer.alloc(0)))).status, String(status.unimplemented))
  assert.equal((await call(session, '/t/Twice', undefined, { ':method': 'GET' })).http, 405)
  assert.equal((await call(session, '/t/Twice', undefined, { 'content-type': 'application/json' })).http, 415)
  assert.equal((await call(session, '/t/Twice', frame(Buffer.from('x')), { 'grpc-encoding': 'gzip' })).status, String(status.unimplemented))
  assert.equal((await call(session, '/t/Twice', undefined)).message, 'no message')
  assert.equal((await call(session, '/t/Twice', Buffer.concat([frame(Buffer.from('x')), frame(Buffer.from('y'))]))).message, 'more than one message')
  assert.deepEqual((await call(session, '/t/Twice', frame(Buffer.from('ab')))).messages, ['abab'])
})

test('what was refused is not carried out', async (t) => {
  const { session } = await served(t)
  done = 0
  assert.equal((await call(session, '/t/Does', Buffer.concat([frame(Buffer.from('x')), frame(Buffer.from('y')), frame(Buffer.from('z'))]))).status, String(status.invalidArgument))
  assert.equal(done, 0)
  assert.equal((await call(session, '/t/Does', frame(Buffer.from('x')))).status, '0')
  assert.equal(done, 1)
})

test('an error is a status with its sentence, whatever letters it has', async (t) => {
  const { session } = await served(t)
  assert.deepEqual(await call(session, '/t/Fails', frame(Buffer.from('x'))), { http: 200, status: String(status.internal), message: '100 % — broken', messages: [] })
})

test('a message that is too large ends its call before it is kept, one that says it is compressed as well, and half a message', async (t) => {
  const { session } = await served(t)
  const head = Buffer.alloc(5)
  head.writeUInt32BE(maxMessageBytes + 1, 1)
  assert.equal((await call(session, '/t/Echo', head, {}, false)).status, String(status.resourceExhausted))
  assert.equal((await call(session, '/t/Echo', Buffer.from([1, 0, 0, 0, 0]), {}, false)).status, String(status.internal))
  assert.match((await call(session, '/t/Echo', Buffer.from([0, 0, 0, 0, 9, 1]))).message ?? '', /inside a message/)
})

test('a client that goes away in the middle ends the call', async (t) => {
  const { session } = await served(t)
  ended.length = 0
  const stream = session.request({ ...usual, ':path': '/t/Echo' }, { endStream: false })
  stream.on('error', () => {})
  stream.write(frame(Buffer.from('x')))
  await new Promise((resolve) => stream.once('data', resolve))
  stream.close(constants.NGHTTP2_CANCEL)
  while (ended.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  assert.deepEqual(ended, ['closed'])
})

test('a connection that does not speak HTTP/2 is let go, and others are not', async (t) => {
  const { session, path } = await served(t)
  const socket = connect(path)
  socket.on('error', () => {})
  socket.resume()
  const closed = new Promise((resolve) => socket.once('close', resolve))
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await closed
  assert.deepEqual((await call(session, '/t/Twice', frame(Buffer.from('ab')))).messages, ['abab'])
})

test('closing lets open calls end, and cuts them when they do not', async (t) => {
  const { server, session } = await served(t)
  const open = call(session, '/t/Echo', frame(Buffer.from('x')), {}, false).catch((error: unknown) => error)
  await call(session, '/t/Twice', frame(Buffer.from('ab')))
  await server.close(50)
  await open
})
