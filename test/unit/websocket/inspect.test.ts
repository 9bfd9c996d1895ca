import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { constants, createDeflateRaw, deflateRawSync, inflateRawSync } from 'node:zlib'
import { HeaderList } from '../../../proxy/pipeline/headers.ts'
import { Packer, Unpacker, type Unpacked } from '../../../proxy/websocket/inspect/deflate.ts'
import { agreedPacking, keepReadableOffers } from '../../../proxy/websocket/inspect/extensions.ts'
import { messageFrame } from '../../../proxy/websocket/inspect/frames.ts'
import { MessageReader, type Said } from '../../../proxy/websocket/inspect/message-reader.ts'
import { maskedFrame } from '../../support/inspected.ts'

const takeover = { takeover: true, windowBits: 15 }

function saidIn (bytes: Buffer, pieceBytes: number, { maxMessageBytes = 1_000_000, deflate = false, masked = true } = {}): Said[] {
  const reader = new MessageReader({ masked, extended: deflate ? 'deflate' : false, maxMessageBytes })
  const all: Said[] = []
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    reader.feed(bytes.subarray(at, at + pieceBytes))
    for (let said = reader.next(); said !== undefined; said = reader.next()) {
      all.push(said)
      if (said.kind === 'violation') return all
    }
  }
  return all
}

const brief = (said: Said): string => said.kind === 'violation' ? String(said.violation.code) :
  said.kind === 'control' ? `${said.opcode}:${said.payload.toString()}` : `${said.binary ? 'b' : 't'}${said.compressed ? 'z' : ''}:${said.payload.toString()}`

describe('what a sender says is put together', () => {
  const bytes = Buffer.concat([
    maskedFrame(0x81, Buffer.from('one')), maskedFrame(0x02, Buffer.from('tw')), maskedFrame(0x89, Buffer.from('?')), maskedFrame(0x00, Buffer.alloc(0)),
    maskedFrame(0x80, Buffer.from('o')), maskedFrame(0x81, Buffer.alloc(0)), maskedFrame(0x82, Buffer.alloc(70_000, 'x')), maskedFrame(0x88, Buffer.from([0x03, 0xe8, 0x62])),
  ])
  for (const pieceBytes of [1, 2, 3, 7, 100, 1_000_000]) {
    test(`from pieces of ${pieceBytes} bytes`, () => {
      const said = saidIn(bytes, pieceBytes).map(brief)
      assert.deepEqual(said, ['t:one', '9:?', 'b:two', 't:', `b:${'x'.repeat(70_000)}`, '8:\x03\ufffdb'])
    })
  }

  test('and what breaks a rule is told with its code, behind what was said before', () => {
    const wrong: ReadonlyArray<readonly [string, Buffer, string]> = [
      ['a fragment of nothing', maskedFrame(0x80, Buffer.from('x')), '1002'],
      ['a message in another', Buffer.concat([maskedFrame(0x01, Buffer.from('x')), maskedFrame(0x81, Buffer.from('y'))]), '1002'],
      ['a reserved bit', maskedFrame(0xc1, Buffer.from('x')), '1002'],
      ['no mask', Buffer.from('\x81\x01x', 'latin1'), '1002'],
      ['a close with a code of nobody', maskedFrame(0x88, Buffer.from([0x03, 0xee])), '1002'],
      ['a close with half a code', maskedFrame(0x88, Buffer.from([0x03])), '1002'],
      ['a close with a reason that is no text', maskedFrame(0x88, Buffer.from([0x03, 0xe8, 0xff])), '1007'],
      ['too many bytes', maskedFrame(0x81, Buffer.alloc(101)), '1009'],
      ['too many bytes in fragments', Buffer.concat([maskedFrame(0x01, Buffer.alloc(60)), maskedFrame(0x80, Buffer.alloc(60))]), '1009'],
      ['fragments without end', Buffer.concat([maskedFrame(0x01, Buffer.alloc(0)), ...Array.from({ length: 20_000 }, () => maskedFrame(0x00, Buffer.alloc(0)))]), '1009'],
    ]
    for (const [what, frames, code] of wrong) {
      for (const pieceBytes of [1, 1_000_000]) {
        assert.deepEqual(saidIn(Buffer.concat([maskedFrame(0x81, Buffer.from('before')), frames]), pieceBytes, { maxMessageBytes: 100 }).map(brief), ['t:before', code], what)
      }
    }
  })

  test('a bit for compression stands in the first frame of a message alone', () => {
    const frames = (first: number, second: number): Buffer => Buffer.concat([maskedFrame(first, Buffer.from('x')), maskedFrame(second, Buffer.from('y'))])
    assert.deepEqual(saidIn(frames(0x41, 0x80), 1, { deflate: true }).map(brief), ['tz:xy'])
    assert.deepEqual(saidIn(frames(0x41, 0xc0), 1, { deflate: true }).map(brief), ['1002'])
    assert.deepEqual(saidIn(maskedFrame(0xc9, Buffer.from('x')), 1, { deflate: true }).map(brief), ['1002'])
    assert.deepEqual(saidIn(maskedFrame(0xa1, Buffer.from('x')), 1, { deflate: true }).map(brief), ['1002'])
  })

  test('and is read again as it was when it was put into a frame', () => {
    for (const length of [0, 125, 126, 65_535, 65_536, 70_001]) {
      for (const masked of [true, false]) {
        const payload = Buffer.alloc(length, 'abc')
        const [said] = saidIn(messageFrame(payload, { binary: true, compressed: false, masked }), 1_000, { masked })
        assert.ok(said?.kind === 'message' && said.binary && said.payload.equals(payload), `${length} ${masked}`)
      }
    }
  })
})

/** As a sender packs: with what was sent before, and without the tail (RFC 7692 section 7.2.1). */
function sender (): (text: string) => Promise<Buffer> {
  const deflate = createDeflateRaw()
  return (text) => new Promise((resolve) => {
    const chunks: Buffer[] = []
    deflate.on('data', (chunk: Buffer) => { chunks.push(chunk) })
    deflate.write(text)
    deflate.flush(constants.Z_SYNC_FLUSH, () => {
      deflate.removeAllListeners('data')
      resolve(Buffer.concat(chunks).subarray(0, -4))
    })
  })
}

const dataOf = (unpacked: object): string => 'data' in unpacked ? String((unpacked as Unpacked).data) : JSON.stringify(unpacked)

describe('messages that are compressed', () => {
  test('are unpacked with what came before them', async () => {
    const pack = sender()
    const unpacker = new Unpacker(takeover)
    const text = 'something that is said again and again, '.repeat(50)
    const sizes: number[] = []
    for (let i = 0; i < 4; i++) {
      const packed = await pack(`${text}${i}`)
      sizes.push(packed.length)
      assert.equal(dataOf(await unpacker.unpack(packed, 1_000_000)), `${text}${i}`)
    }
    assert.ok(sizes[1]! < sizes[0]! / 2, sizes.join())
    assert.equal(dataOf(await unpacker.unpack(await pack(''), 10)), '')
    unpacker.close()
  })

  test('stop at the limit, whatever a few bytes would become', async () => {
    const bomb = deflateRawSync(Buffer.alloc(50_000_000), { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4)
    assert.ok(bomb.length < 60_000)
    const before = process.memoryUsage().arrayBuffers
    const unpacker = new Unpacker(takeover)
    assert.deepEqual(await unpacker.unpack(bomb, 100_000), { code: 1009, detail: 'a message of more than 100000 bytes' })
    assert.ok(process.memoryUsage().arrayBuffers - before < 5_000_000)
  })

  test('are given up when nobody needs them any more', async () => {
    const unpacker = new Unpacker(takeover)
    const under = unpacker.unpack(await sender()('x'.repeat(1_000_000)), 10_000_000)
    unpacker.close()
    assert.equal(dataOf(await under), '')
    const packer = new Packer(takeover)
    const packing = packer.pack(Buffer.alloc(1_000_000))
    packer.close()
    assert.equal((await packing)?.length, 0)
  })

  test('that are none are told so', async () => {
    assert.equal((await new Unpacker(takeover).unpack(Buffer.from('\xff\xff\xff', 'latin1'), 1_000) as { code?: number }).code, 1007)
  })

  test('that end inside are known: what stands behind their end is not what everybody reads', async () => {
    const unpacker = new Unpacker(takeover)
    const ended = Buffer.concat([deflateRawSync('shown'), deflateRawSync('hidden')])
    const unpacked = await unpacker.unpack(ended, 1_000) as Unpacked
    assert.deepEqual([unpacked.data.toString(), unpacked.endsInside], ['shown', true])
    // The example of RFC 7692 section 7.2.3.4.
    const example = await unpacker.unpack(Buffer.from([0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00]), 1_000) as Unpacked
    assert.equal(example.data.toString(), 'Hello')
    assert.equal(dataOf(await unpacker.unpack(await sender()('next'), 1_000)), 'next')
    unpacker.close()
  })

  test('are packed anew for a receiver that has seen others', async () => {
    const packer = new Packer({ takeover: true, windowBits: 9 })
    const text = 'something that is said again and again, '.repeat(20)
    const all: Buffer[] = []
    for (let i = 0; i < 3; i++) all.push((await packer.pack(Buffer.from(`${text}${i}`)))!, Buffer.from([0, 0, 0xff, 0xff]))
    assert.equal(inflateRawSync(Buffer.concat(all), { finishFlush: constants.Z_SYNC_FLUSH, windowBits: 9 }).toString(), `${text}0${text}1${text}2`)
    assert.equal(packer.pack(Buffer.from('short')), undefined)
    assert.equal(new Packer({ takeover: true, windowBits: 8 }).pack(Buffer.from(text)), undefined)
    packer.close()
  })
})

describe('what two sides may agree on', () => {
  const offers = (...values: string[]): HeaderList => HeaderList.from(Object.fromEntries(values.map((value) => ['Sec-WebSocket-Extensions', value])))

  test('is offered without what cannot be read into', () => {
    const rows: ReadonlyArray<readonly [string, string | undefined]> = [
      ['permessage-deflate', 'permessage-deflate'],
      ['permessage-deflate; client_max_window_bits; server_max_window_bits=10', 'permessage-deflate; client_max_window_bits; server_max_window_bits=10'],
      ['x-other, permessage-deflate; server_no_context_takeover', 'permessage-deflate; server_no_context_takeover'],
      ['permessage-deflate; what=1', undefined],
      ['permessage-deflate; server_max_window_bits=7', undefined],
      ['permessage-deflate; server_max_window_bits=10; server_max_window_bits=11', undefined],
      ['x; a="permessage-deflate, b"', undefined],
    ]
    for (const [offered, kept] of rows) {
      const headers = offers(offered)
      keepReadableOffers(headers)
      assert.equal(headers.get('sec-websocket-extensions'), kept, offered)
    }
  })

  test('is what the upstream accepts, and refused when it is anything else', () => {
    assert.equal(agreedPacking(new HeaderList()), undefined)
    assert.deepEqual(agreedPacking(offers('permessage-deflate; client_no_context_takeover; server_max_window_bits="12"')), {
      fromClient: { takeover: false, windowBits: 15 }, fromServer: { takeover: true, windowBits: 12 },
    })
    for (const wrong of ['x-other', 'permessage-deflate, permessage-deflate', 'permessage-deflate; odd']) {
      assert.throws(() => agreedPacking(offers(wrong)), /UPSTREAM_PROTOCOL.*cannot be inspected/, wrong)
    }
  })
})
