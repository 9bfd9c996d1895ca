// What an upstream learns about the client comes from the socket, and from nobody who is not trusted.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serverCertificate, serverKey } from '../golden/certificates.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { siteWith } from '../support/scripted-agent.ts'
import { request } from '../support/request.ts'
import { startSentinel } from '../support/sentinel.ts'

test('forwarded headers are rebuilt from the socket, aliases and hop-by-hop fields are dropped', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, siteWith(upstream.port, '', []))
  const answer = await sentinel.request('/', { host: 'shop.test', headers: {
    'X-Forwarded-For': '10.0.0.1', x_forwarded_for: '10.0.0.2', 'X.Forwarded.Proto': 'https', 'X-Forwarded-Proto': 'https', 'X-Forwarded-Host': 'evil.test',
    'X-Real-IP': '10.0.0.1', Forwarded: 'for=10.0.0.1', 'X-Request-Id': 'forged', Connection: 'keep-alive, X-Drop-Me', 'X-Drop-Me': '1', 'Keep-Alive': 'timeout=9',
    'Proxy-Authorization': 'Basic eDp5', TE: 'trailers', 'X-Keep': 'me',
  } })
  const { headers, rawHeaders } = upstream.requests.at(-1)!
  assert.equal(headers['x-forwarded-for'], '127.0.0.1')
  assert.equal(headers['x-forwarded-proto'], 'http')
  assert.equal(headers['x-forwarded-host'], 'shop.test')
  assert.equal(headers['x-real-ip'], '127.0.0.1')
  assert.equal(headers['x-request-id'], answer.headers['x-request-id'])
  assert.equal(headers.host, 'shop.test')
  assert.equal(headers['x-keep'], 'me')
  for (const name of ['x_forwarded_for', 'x.forwarded.proto', 'forwarded', 'x-drop-me', 'keep-alive', 'proxy-authorization', 'te']) {
    assert.ok(!rawHeaders.some((raw, i) => i % 2 === 0 && raw.toLowerCase() === name), name)
  }
})

test('behind a trusted proxy its words count, up to the first address that nobody trusts', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, siteWith(upstream.port, '', []).replace('"127.0.0.1:0" }', '"127.0.0.1:0"; trusted-proxies "127.0.0.0/8" "10.0.0.0/8" }'))
  await sentinel.request('/trusted', { headers: { 'X-Forwarded-For': '1.1.1.1, 203.0.113.9, 10.1.1.1', 'X-Forwarded-Proto': 'https', 'X-Forwarded-Host': 'shop.test' } })
  const { headers } = upstream.requests.at(-1)!
  assert.equal(headers['x-real-ip'], '203.0.113.9')
  assert.equal(headers['x-forwarded-for'], '1.1.1.1, 203.0.113.9, 10.1.1.1, 127.0.0.1')
  assert.equal(headers['x-forwarded-proto'], 'https')
  assert.equal(headers['x-forwarded-host'], 'shop.test')
  const record = await sentinel.accessed(({ path }) => path === '/trusted')
  assert.equal(record.client_ip, '203.0.113.9')
  assert.equal(record['peer_ip'], '127.0.0.1')
})

test('an https listener serves, says so to the upstream, and takes a renewed certificate at a reload', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const kdl = siteWith(upstream.port, '', []).replace('"127.0.0.1:0" }', '"127.0.0.1:0"; protocol "https"; tls { cert-file "cert.pem"; key-file "key.pem" } }')
  const sentinel = await startSentinel(t, kdl, { files: { 'cert.pem': serverCertificate, 'key.pem': serverKey } })
  const tls = { ca: serverCertificate, servername: 'localhost' }
  assert.equal((await request(sentinel.port(), '/', { tls })).status, 200)
  assert.equal(upstream.requests.at(-1)!.headers['x-forwarded-proto'], 'https')
  assert.equal((await sentinel.reload(kdl)).event, 'reloaded')
  assert.equal((await request(sentinel.port(), '/', { tls })).status, 200)
  assert.equal((await request(sentinel.port(), '/')).status, 400, 'plain HTTP on a TLS port is refused in words that its client understands')
})

test('a route that is switched off is not there', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const kdl = siteWith(upstream.port, '', [])
  const sentinel = await startSentinel(t, kdl)
  assert.equal((await sentinel.get('/')).status, 200)
  assert.equal((await sentinel.reload(kdl.replace('upstream "app" }', 'enabled #false; upstream "app" }'))).event, 'reloaded')
  assert.equal((await sentinel.get('/')).status, 404)
})

test('weights share the requests, and a target that is down is left out of an unsent request', async (t) => {
  const one = await startRecordingUpstream(t, (_, response) => response.end('one'))
  const two = await startRecordingUpstream(t, (_, response) => response.end('two'))
  const weighted = (targets: string): string => siteWith(one.port, '', []).replace(/target "[^"]+"/, targets)
  const sentinel = await startSentinel(t, weighted(`target "127.0.0.1:${one.port}" weight=3; target "127.0.0.1:${two.port}" weight=1`))
  const answers: string[] = []
  for (let i = 0; i < 40; i++) answers.push((await sentinel.get('/')).text)
  assert.equal(answers.filter((text) => text === 'one').length, 30)
  assert.equal((await sentinel.reload(weighted(`target "127.0.0.1:1"; target "127.0.0.1:${two.port}"`))).event, 'reloaded')
  for (let i = 0; i < 10; i++) assert.equal((await sentinel.get('/')).text, 'two')
})
