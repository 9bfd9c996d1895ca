import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { closeFrame, pingFrame } from '../../../proxy/websocket/control-frames.ts'
import type { Violation } from '../../../proxy/websocket/frame-head.ts'
import { FrameScanner, type ScanRules } from '../../../proxy/websocket/frame-scanner.ts'

/** A frame by hand. `long`: the length takes so many octets. */
function frame (first: number, payload: Buffer, { masked = false, long = payload.length < 126 ? 0 : payload.length < 65_536 ? 2 : 8 } = {}): Buffer {
  const length = Buffer.alloc(long)
  if (long === 2) length.writeUInt16BE(payload.length)
  if (long === 8) length.writeBigUInt64BE(BigInt(payload.length))
  const second = (masked ? 0x80 : 0) | (long === 0 ? payload.length : long === 2 ? 126 : 127)
  return Buffer.concat([Buffer.from([first, second]), length, masked ? Buffer.alloc(4, 7) : Buffer.alloc(0), payload])
}

const text = (size: number, masked = false): Buffer => frame(0x81, Buffer.alloc(size, 'x'), { masked })

interface Scanned {
  readonly passed: Buffer
  readonly wrong: Violation | undefined
  readonly scanner: FrameScanner
}

function scan (bytes: Buffer, pieceBytes: number, rules: Partial<ScanRules> = {}, oneFrame = false): Scanned {
  const scanner = new FrameScanner({ masked: false, extended: false, maxMessageBytes: Infinity, ...rules })
  const out: Buffer[] = []
  for (let from = 0; from < bytes.length; from += pieceBytes) {
    const piece = bytes.subarray(from, from + pieceBytes)
    for (let at = 0; at < piece.length;) {
      const end = scanner.scan(piece, at, out, oneFrame)
      if (typeof end !== 'number') return { passed: Buffer.concat(out), wrong: end, scanner }
      assert.ok(end > at, 'it goes on')
      at = end
    }
  }
  return { passed: Buffer.concat(out), wrong: undefined, scanner }
}

const pieceSizes = [1, 2, 3, 5, 7, 64, 1_000, 1_000_000]

describe('frames that are in order', () => {
  const good = Buffer.concat([
    text(0), text(5), text(125), text(126), text(65_535), text(65_536), frame(0x02, Buffer.from('a')), frame(0x89, Buffer.from('?')), frame(0x00, Buffer.alloc(300)),
    frame(0x8a, Buffer.alloc(125)), frame(0x80, Buffer.alloc(0)), frame(0x82, Buffer.from([1, 2])),
  ])
  for (const pieceBytes of pieceSizes) {
    for (const oneFrame of [false, true]) {
      test(`pass as they are in pieces of ${pieceBytes} bytes${oneFrame ? ', stopping behind each' : ''}`, () => {
        const { passed, wrong, scanner } = scan(good, pieceBytes, {}, oneFrame)
        assert.equal(wrong, undefined)
        assert.ok(passed.equals(good))
        assert.ok(scanner.atBorder)
      })
    }
  }

  test('are known by their ends', () => {
    const scanner = new FrameScanner({ masked: false, extended: false, maxMessageBytes: Infinity })
    const out: Buffer[] = []
    const bytes = Buffer.concat([text(3), text(4)])
    assert.equal(scanner.scan(bytes.subarray(0, 4), 0, out, true), 4)
    assert.equal(scanner.atBorder, false)
    assert.equal(scanner.scan(bytes.subarray(4), 0, out, true), 1)
    assert.equal(scanner.atBorder, true)
  })

  test('may use reserved bits when an extension was agreed on', () => {
    assert.equal(scan(frame(0xc1, Buffer.from('x')), 3, { extended: true }).wrong, undefined)
  })

  test('end with Close: what is behind it does not pass', () => {
    for (const pieceBytes of pieceSizes) {
      const close = frame(0x88, Buffer.from([3, 0xe8]))
      const { passed, scanner } = scan(Buffer.concat([text(2), close, text(3)]), pieceBytes)
      assert.ok(passed.equals(Buffer.concat([text(2), close])))
      assert.ok(scanner.closed)
    }
  })

  test('of the proxy itself are such', () => {
    for (const masked of [false, true]) {
      for (const own of [pingFrame(masked), closeFrame(1009, masked)]) assert.equal(scan(own, 1, { masked }).wrong, undefined)
    }
  })
})

describe('a frame that breaks a rule does not begin to pass', () => {
  const before = text(10)
  const rows: ReadonlyArray<[string, Buffer, RegExp, Partial<ScanRules>?]> = [
    ['a reserved bit', frame(0xc1, Buffer.from('x')), /reserved bit/],
    ['a reserved opcode for data', frame(0x83, Buffer.from('x')), /nobody defined/],
    ['a reserved opcode for control', frame(0x8b, Buffer.from('x')), /nobody defined/],
    ['a ping in fragments', frame(0x09, Buffer.from('x')), /fragments/],
    ['a ping that is too long', frame(0x89, Buffer.alloc(126)), /125/],
    ['half a status code', frame(0x88, Buffer.from('x')), /half/],
    ['a fragment of no message', frame(0x80, Buffer.from('x')), /no message/],
    ['a message inside of another one', Buffer.concat([frame(0x01, Buffer.from('x')), text(1)]), /inside/],
    ['a length of 5 in two octets', frame(0x81, Buffer.alloc(5), { long: 2 }), /length/],
    ['a length of 300 in eight octets', frame(0x81, Buffer.alloc(300), { long: 8 }), /length/],
    ['a length beyond all numbers', Buffer.from([0x82, 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), /length/],
    ['a server that masks', text(1, true), /mask/],
  ]
  for (const [what, bytes, detail, rules] of rows) {
    test(what, () => {
      for (const pieceBytes of pieceSizes) {
        const { passed, wrong, scanner } = scan(Buffer.concat([before, bytes]), pieceBytes, rules)
        assert.match(wrong?.detail ?? '', detail)
        assert.equal(wrong?.code, 1002)
        assert.ok(passed.subarray(0, before.length).equals(before))
        assert.ok(scanner.atBorder, 'others can be put there')
      }
    })
  }

  test('a client that does not mask', () => {
    assert.match(scan(text(1), 1, { masked: true }).wrong?.detail ?? '', /without a mask/)
  })

  test('a message that is too long, in one frame or in many', () => {
    for (const pieceBytes of pieceSizes) {
      assert.equal(scan(text(100), pieceBytes, { maxMessageBytes: 100 }).wrong, undefined)
      const one = scan(text(101), pieceBytes, { maxMessageBytes: 100 })
      assert.deepEqual([one.wrong?.code, one.passed.length], [1009, 0])
      const first = frame(0x02, Buffer.alloc(60))
      const many = scan(Buffer.concat([first, frame(0x89, Buffer.alloc(100)), frame(0x00, Buffer.alloc(41))]), pieceBytes, { maxMessageBytes: 100 })
      assert.equal(many.wrong?.code, 1009)
      assert.equal(many.passed.length, first.length + 102)
      assert.equal(scan(Buffer.concat([text(60), text(60)]), pieceBytes, { maxMessageBytes: 100 }).wrong, undefined)
    }
  })
})
