import assert from 'node:assert/strict'
import { Socket } from 'node:net'
import { test } from 'node:test'
import { handshakeFailure } from '../../../proxy/listeners/handshake-failure.ts'
import { LogLimit } from '../../../proxy/listeners/log-limit.ts'

test('twenty lines in ten seconds; the next line after them tells how many were kept', () => {
  let now = 0
  const limit = new LogLimit(() => now)
  const lines = Array.from({ length: 50 }, (_, i) => limit.pass(`line ${i}`))
  assert.equal(lines.filter((line) => line !== undefined).length, 20)
  now = 9_999
  assert.equal(limit.pass('late'), undefined)
  now = 10_000
  assert.equal(limit.pass('next'), 'next (31 more before it were not logged)')
  assert.equal(limit.pass('after'), 'after')
})

test('every reason is a sentence, an unknown one is that of OpenSSL', () => {
  const of = (code: string) => handshakeFailure(Object.assign(new Error('words of OpenSSL'), { code }), new Socket())
  assert.deepEqual(of('ERR_SSL_HTTP_REQUEST'), { reason: 'plain-http', detail: 'TLS handshake: plain HTTP on a port of HTTPS' })
  assert.deepEqual(of('ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE'), { reason: 'client-certificate', detail: 'client certificate: none was shown' })
  for (const code of ['ERR_SSL_SOMETHING', '', 'constructor', '__proto__']) assert.deepEqual(of(code), { reason: 'other', detail: 'TLS handshake: words of OpenSSL' })
})
