import assert from 'node:assert/strict'
import { connect, createServer, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import { createServer as createNetServer } from 'node:net'
import { test, type TestContext } from 'node:test'
import { FrameReader } from '../../proxy/http2/frame-reader.ts'
import { HpackDecoder } from '../../proxy/http2/hpack-decoder.ts'
import { readStreamHead } from '../../proxy/listeners/stream-head.ts'
import { randomFrom } from '../support/chance.ts'
import { block, frame, get, h2Client, post, types } from '../support/h2-client.ts'
import { startProxy } from '../support/proxy.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'

const limits = { maxBytes: 100_000, maxFields: 1000 }
const random = randomFrom(9113)
const word = (length: number, from: string): string => Array.from({ length: 1 + random(length) }, () => from[random(from.length)]!).join('')
const names = 'abcdefghijklmnopqrstuvwxyz-0123456789'
const values = ' !"#$%&\'()*+,-./0123456789:;<=>?@ABCXYZ[\\]^_`abcxyz{|}~'

/** Blocks as nghttp2 makes them, with its table and its choice of codes: one connection, many heads. */
test('heads that nghttp2 writes are read as they were meant', async (t) => {
  const meant: IncomingHttpHeaders[] = []
  const read: string[][] = []
  const decoder = new HpackDecoder(4096, limits)
  const server = createNetServer((socket: Socket) => {
    const reader = new FrameReader(16_384)
    let skipped = 24
    socket.write(Buffer.concat([frame(types.settings, 0, 0)]))
    socket.on('error', () => {})
    socket.on('data', (bytes) => {
      const cut = Math.min(skipped, bytes.length)
      skipped -= cut
      reader.push(bytes.subarray(cut))
      while (reader.next() === true) {
        if (reader.type !== types.headers) continue
        const decoded = decoder.decode(reader.bytes, reader.start, reader.end)
        assert.ok(typeof decoded === 'object' && decoded.flaw === undefined && decoded.excess === undefined, JSON.stringify(decoded))
        read.push(decoded.fields)
      }
    })
  })
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  const client = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  t.after(() => { client.destroy(); server.close() })
  const common = Array.from({ length: 30 }, () => [`x-${word(10, names)}`, word(40, values).trim()] as const)
  for (let round = 0; round < 300; round++) {
    const fields: Record<string, string> = { ':method': 'GET', ':path': `/${word(20, names)}`, ':scheme': 'http', ':authority': 'a' }
    for (let n = random(8); n > 0; n--) {
      const [name, value] = random(2) === 0 ? common[random(common.length)]! : [`y-${word(20, names)}`, word(60, values).trim()] as const
      fields[name] = value
    }
    meant.push(fields)
    client.request(fields, { endStream: true }).on('error', () => {})
  }
  while (read.length < meant.length) await new Promise((resolve) => { setTimeout(resolve, 10) })
  assert.deepEqual(read.map((fields) => fields.slice().sort()), meant.map((fields) => Object.entries(fields).flat().map(String).sort()))
})

type Verdict = 'error of the connection' | 'no request' | readonly string[]

/** What nghttp2 makes of a block. */
async function theirs (port: number, bytes: Buffer, seen: string[][]): Promise<Verdict> {
  const client = await h2Client(undefined, port)
  const before = seen.length
  client.send(frame(types.headers, 5, 1, bytes), frame(types.ping, 0, 0, Buffer.alloc(8)))
  const end = await client.until('a verdict', ({ type, flags }) => type === types.goAway || type === types.reset || type === types.ping && (flags & 1) === 1)
  const failed = client.frames.some(({ type }) => type === types.goAway)
  client.socket.destroy()
  if (failed) return 'error of the connection'
  return end.type === types.reset || seen.length === before ? 'no request' : seen.at(-1)!
}

function ours (bytes: Buffer): Verdict {
  const decoded = new HpackDecoder(4096, limits).decode(bytes, 0, bytes.length)
  if (typeof decoded === 'string') return 'error of the connection'
  const head = decoded.flaw === undefined && decoded.excess === undefined ? readStreamHead(decoded.fields, true, 'http', 1000) : { malformed: '' }
  return 'accepted' in head ? decoded.fields : 'no request'
}

const seeds = [
  block(get('/a', 'x-one', '1', 'cookie', 'a=b')), block(post('/', 'content-length', '0', 'te', 'trailers')), Buffer.from('828684418cf1e3c2e5f23a6ba0ab90f4ff', 'hex'),
  Buffer.from('3fe11f828785408825a849e95ba97d7f8925a849e95bb8e8b4bfbe', 'hex'), block([...get(), ':path', '/b']), block([...get(), 'transfer-encoding', 'chunked']),
]

function mutated (seed: Buffer): Buffer {
  const bytes = Buffer.from(seed)
  for (let n = 1 + random(3); n > 0; n--) bytes[random(bytes.length)] = random(256)
  return random(4) === 0 ? bytes.subarray(0, random(bytes.length)) : bytes
}

async function oracle (t: TestContext): Promise<{ port: number, seen: string[][] }> {
  const seen: string[][] = []
  const server = createServer()
  // The fourth argument is what came, in order.
  server.on('stream', (stream: ServerHttp2Stream, ...rest: unknown[]) => {
    seen.push(rest[2] as string[])
    stream.on('error', () => {})
    stream.respond({ ':status': 200 }, { endStream: true })
  })
  server.on('sessionError', () => {})
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  t.after(() => server.close())
  return { port: (server.address() as AddressInfo).port, seen }
}

test('what nghttp2 takes for no request is none here, and what both take for one says the same', async (t) => {
  const { port, seen } = await oracle(t)
  let requests = 0
  for (let round = 0; round < 400; round++) {
    const bytes = mutated(seeds[round % seeds.length]!)
    const [mine, other] = [ours(bytes), await theirs(port, bytes, seen)]
    if (typeof mine === 'string') {
      // Stricter is fine; but a table must not get lost on one side only.
      if (mine === 'no request') assert.notEqual(other, 'error of the connection', bytes.toString('hex'))
      continue
    }
    requests++
    assert.ok(typeof other !== 'string', `${String(other)}: ${bytes.toString('hex')}`)
    assert.deepEqual(mine, other, bytes.toString('hex'))
  }
  assert.ok(requests > 20, `${requests} requests are too few to say anything`)
})

test('what node:http2 sends through arrives at an HTTP/1.1 server as it was sent', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const { port } = await startProxy(t, { targets: [upstream.port], listener: { priorKnowledge: true } })
  const client = connect(`http://127.0.0.1:${port}`)
  t.after(() => client.destroy())
  for (let round = 0; round < 60; round++) {
    const fields: Record<string, string> = {}
    for (let n = random(6); n > 0; n--) fields[`x-${word(12, names)}`] = word(50, values).trim()
    const body = Buffer.from(word(5000, values))
    await new Promise<void>((resolve, reject) => {
      const stream = client.request({ ':method': 'POST', ':path': `/${round}`, ...fields })
      stream.on('error', reject).on('close', resolve).resume()
      stream.end(body)
    })
    const got = upstream.requests.at(-1)!
    assert.deepEqual([got.url, got.body.toString('latin1')], [`/${round}`, body.toString('latin1')])
    for (const [name, value] of Object.entries(fields)) assert.equal(got.headers[name], value)
  }
})
