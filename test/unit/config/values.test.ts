import { strict as assert } from 'node:assert'
import { describe, test } from 'node:test'
import type { ValueType } from '../../../config/schema/index.ts'
import {
  address, addressOrUrl, anyText, bool, duration, durationWithin, integer, ipFinder, ipMatcher, ipRange, listenAddress, number, oneOf,
  parseDuration, parseIpRange, parseSize, path, regex, size, text, words,
} from '../../../config/schema/index.ts'
import { durationText, sizeText } from '../../../config/schema/quantities.ts'
import { processorMs } from '../../support/processor-time.ts'

const context = { folder: '/etc/sentinel', lenient: false, secret: false }

function value<T> (type: ValueType<T>, raw: string | number | boolean | null, lenient = false): T | undefined {
  const result = type.parse(raw, { ...context, lenient })
  return 'wrong' in result ? undefined : result.value
}

function table<T> (type: ValueType<T>, rows: readonly (readonly [string | number | boolean | null, T | undefined])[]): void {
  for (const [raw, wanted] of rows) assert.deepEqual(value(type, raw), wanted, `${JSON.stringify(raw)}`)
}

describe('values', () => {
  test('durations', () => {
    table(duration, [['250ms', 250], ['30s', 30_000], ['1h30m', 5_400_000], ['1.5s', 1500], ['2d', 172_800_000], ['0s', 0], ['30', undefined], [30, undefined],
      ['30 s', undefined], ['-1s', undefined], ['', undefined], ['1e3s', undefined], ['s', undefined], [null, undefined]])
  })

  test('a duration that a timer of Node cannot hold is refused: it would fire at once', () => {
    assert.equal(value(duration, '24d'), 2_073_600_000)
    assert.equal(value(duration, '25d'), undefined)
  })

  test('sizes', () => {
    table(size, [['8KiB', 8192], ['10MB', 10_000_000], ['10MiB', 10_485_760], ['1GiB', 1_073_741_824], [512, 512], ['512', 512], ['1.5KiB', 1536], ['10 MB', 10_000_000],
      [-1, undefined], [1.5, undefined], ['ten', undefined], ['10XB', undefined], ['', undefined]])
  })

  test('quantities print as they would be written', () => {
    assert.deepEqual([durationText(250), durationText(30_000), durationText(5_400_000)], ['250ms', '30s', '90m'])
    assert.deepEqual([sizeText(8192), sizeText(10_485_760), sizeText(1000)], ['8KiB', '10MiB', '1000'])
    for (const written of ['250ms', '90m', '7d']) assert.equal(durationText(parseDuration(written) ?? 0), written)
    for (const written of ['8KiB', '3GiB']) assert.equal(sizeText(parseSize(written) ?? 0), written)
  })

  test('bounds say what they are', () => {
    assert.deepEqual(durationWithin('1ms', '10s').parse('11s', context), { wrong: 'it must be at most 10s' })
    assert.deepEqual(durationWithin('1ms').parse('0s', context), { wrong: 'it must be at least 1ms' })
  })

  test('integers, numbers and booleans take no text, unless it came from the environment', () => {
    table(integer(0, 10), [[5, 5], [11, undefined], [-1, undefined], [1.5, undefined], ['5', undefined]])
    table(integer(0, 10), [[Number.POSITIVE_INFINITY, undefined], [Number.NaN, undefined]])
    table(number, [[1.5, 1.5], [Number.NaN, undefined], ['1.5', undefined]])
    table(bool, [[true, true], ['true', undefined], [1, undefined]])
    assert.deepEqual([value(integer(0, 10), '5', true), value(number, '1.5', true), value(bool, 'true', true)], [5, 1.5, true])
    assert.equal(value(integer(0, 10), '5x', true), undefined)
  })

  test('texts', () => {
    table(text, [['a', 'a'], ['', undefined], [5, undefined]])
    table(anyText, [['', ''], [null, undefined]])
  })

  test('words do not care about case and separators', () => {
    table(oneOf('round-robin', 'hash'), [['round_robin', 'round-robin'], ['HASH', 'hash'], ['other', undefined]])
  })

  test('words that are not built say what happens instead, or are refused with a reason', () => {
    const type = words(['a', 'b'], { also: { a: ['alpha'] }, notBuilt: { c: 'b' }, refused: { d: 'not yet' } })
    assert.deepEqual(type.parse('alpha', context), { value: 'a' })
    assert.deepEqual(type.parse('c', context), { value: 'b', notBuilt: "'b' is used instead" })
    assert.deepEqual(type.parse('d', context), { wrong: 'not yet', code: 'CONFIG_NOT_BUILT' })
  })

  test('paths start at the folder of the file', () => {
    table(path, [['a.pem', '/etc/sentinel/a.pem'], ['/a.pem', '/a.pem'], ['../x', '/etc/x'], ['a\0b', undefined], ['', undefined]])
  })

  test('expressions are RE2: linear time, no look-around', () => {
    const pattern = value(regex, '^/v[0-9]+/')
    assert.deepEqual([pattern?.test('/v12/x'), pattern?.test('/vx/'), pattern?.source], [true, false, '^/v[0-9]+/'])
    for (const wrong of ['(', '(?=a)', '(a)\\1', 'x'.repeat(5000)]) assert.equal(value(regex, wrong), undefined, wrong.slice(0, 10))
    assert.ok(processorMs(() => value(regex, '(a+)+$')?.test(`${'a'.repeat(50_000)}b`)) < 1000)
  })

  test('the message about an expression from the environment does not quote it', () => {
    assert.deepEqual(regex.parse('(secret', { ...context, secret: true }), { wrong: 'it does not compile' })
  })
})

describe('addresses', () => {
  test('host and port, with brackets around IPv6', () => {
    table(address, [['127.0.0.1:80', { host: '127.0.0.1', port: 80, text: '127.0.0.1:80' }], ['[::1]:8080', { host: '::1', port: 8080, text: '[::1]:8080' }],
      ['app_1.local:1', { host: 'app_1.local', port: 1, text: 'app_1.local:1' }], ['app', undefined], ['app:0', undefined], ['app:65536', undefined], ['::1:80', undefined],
      ['[app]:80', undefined], ['10.0.0:80', undefined], ['http://a:80', undefined], ['a b:80', undefined], [':80', undefined], [80, undefined], ['a:80/x', undefined]])
  })

  test('one listens on an IP; port 0 lets the system choose', () => {
    table(listenAddress, [['127.0.0.1:0', { host: '127.0.0.1', port: 0, text: '127.0.0.1:0' }], [':8080', { host: '0.0.0.0', port: 8080, text: ':8080' }],
      ['localhost:80', { host: '127.0.0.1', port: 80, text: 'localhost:80' }], ['[::]:80', { host: '::', port: 80, text: '[::]:80' }], ['example.com:80', undefined]])
  })

  test('an agent\'s address may have a scheme', () => assert.equal(value(addressOrUrl, 'http://agent:50051/')?.host, 'agent'))

  test('ranges of both families, with host bits cut off', () => {
    table(ipRange, [['10.1.2.3/8', { text: '10.1.2.3/8', version: 4, bytes: [10, 0, 0, 0], prefix: 8 }],
      ['::ffff:10.0.0.0/104', { text: '::ffff:10.0.0.0/104', version: 4, bytes: [10, 0, 0, 0], prefix: 8 }],
      ['10.0.0.1', { text: '10.0.0.1', version: 4, bytes: [10, 0, 0, 1], prefix: 32 }], ['10.0.0.0/33', undefined], ['10.0.0', undefined], ['010.0.0.1', undefined], ['fe80::1%eth0', undefined],
      ['a.b/8', undefined], ['::/129', undefined], ['', undefined]])
  })

  test('membership, with IPv4-mapped addresses counted as IPv4', () => {
    const inside = ipMatcher(ranges('10.0.0.0/8', '192.0.2.7', '2001:db8::/33', '172.16.0.0/12'))
    for (const ip of ['10.255.0.1', '::ffff:10.0.0.1', '192.0.2.7', '2001:db8:7fff::1', '172.31.255.255', '2001:DB8::1']) assert.ok(inside(ip), ip)
    for (const ip of ['11.0.0.1', '192.0.2.8', '2001:db8:8000::1', '172.32.0.0', '', 'x', '10.0.0', '10.0.0.0.0', '010.0.0.1', '10.0.0.256', '2130706433']) assert.ok(!inside(ip), ip)
  })

  test('0.0.0.0/0 means all of IPv4 and nothing of IPv6', () => {
    const inside = ipMatcher(ranges('0.0.0.0/0'))
    assert.deepEqual([inside('8.8.8.8'), inside('::1')], [true, false])
  })

  test('the narrowest range wins', () => {
    const found = ipFinder([...ranges('10.0.0.0/8', '10.1.0.0/16', '10.1.2.3')].map(range => [range, range.text] as const))
    assert.deepEqual([found('10.2.0.0'), found('10.1.0.9'), found('10.1.2.3'), found('11.0.0.0')], ['10.0.0.0/8', '10.1.0.0/16', '10.1.2.3', undefined])
  })

  test('a hundred thousand ranges cost no more than ten', () => {
    const many = ipMatcher(ranges(...Array.from({ length: 100_000 }, (_, index) => `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}/32`)))
    assert.ok(processorMs(() => { for (let index = 0; index < 100_000; index++) many('11.2.3.4') }) < 1000)
  })

  function ranges (...written: string[]) {
    return written.map(one => {
      const result = parseIpRange(one)
      assert.ok(!('wrong' in result), one)
      return result.value
    })
  }
})
