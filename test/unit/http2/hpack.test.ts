import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HpackDecoder } from '../../../proxy/http2/hpack-decoder.ts'
import { encodeFields } from '../../../proxy/http2/hpack-encoder.ts'
import { decodeHuffman, encodeHuffman } from '../../../proxy/http2/huffman.ts'
import { randomFrom } from '../../support/chance.ts'
import { block } from '../../support/h2-client.ts'

const limits = { maxBytes: 8192, maxFields: 100 }

function decode (decoder: HpackDecoder, bytes: Buffer): string | readonly string[] {
  const decoded = decoder.decode(bytes, 0, bytes.length)
  return typeof decoded === 'string' ? decoded : decoded.flaw ?? decoded.excess ?? decoded.fields
}

const requests = [
  [':method', 'GET', ':scheme', 'http', ':path', '/', ':authority', 'www.example.com'],
  [':method', 'GET', ':scheme', 'http', ':path', '/', ':authority', 'www.example.com', 'cache-control', 'no-cache'],
  [':method', 'GET', ':scheme', 'https', ':path', '/index.html', ':authority', 'www.example.com', 'custom-key', 'custom-value'],
]
const answers = [
  [':status', '302', 'cache-control', 'private', 'date', 'Mon, 21 Oct 2013 20:13:21 GMT', 'location', 'https://www.example.com'],
  [':status', '307', 'cache-control', 'private', 'date', 'Mon, 21 Oct 2013 20:13:21 GMT', 'location', 'https://www.example.com'],
  [':status', '200', 'cache-control', 'private', 'date', 'Mon, 21 Oct 2013 20:13:22 GMT', 'location', 'https://www.example.com', 'content-encoding', 'gzip',
    'set-cookie', 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1'],
]

/** RFC 7541 appendix C: three blocks in a row through one table. */
const vectors: ReadonlyArray<{ readonly name: string, readonly table: number, readonly blocks: readonly string[], readonly fields: readonly (readonly string[])[] }> = [
  {
    name: 'C.3 requests', table: 4096, fields: requests,
    blocks: ['828684410f7777772e6578616d706c652e636f6d', '828684be58086e6f2d6361636865', '828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565'],
  },
  {
    name: 'C.4 requests in Huffman code', table: 4096, fields: requests,
    blocks: ['828684418cf1e3c2e5f23a6ba0ab90f4ff', '828684be5886a8eb10649cbf', '828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf'],
  },
  {
    name: 'C.5 answers, a small table', table: 256, fields: answers,
    blocks: [
      '4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d546e1768747470733a2f2f7777772e6578616d706c652e636f6d',
      '4803333037c1c0bf',
      '88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31',
    ],
  },
  {
    name: 'C.6 answers in Huffman code, a small table', table: 256, fields: answers,
    blocks: [
      '488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3',
      '4883640effc1c0bf',
      '88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007',
    ],
  },
]

for (const { name, table, blocks, fields } of vectors) {
  test(`RFC 7541 ${name}`, () => {
    const decoder = new HpackDecoder(table, limits)
    blocks.forEach((hex, at) => assert.deepEqual(decode(decoder, Buffer.from(hex, 'hex')), fields[at]))
  })
}

const wrong: readonly (readonly [name: string, hex: string, error: RegExp])[] = [
  ['an index of 0', '80', /index of nothing/],
  ['an index behind the table', 'be', /index of nothing/],
  ['a name behind the table', '7f000161', /index of nothing/],
  ['a number without an end', '1fffffffff', /not whole/],
  ['a number that is larger than any', 'ffffffffffffff01', /not whole/],
  ['a text that is longer than the block', '400361', /not whole/],
  ['no value', '400161', /not whole/],
  ['padding of more than seven bits', '400161821fff', /well coded/],
  ['padding that is not ones', '40016181e0', /well coded/],
  ['the end mark in a text', '40016184ffffffff', /well coded/],
  ['a table size above the limit', '3fe21f', /above the limit/],
  ['three table sizes', '202020', /too many/],
  ['a table size behind a field', '8220', /behind a field/],
]

for (const [name, hex, error] of wrong) {
  test(`no block: ${name}`, () => assert.match(String(decode(new HpackDecoder(4096, limits), Buffer.from(hex, 'hex'))), error))
}

test('two table sizes are a change of mind, and empty the table', () => {
  const decoder = new HpackDecoder(4096, limits)
  assert.deepEqual(decode(decoder, Buffer.from('400161016262', 'hex').subarray(0, 5)), ['a', 'b'])
  assert.deepEqual(decode(decoder, Buffer.from('be', 'hex')), ['a', 'b'])
  assert.deepEqual(decode(decoder, Buffer.from('203fe11f', 'hex')), [])
  assert.match(String(decode(decoder, Buffer.from('be', 'hex'))), /index of nothing/)
})

test('an entry that is larger than the table empties it', () => {
  const decoder = new HpackDecoder(64, limits)
  decode(decoder, Buffer.from('4001610162', 'hex'))
  decode(decoder, Buffer.concat([Buffer.from('40'), block(['x', 'y'.repeat(40)])]))
  const large = Buffer.concat([Buffer.from([0x40]), block(['x', 'y'.repeat(40)]).subarray(1)])
  decode(decoder, large)
  assert.match(String(decode(decoder, Buffer.from('be', 'hex'))), /index of nothing/)
})

test('what is too much is read to its end, so that the table stays right', () => {
  const decoder = new HpackDecoder(4096, { maxBytes: 100, maxFields: 10 })
  const many = Buffer.concat([block(Array.from({ length: 11 }, () => ['x', 'y']).flat()), Buffer.from('4001610162', 'hex')])
  assert.equal(decode(decoder, many), 'head')
  assert.deepEqual(decode(decoder, Buffer.from('be', 'hex')), ['a', 'b'])
  assert.equal(decode(decoder, block([':path', '/'.repeat(200)])), 'line')
  assert.equal(decode(decoder, block(['x', 'y'.repeat(200)])), 'head')
})

test('a flaw that was remembered is one each time', () => {
  const decoder = new HpackDecoder(4096, limits)
  const flawed = Buffer.concat([Buffer.from([0x40]), block(['x', 'a\r\nb']).subarray(1)])
  assert.match(String(decode(decoder, flawed)), /control character/)
  assert.match(String(decode(decoder, Buffer.from('be', 'hex'))), /control character/)
})

test('every text is itself again, in Huffman code and through our blocks', () => {
  const random = randomFrom(7541)
  for (let round = 0; round < 2000; round++) {
    const text = Array.from({ length: random(60) }, () => String.fromCharCode(random(256))).join('')
    const coded = Buffer.from(encodeHuffman(text), 'latin1')
    assert.equal(decodeHuffman(coded, 0, coded.length), text)
  }
  const fields = [':status', '200', ':status', '418', 'set-cookie', 'a=b', 'content-type', 'text/html', 'x-long', 'v'.repeat(5000), 'x-own', '']
  assert.deepEqual(decode(new HpackDecoder(4096, limits), Buffer.from(encodeFields(fields), 'latin1')), fields)
})
