import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dropHopByHop, rebuildForwarded } from '../../../proxy/pipeline/forwarded.ts'
import { HeaderList } from '../../../proxy/pipeline/headers.ts'
import { exchangeOf } from '../../support/exchange.ts'

const nobody = (): boolean => false
const proxies = (address: string): boolean => address.startsWith('10.')

test('hop-by-hop fields and those named by Connection are dropped', () => {
  const headers = new HeaderList(['Connection', 'close, X-Secret-Hop', 'X-Secret-Hop', '1', 'Keep-Alive', 'x', 'TE', 'gzip', 'Accept', '*/*', 'Content-Length', '3'])
  dropHopByHop(headers)
  assert.deepEqual([...headers], [['Accept', '*/*']])
})

test('Connection cannot name Host or the forwarded fields away', () => {
  const headers = new HeaderList(['Host', 'a', 'Connection', 'host, x-forwarded-for', 'X-Forwarded-For', '192.0.2.7'])
  dropHopByHop(headers)
  assert.deepEqual([...headers].map(([name]) => name), ['Host', 'X-Forwarded-For'])
})

test('what an untrusted client says about itself is replaced by what the socket says', () => {
  const x = exchangeOf({
    address: '198.51.100.9',
    headers: ['X-Forwarded-For', '127.0.0.1', 'x_forwarded_for', '127.0.0.1', 'X-Forwarded-Proto', 'https', 'X-Real-IP', '127.0.0.1',
      'Forwarded', 'for=127.0.0.1', 'X.Forwarded.Host', 'evil', 'X-Request-Id', 'forged'],
  })
  rebuildForwarded(x, nobody)
  assert.equal(x.clientIp, '198.51.100.9')
  assert.deepEqual([...x.request.headers], [
    ['X-Forwarded-For', '198.51.100.9'], ['X-Forwarded-Proto', 'http'], ['X-Forwarded-Host', 'example.test'],
    ['X-Real-IP', '198.51.100.9'], ['X-Request-Id', 'test-exchange'],
  ])
})

test('behind trusted proxies the client is the rightmost address that none of them wrote', () => {
  const x = exchangeOf({ address: '10.0.0.2', headers: ['X-Forwarded-For', '1.1.1.1, 198.51.100.7, 10.0.0.9', 'X-Forwarded-Proto', 'https', 'X-Forwarded-Host', 'shop.test'] })
  rebuildForwarded(x, proxies)
  assert.equal(x.clientIp, '198.51.100.7')
  assert.equal(x.clientPort, 0)
  assert.equal(x.request.headers.get('x-forwarded-for'), '1.1.1.1, 198.51.100.7, 10.0.0.9, 10.0.0.2')
  assert.equal(x.request.headers.get('x-forwarded-proto'), 'https')
  assert.equal(x.request.headers.get('x-forwarded-host'), 'shop.test')
})

test('text that is no address ends the trust in what stands left of it', () => {
  const x = exchangeOf({ address: '10.0.0.2', headers: ['X-Forwarded-For', '127.0.0.1, <script>, 203.0.113.5'] })
  rebuildForwarded(x, proxies)
  assert.equal(x.clientIp, '203.0.113.5')
  assert.equal(x.request.headers.get('x-forwarded-for'), '203.0.113.5, 10.0.0.2')
})

test('ports and brackets around forwarded addresses are understood', () => {
  const x = exchangeOf({ address: '10.0.0.2', headers: ['X-Forwarded-For', '[2001:db8::1]:443'] })
  rebuildForwarded(x, proxies)
  assert.equal(x.clientIp, '2001:db8::1')
})
