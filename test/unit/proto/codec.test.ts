import { strict as assert } from 'node:assert'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import protobuf from 'protobufjs'
import * as codec from '../../../proto/codec/index.ts'
import { samples } from '../../golden/proto/samples.ts'

const home = join(import.meta.dirname, '../../../..')
const golden = join(home, 'test/golden/proto/agent-v1.txt')

test('every sample message has the bytes of the golden file', () => {
  const lines = Object.entries(samples).map(([name, { type, bytes }]) => `${name} ${type} ${bytes.toString('hex')}`)
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(golden, lines.join('\n') + '\n')
  assert.deepEqual(lines, readFileSync(golden, 'utf8').trim().split('\n'))
})

test('every sample message comes back as it was written', () => {
  for (const [name, { type, bytes, message }] of Object.entries(samples)) {
    assert.deepEqual(codec.decode(reader(type), bytes), message, name)
  }
})

test('an independent implementation reads the samples and writes the same bytes', () => {
  for (const [name, { type, bytes }] of Object.entries(samples)) {
    const other = oracle.lookupType(`sentinel.agent.v1.${type}`)
    assert.equal(Buffer.from(other.encode(other.decode(bytes)).finish()).toString('hex'), bytes.toString('hex'), name)
  }
})

test('lines that are kept encoded have the same bytes each time, as field of any message, and keep no more memory than their own', () => {
  const lines = ['Host', 'a.example', 'X-Empty', '', '', 'no name', 'X-Bytes', '\u00e9\u0000', 'X-Long', 'v'.repeat(70_000)]
  const request = { ...codec.emptyRequestHeaders, method: 'GET', query: 'a=1' }
  const reply = { ...codec.emptyResponseHeaders, status: 200 }
  const plain = [codec.encode(codec.writeRequestHeaders, { ...request, headers: lines }), codec.encode(codec.writeResponseHeaders, { ...reply, headers: lines })]
  const kept = codec.keepEncoded(lines.slice())
  for (let round = 0; round < 3; round++) {
    assert.deepEqual(codec.encode(codec.writeRequestHeaders, { ...request, headers: kept }), plain[0])
    if (round > 0) assert.deepEqual(codec.encode(codec.writeResponseHeaders, { ...reply, headers: codec.keepEncoded(kept) }), plain[1])
  }
  assert.deepEqual([...kept], lines)
  const none = codec.keepEncoded([])
  for (let round = 0; round < 2; round++) assert.deepEqual(codec.encode(codec.writeRequestHeaders, { ...request, headers: none }), codec.encode(codec.writeRequestHeaders, request))
})

test('random messages of an independent implementation survive reading and writing byte for byte', () => {
  const random = randomFrom(7)
  for (let round = 0; round < 40; round++) {
    for (const type of messageTypes()) {
      const bytes = Buffer.from(type.encode(type.create(randomMessage(type, random, 0))).finish())
      const again = codec.encode(writer(type.name), codec.decode(reader(type.name), bytes))
      assert.equal(again.toString('hex'), bytes.toString('hex'), type.name)
    }
  }
})

test('damaged bytes throw MalformedMessage or give a message, and nothing else', () => {
  const random = randomFrom(11)
  let refused = 0
  for (const { type, bytes } of Object.values(samples)) {
    for (let round = 0; round < 300; round++) {
      const damaged = Buffer.from(bytes.subarray(0, round % 3 === 0 ? random(bytes.length + 1) : bytes.length))
      for (let i = random(4); i >= 0 && damaged.length > 0; i--) damaged[random(damaged.length)] = random(256)
      try {
        codec.decode(reader(type), damaged)
      } catch (error) {
        assert.ok(error instanceof codec.MalformedMessage, String(error))
        refused++
      }
    }
  }
  assert.ok(refused > 100)
})

test('plain garbage is refused', () => {
  for (const garbage of ['HTTP/1.1 200 OK\r\n\r\n', '{"decision":"allow"}', '\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff', '\x0a\x7f', '\x0b', '\x00']) {
    assert.throws(() => codec.decodeFromAgent(Buffer.from(garbage, 'latin1')), codec.MalformedMessage, JSON.stringify(garbage))
  }
})

test('a decision kind of a later version is no kind at all', () => {
  const later = oracle.lookupType('sentinel.agent.v1.Decision')
  // Field 9, length-delimited, empty: what a new kind would look like to this version.
  const bytes = Buffer.concat([Buffer.from([9 << 3 | 2, 0]), Buffer.from(later.encode({ upstream: 'b' }).finish())])
  const decision = codec.decode(codec.readDecision, bytes)
  assert.equal(decision.kind, undefined)
  assert.equal(decision.upstream, 'b')
})

test('an enum number of a later version is "unrecognized" and cannot be written', () => {
  const wants = codec.decode(codec.readBodyMode, Buffer.from([8, 77]))
  assert.equal(wants.kind, 'unrecognized')
  assert.throws(() => codec.encode(codec.writeBodyMode, wants), RangeError)
})

test('a list of enum values is read packed and unpacked', () => {
  assert.deepEqual(codec.decodeDescribeResponse(Buffer.from([4 << 3 | 2, 2, 1, 2])).events, ['request_headers', 'request_body'])
  assert.deepEqual(codec.decodeDescribeResponse(Buffer.from([4 << 3, 1, 4 << 3, 2])).events, ['request_headers', 'request_body'])
})

test('bytes of field lines stay bytes, and what is no byte is refused', () => {
  const headers = ['X-Raw', Array.from({ length: 256 }, (_, i) => String.fromCharCode(i)).join(''), 'X-Raw', '']
  const trailers = { headers }
  assert.deepEqual(codec.decode(codec.readTrailers, codec.encode(codec.writeTrailers, trailers)), trailers)
  // U+010A cut to a byte is a line feed.
  for (const value of ['\u010a', 'x'.repeat(100) + '\u010a']) {
    assert.throws(() => codec.encode(codec.writeTrailers, { headers: ['x', value] }), RangeError)
  }
})

test('a message that could not be written leaves no trace in the next one', () => {
  assert.throws(() => codec.encode(codec.writeTrailers, { headers: ['x', '\u0100'] }), RangeError)
  assert.deepEqual(codec.decode(codec.readTrailers, codec.encode(codec.writeTrailers, { headers: ['a', 'b'] })), { headers: ['a', 'b'] })
})

test('messages keep their bytes while others are written, whatever their size', () => {
  const sizes = [0, 1, 127, 128, 16_383, 16_384, 65_535, 65_536, 200_000, 3, 1_000_000, 5]
  const written = sizes.map((size) => codec.encode(codec.writeBodyChunk, { data: Buffer.alloc(size, size % 251), end: true, truncated: false }))
  written.forEach((bytes, i) => {
    const { data } = codec.decode(codec.readBodyChunk, bytes)
    assert.ok(data.equals(Buffer.alloc(sizes[i]!, sizes[i]! % 251)), String(sizes[i]))
  })
})

test('a message has its bytes wherever in it the memory for writing runs out', () => {
  for (const [name, { type, bytes, message }] of Object.entries(samples)) {
    for (let left = 0; left < Math.min(bytes.length, 64); left++) {
      leaveRoom(left)
      assert.equal(codec.encode(writer(type), message).toString('hex'), bytes.toString('hex'), `${name} with ${left} bytes left`)
    }
  }
})

test('numbers up to 2^53 - 1 are exact, larger ones are read as that', () => {
  for (const bytes of [0, 1, 127, 128, 2 ** 32 - 1, 2 ** 32, 2 ** 35 + 17, Number.MAX_SAFE_INTEGER]) {
    assert.deepEqual(codec.decode(codec.readCredit, codec.encode(codec.writeCredit, { bytes })), { bytes })
  }
  assert.deepEqual(codec.decode(codec.readCredit, Buffer.from('08ffffffffffffffffff01', 'hex')), { bytes: Number.MAX_SAFE_INTEGER })
  for (const bytes of [-1, 1.5e300, NaN]) assert.throws(() => codec.encode(codec.writeCredit, { bytes }), RangeError)
})

/** Writes other messages until so many bytes of the memory for writing are left: messages are put into it from the back to the front. */
function leaveRoom (bytes: number): void {
  const write = (chars: number): number => codec.encode(codec.writeConfigProblem, { path: [], hint: '', message: 'x'.repeat(chars) }).byteOffset
  let left = write(1)
  while (left < bytes) left = write(16_000)
  while (left - bytes > 16_500) left = write(16_000)
  // Tag and length are two bytes of each; the shortest has three.
  while (left - bytes > 125) left = write(100)
  if (left - bytes < 3 && left !== bytes) return leaveRoom(bytes)
  if (left !== bytes) left = write(left - bytes - 2)
  assert.equal(left, bytes)
}

const oracle = new protobuf.Root()
protobuf.parse(readFileSync(join(home, 'proto/sentinel/agent/v1/agent.proto'), 'utf8'), oracle)

type Random = (below: number) => number

/** xorshift32: the same messages in every run. */
function randomFrom (seed: number): Random {
  let state = seed
  return (below) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

function messageTypes (): protobuf.Type[] {
  oracle.resolveAll()
  const types = oracle.lookup('sentinel.agent.v1')
  assert.ok(types instanceof protobuf.Namespace)
  return types.nestedArray.filter((t) => t instanceof protobuf.Type).filter((t) => t.name !== 'Header')
}

function randomMessage (type: protobuf.Type, random: Random, depth: number): Record<string, unknown> {
  const message: Record<string, unknown> = {}
  const chosen = type.oneofsArray.map((o) => o.fieldsArray[random(o.fieldsArray.length)])
  for (const field of type.fieldsArray) {
    if (field.partOf && !chosen.includes(field)) continue
    if (!field.partOf && random(3) === 0) continue
    if (field instanceof protobuf.MapField) message[field.name] = { [`k${random(9)}`]: 'v', __x: '' }
    else if (field.repeated) message[field.name] = Array.from({ length: random(4) }, () => randomValue(field, random, depth))
    else message[field.name] = randomValue(field, random, depth)
  }
  return message
}

function randomValue (field: protobuf.Field, random: Random, depth: number): unknown {
  const type = field.resolvedType
  if (type instanceof protobuf.Type) return randomMessage(type, random, depth + 1)
  if (type instanceof protobuf.Enum) return random(Object.keys(type.values).length)
  switch (field.type) {
    case 'string': return 'aé€𝄞'.repeat(random(20)).slice(0, random(40) * 5)
    case 'bytes': return Buffer.from(Array.from({ length: random(200) }, () => random(256)))
    case 'bool': return random(2) === 1
    case 'double': return random(1000) / 7
    default: return random(2) === 0 ? random(200) : random(2 ** 31)
  }
}

// Functions are found by the name of the message, as a test over all of them must.
type Read = (r: Parameters<typeof codec.readEvent>[0], until: number) => unknown
type Write = (w: Parameters<typeof codec.writeEvent>[0], message: unknown) => void

function reader (type: string): Read {
  return (codec as unknown as Record<string, Read>)[`read${type}`]!
}

function writer (type: string): Write {
  return (codec as unknown as Record<string, Write>)[`write${type}`]!
}

test('a value of another type is refused, and the messages behind it are what they would have been', () => {
  const reply = (attributes: ReadonlyMap<string, string>): codec.Reply => ({
    exchange: 1, sequence: 1, kind: 'decision', value: { ...codec.emptyDecision, kind: 'allow', value: {}, attributes },
  })
  const good = codec.encodeFromAgent({ replies: [reply(new Map([['a', '1']]))] })
  // As an agent without a compiler could give it: a number has no length, and what was in the buffer before must not be sent in its place.
  for (const wrong of [5, null, undefined, true, {}, ['x']]) {
    assert.throws(() => codec.encodeFromAgent({ replies: [reply(new Map([['a', wrong as unknown as string]]))] }), TypeError, String(wrong))
    assert.deepEqual(codec.encodeFromAgent({ replies: [reply(new Map([['a', '1']]))] }), good)
  }
})
