import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Fault } from '../../../proxy/pipeline/faults.ts'
import { connectFault, exchangeFault } from '../../../proxy/upstreams/fault-of-error.ts'

const withCode = (code: string, message = code): Error => Object.assign(new Error(message), { code })

test('what happens before a request is out tells connecting from the TLS handshake', () => {
  assert.equal(connectFault(withCode('ECONNREFUSED'), false).code, 'UPSTREAM_CONNECT')
  assert.equal(connectFault(withCode('ENOTFOUND'), true).code, 'UPSTREAM_CONNECT')
  assert.equal(connectFault(withCode('DEPTH_ZERO_SELF_SIGNED_CERT'), true).code, 'UPSTREAM_TLS')
  assert.equal(connectFault(withCode('ECONNRESET'), true).code, 'UPSTREAM_TLS')
  assert.equal(connectFault(withCode('ECONNRESET'), false).code, 'UPSTREAM_CONNECT')
})

test('what this machine has no more of is no fault of the target', () => {
  for (const secure of [false, true]) {
    const { code, row } = connectFault(withCode('EMFILE'), secure)
    assert.equal(code, 'OVERLOADED')
    assert.equal(row.blame, 'sentinel')
  }
})

test('what happens later tells a broken connection from a bug', () => {
  for (const code of ['ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ERR_STREAM_WRITE_AFTER_END', 'ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC']) {
    assert.equal(exchangeFault(withCode(code)).code, 'UPSTREAM_RESET')
  }
  assert.equal(exchangeFault(new TypeError('a bug')).code, 'INTERNAL')
})

test('a fault stays the fault it is', () => {
  const fault = new Fault('AGENT_TIMEOUT')
  assert.equal(exchangeFault(fault), fault)
  assert.equal(connectFault(fault, true), fault)
})
