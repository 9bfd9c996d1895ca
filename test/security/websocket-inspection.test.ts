// Messages that agents look into are held as a whole: whoever sends them in crumbs, packed, broken or without end gets a bounded amount of
// memory and the right code, and nothing passes that was not shown.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test, type TestContext } from 'node:test'
import { constants, deflateRawSync } from 'node:zlib'
import type { Filter, MessageJudge } from '../../proxy/pipeline/exchange.ts'
import { Places, webSocketFilter } from '../../proxy/websocket/index.ts'
import { inspection } from '../../proxy/websocket/inspect/index.ts'
import { randomFrom } from '../support/chance.ts'
import { eventually } from '../support/eventually.ts'
import { inspectedSite, maskedFrame, maskedText, messagesAgent, type InspectedSite } from '../support/inspected.ts'
import { rawClient, type RawClient } from '../support/raw-client.ts'
import { startProxy } from '../support/proxy.ts'
import { rawUpstream } from '../support/upstream.ts'
import { acceptingHandshake, echoServer, webSocketClient, webSocketRequest } from '../support/websocket.ts'
import { siteWith } from '../support/scripted-agent.ts'
import { startSentinel } from '../support/sentinel.ts'

const offering = webSocketRequest.replace('\r\n\r\n', '\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n')
const packed = (data: Buffer): Buffer => deflateRawSync(data, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4)
const rssMiB = (pid: number): number => Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024

async function opened (t: TestContext, { sentinel }: Pick<InspectedSite, 'sentinel'>, handshake = webSocketRequest): Promise<RawClient> {
  const client = await rawClient(t, sentinel.port(), handshake)
  await client.until('\r\n\r\n')
  return client
}

/** The code of the Close frame that ends what a client has heard. */
async function closeCode (client: RawClient): Promise<number> {
  const frame = Buffer.from((await client.ended()).slice(-4), 'latin1')
  assert.equal(frame.toString('latin1', 0, 2), '\x88\x02', frame.toString('hex'))
  return frame.readUInt16BE(2)
}

describe('a client that sends', () => {
  const rows: ReadonlyArray<readonly [string, number, Buffer]> = [
    ['single octets in fragments without end', 1009, Buffer.concat([maskedFrame(0x01, Buffer.from('x')), ...Array.from({ length: 40_000 }, () => maskedFrame(0x00, Buffer.from('x')))])],
    ['empty fragments without end', 1009, Buffer.concat([maskedFrame(0x02, Buffer.alloc(0)), ...Array.from({ length: 40_000 }, () => maskedFrame(0x00, Buffer.alloc(0)))])],
    ['a frame that announces too much', 1009, Buffer.from('\x82\xff\x00\x00\x00\x00\x00\x10\x00\x01abcd', 'latin1')],
    ['a frame without a mask', 1002, Buffer.from('\x81\x01x', 'latin1')],
    ['a reserved bit that no extension has', 1002, maskedFrame(0x91, Buffer.from('x'))],
    ['a frame that says it is compressed without an agreement', 1002, maskedFrame(0xc1, Buffer.from('x'))],
    ['a message inside of another', 1002, Buffer.concat([maskedFrame(0x01, Buffer.from('x')), maskedFrame(0x82, Buffer.from('y'))])],
    ['an opcode of nobody', 1002, maskedFrame(0x83, Buffer.from('x'))],
    ['a control frame in fragments', 1002, maskedFrame(0x09, Buffer.from('x'))],
    ['half a character', 1007, maskedFrame(0x81, Buffer.from([0xc3]))],
    ['a character that is none, over fragments', 1007, Buffer.concat([maskedFrame(0x01, Buffer.from([0xf0, 0x90])), maskedFrame(0x00, Buffer.from([0x28])), maskedFrame(0x80, Buffer.from([0xbc]))])],
    ['a close for a reason that is no text', 1007, maskedFrame(0x88, Buffer.from([0x03, 0xe8, 0xff]))],
  ]
  test('what breaks the rules is told so, and what it said before has passed', async (t) => {
    const site = await inspectedSite(t, messagesAgent('chat'), ['chat'])
    const got: string[] = []
    site.server.on('connection', (socket) => socket.on('error', () => {}).on('message', (data: Buffer) => got.push(data.toString())))
    for (const [what, code, bytes] of rows) {
      const client = await opened(t, site)
      client.send(Buffer.concat([maskedText(`before ${what}`), bytes, maskedText('never')]))
      assert.equal(await closeCode(client), code, what)
    }
    await eventually('all came', () => got.length === rows.length)
    assert.deepEqual(got, rows.map(([what]) => `before ${what}`))
  })

  test('one octet at a time is understood like any other', async (t) => {
    const site = await inspectedSite(t, messagesAgent('chat'), ['chat'])
    const got: string[] = []
    site.server.on('connection', (socket) => socket.on('message', (data: Buffer) => got.push(data.toString())))
    const client = await opened(t, site)
    client.socket.setNoDelay(true)
    const bytes = Buffer.concat([maskedFrame(0x01, Buffer.from('dr')), maskedFrame(0x89, Buffer.from('?')), maskedFrame(0x80, Buffer.from('op:me')), maskedText('hällo')])
    for (const octet of bytes) {
      client.send(Buffer.from([octet]))
      await new Promise(setImmediate)
    }
    await eventually('it passes', () => got.length === 1)
    assert.deepEqual(got, ['hällo'], 'a word in two fragments is one word for the agent')
  })

  test('what is short and becomes long is stopped at the limit, and so is what it sent in many connections', async (t) => {
    const site = await inspectedSite(t, messagesAgent('chat'), ['chat'], { server: { perMessageDeflate: true } })
    const bomb = maskedFrame(0xc1, packed(Buffer.alloc(100_000_000, 'x')))
    const once = async (): Promise<void> => {
      const client = await opened(t, site, offering)
      assert.match(client.received, /permessage-deflate/)
      client.send(bomb)
      assert.equal(await closeCode(client), 1009)
    }
    await once()
    const before = rssMiB(site.sentinel.pid)
    await Promise.all(Array.from({ length: 20 }, once))
    const grown = rssMiB(site.sentinel.pid) - before
    assert.ok(grown < 120, `${grown} MiB for 2 GB that were never there`)
  })

  test('frames that announce much and bring little take little memory', async (t) => {
    const site = await inspectedSite(t, messagesAgent('chat'), ['chat'])
    const announced = Buffer.from('\x82\xff\x00\x00\x00\x00\x00\x10\x00\x00abcdx', 'latin1')
    await opened(t, site)
    const before = rssMiB(site.sentinel.pid)
    for (let i = 0; i < 100; i++) (await opened(t, site)).send(announced)
    await new Promise((wait) => setTimeout(wait, 300))
    const grown = rssMiB(site.sentinel.pid) - before
    assert.ok(grown < 60, `${grown} MiB for 100 MiB that were announced`)
  })

  test('something behind the end of what is compressed does not get it past the agent', async (t) => {
    const site = await inspectedSite(t, messagesAgent('chat'), ['chat'], { server: { perMessageDeflate: true } })
    const got: string[] = []
    site.server.on('connection', (socket) => socket.on('error', () => {}).on('message', (data: Buffer) => got.push(data.toString())))
    const client = await opened(t, site, offering)
    client.send(Buffer.concat([maskedFrame(0xc1, Buffer.concat([deflateRawSync('shown'), packed(Buffer.from('hidden'))])), maskedFrame(0xc1, packed(Buffer.from('and on')))]))
    await eventually('both pass', () => got.length === 2)
    assert.deepEqual(got, ['shown', 'and on'])
  })

  test('an offer of an extension that cannot be read into gets none', async (t) => {
    const site = await inspectedSite(t, messagesAgent('chat'), ['chat'], { server: { perMessageDeflate: true } })
    const client = await opened(t, site, webSocketRequest.replace('\r\n\r\n', '\r\nSec-WebSocket-Extensions: x-secret, permessage-deflate; x=1\r\n\r\n'))
    assert.doesNotMatch(client.received, /Sec-WebSocket-Extensions/i)
  })
})

test('random frames end in a code or pass, and are never a bug', async (t) => {
  const { port } = await echoServer(t, { perMessageDeflate: true })
  const judge: MessageJudge = { wanted: true, judge: ({ data }) => ({ kind: data.length % 2 === 0 ? 'pass' : 'drop' }) }
  const judging: Filter = { name: 'judge', onRequest (x) { x.upgrade?.judges?.push(judge); return undefined } }
  const watch = { idleMs: 60_000, pingIntervalMs: undefined, pingTimeoutMs: 10_000, maxMessageBytes: 10_000, maxConnections: Infinity, maxConnectionsPerIp: Infinity, inspection }
  const proxy = await startProxy(t, { targets: [port], upgrades: true, filters: [webSocketFilter(watch, new Places()), judging] })
  const random = randomFrom(77)
  const whole = 120
  for (let round = 0; round < whole; round++) {
    const client = await rawClient(t, proxy.port, round % 2 === 0 ? offering : webSocketRequest)
    await client.until('\r\n\r\n')
    for (let frames = random(6); frames >= 0; frames--) {
      const payload = Buffer.from(Array.from({ length: [0, 1, 5, 125, 300, 3_000][random(6)]! }, () => random(256)))
      const bytes = maskedFrame(random(10) === 0 ? random(256) : [0x81, 0x82, 0x01, 0x00, 0x80, 0xc1, 0x41, 0x89][random(8)]!, random(3) === 0 ? packed(payload) : payload)
      if (random(8) === 0) bytes[random(Math.min(14, bytes.length))] = random(256)
      client.send(bytes)
    }
    client.socket.end()
    await client.ended().catch((error: unknown) => assert.fail(`round ${round}: ${String(error)}`))
  }
  await proxy.exchange(whole)
  const codes = new Set(proxy.done.map(({ fault }) => fault?.code))
  assert.ok(codes.has('MESSAGE_REFUSED'))
  assert.ok(!codes.has('INTERNAL') && !proxy.events.some(({ code }) => code === 'INTERNAL'), [...codes].join())
})

describe('an upstream that sends', () => {
  const rows: ReadonlyArray<readonly [string, number, string]> = [
    ['a frame with a mask', 1002, '\x81\x81abcdx'], ['text that is none', 1007, '\x81\x01\xff'], ['a reserved bit', 1002, '\xc1\x01x'],
    ['too much', 1009, '\x82\x7f\x00\x00\x00\x00\x00\x20\x00\x00'],
  ]
  for (const [what, code, bytes] of rows) {
    test(`${what} is told so, and the client that it is over`, async (t) => {
      let heard = ''
      const upstream = await rawUpstream(t, ({ socket, received }) => {
        const end = received.indexOf('\r\n\r\n') + 4
        if (heard === '' && received.length === end) socket.write(acceptingHandshake(received) + bytes, 'latin1')
        heard = received.slice(end)
      })
      const sentinel = await startSentinel(t, siteWith(upstream.port, messagesAgent('chat'), ['chat'], '', 'websocket #true; websocket-inspection #true; '))
      const client = await webSocketClient(t, sentinel.port(), { perMessageDeflate: false })
      const ended = await new Promise<number>((resolve) => { client.once('close', resolve) })
      assert.equal(ended, 1001)
      await eventually('the upstream is told', () => heard.length >= 8)
      const frame = Buffer.from(heard.slice(-8), 'latin1')
      assert.equal((frame[6]! ^ frame[2]!) << 8 | frame[7]! ^ frame[3]!, code)
      assert.equal((await sentinel.accessed(({ status }) => status === 101)).fault, 'UPSTREAM_PROTOCOL')
    })
  }
})
