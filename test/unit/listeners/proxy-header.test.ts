import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { crc32c } from '../../../proxy/listeners/crc32c.ts'
import { readProxyHeader } from '../../../proxy/listeners/proxy-header.ts'
import { proxyHeader, type ProxyProtocolVersion } from '../../../proxy/upstreams/proxy-header.ts'
import { tlv, v2, v4Addresses, v6Addresses, withChecksum } from '../../support/proxy-header.ts'

type Said = readonly [address: string, port: number, localAddress: string, localPort: number] | undefined | 'bad' | 'none' | 'incomplete'

function said (bytes: Buffer | string): Said {
  const header = readProxyHeader(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
  if (header.kind !== 'header') return header.kind
  return header.ends === undefined ? undefined : [header.ends.address, header.ends.port, header.ends.localAddress, header.ends.localPort]
}

const v4: Said = ['198.51.100.7', 4321, '192.0.2.1', 443]
const v6: Said = ['2001:db8::7', 4321, '2001:db8::1', 443]
const longest = 'PROXY TCP6 ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n'.replaceAll('ffff:f...f:ffff', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff')

describe('a PROXY header', () => {
  const whole: ReadonlyArray<readonly [string, Buffer | string, Said]> = [
    ['v1, IPv4', 'PROXY TCP4 198.51.100.7 192.0.2.1 4321 443\r\n', v4],
    ['v1, IPv6', 'PROXY TCP6 2001:db8::7 2001:db8::1 4321 443\r\n', v6],
    ['v1, IPv4 written as IPv6', 'PROXY TCP6 ::ffff:198.51.100.7 ::ffff:192.0.2.1 4321 443\r\n', v4],
    ['v1, the longest addresses', longest, ['ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 65535, 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 65535]],
    ['v1, unknown', 'PROXY UNKNOWN\r\n', undefined],
    ['v1, unknown, with words behind it', 'PROXY UNKNOWN ffff::1 ffff::1 1 2\r\n', undefined],
    ['v2, IPv4', v2(), v4],
    ['v2, IPv6', v2({ family: 0x21, body: v6Addresses() }), v6],
    ['v2, the sender itself', v2({ versionAndCommand: 0x20, family: 0, body: Buffer.alloc(0) }), undefined],
    ['v2, the sender itself, with anything behind it', v2({ versionAndCommand: 0x20, family: 0x77, body: Buffer.alloc(300, 1) }), undefined],
    ['v2, unknown', v2({ family: 0, body: Buffer.alloc(0) }), undefined],
    ['v2, Unix sockets', v2({ family: 0x31, body: Buffer.alloc(216) }), ['unix:', 0, 'unix:', 0]],
    ['v2, facts beside the addresses', v2({ body: Buffer.concat([v4Addresses(), tlv(2, 'shop.example.com'), tlv(4, ''), tlv(0xee, 'x')]) }), v4],
    ['v2, facts about TLS', v2({ body: Buffer.concat([v4Addresses(), tlv(0x20, Buffer.concat([Buffer.from([1, 0, 0, 0, 0]), tlv(0x21, 'TLSv1.3')]))]) }), v4],
    ['v2, a checksum', withChecksum([tlv(4, 'padding')]), v4],
    ['v2, as long as it may be', v2({ body: Buffer.concat([v4Addresses(), tlv(4, Buffer.alloc(4096 - 16 - 12 - 3))]) }), v4],
  ]
  for (const [name, bytes, expected] of whole) {
    test(`${name}: is read, and every part of it awaits the rest`, () => {
      const all = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes
      assert.deepEqual(said(all), expected)
      assert.deepEqual(said(Buffer.concat([all, Buffer.from('GET / HTTP/1.1\r\n')])), expected)
      assert.equal((readProxyHeader(Buffer.concat([all, Buffer.from('GET')])) as { length: number }).length, all.length)
      for (let length = 0; length < all.length; length++) assert.equal(said(all.subarray(0, length)), 'incomplete', `after ${length} bytes`)
    })
  }

  const bad: ReadonlyArray<readonly [string, Buffer | string]> = [
    ['v1, another family', 'PROXY TCP5 198.51.100.7 192.0.2.1 4321 443\r\n'],
    ['v1, no family', 'PROXY \r\n'],
    ['v1, small letters', 'PROXY tcp4 198.51.100.7 192.0.2.1 4321 443\r\n'],
    ['v1, addresses of the other family', 'PROXY TCP4 2001:db8::7 2001:db8::1 4321 443\r\n'],
    ['v1, IPv4 under TCP6', 'PROXY TCP6 198.51.100.7 192.0.2.1 4321 443\r\n'],
    ['v1, a leading zero in an address', 'PROXY TCP4 198.51.100.07 192.0.2.1 4321 443\r\n'],
    ['v1, a leading zero in a port', 'PROXY TCP4 198.51.100.7 192.0.2.1 04321 443\r\n'],
    ['v1, a port out of range', 'PROXY TCP4 198.51.100.7 192.0.2.1 65536 443\r\n'],
    ['v1, a negative port', 'PROXY TCP4 198.51.100.7 192.0.2.1 -1 443\r\n'],
    ['v1, a name', 'PROXY TCP4 localhost 192.0.2.1 4321 443\r\n'],
    ['v1, a zone', 'PROXY TCP6 fe80::1%eth0 2001:db8::1 4321 443\r\n'],
    ['v1, two spaces', 'PROXY TCP4  198.51.100.7 192.0.2.1 4321 443\r\n'],
    ['v1, a tab', 'PROXY TCP4\t198.51.100.7 192.0.2.1 4321 443\r\n'],
    ['v1, a word too many', 'PROXY TCP4 198.51.100.7 192.0.2.1 4321 443 9\r\n'],
    ['v1, a word too few', 'PROXY TCP4 198.51.100.7 192.0.2.1 4321\r\n'],
    ['v1, a bare LF', 'PROXY TCP4 198.51.100.7 192.0.2.1 4321 443\n'],
    ['v1, a bare CR', 'PROXY TCP4 198.51.100.7 192.0.2.1 4321 443\rG'],
    ['v1, NUL', 'PROXY TCP4 198.51.100.7\0 192.0.2.1 4321 443\r\n'],
    ['v1, no end within 107 bytes', `PROXY UNKNOWN ${'x'.repeat(93)}`],
    ['v1, its end behind 107 bytes', `PROXY UNKNOWN ${'x'.repeat(92)}\r\n`],
    ['v2, another version', v2({ versionAndCommand: 0x31 })],
    ['v2, another command', v2({ versionAndCommand: 0x22 })],
    ['v2, datagrams', v2({ family: 0x12 })],
    ['v2, another family', v2({ family: 0x41 })],
    ['v2, addresses that do not fit in', v2({ body: v4Addresses().subarray(0, 11) })],
    ['v2, IPv6 addresses in the length of IPv4', v2({ family: 0x21 })],
    ['v2, longer than 4096 bytes', v2({ length: 4096 - 15 })],
    ['v2, a fact that does not fit in', v2({ body: Buffer.concat([v4Addresses(), Buffer.from([2, 0, 9, 1])]) })],
    ['v2, half a fact', v2({ body: Buffer.concat([v4Addresses(), Buffer.from([2, 0])]) })],
    ['v2, a fact about TLS that is cut', v2({ body: Buffer.concat([v4Addresses(), tlv(0x20, Buffer.from([1, 0, 0, 0, 0, 0x21, 0, 9]))]) })],
    ['v2, a wrong checksum', withChecksum([], true)],
    ['v2, a checksum of another length', v2({ body: Buffer.concat([v4Addresses(), tlv(3, Buffer.alloc(5))]) })],
  ]
  for (const [name, bytes] of bad) test(`${name}: is refused`, () => assert.equal(said(bytes), 'bad'))

  for (const other of ['GET / HTTP/1.1\r\n', 'PROXXY', 'proxy TCP4', '\x16\x03\x01', '\r\n\r\nGET', 'PRI * HTTP/2.0\r\n']) {
    test(`${JSON.stringify(other)} is none`, () => assert.equal(said(other), 'none'))
  }
})

test('the checksum is the one of iSCSI', () => assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283))

describe('a header that is sent', () => {
  const sent = (version: ProxyProtocolVersion, clientIp: string, localAddress: string): Said =>
    said(Buffer.from(proxyHeader(version, { clientIp, clientPort: 4321, peer: { address: '', port: 0, localAddress, localPort: 443, tls: undefined } }), 'latin1'))
  for (const version of ['v1', 'v2'] as const) {
    test(`${version} says what is read out of it`, () => {
      assert.deepEqual(sent(version, '198.51.100.7', '192.0.2.1'), v4)
      assert.deepEqual(sent(version, '2001:db8::7', '2001:db8::1'), v6)
      assert.deepEqual(sent(version, '::', '2001:db8:1:2:3:4:5:6'), ['::', 4321, '2001:db8:1:2:3:4:5:6', 443])
      assert.deepEqual(sent(version, '1::', '::1'), ['1::', 4321, '::1', 443])
      assert.deepEqual(sent(version, '198.51.100.7', '2001:db8::1'), ['198.51.100.7', 4321, '2001:db8::1', 443], 'both in one family')
      assert.deepEqual(sent(version, 'unix:', 'unix:'), undefined, 'whoever has no address')
      assert.deepEqual(sent(version, '198.51.100.7', ''), undefined)
    })
  }
})
