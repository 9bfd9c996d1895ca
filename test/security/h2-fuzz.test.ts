import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import { preface } from '../../proxy/http2/protocol.ts'
import { randomFrom } from '../support/chance.ts'
import { block, data, frame, get, headers, post, setting, types, u32 } from '../support/h2-client.ts'
import { startProxy } from '../support/proxy.ts'
import { request } from '../support/request.ts'
import { httpUpstream } from '../support/upstream.ts'

const random = randomFrom(0x4832)

/** Frames that mean something, in any order and with anything wrong with them. */
const seeds: ReadonlyArray<(stream: number) => Buffer> = [
  (stream) => headers(stream, get('/a')),
  (stream) => headers(stream, post('/b', 'content-length', '5'), false),
  (stream) => data(stream, 'hello', true),
  (stream) => data(stream, Buffer.alloc(2000)),
  (stream) => headers(stream, ['x-trailer', '1']),
  (stream) => frame(types.headers, 0, stream, block(get('/c')).subarray(0, 20)),
  (stream) => frame(types.continuation, 4, stream, block(get('/c')).subarray(20)),
  (stream) => frame(types.reset, 0, stream, u32(8)),
  (stream) => frame(types.window, 0, random(2) * stream, u32(random(2) === 0 ? 1000 : 0x7fffffff)),
  (stream) => frame(types.priority, 0, stream, Buffer.concat([u32(0), Buffer.from([1])])),
  () => setting([4, random(70_000)], [3, random(5)], [1, random(5000)]),
  () => frame(types.ping, 0, 0, u32(1, 2)),
  () => frame(types.goAway, 0, 0, u32(0, 0)),
  (stream) => headers(stream, [':method', 'CONNECT', ':protocol', 'websocket', ':scheme', 'http', ':authority', 'a', ':path', '/w'], false),
]

function script (): Buffer {
  const frames = Array.from({ length: 1 + random(12) }, (_, at) => seeds[random(seeds.length)]!(random(3) === 0 ? 1 + random(6) : at * 2 + 1))
  const bytes = Buffer.concat([Buffer.from(preface, 'latin1'), setting(), ...frames])
  for (let n = random(4); n > 0; n--) bytes[24 + random(bytes.length - 24)] = random(256)
  return bytes
}

/** Sends it in pieces, and leaves in one way or another. */
function attack (port: number): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    socket.on('error', () => {}).on('close', () => resolve()).resume()
    const bytes = script()
    const cut = random(bytes.length)
    socket.write(bytes.subarray(0, cut))
    setTimeout(() => {
      socket.write(bytes.subarray(cut))
      setTimeout(() => random(2) === 0 ? socket.end() : socket.resetAndDestroy(), 5)
      setTimeout(() => socket.destroy(), 50)
    }, 1)
  })
}

test('whatever frames come, in whatever order and pieces: nothing breaks, and nothing stays', async (t) => {
  const upstream = await httpUpstream(t, (message, response) => { message.resume().on('end', () => response.end('x'.repeat(random(100_000)))) })
  const { port, listener, events, done } = await startProxy(t, { targets: [upstream.port], listener: { priorKnowledge: true } })
  for (let round = 0; round < 40; round++) await Promise.all(Array.from({ length: 25 }, () => attack(port)))
  assert.equal((await request(port, '/')).status, 200)
  assert.deepEqual(events.filter(({ code }) => code === 'INTERNAL'), [])
  assert.deepEqual(done.filter(({ fault }) => fault?.code === 'INTERNAL').map(({ fault }) => fault?.detail), [])
  while (listener.connections > 0) await new Promise((resolve) => { setTimeout(resolve, 10) })
})
