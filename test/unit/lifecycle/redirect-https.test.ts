import assert from 'node:assert/strict'
import test from 'node:test'
import { cameByHttps, httpsPort, redirectRoute } from '../../../proxy/lifecycle/redirect-https.ts'
import type { Exchange } from '../../../proxy/pipeline/exchange.ts'
import { rebuildForwarded } from '../../../proxy/pipeline/forwarded.ts'
import { exchangeOf } from '../../support/exchange.ts'

function arrived (given: Parameters<typeof exchangeOf>[0], trusted = false): Exchange {
  const x = exchangeOf(given)
  rebuildForwarded(x, () => trusted)
  return x
}

async function locationOf (x: Exchange, port = 443): Promise<[number, string | undefined]> {
  const { status, headers } = await redirectRoute(port).responder.respond(x)
  return [status, headers.get('location')]
}

test('the address stays the same, but for scheme and port', async () => {
  assert.deepEqual(await locationOf(arrived({ target: '/a%2fb/../c?q=1&r=%22', authority: 'shop.test:8080' })), [301, 'https://shop.test/a%2fb/../c?q=1&r=%22'])
  assert.deepEqual(await locationOf(arrived({ target: '//evil.test/x', authority: '[::1]:80' }), 8443), [301, 'https://[::1]:8443//evil.test/x'])
  assert.deepEqual(await locationOf(arrived({ target: '*', method: 'OPTIONS', authority: 'a.test' })), [308, 'https://a.test/'])
  assert.equal((await locationOf(arrived({ method: 'POST' })))[0], 308)
})

test('a request without a host cannot be sent anywhere', async () => {
  await assert.rejects(locationOf(arrived({ authority: '' })), { code: 'BAD_REQUEST' })
})

test('only a trusted proxy can say that the client came by https', async () => {
  const headers = ['X-Forwarded-Proto', 'https', 'X-Forwarded-Host', 'public.test']
  assert.equal(cameByHttps(arrived({ headers })), false)
  assert.equal(cameByHttps(arrived({ headers }, true)), true)
  assert.deepEqual(await locationOf(arrived({ headers: ['X-Forwarded-Host', 'public.test'] }, true)), [301, 'https://public.test/'])
})

test('the port is the usual one when there is a choice', () => {
  const listener = (protocol: 'http' | 'https', port: number, namespace?: string) => ({ protocol, namespace, address: { host: '0.0.0.0', port, text: '' } })
  const outside = { namespace: undefined }
  assert.deepEqual([
    httpsPort([], outside), httpsPort([listener('http', 80), listener('https', 8443)], outside), httpsPort([listener('https', 8443), listener('https', 443)], outside), httpsPort([listener('https', 0)], outside),
  ], [443, 8443, 443, 443])
  const tenants = [listener('https', 8443, 'red'), listener('https', 9443, 'blue:pay'), listener('https', 7443)]
  assert.deepEqual([outside, { namespace: 'red' }, { namespace: 'red:api' }, { namespace: 'blue' }, { namespace: 'blue:pay' }].map((from) => httpsPort(tenants, from)),
    [7443, 8443, 8443, 443, 9443], 'never the port of another tenant')
})
